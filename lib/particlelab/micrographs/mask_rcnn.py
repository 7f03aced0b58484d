"""The document's detector: Mask R-CNN (AP1.4), with limits raised to hundreds of particles a picture."""

import logging
import math

import numpy as np

from particlelab.micrographs.detector import Detector, Found

SCORE = 0.5  # least score of a particle
LEAST_PX = 4
TILE_PX, OVERLAP_PX = 1024, 128  # of the image


class MaskRCNNDetector(Detector):
    """A trained Mask R-CNN.

    ``card["network"]`` holds its backbone, its magnification, and where the weights came from that it began with.
    """

    kind = "mask-rcnn"

    @staticmethod
    def build(network):
        """Return the network, untrained, that an entry of a card describes."""
        from particlelab.micrographs.mask_rcnn_layers import build

        return build(network["backbone"], network["weights"].startswith("COCO"))

    @classmethod
    def untrained(cls, parameters):
        """Return a network with its first weights, and its entry for a card.

        Parameters
        ----------
        parameters : MaskRCNNTraining
        """
        from particlelab.micrographs.mask_rcnn_layers import load_coco

        entry = {"kind": cls.kind, "backbone": parameters.backbone, "magnification": parameters.magnification}
        if parameters.weights == "coco" and parameters.backbone == "resnet50":
            network = cls.build(entry | {"weights": "COCO"})
            try:
                load_coco(network)
            except (OSError, RuntimeError) as error:
                logging.getLogger(__name__).warning("COCO's weights cannot be had (%s): random ones instead", error)
                entry["weights"] = "random: COCO's could not be had"
            else:
                return network, entry | {"weights": "COCO, from torchvision"}
        else:
            entry["weights"] = "random"
        return cls.build(entry), entry

    def _find(self, grey):
        height, width = grey.shape
        boxes, masks, scores = [], [], []
        for top in range(0, height, TILE_PX):
            for left in range(0, width, TILE_PX):
                tile = tuple(slice(max(n - OVERLAP_PX, 0), n + TILE_PX + OVERLAP_PX) for n in (top, left))
                found = self._look(normalise(grey)[tile])
                box = found[0] + np.tile([tile[1].start, tile[0].start], 2)
                middle = (box[:, :2] + box[:, 2:]) / 2
                own = (middle >= (left, top)).all(1) & (middle < (left + TILE_PX, top + TILE_PX)).all(1)
                for kept, part in zip((boxes, masks, scores), (box, *found[1:]), strict=True):
                    kept.append(part[own])
        return paint(np.concatenate(boxes), np.concatenate(masks), np.concatenate(scores), grey.shape)

    def _look(self, seen):
        """Return boxes (N, 4; x, y, x, y in pixels of the image), masks (N, m, m) in them, and scores."""
        import torch

        factor = self.card["network"]["magnification"]
        picture = torch.from_numpy(np.ascontiguousarray(seen))[None, None]
        picture = torch.nn.functional.interpolate(picture, scale_factor=factor, mode="bilinear")[0]
        with torch.inference_mode():
            (found,) = self.network([picture.expand(3, -1, -1)])
        kept = found["scores"] >= SCORE
        masks = found["masks"][kept][:, 0].numpy()
        return found["boxes"][kept].numpy() / factor, masks, found["scores"][kept].numpy()


def normalise(grey):
    """Return what the network sees of a grey image: its range, but for the outermost pixels, from 0 to 1."""
    low, high = np.percentile(grey, (0.5, 99.5))
    return np.clip((grey - low) / max(high - low, 1e-3), -0.5, 1.5).astype(np.float32)


def paint(boxes, masks, scores, shape):
    """Paint masks that are given in the frames of their boxes into one picture of instances.

    Parameters
    ----------
    boxes : (N, 4) array
        Left, top, right, bottom in pixels.
    masks : (N, m, m) array
        Scores, 0 to 1; a pixel above 0.5 belongs to the particle, and where several do, to the one of the best score.
    scores : (N,) array
    shape : (int, int)

    Returns
    -------
    Found
        Diameters are those of the disks with the areas of the whole masks, also where another lies over them.
    """
    import cv2

    instances, kept, areas = np.zeros(shape, np.int32), [], []
    for k in np.argsort(-scores, kind="stable"):
        left, top, right, bottom = boxes[k]
        first, last = (math.floor(left), math.floor(top)), (math.ceil(right), math.ceil(bottom))
        columns, rows = (np.arange(a, b) + 0.5 for a, b in zip(first, last, strict=True))
        m = masks.shape[-1]
        across = (columns - left) / max(right - left, 1e-6) * m - 0.5
        down = (rows - top) / max(bottom - top, 1e-6) * m - 0.5
        grid = (np.broadcast_to(a, (len(rows), len(columns))) for a in (across[None, :], down[:, None]))
        mask = cv2.remap(masks[k].astype(np.float32), *(g.astype(np.float32) for g in grid), cv2.INTER_LINEAR) > 0.5
        row, column = np.nonzero(mask)
        row, column = row + first[1], column + first[0]
        inside = (row >= 0) & (row < shape[0]) & (column >= 0) & (column < shape[1])
        row, column = row[inside], column[inside]
        free = instances[row, column] == 0
        if np.count_nonzero(free) < max(LEAST_PX, 0.25 * len(row)):
            continue
        kept.append(k)
        areas.append(len(row))
        instances[row[free], column[free]] = len(kept)
    diameters = 2 * np.sqrt(np.array(areas, float) / math.pi)
    return Found(instances, np.asarray(scores, float)[kept], diameters)


def losses(network, images, instances, magnification):
    """Return the sum of torchvision's losses of a Mask R-CNN in training.

    Parameters
    ----------
    network : torch.nn.Module
    images : (B, H, W) float tensor
        As `normalise` gives them.
    instances : (B, H, W) int tensor
        0 = ground.
    magnification : int
        Of the pictures before the network sees them.

    Returns
    -------
    scalar tensor
    """
    from torch.nn import functional

    from particlelab.micrographs.mask_rcnn_layers import targets

    factor = magnification
    large = functional.interpolate(images[:, None], scale_factor=factor, mode="bilinear")
    truth = targets(instances, factor)
    return sum(network([picture.expand(3, -1, -1) for picture in large], truth).values())
