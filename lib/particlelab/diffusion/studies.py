"""Parameters of the notebooks' experiments, and what they compute of many movies."""

from typing import Annotated, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from particlelab.diffusion.blobs import find_blobs
from particlelab.diffusion.cues import Cues
from particlelab.diffusion.estimators import Estimate
from particlelab.diffusion.imaging import psf_width_nm, simulate_together
from particlelab.diffusion.measurement import Measurement, given_imaging
from particlelab.diffusion.model import load_model
from particlelab.diffusion.networks import Network
from particlelab.diffusion.one_movie import OneMovie, watch
from particlelab.diffusion.scores import Comparison, compare, summarise
from particlelab.diffusion.training import Training
from particlelab.parameters import parameter
from particlelab.randomness import generator

DOCUMENT_NETWORKS = {  # of two to five million numbers
    "park": Network(kind="park", width=64, depth=2),
    "resnet2d": Network(kind="resnet2d", width=40, depth=2),
    "resnet3d": Network(kind="resnet3d", width=24, depth=2),
    "transformer": Network(kind="transformer", width=256, depth=4),
}
CUES = {
    "nothing": "nothing",
    "order": "the order of the frames",
    "way": "the way from frame to frame",
    "shape": "the blur within a frame",
    "brightness": "the brightness of the frames",
}
MOVIE_GROUPS = {  # of the parameters of one movie
    "Motion": (
        "frames",
        "substeps",
        "confinement_nm",
        "drift_um_s",
        "second_state",
        "leaving_1_per_s",
        "leaving_2_per_s",
    ),
    "Camera": ("camera", "read_noise", "gain", "offset", "pixel_size_nm", "size", "centred_on", "edge"),
    "Point-spread function": ("psf", "wavelength_nm", "numerical_aperture", "defocus_nm", "depth_nm"),
    "Blinking": ("off_1_per_s", "on_1_per_s", "bleaching_1_per_s"),
}
MOVIE_NAMES = {
    "diffusion": "Diffusion coefficient D",
    "psf": "Point-spread function",
    "interval": "Frame interval",
    "leaving_1_per_s": "Leaving the first state",
    "leaving_2_per_s": "Leaving the second state",
    "off_1_per_s": "Going dark",
    "on_1_per_s": "Lighting up again",
    "bleaching_1_per_s": "Bleaching",
    "scmos": "sCMOS",
    "emccd": "EMCCD",
    "gaussian": "Gaussian",
    "airy": "Airy",
    "gibson-lanni": "Gibson-Lanni",
}


class TrainingStudy(Comparison, Training):
    """A training, and the movies that its network is judged by."""

    train: bool = parameter(False, "Train a network from nothing; otherwise the one that ships is looked at")
    seed: int = parameter(0, "Seed of the first weights and of all movies", low=0)


class ComparisonStudy(Comparison):
    """Networks beside estimators from tracks: against D, light, length, and without one cue after the other."""

    movies: int = parameter(150, "Movies of each", low=2, high=1_000_000)
    models: tuple[str, ...] = parameter(("default", "general"), "Networks that ship, or paths of .safetensors files")
    varied_at_um2_s: float = parameter(1.0, "D at which conditions are varied", unit="um^2/s", above=0, high=1000)
    photons_compared: tuple[Annotated[float, Field(ge=10, le=1e6)], ...] = parameter(
        (125.0, 250.0, 500.0, 1000.0, 2000.0), "Photons in a frame, where they are varied"
    )
    frames_compared: tuple[Annotated[int, Field(ge=3, le=1000)], ...] = parameter(
        (4, 8, 16, 32), "Frames of a movie, where they are varied"
    )
    seed: int = parameter(0, "Seed of the movies", low=0)


class MovieStudy(Measurement):
    """A movie of several molecules, measured."""

    images: Literal["real", "simulated"] = parameter("real", "A real movie where there is one, or a simulated one")
    pixel_size_nm: float | None = parameter(
        100.0, "Edge of a pixel in the sample, where the file does not say", unit="nm", above=0, high=10_000
    )
    exposure_s: float | None = parameter(0.01, "Exposure of a frame", unit="s", above=0, high=100)
    molecules: int = parameter(12, "Molecules of the simulated movie", low=1, high=1000)
    train: bool = parameter(False, "Train a network for the conditions of the movie")
    iterations: int = parameter(800, "Iterations of this training", low=1, high=10_000_000)


class Asked(OneMovie):
    """A molecule, how it is looked at, and the network that is asked."""

    model: str = parameter("default", "A network that ships, or the path of a .safetensors file")


class Trial(Cues):
    """Movies of molecules that diffuse alike, by which methods are tried; within what a page can show."""

    diffusion_um2_s: float = parameter(2.0, "Diffusion coefficient D", unit="um^2/s", low=0.01, high=100)
    movies: int = parameter(60, "Movies", low=10, high=1000)
    frames: int = parameter(16, "Frames of a movie", low=3, high=64)
    photons: float = parameter(500.0, "Photons of the molecule detected in a frame", low=10, high=100_000)
    background: float = parameter(1.0, "Photons of the background in a pixel and frame", low=0, high=100)
    model: str = parameter("default", "A network that ships, or the path of a .safetensors file")
    seed: int = parameter(0, "Another number is other movies", low=0, high=999)


def ask(parameters):
    """Take a movie of a molecule, and let estimators and a network read it.

    Parameters
    ----------
    parameters : Asked

    Returns
    -------
    parameters : Asked
    watched : Watched
    table : DataFrame
        ``method``, ``diffusion_um2_s``, ``low``, ``high`` (95 %); that of the network is last.
    windows : (T, w, w) ndarray
        What a transformer sees of the movie.
    """
    p, watched = parameters, watch(parameters)
    model = load_model(p.model)
    answer = model.predict(watched.frames[None], p, 0.95, beyond=True)
    table = watched.estimates.copy()
    error = table.pop("standard_error_um2_s").to_numpy()
    table["low"], table["high"] = Estimate(table.diffusion_um2_s.to_numpy(), error).interval(0.95)
    table.loc[len(table)] = (p.model, *(float(value[0]) for value in answer))
    blobs = find_blobs(watched.frames[None], psf_width_nm(p) / p.pixel_size_nm)
    return p, watched, table, blobs.windows[0]


def tell_watched(parameters, watched):
    """Say in one line what a track tells of a molecule, and what it does not.

    Parameters
    ----------
    parameters : OneMovie
    watched : Watched

    Returns
    -------
    str
    """
    p, best = parameters, watched.estimates.set_index("method").loc["mle"]
    text = f"The molecule is found in {np.isfinite(watched.localised_nm[:, 0]).sum()} of {p.frames} frames. "
    if np.isfinite(best.diffusion_um2_s):
        text += (
            f"D is {p.diffusion_um2_s:.3g} µm²/s; its track says "
            f"{best.diffusion_um2_s:.3g} ± {best.standard_error_um2_s:.2g} µm²/s (maximum likelihood, standard error). "
        )
    else:
        text += "That is too few to estimate D: more photons or less background would help. "
    within_nm = 1e3 * np.sqrt(p.diffusion_um2_s * p.exposure_s / 3)
    return text + (
        f"Within an exposure it smears by {within_nm:.0f} nm along each axis (standard deviation); this light can tell "
        f"where it was to {watched.sigma_nm:.0f} nm at best."
    )


def try_methods(parameters):
    """Return estimates (`compare`) and scores (`summarise`) of all methods from a few movies of a `Trial`."""
    p = parameters
    compared = Comparison.select(p.model_dump() | {"diffusions_um2_s": (p.diffusion_um2_s,)})
    estimates = compare({p.model: load_model(p.model)}, compared, generator(p.seed, "trial"))
    return estimates, summarise(estimates, compared)


def simulate_example(parameters):
    """Simulate a movie of 40 frames, half of whose molecules diffuse ten times as fast as the others.

    Parameters
    ----------
    parameters : MovieStudy

    Returns
    -------
    Sequences
        As of `simulate_together`.
    """
    p, imaging = parameters, given_imaging(parameters, frames=40, size=128)
    diffusion = np.where(np.arange(p.molecules) % 2, 2.0, 0.2)
    return simulate_together(diffusion, imaging, generator(p.seed, "example"))


def compare_along(models, parameters, column, values, rng, progress=None):
    """Score networks and estimators from tracks under one condition after the other.

    Parameters
    ----------
    models : dict of str to Model
    parameters : Comparison
    column : str
        The field that is varied: ``photons``, ``frames``, ``without``, ...
    values : sequence
        What it becomes.
    rng : numpy.random.Generator
    progress : callable, optional
        Called with the share that is done and a text.

    Returns
    -------
    DataFrame
        As `summarise`, with ``column``.
    """
    tables = []
    for number, value in enumerate(values):
        p = parameters.replace(**{column: value})
        tables.append(summarise(compare(models, p, rng), p).assign(**{column: value}))
        if progress:
            progress((number + 1) / len(values), f"{column} = {value}")
    return pd.concat(tables, ignore_index=True)
