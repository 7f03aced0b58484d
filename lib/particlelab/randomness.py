"""Seeds: every random number of the lab comes from a generator that somebody asked for by number."""

import math
import zlib

import numpy as np


def generator(seed, *streams):
    """Return a random generator that is fixed by a seed and by the names of its stream.

    Generators of the same seed and different streams are independent, so that an experiment may
    draw its images, its noise and its training order from one seed without one changing another.

    Parameters
    ----------
    seed : int
        At least 0.
    *streams : int or str
        Names or counters of the stream, for instance ``generator(seed, "images", 3)``.

    Returns
    -------
    numpy.random.Generator

    Raises
    ------
    ValueError
        If ``seed`` is negative or not a whole number.
    """
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise ValueError(f"seed must be a whole number of at least 0, got {seed!r}")
    plain = [stream.item() if isinstance(stream, np.generic) else stream for stream in streams]  # np.int64(3) is 3
    key = [zlib.crc32(repr(stream).encode()) for stream in plain]
    return np.random.default_rng(np.random.SeedSequence(int(seed), spawn_key=key))


def check_rng(rng):
    """Return the generator; ValueError if there is none."""
    if rng is None:
        raise ValueError("rng is missing: chance is drawn from a numpy.random.Generator")
    if not isinstance(rng, np.random.Generator):
        raise ValueError(f"rng must be a numpy.random.Generator, such as numpy.random.default_rng(0), got {rng!r}")
    return rng


def log_uniform(rng, low, high):
    """Draw a number between two positive ones, evenly in its logarithm.

    Parameters
    ----------
    rng : numpy.random.Generator
    low, high : float

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If one of them is not positive.
    """
    return math.exp(rng.uniform(math.log(low), math.log(high)))
