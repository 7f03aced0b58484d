"""The turbulence of a room: a field of force with eddies of one size, after Blender's Turbulence object.

Blender makes its field of Perlin noise of two octaves, of which the second has half the size and half the amplitude.
Here each octave is a sum of random plane waves (Kraichnan, Phys. Fluids 13, 22, 1970), which has no preferred axes, no
divergence, a correlation in closed form, and the same value at the same place on any grid.
"""

from typing import NamedTuple

import numpy as np

WAVES = 96  # of an octave
SECOND_OCTAVE = 0.5  # its size and its amplitude, of the first


class Turbulence(NamedTuple):
    """Plane waves whose sum has a root mean square length of 1."""

    wave_vectors_1_per_m: np.ndarray  # (K, 3) along z, y and x
    amplitudes: np.ndarray  # (K, 3) across the wave vectors
    phases: np.ndarray  # (K,)


def draw_turbulence(length_m, rng, dimensions=3):
    """Draw a turbulence of eddies of one size.

    Parameters
    ----------
    length_m : float
        Correlation length of the first octave.
    rng : numpy.random.Generator
    dimensions : {2, 3}
        In two there is nothing along z, and nothing changes along it.

    Returns
    -------
    Turbulence
    """
    amplitude = SECOND_OCTAVE ** np.repeat([0, 1], WAVES)
    waves = rng.standard_normal((2 * WAVES, 3)) / (length_m * amplitude[:, None])  # size and amplitude go together
    across = np.cross(waves, rng.standard_normal((2 * WAVES, 3)))
    if dimensions == 2:
        waves[:, 0] = 0
        across = np.cross(waves, [1.0, 0.0, 0.0])
    across *= (amplitude / np.linalg.norm(across, axis=1))[:, None]
    across *= np.sqrt(2 / (amplitude**2).sum())
    return Turbulence(waves, across, rng.uniform(0, 2 * np.pi, 2 * WAVES))


def correlation(distance_m, length_m):
    """Return the mean product of the vectors at two places, averaged over fields: two Gaussians, one an octave.

    Parameters
    ----------
    distance_m : array_like
    length_m : float

    Returns
    -------
    ndarray
        1 at no distance.
    """
    squares, weight = (np.asarray(distance_m) / length_m) ** 2 / 2, SECOND_OCTAVE**2
    return (np.exp(-squares) + weight * np.exp(-squares / SECOND_OCTAVE**2)) / (1 + weight)


def turbulence_at(turbulence, z_m, y_m, x_m, component):
    """Return one component of a turbulence on a grid.

    Parameters
    ----------
    turbulence : Turbulence
    z_m, y_m, x_m : (D,), (H,) and (W,) arrays
        Places along each axis.
    component : {0, 1, 2}
        Along z, y or x.

    Returns
    -------
    (D, H, W) float32 ndarray
    """
    vectors, amplitudes, phases = turbulence
    along_z, along_y, along_x = (
        np.exp(1j * np.outer(vectors[:, axis], places)).astype(np.complex64)
        for axis, places in enumerate((z_m, y_m, x_m))
    )
    along_z *= (amplitudes[:, component] * np.exp(1j * phases)).astype(np.complex64)[:, None]
    planes = along_y[:, :, None] * along_x[:, None, :]
    waves = along_z.T @ planes.reshape(len(phases), -1)  # a wave is a product of one along each axis
    return np.ascontiguousarray(waves.real).reshape(len(z_m), len(y_m), len(x_m))
