"""What all figures of STEM particles have in common."""

# Okabe and Ito's palette
VIEWS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#8C6D31", "#000000")
BELOW = {"orientation": "h", "x": 0.5, "xanchor": "center", "y": -0.2, "yanchor": "top"}  # where a legend stands
