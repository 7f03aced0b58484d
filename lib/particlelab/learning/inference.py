"""Inference: what a model says of an image is computed once."""

import functools
import hashlib

import numpy as np


def once_an_image(method):
    """Let a model's method ``(self, image, **options) -> ndarray`` remember what it returned for the last image.

    A dashboard and an interval ask for the same probabilities again, only to compare them with another threshold.
    """

    @functools.wraps(method)
    def remembering(self, image, **options):
        image = np.ascontiguousarray(image)
        key = (hashlib.blake2b(image).digest(), image.shape, image.dtype, options)
        known = self.__dict__.get("_last_image")
        if known is None or known[0] != key:
            known = self._last_image = key, method(self, image, **options)
        return known[1].copy()

    return remembering
