"""Particle Lab: measure particles from images and signals, with models trained on synthetic data."""

__version__ = "0.1.0"
