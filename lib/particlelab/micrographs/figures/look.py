"""How pictures of micrographs and their labels look in all figures."""

import numpy as np
from plotly.colors import sample_colorscale, unlabel_rgb
from skimage.color import hsv2rgb

GOLDEN = 0.6180339887  # steps of the hue by which neighbouring numbers look different


def to_rgb(image):
    """Return a grey picture (H, W) uint8 as (H, W, 3)."""
    return np.repeat(np.asarray(image)[..., None], 3, axis=2)


def colour_instances(instances, image=None):
    """Return particles each in a colour of its own, over the picture if there is one, on black otherwise."""
    numbers = np.arange(int(instances.max()) + 1)
    hsv = np.stack([GOLDEN * numbers % 1, 0.55 + 0.25 * (numbers % 3) / 2, 0.95 - 0.2 * (numbers % 2)], axis=1)
    colours = hsv2rgb(hsv[None])[0]
    colours[0] = 0
    shown = colours[instances]
    if image is not None:
        grey = to_rgb(image) / 255
        shown = np.where(instances[..., None] > 0, 0.55 * shown + 0.45 * grey, grey)
    return (255 * shown).astype(np.uint8)


def colour_values(values, low=None, high=None):
    """Return values (H, W) as colours from dark blue to yellow; grey where there is none."""
    there = np.isfinite(values)
    low = np.min(values[there], initial=np.inf) if low is None else low
    high = np.max(values[there], initial=-np.inf) if high is None else high
    shares = np.clip((np.where(there, values, low) - low) / max(high - low, 1e-12), 0, 1)
    scale = np.array([unlabel_rgb(c) for c in sample_colorscale("Viridis", np.linspace(0, 1, 256).tolist())])
    coloured = scale[(255 * shares).astype(int)]
    return np.where(there[..., None], coloured, 128).astype(np.uint8)
