"""Conditions of generators: classes of dispersions, or the sedimentation coefficient."""

import numbers
from typing import NamedTuple

import numpy as np


class Conditions(NamedTuple):
    """What spectra can be asked for by: their class, or their sedimentation coefficient."""

    classes: tuple = ()  # of str; empty for coefficients
    highest_s: float = 0.0  # largest coefficient that was learned, in S; 0 for classes
    lowest_s: float = 0.0

    @property
    def length(self):
        """Numbers that stand for a condition: one-hot for classes, one for coefficients, none for neither."""
        return len(self.classes) or int(self.highest_s > 0)

    def check(self, condition):
        """Return a condition as it is labelled.

        Raises
        ------
        ValueError
            If it is not one of the classes, or no coefficient among those that were learned.
        """
        if self.classes:
            if condition not in self.classes:
                raise ValueError(f"condition must be one of {', '.join(self.classes)}, got {condition!r}")
            return condition
        if not self.highest_s:
            if condition is not None:
                raise ValueError(f"this generator knows no conditions: condition must be None, got {condition!r}")
            return None
        number = isinstance(condition, numbers.Real) and not isinstance(condition, bool)
        if not number or not self.lowest_s <= condition <= self.highest_s:
            raise ValueError(
                f"condition must be a sedimentation coefficient from {self.lowest_s:g} to {self.highest_s:g} S, "
                f"got {condition!r}"
            )
        return float(condition)

    def encode(self, labels):
        """Return what networks are told of labels that were checked.

        As in the document (IPMT report, AP2.3.a): classes one-hot, coefficients as a number, here as a share of the
        largest.

        Parameters
        ----------
        labels : sequence

        Returns
        -------
        (n, length) float32 ndarray
        """
        if self.classes:
            return np.array([[name == label for name in self.classes] for label in labels], np.float32)
        if self.highest_s:
            return np.array(labels, np.float32)[:, None] / np.float32(self.highest_s)
        return np.zeros((len(labels), 0), np.float32)


def find_conditions(spectra):
    """Return the conditions that the labels of spectra are.

    Parameters
    ----------
    spectra : sequence of Spectrum

    Returns
    -------
    Conditions
        Of neither classes nor coefficients if no spectrum has a label.

    Raises
    ------
    ValueError
        If some labels are missing, or some are classes and others coefficients, or no coefficient is above 0.
    """
    labels = [spectrum.label for spectrum in spectra]
    if all(label is None for label in labels):
        return Conditions()
    if all(isinstance(label, str) for label in labels):
        return Conditions(classes=tuple(dict.fromkeys(labels)))
    if any(label is None or isinstance(label, str) for label in labels):
        raise ValueError("labels of spectra must be all classes, all coefficients in S, or all missing")
    if max(labels) <= 0:
        raise ValueError(f"the largest sedimentation coefficient of the labels must be positive, got {max(labels):g} S")
    return Conditions(highest_s=float(max(labels)), lowest_s=float(min(labels)))
