"""Movies from which one cue to the diffusion coefficient was taken away, to tell what each is worth."""

from typing import Literal

import numpy as np

from particlelab.diffusion.checks import check_diffusion, check_parameters
from particlelab.diffusion.imaging import Imaging, Sequences, place_paths, render
from particlelab.parameters import parameter
from particlelab.randomness import check_rng

BRIGHTER = 2.0  # how many times a frame whose brightness is to tell nothing is brighter or darker at most


class Cues(Imaging):
    """What movies show of a molecule: its way, and the shape and the brightness of its blobs."""

    without: Literal["nothing", "order", "way", "shape", "brightness"] = parameter(
        "nothing", "Cue that is taken away from the movies"
    )


def simulate_without(diffusion_um2_s, cues, rng):
    """Simulate movies as `simulate`, from which a cue has been taken away.

    ``order``: the frames stand in random order, which leaves where the molecule has been. ``way``: each frame is moved
    so that the middle of what its molecule passes lies anywhere in the central pixel, which leaves the blobs.
    ``shape``: each frame shows a molecule that stands still at its mean place, which leaves the track. ``brightness``:
    the counts of each frame, noise and all, are multiplied by a random number from 1/2 to 2.

    Parameters
    ----------
    diffusion_um2_s : (n,) array_like
    cues : Cues
    rng : numpy.random.Generator

    Returns
    -------
    Sequences
        Positions are those that are shown.

    Raises
    ------
    ValueError
        If a diffusion coefficient is negative or not finite, cues are no `Cues`, or rng no Generator.
    """
    check_parameters("cues", cues, Cues)
    diffusion, rng = check_diffusion(diffusion_um2_s), check_rng(rng)
    path = place_paths(diffusion, cues, rng)
    middle = path.mean(axis=2, keepdims=True)
    if cues.without == "order":
        order = rng.permuted(np.tile(np.arange(cues.frames), (len(path), 1)), axis=1)
        path = np.take_along_axis(path, order[:, :, None, None], axis=1)
    elif cues.without == "way":
        path = path - middle + rng.uniform(-0.5, 0.5, middle.shape) * cues.pixel_size_nm
    elif cues.without == "shape":
        path = np.broadcast_to(middle, path.shape).copy()
    frames = render(path, cues, rng)
    if cues.without == "brightness":
        frames *= BRIGHTER ** rng.uniform(-1, 1, (*frames.shape[:2], 1, 1)).astype(np.float32)
    return Sequences(frames, path, diffusion)
