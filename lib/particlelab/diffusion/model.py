"""A trained network as one uses it: from a movie to D with an interval."""

import functools
from typing import NamedTuple

import numpy as np
from scipy import special

from particlelab.diffusion.checks import check_coverage, check_parameters
from particlelab.diffusion.departures import find_timing_departures
from particlelab.diffusion.imaging import Imaging, psf_width_nm
from particlelab.diffusion.networks import SYMMETRIES, Network, see, turn
from particlelab.learning.models import half_precision, load_trained, save_model

BATCH = 128  # movies that are looked at together


class Prediction(NamedTuple):
    """Diffusion coefficients of movies."""

    diffusion_um2_s: np.ndarray  # (n,)
    lower: np.ndarray  # (n,) um^2/s: the interval holds the truth in as many cases as was asked for
    upper: np.ndarray  # (n,)


class Model:
    """A trained network and its card.

    Attributes
    ----------
    network : torch.nn.Module
        Of `network_layers`.
    card : dict
        See `save_model`; ``card["training"]`` holds the conditions that it has learned, ``card["stretch"]`` by what its
        standard deviations are multiplied.
    history : DataFrame or None
        Of its training, where that was just done.
    """

    def __init__(self, network, card):
        self.network, self.card, self.history = network.eval(), card, None

    @functools.cached_property
    def imaging(self):
        """The conditions that it has learned, in the middle of their range."""
        return Imaging.select(self.card["training"])

    def predict(self, frames, imaging=None, coverage=0.9, places_nm=None, symmetries=range(SYMMETRIES), beyond=False):
        """Read diffusion coefficients from movies.

        The network's answers for a movie, turned and reflected, are averaged. Its mean of ln D and
        its standard deviation s give D = exp(mean - s^2 / 2), which is right on average.

        Parameters
        ----------
        frames : (n, T, H, W) array_like
            Counts of any gain and offset.
        imaging : Imaging, optional
            Pixel size, exposure, interval and width of the point-spread function, where they are not those of the
            training: the network sees pixels and frames, and so D scales with the square of the pixel over the
            interval. A width beyond those that it has learned from counts as the nearest of them.
        coverage : float
            Share of intervals that hold the truth, between 0 and 1.
        places_nm : (n, T, 2) array, optional
            About where the molecule is, x and y from the middle of the field of view, if there are others; NaN where
            nobody knows. Only a transformer can be told.
        symmetries : sequence of int
            The ways to turn and reflect a movie (`networks.turn`).
        beyond : bool
            Answer also where exposure or frames are not what the network has learned from; neither D nor its interval
            can be relied on there.

        Returns
        -------
        Prediction

        Raises
        ------
        ValueError
            If frames are no movies of finite counts; if their number, or the share of the interval that is exposed, is
            not what the network has learned from (see ``beyond``); if it is told places and cannot be; if imaging is no
            `Imaging`, or coverage not between 0 and 1.
        """
        check_coverage(coverage)
        return give_intervals(*self.read(frames, imaging, places_nm, symmetries, beyond), coverage)

    def read(self, frames, imaging=None, places_nm=None, symmetries=range(SYMMETRIES), beyond=False):
        """Return mean and standard deviation of ln(D / (um^2/s)), each (n,), of movies as `predict` takes them."""
        imaging = check_parameters("imaging", imaging, Imaging, self.imaging)
        frames = _check_frames(frames)
        departures = find_timing_departures(
            imaging, frames.shape[1], self.imaging, self.card["training"]["fewest_frames"]
        )
        if departures and not beyond:
            raise ValueError(f"{'; '.join(departures)} (beyond=True: answer all the same)")
        width, places = psf_width_nm(imaging) / imaging.pixel_size_nm, None
        if places_nm is not None:
            places = np.asarray(places_nm) / imaging.pixel_size_nm + np.array(frames.shape[:1:-1]) / 2
        mean, deviation = self.look(frames, width, places, symmetries)
        scale = (imaging.pixel_size_nm / 1e3) ** 2 / imaging.interval_s
        return mean + np.log(scale), deviation * self.card.get("stretch", 1.0)

    def look(self, frames, psf_sigma_px, places=None, symmetries=range(SYMMETRIES)):
        """Return the network's mean and standard deviation of ln(D interval / pixel^2) for movies, each (n,).

        The width of the point-spread function is one number or (n,); places are in pixels from the corner of the field
        of view.
        """
        import torch

        frames = _check_frames(frames)
        self._check_kind(frames, places)
        network = Network.select(self.card["training"])
        usual, factor = psf_width_nm(self.imaging) / self.imaging.pixel_size_nm, self.card["training"]["psf_factor"]
        psf = np.broadcast_to(np.clip(psf_sigma_px, usual / factor, usual * factor), len(frames))
        found = []
        with torch.inference_mode():
            for start in range(0, len(frames), BATCH):
                some = slice(start, start + BATCH)
                seen = see(frames[some], network, psf[some], None if places is None else places[some])
                seen = tuple(map(torch.from_numpy, seen))
                answers = [torch.stack(self.network(*turn(seen, symmetry))) for symmetry in symmetries]
                found.append(torch.stack(answers).mean(dim=0).numpy().astype(float))
        mean, log_deviation = np.concatenate(found, axis=1) if found else np.empty((2, 0))
        return mean, np.exp(log_deviation)

    def calibrate(self, *sets):
        """Stretch the intervals so that 90 % of them hold the truth of movies that the network has not seen.

        Parameters
        ----------
        *sets : Drawn
            Movies of one length each, from `draw_movies`.
        """
        errors = []
        for drawn in sets:
            mean, deviation = self.look(drawn.frames, drawn.psf_sigma_px)
            truth = np.log(drawn.diffusion_um2_s * self.imaging.interval_s / (self.imaging.pixel_size_nm / 1e3) ** 2)
            errors.append(np.abs(truth - mean) / deviation)
        self.card["stretch"] = float(np.quantile(np.concatenate(errors), 0.9) / special.ndtri(0.95))

    def save(self, path):
        """Write the model file (.safetensors) and its card beside it."""
        return save_model(path, half_precision(self.network), self.card)

    def _check_kind(self, frames, places):
        """Refuse what a network of this kind cannot see."""
        known = self.card["training"]
        if known["kind"] in ("resnet2d", "park") and frames.shape[1] != known["frames"]:
            raise ValueError(
                f"a network of kind {known['kind']!r} knows movies of {known['frames']} frames, got {frames.shape[1]}"
            )
        if places is not None and known["kind"] != "transformer":
            raise ValueError(f"a network of kind {known['kind']!r} cannot be told where its molecule is")
        if places is not None and places.shape != (*frames.shape[:2], 2):
            raise ValueError(f"places must be (n, T, 2) for frames of {frames.shape}, got {places.shape}")


def give_intervals(mean, deviation, coverage):
    """Return the `Prediction` that follows from mean and standard deviation of ln(D / (um^2/s)), each (n,)."""
    half = special.ndtri((1 + coverage) / 2) * deviation
    return Prediction(np.exp(mean - deviation**2 / 2), np.exp(mean - half), np.exp(mean + half))


def load_model(name="default"):
    """Load a trained model.

    Parameters
    ----------
    name : str or path
        One that ships, or the path of a ``.safetensors`` file.

    Returns
    -------
    Model

    Raises
    ------
    ValueError
        If there is no such model, or the file holds something else.
    """
    return load_trained("diffusion", name, _build)


def _check_frames(frames):
    """Return movies as an array (n, T, H, W) float32, if they are that."""
    frames = np.ascontiguousarray(frames, np.float32)
    if frames.ndim != 4 or 0 in frames.shape[1:] or min(frames.shape[2:]) < 8:
        raise ValueError(f"frames must be (n, T, H, W) of at least 8 by 8 pixels, got {frames.shape}")
    if not np.isfinite(frames).all():
        raise ValueError("frames must be finite counts, got NaN or infinite ones")
    return frames


def _build(path, weights, card):
    import torch

    from particlelab.diffusion.network_layers import build

    try:
        network = build(Network.select(card["training"]), card["training"]["frames"])
        network.load_state_dict({key: torch.from_numpy(np.array(value)) for key, value in weights.items()})
    except (KeyError, RuntimeError) as error:
        raise ValueError(f"{path} holds no network that reads diffusion: {error}") from None
    return Model(network, card)
