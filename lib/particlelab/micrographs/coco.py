"""Labels in the format of COCO, which detectors and `pycocotools` read: one file for a whole data set.

Beside what COCO asks for, an annotation says which particle it is (``instance``), how its complete outline looks
(``amodal_segmentation``, ``amodal_area``, ``amodal_bbox``) and how large the particle is (``diameter_nm``). COCO has no
place for particles of which nothing is seen: they stand in their image's ``hidden``.
"""

import json
from pathlib import Path
from typing import get_args

import numpy as np
from scipy import ndimage

from particlelab.micrographs.recipe import Population
from particlelab.micrographs.surfaces import overlap

SHAPES = get_args(Population.model_fields["shape"].annotation)
CATEGORIES = tuple(
    {"id": number, "name": shape, "supercategory": "particle"} for number, shape in enumerate(SHAPES, start=1)
)


def as_coco(micrographs, names):
    """Describe micrographs as COCO does.

    Parameters
    ----------
    micrographs : iterable of Micrograph
    names : iterable of str
        Names of the image files.

    Returns
    -------
    dict
        With ``images``, ``categories`` (a category is a shape) and ``annotations``, whose segmentation is the visible
        mask as compressed run lengths. All ids count from 1. It can be written as JSON.
    """
    return join([describe(micrograph, name) for micrograph, name in zip(micrographs, names, strict=True)])


def describe(micrograph, name):
    """Describe one micrograph: an image without id, and its annotations without ids.

    Parameters
    ----------
    micrograph : Micrograph
    name : str
        Of the image file.

    Returns
    -------
    dict
        With ``image`` and ``annotations``.
    """
    shape = height, width = micrograph.instances.shape
    table, seen = micrograph.table, ndimage.find_objects(micrograph.instances, len(micrograph.table))
    annotations, hidden = [], []
    for row, patch, frame in zip(table.to_dict("records"), micrograph.patches, seen, strict=True):
        inside, own = overlap(patch, shape)
        complete = _encode(patch.mask[own], inside, shape)
        outline = {"instance": int(row["id"]), "amodal_segmentation": complete[0]}
        if frame is None:
            hidden.append(outline)
            continue
        visible = _encode(micrograph.instances[frame] == row["id"], frame, shape)
        annotations.append(
            {
                "category_id": SHAPES.index(row["shape"]) + 1,
                "segmentation": visible[0],
                "area": visible[1],
                "bbox": visible[2],
                "iscrowd": 0,
                **outline,
                "amodal_area": complete[1],
                "amodal_bbox": complete[2],
                "population": int(row["population"]),
                "diameter_nm": float(row["diameter_nm"]),
                "visible_share": float(row["visible_share"]),
                "cut": bool(row["cut"]),
            }
        )
    recipe = micrograph.recipe
    image = {"file_name": name, "width": width, "height": height, "pixel_size_nm": float(recipe.pixel_size_nm)}
    return {"image": image | {"recipe": recipe.name, "hidden": hidden}, "annotations": annotations}


def join(parts):
    """Join what `describe` returns for each image, and number images and annotations from 1.

    Parameters
    ----------
    parts : iterable of dict

    Returns
    -------
    dict
        As `as_coco` gives it.
    """
    images, annotations = [], []
    for number, part in enumerate(parts, start=1):
        images.append({"id": number, **part["image"]})
        for annotation in part["annotations"]:
            annotations.append({"id": len(annotations) + 1, "image_id": number, **annotation})
    info = {"description": "Synthetic micrographs of Particle Lab", "version": "1"}
    return {
        "info": info,
        "licenses": [],
        "images": images,
        "categories": list(CATEGORIES),
        "annotations": annotations,
    }


def read_coco(path):
    """Read a file that `as_coco` has described.

    Parameters
    ----------
    path : path

    Returns
    -------
    images : list of dict
    annotations : dict
        List of annotations by the id of their image.

    Raises
    ------
    ValueError
        If it is no JSON or lacks a part.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        found = {image["id"]: [] for image in content["images"]}
        for annotation in content["annotations"]:
            found[annotation["image_id"]].append(annotation)
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is not in the format of COCO: {error!r}") from None
    return content["images"], found


def instances_of(image, annotations):
    """Return the instances (H, W) int32 of an image: 0 is the ground, and particles count from 1.

    Of annotations without ``instance``, as others write them, the first is 1, and later ones lie over earlier ones.
    """
    instances = np.zeros((image["height"], image["width"]), np.int32)
    for number, annotation in enumerate(annotations, start=1):
        instances[_decode(annotation["segmentation"], image)] = annotation.get("instance", number)
    return instances


def outlines_of(image, annotations):
    """Return the complete outlines (N, H, W) bool of an image's particles, those of which nothing is seen as well.

    Of annotations without complete outlines, the visible masks are taken.
    """
    everything = [*annotations, *image.get("hidden", ())]
    masks = np.zeros((len(everything), image["height"], image["width"]), bool)
    for number, annotation in enumerate(everything, start=1):
        mask = annotation.get("amodal_segmentation") or annotation["segmentation"]
        masks[annotation.get("instance", number) - 1] = _decode(mask, image)
    return masks


def _encode(mask, frame, shape):
    """Return run lengths, area and box of a mask that is given within some slices of a frame.

    Runs go down the columns, from column to column, and begin with zeros.
    """
    from pycocotools import mask as coco

    (top, left), (rows, columns) = (part.start for part in frame), mask.shape
    ended = np.zeros((columns, rows + 1), np.int8)  # a zero ends each column
    ended[:, :-1] = mask.T
    places = np.flatnonzero(np.diff(ended.ravel(), prepend=0))
    bounds = (places // (rows + 1) + left) * shape[0] + places % (rows + 1) + top
    joined = 2 * np.flatnonzero(bounds[1:-1:2] == bounds[2::2]) + 1  # a run that ends with a column goes on in the next
    bounds = np.delete(bounds, np.concatenate([joined, joined + 1]))
    counts = np.diff(bounds, prepend=0, append=shape[0] * shape[1]).tolist()
    runs = coco.frPyObjects({"size": list(shape), "counts": counts if counts[-1] else counts[:-1]}, *shape)
    y, x = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    box = [left + x[0], top + y[0], x[-1] - x[0] + 1, y[-1] - y[0] + 1] if len(x) else [0, 0, 0, 0]
    text = {"size": list(shape), "counts": runs["counts"].decode("ascii")}
    return text, int(np.count_nonzero(mask)), [float(edge) for edge in box]


def _decode(segmentation, image):
    """Return a mask (H, W) of run lengths, compressed or not, or of polygons."""
    from pycocotools import mask as coco

    height, width = image["height"], image["width"]
    if isinstance(segmentation, list):
        segmentation = coco.merge(coco.frPyObjects(segmentation, height, width))
    elif isinstance(segmentation["counts"], list):
        segmentation = coco.frPyObjects(segmentation, height, width)
    return coco.decode(segmentation).astype(bool)
