"""The boundary of a sedimenting or creaming species in closed form: for large particles, which hardly diffuse."""

import math

import numpy as np
from numba import njit

from particlelab.sedimentation.lamm_setup import set_up

_REACH = 6.0  # of the argument of the error function, beyond which it is 0 or 1
_FAR = 200.0  # of the start, in units of the width: beyond it the wall is not felt any more


def boundary_profile(
    s_svedberg,
    diffusion_cm2_s,
    rpm,
    times_s,
    meniscus_cm=6.0,
    bottom_cm=7.2,
    radii_cm=None,
    loading=1.0,
    *,
    field="rotor",
    cell="sector",
    separate=False,
):
    """Return the concentration about a boundary that moves and spreads, without the layer where particles collect.

    The boundary is an error function of the radius as it was before the field stretched it (in a rotor, r exp(-s w^2
    t)): Faxen (Ark. Mat. Astron. Fys. 21B, 1929), with two terms more. One is for the wall at which it began and
    through which nothing comes: that of Mason and Weaver (Phys. Rev. 23, 412, 1924), and as Fujita and MacCosham (J.
    Chem. Phys. 30, 291, 1959) have it for the rotor. The other is for the curvature of a sector.

    How good it is: against `solve_lamm` within 1e-4 of the plateau, where the width of the boundary sqrt(2 D t) is
    below 0.6 % of the radius, the ratio D / (s w^2 r^2) below 1e-5 (1e-3 of that: errors of 1e-6), and the layer at the
    far wall, of some D / (s w^2 r) times 20, and the boundary have not met. Beyond the far wall nothing happens: a
    boundary that arrives there walks through.

    Parameters
    ----------
    s_svedberg, diffusion_cm2_s, rpm, times_s, meniscus_cm, bottom_cm, radii_cm, loading, field, cell, separate
        As of `particlelab.sedimentation.lamm.solve_lamm`. Without diffusion the boundary is a step.

    Returns
    -------
    (times, radii) ndarray
        The sum over all species; with ``separate`` (species, times, radii).

    Raises
    ------
    ValueError
        As of `particlelab.sedimentation.lamm.solve_lamm`.
    """
    setup = set_up(
        s_svedberg, diffusion_cm2_s, rpm, times_s, meniscus_cm, bottom_cm, radii_cm, loading, field=field, cell=cell
    )
    return profile(setup, separate)


def profile(setup, separate=False):
    """Return `boundary_profile` of a `particlelab.sedimentation.lamm_setup.Setup`."""
    shape = (len(setup.s) if separate else 1, len(setup.times), len(setup.radii))
    values = np.zeros(shape)
    _fill(
        values, setup.rates, setup.constants, setup.diffusion, setup.loading, setup.times, setup.radii, setup.meniscus,
        setup.bottom, setup.power,
    )  # fmt: skip
    return values if separate else values[0]


@njit(cache=True, nogil=True, error_model="numpy")
def _fill(values, rates, constants, diffusions, loadings, times, radii, meniscus, bottom, power):
    for n in range(len(rates)):
        rate, constant = rates[n], constants[n]
        out = values[n if len(values) > 1 else 0]
        outwards = rate + constant >= 0
        start = meniscus if outwards else bottom
        for i in range(len(times)):
            time = times[i]
            # Before it was stretched, what is now at r was at (r - shift) / stretch, and its area D tau of diffusion
            # too. There the boundary stands still at ``start``.
            stretch, shift = math.exp(min(max(rate * time, -50.0), 50.0)), constant * time
            tau = diffusions[n] * (-math.expm1(-2 * rate * time) / (2 * rate) if rate != 0 else time)
            plateau = loadings[n] / (stretch * stretch if power == 1 else stretch)
            root = 2 * math.sqrt(tau)
            wall = 2 * abs(start - (start - shift) / stretch) / root if root > 0 else np.inf  # how far it has come
            curved = power * math.sqrt(tau / math.pi) / 2
            for j in range(len(radii)):
                place = (radii[j] - shift) / stretch
                ahead = place - start if outwards else start - place
                if root == 0 or abs(ahead) > _REACH * root:
                    out[i, j] += plateau if ahead >= 0 or time == 0 else 0.0
                    continue
                a = ahead / root
                share = 0.5 * math.erfc(-a)
                bell = math.exp(-a * a)
                if wall < _FAR:
                    b = a + wall
                    share -= bell * (wall / math.sqrt(math.pi) - (0.5 + b * wall) * _erfcx(b))
                share += (curved if outwards else -curved) * bell / place
                out[i, j] += plateau * max(share, 0.0)


@njit(cache=True, nogil=True, error_model="numpy")
def _erfcx(x):
    """Return exp(x^2) erfc(x), for x of at least -1."""
    if x < 8:
        return math.exp(x * x) * math.erfc(x)
    y = 1 / (x * x)
    return (1 - y * (0.5 - y * (0.75 - y * (1.875 - y * 6.5625)))) / (x * math.sqrt(math.pi))
