"""Figures of sedimentation: transmission spectra, what generators draw, how they are judged, what is measured.

Each function returns a plotly figure with units on its axes.
"""

__all__ = []
