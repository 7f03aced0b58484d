"""What all figures of aerosol clouds share: names of what is shown, and colours of a strength."""

import numpy as np
from plotly.colors import sample_colorscale

SIZE = "Cloud size / % of the picture"
FRAME = "Frame"
SCALE = "Viridis"  # of strengths


def colours(values):
    """Return a colour for each different value, by the value; the smallest dark, the largest bright."""
    values = np.unique(values)
    low, high = values[0], values[-1]
    shares = [0.9 * (value - low) / (high - low) if high > low else 0.4 for value in values]  # the last is too pale
    return dict(zip(values.tolist(), sample_colorscale(SCALE, shares), strict=True))
