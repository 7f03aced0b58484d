"""What all figures of STEM particles have in common."""

BELOW = {"orientation": "h", "x": 0.5, "xanchor": "center", "y": -0.2, "yanchor": "top"}  # where a legend stands
