"""The training of the pixel classifier that ships: on simulated micrographs, whose masks are known in full."""

from particlelab.progress import part_of
from particlelab.randomness import log_uniform
from particlelab.soot.micrographs import Micrograph, simulate_micrograph
from particlelab.soot.weka import PixelTraining, train_pixel_classifier

EDGE_PX = 512
EMPTY_SHARE = 0.1  # of the images, so that the classifier has seen background alone

# Pixels are drawn evenly from masks that are known in full, so that the probability is that of the images.
FROM_MASKS = PixelTraining(balanced=False, trees=24, leaves=800, pixels=240_000)


def train_on_simulated(images, rng, training=FROM_MASKS, progress=None):
    """Train a pixel classifier on simulated micrographs.

    Parameters
    ----------
    images : int
        At least 1; a few dozen cover the conditions of `draw_conditions`.
    rng : numpy.random.Generator
    training : PixelTraining
    progress : callable, optional
        Called with the share that is done and a text.

    Returns
    -------
    PixelClassifier
    """
    simulated = []
    for number in range(images):
        if progress:
            progress(0.3 * number / images, f"simulating image {number + 1} of {images}")
        simulated.append(simulate_training_image(rng))
    rest = part_of(progress, 0.3, 0.7)
    labels = [mask.astype("int8") + 1 for _, mask in simulated]
    classifier = train_pixel_classifier([image for image, _ in simulated], labels, rng, training, rest)
    classifier.card["data"] |= {
        "simulated by": "particlelab.soot.weka_training.draw_conditions",
        "size": f"{EDGE_PX} x {EDGE_PX} px each",
    }
    return classifier


def simulate_training_image(rng):
    """Return a simulated micrograph (H, W) uint8 and its mask (H, W) bool, under conditions drawn for it."""
    while True:
        try:
            micrograph = simulate_micrograph(draw_conditions(rng), rng)
        except ValueError:  # no room, or too many primaries: other conditions
            continue
        if micrograph.mask.mean() < 0.4:  # beyond, no background can be fitted
            return micrograph.image, micrograph.mask


def draw_conditions(rng):
    """Draw what is on a grid and how the microscope sees it.

    Ranges of contrast, noise and fringe are a little wider than those measured on real images, which are the defaults
    of `Micrograph`.

    Returns
    -------
    Micrograph
    """
    pixel = log_uniform(rng, 0.3, 1.5)
    return Micrograph(
        width_px=EDGE_PX,
        height_px=EDGE_PX,
        pixel_size_nm=pixel,
        aggregates=0 if rng.random() < EMPTY_SHARE else int(rng.integers(1, 6)),
        da_nm=log_uniform(rng, max(25.0, 30 * pixel), 0.4 * EDGE_PX * pixel),
        dp100_nm=log_uniform(rng, 12.0, 28.0),
        contaminants=int(rng.integers(0, 4)),
        attenuation_nm=(40.0, 110.0),
        noise_sd=(4.0, 14.0),
        noise_correlation=(0.0, 0.5),
        grain_px=rng.uniform(1.0, 2.5),
        film_texture=log_uniform(rng, 0.002, 0.01),
        blur_px=rng.uniform(0.5, 1.5),
        fringe=(0.0, 3.0),
    )
