"""Holes and spirals in nanoparticles from projections in scanning transmission electron microscopy, after Sullivan."""
