"""Whether a model has learned from conditions like those of a movie."""

import math

from particlelab.diffusion.conditions import (
    CORRELATED,
    CORRELATION,
    DIFFUSION,
    NOISE,
    PHOTONS,
    WIDTH,
    dark_variance,
)
from particlelab.diffusion.imaging import photon_variance, psf_width_nm

MARGIN = 0.05  # share by which conditions may lie outside of what a model has learned


def find_departures(conditions, training):
    """Say which conditions lie outside of what a model has learned from.

    A network sees pixels and frames, and neither gain nor offset: lengths count in pixels, times in frames, and the
    background by its noise. A condition lies outside if its whole interval does, by more than 5 % (`MARGIN`).

    Parameters
    ----------
    conditions : Conditions
        From `find_conditions`.
    training : Training

    Returns
    -------
    list of str
        A sentence for each condition outside; empty if there is none.
    """
    here, there = conditions.imaging, training
    found = conditions.table.set_index("quantity")[["value", "low", "high"]]
    step, its_step = (i.interval_s / (i.pixel_size_nm / 1e3) ** 2 for i in (here, there))
    width, excess = psf_width_nm(there) / there.pixel_size_nm, photon_variance(here) / photon_variance(there)
    noise = [
        excess * math.sqrt(dark_variance(there, there.background * factor))
        for factor in (1 / there.background_factor, there.background_factor)
    ]  # a camera that doubles the variance of photons needs twice as many for the same image
    checks = [
        (WIDTH, "pixels", found.loc[WIDTH] / here.pixel_size_nm, width / there.psf_factor, width * there.psf_factor),
        (
            PHOTONS,
            "photons",
            found.loc[PHOTONS],
            excess * there.photons / there.photons_factor,
            excess * there.photons * there.photons_factor,
        ),
        (NOISE, "photons", found.loc[NOISE], *noise),
        (
            DIFFUSION,
            "square pixels in a frame",
            found.loc[DIFFUSION] * step,
            there.diffusion_low_um2_s * its_step,
            there.diffusion_high_um2_s * its_step,
        ),
    ]
    sentences = [
        f"{name}: {values.value:.3g} {unit}, but the model has learned {_tell_range(low, high)}"
        for name, unit, values, low, high in checks
        if values.high < low * (1 - MARGIN) or values.low > high * (1 + MARGIN)
    ]
    read_at_once = min(here.frames, there.frames)  # longer tracks are read in parts
    sentences += find_timing_departures(here, read_at_once, there, there.fewest_frames)
    correlation = found.loc[CORRELATION]
    if correlation.low > CORRELATED or correlation.high < -CORRELATED:
        sentences.append(f"{CORRELATION}: {correlation.value:.2f}, but the model has learned noise of single pixels: 0")
    return sentences


def find_timing_departures(motion, frames, learned, fewest_frames):
    """Say whether exposure and number of frames lie outside of what a model has learned from.

    The interval alone is no condition: D scales with it. How much of it is exposed is one, as blur tells D.

    Parameters
    ----------
    motion : Motion
        Its exposure and interval count.
    frames : int
        Of a movie that the model is shown.
    learned : Motion
        That of the model's training, with its longest movies.
    fewest_frames : int
        Of its shortest.

    Returns
    -------
    list of str
    """
    exposed, its_exposed = (m.exposure_s / m.interval_s for m in (motion, learned))
    sentences = []
    if abs(exposed / its_exposed - 1) > MARGIN:
        sentences.append(
            f"exposure: {exposed:.3g} of the interval (exposure_s = {motion.exposure_s:g} s, interval_s = "
            f"{motion.interval_s:g} s), but the model has learned {its_exposed:.3g}"
        )
    if not fewest_frames <= frames <= learned.frames:
        sentences.append(f"frames: {frames}, but the model has learned {_tell_range(fewest_frames, learned.frames)}")
    return sentences


def _tell_range(low, high):
    return f"{low:.3g}" if low == high else f"from {low:.3g} to {high:.3g}"
