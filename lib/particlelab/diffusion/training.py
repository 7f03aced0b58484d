"""Training on movies that are simulated while a network learns, each seen once."""

import math
from typing import NamedTuple

import numpy as np
from pydantic import model_validator

from particlelab.diffusion.checks import check_parameters
from particlelab.diffusion.cues import Cues, simulate_without
from particlelab.diffusion.imaging import CHUNK, Imaging, psf_width_nm
from particlelab.diffusion.model import Model
from particlelab.diffusion.networks import Network, see
from particlelab.parameters import parameter
from particlelab.randomness import check_rng, generator, log_uniform

LENGTHS = 4  # of movies by which intervals are calibrated, from the shortest to the longest
END = 3.0  # times the smallest D, and a part of the largest, within which the range itself tells something


class Training(Cues, Network):
    """What a network learns from: movies under these conditions, or within a factor of them."""

    diffusion_low_um2_s: float = parameter(0.03, "Smallest diffusion coefficient", unit="um^2/s", above=0, high=1e4)
    diffusion_high_um2_s: float = parameter(40.0, "Largest diffusion coefficient", unit="um^2/s", above=0, high=1e4)
    fewest_frames: int = parameter(16, "Frames of the shortest movies; the longest have `frames`", low=1, high=10_000)
    photons_factor: float = parameter(1.0, "Photons are so many times more or fewer at most", low=1, high=100)
    background_factor: float = parameter(1.0, "Background is so many times more or less at most", low=1, high=1000)
    psf_factor: float = parameter(1.0, "The point-spread function is so many times wider or narrower", low=1, high=3)
    psf_error: float = parameter(0.0, "Standard error of its width, as a share, with which it is told", low=0, high=0.5)
    iterations: int = parameter(3000, "Iterations", low=1, high=10_000_000)
    batch: int = parameter(256, "Movies in an iteration", low=2, high=65_536)
    learning_rate: float = parameter(1e-3, "Highest learning rate", above=0, high=1)
    weight_decay: float = parameter(1e-4, "Weight decay", low=0, high=1)
    calibration: int = parameter(10_000, "Movies by which the intervals are calibrated", low=100, high=1_000_000)
    workers: int = parameter(0, "Processes that simulate ahead of the training", low=0, high=64)

    @model_validator(mode="after")
    def _ranges(self):
        if self.diffusion_low_um2_s >= self.diffusion_high_um2_s:
            raise ValueError(
                f"diffusion_low_um2_s = {self.diffusion_low_um2_s:g} must be below "
                f"diffusion_high_um2_s = {self.diffusion_high_um2_s:g}"
            )
        if self.fewest_frames > self.frames:
            raise ValueError(f"fewest_frames = {self.fewest_frames} must be at most frames = {self.frames}")
        if self.fewest_frames < self.frames and self.kind in ("resnet2d", "park"):
            raise ValueError(f"kind = {self.kind!r} knows one number of frames: fewest_frames must be {self.frames}")
        if self.psf_factor > 1 and self.psf != "gaussian":
            raise ValueError(f"psf_factor = {self.psf_factor:g} must be 1 for psf = {self.psf!r}, which has one width")
        if self.window % 2 == 0:
            raise ValueError(f"window = {self.window} must be odd")
        return self


class Drawn(NamedTuple):
    """Movies as a network learns from them."""

    frames: np.ndarray  # (n, T, H, W) float32 counts
    diffusion_um2_s: np.ndarray  # (n,)
    psf_sigma_px: np.ndarray  # (n,) as the network is told, with its error


def train(parameters=None, rng=None, folder=None, progress=None):
    """Train a network to read ln D from movies, with an uncertainty, by the Gaussian likelihood.

    The diffusion coefficients are even in their logarithm. No movie is seen twice: the document found that a network
    soon knows by heart what it sees again.

    Parameters
    ----------
    parameters : Training, optional
    rng : numpy.random.Generator
        Gives the seed of the movies and of the first weights.
    folder : path, optional
        For checkpoints: a training that was killed goes on from the last one, if all else is the same.
    progress : callable, optional
        Called with the share that is done and a text.

    Returns
    -------
    Model
        With a table ``history`` of the training: ``iteration``, ``loss``, ``learning_rate``.

    Raises
    ------
    ValueError
        If parameters are no `Training`, rng is no Generator, or the folder holds another training's checkpoint.
    """
    import torch

    from particlelab.diffusion.network_layers import build
    from particlelab.learning import training

    p = check_parameters("parameters", parameters, Training, Training())
    seed = int(check_rng(rng).integers(2**31))
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = build(p, p.frames)
    history = training.train(
        network,
        _Movies(p, seed),
        _loss,
        training.one_cycle(p),
        iterations=p.iterations,
        seed=seed,
        folder=folder,
        name=f"{p.replace(workers=0)!r}, {seed}",
        workers=p.workers,
        progress=progress,
    )
    card = {
        "purpose": "Reads the diffusion coefficient of a single molecule from its movie, with an interval; trained on "
        "simulated movies only.",
        "training": p.model_dump(mode="json") | {"seed of the movies and the first weights": seed},
        "loss": training.course(history),
    }
    model = Model(network, card)
    lengths = np.unique(np.linspace(p.fewest_frames, p.frames, LENGTHS).astype(int))
    share, rng = math.ceil(p.calibration / len(lengths)), generator(seed, "calibration")
    model.calibrate(*(draw_movies(_within(p), share, rng, int(length)) for length in lengths))
    model.history = history
    return model


def fit_training(imaging, **changes):
    """Return a training for the conditions of a movie, and not much else.

    Photons and background vary by a half to either side, since molecules differ, and the width of the point-spread
    function by a tenth, since it is known to some 3 % only; movies have 8 to 32 frames, or as many as there are; D is
    that of the default, in pixels and frames.

    Parameters
    ----------
    imaging : Imaging
        From `find_conditions`.
    **changes
        Fields of `Training` that are to be otherwise.

    Returns
    -------
    Training

    Raises
    ------
    ValueError
        If imaging is no `Imaging`.
    """
    check_parameters("imaging", imaging, Imaging)
    usual = Training()
    scale = (imaging.pixel_size_nm / usual.pixel_size_nm) ** 2 * usual.interval_s / imaging.interval_s
    fitted = {
        "size": usual.size,
        "frames": min(imaging.frames, 32),
        "fewest_frames": min(imaging.frames, 8),
        "photons_factor": 1.5,
        "background_factor": 1.5,
        "psf_factor": 1.1,
        "psf_error": 0.03,
        "diffusion_low_um2_s": usual.diffusion_low_um2_s * scale,
        "diffusion_high_um2_s": usual.diffusion_high_um2_s * scale,
    }
    return Training.select(imaging.model_dump() | fitted | changes)


def draw_movies(parameters, n, rng, frames=None):
    """Simulate movies as a network learns from them.

    Parameters
    ----------
    parameters : Training
    n : int
    rng : numpy.random.Generator
    frames : int, optional
        Of each movie; the longest by default.

    Returns
    -------
    Drawn

    Raises
    ------
    ValueError
        If parameters are no `Training`, or rng is no Generator.
    """
    p, rng = check_parameters("parameters", parameters, Training), check_rng(rng)
    diffusion = np.exp(rng.uniform(math.log(p.diffusion_low_um2_s), math.log(p.diffusion_high_um2_s), n))
    cues = Cues.select(p.model_dump() | {"frames": frames or p.frames})
    factors = {"photons": p.photons_factor, "background": p.background_factor, "psf_sigma_nm": p.psf_factor}
    varied = {name: factor for name, factor in factors.items() if factor > 1}
    size = CHUNK if varied else n  # those of a chunk share their conditions
    parts, widths = [], np.empty(n)
    for start in range(0, n, size):
        drawn = {name: getattr(p, name) * log_uniform(rng, 1 / f, f) for name, f in varied.items()}
        some, imaging = slice(start, start + size), cues.replace(**drawn)
        parts.append(simulate_without(diffusion[some], imaging, rng).frames)
        widths[some] = psf_width_nm(imaging) / imaging.pixel_size_nm
    told = widths * np.exp(p.psf_error * rng.standard_normal(n))
    return Drawn(np.concatenate(parts), diffusion, told)


def _within(parameters):
    """Return parameters of movies whose D is not near an end of the range, which would help the network to find it."""
    low, high = parameters.diffusion_low_um2_s, parameters.diffusion_high_um2_s
    apart = min(END, (high / low) ** 0.25)
    return parameters.replace(diffusion_low_um2_s=low * apart, diffusion_high_um2_s=high / apart)


class _Movies:
    """The n-th batch of a training, the same at every call; picklable, for processes that make them ahead."""

    def __init__(self, parameters, seed):
        self.parameters, self.seed = parameters, seed

    def __call__(self, n):
        import torch

        p, rng = self.parameters, generator(self.seed, "batch", n)
        frames = int(rng.integers(p.fewest_frames, p.frames + 1))
        drawn = draw_movies(p, p.batch, rng, frames)
        target = np.log(drawn.diffusion_um2_s * p.interval_s / (p.pixel_size_nm / 1e3) ** 2)
        seen = see(drawn.frames, p, drawn.psf_sigma_px)
        return *map(torch.from_numpy, seen), torch.from_numpy(target.astype(np.float32))


def _loss(network, *seen_and_target):
    *seen, target = seen_and_target
    mean, log_deviation = network(*seen)
    return (log_deviation + ((target - mean) / log_deviation.exp()) ** 2 / 2).mean()
