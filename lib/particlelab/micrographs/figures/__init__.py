"""Figures of micrographs, of their particles, and of what is learned from them. Each function returns a plotly figure."""
