"""Pictures of transmission spectra: the SEP image, the grey image, and back."""

import numpy as np

from particlelab.sedimentation.spectra import Spectrum, check_spectrum

SIZES = 8, 4096  # px
FIRST, LAST = (255, 0, 0), (0, 255, 0)  # red, green: colours of the first and the last profile
SEP_RANGE = -0.04, 1.08  # transmission at the lower and the upper edge of a SEP image
DRAWN_AT_LEAST = 256  # px: smaller SEP images are drawn that large and reduced, so that their lines stay thin
FINE = 4  # binary digits behind the point of a pixel, in which lines are drawn


def grey_image(spectrum, size):
    """Draw a spectrum as a grey image: radius downwards, time to the right, white where all light passes.

    IPMT report, AP2.3.a, figure 12, lower row. Pixels stand evenly over radius and time, whatever the sampling of the
    measurement: between samples the transmission is interpolated; of more samples than pixels it is an average.

    Parameters
    ----------
    spectrum : Spectrum
    size : int
        Edge of the picture (px).

    Returns
    -------
    (size, size) ndarray of uint8
        255 is a transmission of 1; less than 0 and more than 1 cannot be shown and are cut off.

    Raises
    ------
    ValueError
        As `check_spectrum`, or if ``size`` is no whole number between 8 and 4096.
    """
    spectrum = check_spectrum(spectrum)
    over_radius, over_time = (_weights(axis, _check_size(size)) for axis in (spectrum.radii_mm, spectrum.times_s))
    values = over_radius @ spectrum.transmission.T @ over_time.T
    return np.rint(255 * values.clip(0, 1)).astype(np.uint8)


def from_grey_image(image, radii_mm, times_s, label=None, rpm=None):
    """Read a spectrum from a grey image, the reverse of `grey_image`.

    Parameters
    ----------
    image : (H, W) array_like
        Grey values 0 to 255, whole or not; its first row is the smallest radius, its first column the first time.
    radii_mm : (R,) array_like
    times_s : (T,) array_like
        What the picture extends over, its edges included, and where the transmission is wanted.
    label, rpm
        As in `Spectrum`.

    Returns
    -------
    Spectrum
        Transmission in float32, right to half a grey level (1/510) where the picture has a pixel for each sample.

    Raises
    ------
    ValueError
        If ``image`` is no grey image, or as `check_spectrum`.
    """
    image = np.asarray(image)
    if image.ndim != 2 or min(image.shape) < 2:
        raise ValueError(f"image must be grey, (H, W), got the shape {image.shape}")
    if not (np.isfinite(image).all() and image.min() >= 0 and image.max() <= 255):
        raise ValueError("image must have grey values between 0 and 255")
    radii, times = np.asarray(radii_mm, float), np.asarray(times_s, float)
    check_spectrum(Spectrum(radii, times, np.zeros((len(times), len(radii))), label, rpm))
    over_radius, over_time = (
        _interpolation(np.linspace(axis[0], axis[-1], count), axis)
        for axis, count in ((radii, image.shape[0]), (times, image.shape[1]))
    )
    values = over_time @ (image.T / 255.0) @ over_radius.T
    return Spectrum(radii, times, values.astype(np.float32), label, rpm)


def sep_image(spectrum, size):
    """Draw a spectrum as a SEP image: transmission over radius, one line a profile, from red (first) to green (last).

    IPMT report, AP2.3.a, figure 12, upper row, without its axes: the left edge is the smallest radius, the lower edge a
    transmission of -4 %, the upper edge one of 108 %. Later profiles lie over earlier ones.

    Parameters
    ----------
    spectrum : Spectrum
    size : int
        Edge of the picture (px).

    Returns
    -------
    (size, size, 3) ndarray of uint8
        Red, green, blue on white.

    Raises
    ------
    ValueError
        As `grey_image`.
    """
    import cv2

    spectrum = check_spectrum(spectrum)
    drawn = -(-DRAWN_AT_LEAST // _check_size(size)) * size  # a multiple of the size
    radii, low, high = spectrum.radii_mm, *SEP_RANGE
    x = (radii - radii[0]) / (radii[-1] - radii[0]) * (drawn - 1)
    y = (high - spectrum.transmission.clip(low, high)) / (high - low) * (drawn - 1)
    lines = np.stack([np.broadcast_to(x, y.shape), y], axis=-1)
    lines = np.rint(lines * 2**FINE).astype(np.int32)
    picture = np.full((drawn, drawn, 3), 255, np.uint8)
    for line, colour in zip(lines, profile_colours(spectrum.times_s).tolist(), strict=True):
        cv2.polylines(picture, [line], False, colour, 1, cv2.LINE_AA, FINE)
    return picture if drawn == size else cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA)


def profile_colours(times_s):
    """Return the colours of profiles, from red at the first time to green at the last.

    Parameters
    ----------
    times_s : (T,) array_like

    Returns
    -------
    (T, 3) ndarray of uint8
        Red, green, blue.
    """
    times = np.asarray(times_s, float)
    share = ((times - times[0]) / (times[-1] - times[0]))[:, None]
    return np.rint((1 - share) * FIRST + share * LAST).astype(np.uint8)


def _check_size(size):
    if isinstance(size, bool) or not isinstance(size, int | np.integer) or not SIZES[0] <= size <= SIZES[1]:
        raise ValueError(f"size must be a whole number of px between {SIZES[0]} and {SIZES[1]}, got {size!r}")
    return int(size)


def _weights(axis, size):
    """Return (size, n) weights of n samples for evenly spaced pixels from the first sample to the last."""
    pixels = np.linspace(axis[0], axis[-1], size)
    between = _interpolation(axis, pixels)
    if size >= len(axis):
        return between
    # a triangle from each pixel to its neighbours, over samples by the length that they stand for
    near = np.clip(1 - np.abs(axis - pixels[:, None]) / (pixels[1] - pixels[0]), 0, None) * np.gradient(axis)
    few = (near > 0).sum(1, keepdims=True) < 2
    return np.where(few, between, near / np.maximum(near.sum(1, keepdims=True), 1e-300))


def _interpolation(axis, places):
    """Return (places, n) weights of n samples that interpolate between them in straight lines."""
    right = np.clip(np.searchsorted(axis, places), 1, len(axis) - 1)
    share = np.clip((places - axis[right - 1]) / (axis[right] - axis[right - 1]), 0, 1)
    weights = np.zeros((len(places), len(axis)))
    rows = np.arange(len(places))
    weights[rows, right - 1], weights[rows, right] = 1 - share, share
    return weights
