"""Hard images: simulated micrographs of which one condition gets worse and worse, and how classifiers bear it."""

import pandas as pd

from particlelab.parameters import Parameters, parameter
from particlelab.randomness import generator
from particlelab.soot.collection import Sample
from particlelab.soot.comparison import compare
from particlelab.soot.micrographs import Micrograph, simulate_micrograph

MEAN_GREY = 150.0  # of the background: leaves room for the strongest gradient below white and above black


class HardImage(Parameters):
    """A simulated micrograph, as hard as one likes; the defaults are a usual one."""

    attenuation_nm: float = parameter(
        70.0, "Attenuation length in soot: the longer, the lower the contrast", unit="nm", low=20, high=5000
    )
    gradient: float = parameter(40.0, "Grey levels of the background's gradient across the frame", low=0, high=200)
    noise_sd: float = parameter(8.0, "Standard deviation of the noise in grey levels", low=0, high=100)
    pixel_size_nm: float = parameter(0.5, "Edge of a pixel", unit="nm", low=0.1, high=2)
    aggregates: int = parameter(3, "Aggregates in the frame", low=0, high=20)
    size_px: int = parameter(640, "Edge of the frame", unit="px", low=128, high=4096)
    seed: int = parameter(0, "Another number is another micrograph", low=0, high=10_000)


# What gets worse, and how far; the first level of each is a usual one.
HARDSHIPS = {
    "attenuation_nm": (70.0, 140.0, 280.0, 560.0, 1120.0),
    "gradient": (40.0, 80.0, 120.0, 160.0, 200.0),
    "noise_sd": (8.0, 16.0, 32.0, 64.0),
    "pixel_size_nm": (0.8, 0.4, 0.2),
}


def simulate_hard_image(parameters):
    """Return the `Sample` of a `HardImage`."""
    p = parameters
    micrograph = Micrograph(
        width_px=p.size_px,
        height_px=p.size_px,
        pixel_size_nm=p.pixel_size_nm,
        aggregates=p.aggregates,
        attenuation_nm=(p.attenuation_nm, p.attenuation_nm),
        background=(MEAN_GREY, MEAN_GREY),
        gradient=(p.gradient, p.gradient),
        noise_sd=(p.noise_sd, p.noise_sd),
    )
    found = simulate_micrograph(micrograph, generator(p.seed, "hard image"))
    return Sample("hard image", found.image, p.pixel_size_nm, found.mask, found.table)


def score_hard_images(classifiers, images, size_px, seed, *, network="default", progress=None):
    """Score classifiers on images of which one condition gets worse and worse, the others staying as usual.

    Parameters
    ----------
    classifiers : sequence of str
        Names of `VARIANTS`.
    images : int
        For each condition and level; the same aggregates at all levels, but for the size of the pixels.
    size_px : int
        Edge of the frame.
    seed : int
    network : str
        As for `compare`.
    progress : callable, optional
        Called with a fraction and a text before each image.

    Returns
    -------
    DataFrame
        One row an image and classifier: ``condition`` (a field of `HardImage`), ``level``, ``image``, ``classifier``,
        ``failure``, ``iou`` (0 where a failure was detected, as if there were no aggregate in the image).
    """
    cases = [(condition, level, i) for condition in HARDSHIPS for level in HARDSHIPS[condition] for i in range(images)]
    tables = []
    for number, (condition, level, image) in enumerate(cases):
        if progress:
            progress(number / len(cases), f"{condition} = {level:g}")
        number_of_seed = int(generator(seed, "hard images", image).integers(10_000))
        # one aggregate finds room at every magnification
        case = HardImage(size_px=size_px, aggregates=1, seed=number_of_seed, **{condition: level})
        found = compare([simulate_hard_image(case)], classifiers, [], network=network, pictures=0).segmentations
        found = found[found.classifier != "reference"][["classifier", "failure", "iou"]]
        tables.append(found.assign(condition=condition, level=level, image=image))
    if progress:
        progress(1.0, "")
    table = pd.concat(tables, ignore_index=True)
    return table.assign(iou=table.iou.where(table.failure == "", 0.0))
