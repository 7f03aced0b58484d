"""Films of clouds, with their outlines."""

import numpy as np

from particlelab.drawing.pictures import pictures


def evenly(length, count):
    """Return the numbers of at most so many frames of a series, evenly from the first to the last."""
    return np.unique(np.linspace(0, length - 1, min(count, length)).round().astype(int))


def film(images, masks=None, count=6, frame_time_s=None):
    """Draw some frames of a series side by side, evenly from the first to the last."""
    some = evenly(len(images), count)
    titles = [f"frame {k + 1}" + (f", {(k + 1) * frame_time_s:.2f} s" if frame_time_s else "") for k in some]
    return pictures(np.asarray(images)[some], None if masks is None else masks[some], titles, count)
