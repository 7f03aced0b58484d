"""Mask R-CNN as torchvision has it, with its limits raised so that hundreds of particles are found in a picture."""

import torch
from torch import nn
from torchvision.models import resnet
from torchvision.models.detection import MaskRCNN, MaskRCNN_ResNet50_FPN_Weights, maskrcnn_resnet50_fpn
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.backbone_utils import _resnet_fpn_extractor
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor
from torchvision.models.detection.mask_rcnn import MaskRCNNPredictor
from torchvision.models.detection.rpn import RPNHead
from torchvision.models.detection.transform import GeneralizedRCNNTransform
from torchvision.ops.misc import FrozenBatchNorm2d

MOST = 2000  # particles of a picture
LIMITS = {
    "box_detections_per_img": MOST,
    "rpn_pre_nms_top_n_train": 4000,
    "rpn_pre_nms_top_n_test": 4 * MOST,
    "rpn_post_nms_top_n_train": 4000,
    "rpn_post_nms_top_n_test": 4 * MOST,
    "box_score_thresh": 0.05,
}
ANCHORS = ((8,), (16,), (32,), (64,), (128,))  # edges in pixels of the magnified picture, one for each level
ASPECTS = ((0.5, 1.0, 2.0),) * len(ANCHORS)
CLASSES = 2  # ground and particle


class RawMasks(GeneralizedRCNNTransform):
    """Pictures as they are, only normalised; masks that were found stay in the frames of their boxes.

    Pasted into whole pictures, 600 masks of 1024 x 1024 pixels would take 2.5 GB.
    """

    def __init__(self):
        super().__init__(0, 0, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])

    def resize(self, image, target=None):
        return image, target

    def postprocess(self, result, image_shapes, original_image_sizes):
        return result


def build(backbone, pretrained):
    """Return a Mask R-CNN for particles with random weights.

    Parameters
    ----------
    backbone : {"resnet50", "resnet18"}
    pretrained : bool
        Whether COCO's weights are to be loaded: those come with batch statistics that do not change; without them
        groups of channels are normalised (He et al. 2019, "Rethinking ImageNet pre-training").
    """
    norm = FrozenBatchNorm2d if pretrained else _groups
    body = getattr(resnet, backbone)(weights=None, norm_layer=norm)
    layers = _resnet_fpn_extractor(body, 5, norm_layer=None if pretrained else _groups)
    anchors = AnchorGenerator(ANCHORS, ASPECTS)
    network = MaskRCNN(layers, CLASSES, rpn_anchor_generator=anchors, rpn_head=RPNHead(256, 3), **LIMITS)
    network.transform = RawMasks()
    return network


def load_coco(network):
    """Give a Mask R-CNN over a ResNet50 the weights that torchvision has for COCO, but for those of the classes.

    Raises
    ------
    OSError
        If they are not on this machine and cannot be fetched.
    """
    whole = maskrcnn_resnet50_fpn(weights=MaskRCNN_ResNet50_FPN_Weights.COCO_V1)
    heads = FastRCNNPredictor(1024, CLASSES), MaskRCNNPredictor(256, 256, CLASSES)
    whole.roi_heads.box_predictor, whole.roi_heads.mask_predictor = heads
    network.load_state_dict(whole.state_dict())


def targets(instances, magnification):
    """Return what torchvision's Mask R-CNN learns from, for each of instances (B, H, W) of a batch."""
    found = []
    for marks in instances:
        ids, areas = torch.unique(marks[marks > 0], return_counts=True)
        large = torch.repeat_interleave(torch.repeat_interleave(marks, magnification, 0), magnification, 1)
        masks = large[None] == ids[areas >= 3, None, None]
        boxes = torch.zeros((len(masks), 4))
        if len(masks):
            rows, columns = masks.any(2), masks.any(1)
            height, width = rows.shape[1], columns.shape[1]
            first = [columns.int().argmax(1), rows.int().argmax(1)]
            last = [width - columns.flip(1).int().argmax(1), height - rows.flip(1).int().argmax(1)]
            boxes = torch.stack([*first, *last], 1).float()
        found.append({"boxes": boxes, "labels": torch.ones(len(masks), dtype=torch.int64), "masks": masks.byte()})
    return found


def _groups(channels):
    return nn.GroupNorm(min(32, channels // 4), channels)
