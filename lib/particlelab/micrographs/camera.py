"""The camera: drift, blur, uneven brightness, and the noise of counted quanta."""

import math

import cv2
import numpy as np


def take(picture, camera, rng):
    """Take a picture.

    Parameters
    ----------
    picture : (H, W) ndarray
        Grey levels, 0 is black and 1 white.
    camera : Camera
    rng : numpy.random.Generator

    Returns
    -------
    (H, W) uint8 ndarray
    """
    seen = np.clip(blur(picture, camera), 0, 1)
    counted = rng.poisson(camera.dose * seen) / camera.dose
    if camera.read_noise:
        counted = counted + camera.read_noise * rng.standard_normal(seen.shape, np.float32)
    return np.clip(np.round(255 * counted), 0, 255).astype(np.uint8)


def blur(picture, camera):
    """Return the mean picture of a camera, without noise: gradient, drift, blur."""
    seen = np.asarray(picture, np.float32)
    if camera.gradient:
        seen = seen * ramp(seen.shape, camera.gradient, camera.gradient_deg)
    if camera.drift_px > 0.5:
        seen = cv2.filter2D(seen, -1, drift(camera.drift_px, camera.drift_deg), borderType=cv2.BORDER_REFLECT)
    if camera.blur_px > 0:
        seen = cv2.GaussianBlur(seen, (0, 0), camera.blur_px, borderType=cv2.BORDER_REFLECT)
    return seen


def ramp(shape, gradient, direction_deg):
    """Return a plane whose mean is 1 and which rises by the gradient over the longer side of the frame."""
    height, width = shape
    angle, longer = math.radians(direction_deg), max(shape)
    x, y = (np.arange(width) + 0.5 - width / 2) / longer, (np.arange(height) + 0.5 - height / 2) / longer
    plane = 1 + gradient * (math.cos(angle) * x + math.sin(angle) * y[:, None])
    return np.maximum(plane, 0).astype(np.float32)


def drift(way_px, direction_deg):
    """Return the kernel of a straight way, all of whose points count the same."""
    half = math.ceil(way_px / 2) + 1
    steps = (np.arange(32 * half) + 0.5) / (32 * half) - 0.5
    kernel = np.zeros((2 * half + 1, 2 * half + 1), np.float32)
    for step in steps * way_px:
        x, y = step * math.cos(math.radians(direction_deg)) + half, step * math.sin(math.radians(direction_deg)) + half
        column, row = int(x), int(y)
        u, v = x - column, y - row
        for i, j, weight in ((0, 0, (1 - u) * (1 - v)), (0, 1, u * (1 - v)), (1, 0, (1 - u) * v), (1, 1, u * v)):
            if weight > 1e-9:
                kernel[row + i, column + j] += weight
    return kernel / kernel.sum()
