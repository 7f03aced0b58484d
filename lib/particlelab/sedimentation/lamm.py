"""The Lamm equation: the concentration in a cell in which particles sediment or cream and diffuse."""

from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np

from particlelab.sedimentation.faxen import profile
from particlelab.sedimentation.lamm_coupled import simulate_coupled
from particlelab.sedimentation.lamm_scheme import sample, simulate
from particlelab.sedimentation.lamm_setup import set_up

_LEAST = 1e-10  # share of the loading: what is less is not interpolated by its logarithm


def solve_lamm(
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
    ks=0.0,
    kd=0.0,
    separate=False,
    resolution=1.0,
):
    """Return the concentration in a cell at given times and radii, by the Lamm equation.

    dc/dt = r^-p d/dr (r^p (D dc/dr - v c)), with the speed v = s w^2 r in a rotor and v = s g under gravity, p = 1 in
    a sector and 0 in a rectangular cell (Lamm, Ark. Mat. Astron. Fys. 21B, 1929). Nothing passes the meniscus and the
    bottom, where a layer forms that may be 1e-8 cm thin. The mesh moves and spreads with the boundary and is as fine
    as the layer, so that the numerical error is below 1e-4 of the plateau (but for the seconds in which a boundary
    runs into a layer: 1e-3 of what is there); the mass in its cells is constant to rounding (`solve_masses`).

    Parameters
    ----------
    s_svedberg : float or (n,) array_like
        Sedimentation coefficient of each species, in S (1e-13 s); negative: it creams.
    diffusion_cm2_s : float or (n,) array_like
        Diffusion coefficient. Without diffusion (0) the solution is a step, exactly; all that has arrived at a wall
        then is in a sediment without thickness, and in no radius.
    rpm : float or None
        Speed of the rotor; None or 0 under gravity.
    times_s : (T,) array_like
        At least 0, rising.
    meniscus_cm, bottom_cm : float
        Ends of the cell; from the axis of the rotor, or downwards from anywhere under gravity.
    radii_cm : (R,) array_like, optional
        Where the concentration is wanted: values at these points, not averages. 280 from meniscus to bottom if not
        given.
    loading : float or (n,) array_like
        Concentration of each species at time 0, in any unit.
    field : {"rotor", "gravity"}
        What drives the particles.
    cell : {"sector", "rectangular"}
        A sector dilutes what moves outwards. Under gravity every cell is rectangular.
    ks, kd : float
        Concentration dependence s / (1 + ks c) and D (1 + kd c), with the concentration c of all species together; in
        1 / unit of the loading, at least 0. All species must then move in one direction, and diffuse.
    separate : bool
        Return the species one by one, not their sum.
    resolution : float
        Multiplies the cells of the mesh and the number of time steps; errors fall as its square.

    Returns
    -------
    (T, R) ndarray
        In the unit of the loading; with ``separate`` (n, T, R).

    Raises
    ------
    ValueError
        If a parameter is missing, not finite or not in its bounds, the radii lie outside the cell, or the species have
        not as many s, D and loadings.
    """
    setup = set_up(
        s_svedberg, diffusion_cm2_s, rpm, times_s, meniscus_cm, bottom_cm, radii_cm, loading,
        field=field, cell=cell, ks=ks, kd=kd, resolution=resolution,
    )  # fmt: skip
    return _solve([setup], separate, None, None)[0]


def solve_many(cases, progress=None, workers=None, *, separate=False, **common):
    """Solve the Lamm equation for many cases, on all processors.

    Parameters
    ----------
    cases : sequence of dict
        Keyword arguments of `solve_lamm` that differ from case to case.
    progress : callable, optional
        Called with the share that is done and a text.
    workers : int, optional
        Threads: as many as numba uses by default, see `numba.set_num_threads`.
    separate : bool
        As of `solve_lamm`.
    **common
        Keyword arguments that all cases share.

    Returns
    -------
    list of ndarray
        What `solve_lamm` returns of each case.

    Raises
    ------
    ValueError
        If a case has a parameter that cannot be, before anything is computed; or if ``workers`` is below 1.
    """
    if workers is not None and workers < 1:
        raise ValueError(f"workers must be at least 1, got {workers}")
    setups = []
    for number, case in enumerate(cases):
        try:
            setups.append(set_up(**{**common, **case}))
        except ValueError as error:
            raise ValueError(f"case {number}: {error}") from None
    return _solve(setups, separate, progress, workers)


def solve_masses(*arguments, **parameters):
    """Return the mass of each species in the cell at each time: a check of the scheme, which must keep it.

    Parameters are those of `solve_lamm` but ``separate``; ``radii_cm`` plays no part.

    Returns
    -------
    (n, T) ndarray
        Sum over the cells of the mesh: the integral of c r dr in a sector, of c dr in a rectangular cell.

    Raises
    ------
    ValueError
        As of `solve_lamm`, or if a species does not diffuse.
    """
    setup = set_up(*arguments, **parameters)
    if not (setup.diffusion > 0).all():
        raise ValueError("diffusion_cm2_s must be positive: a step in closed form has no mesh")
    if setup.ks or setup.kd:
        return _run(setup)[1].sum(axis=2).T
    return np.array([_run(one)[1].sum(axis=(1, 2)) for one in _single(setup)])


def _solve(setups, separate, progress, workers):
    jobs = [_single(setup) if not (setup.ks or setup.kd) else [setup] for setup in setups]
    total = sum(map(len, jobs))
    workers = min(workers or numba.get_num_threads(), total)
    solved, done = [], 0
    with ThreadPoolExecutor(max(1, workers)) as pool:
        results = pool.map(_profiles, (one for species in jobs for one in species))
        try:
            for species in jobs:
                profiles = []
                for _ in species:
                    profiles.append(next(results))
                    done += 1
                    if progress:
                        progress(done / total, f"{done} of {total}")
                profiles = np.concatenate(profiles)
                solved.append(profiles if separate else profiles.sum(axis=0))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return solved


def _single(setup):
    """Return a setup for each species, which do not know of each other."""
    fields = ("s", "diffusion", "loading", "rates", "constants")
    return [setup._replace(**{f: getattr(setup, f)[k : k + 1] for f in fields}) for k in range(len(setup.s))]


def _profiles(setup):
    """Return the concentration of each species (n, T, R) of a setup that is solved as a whole."""
    if not setup.diffusion.all():
        return profile(setup, separate=True)
    faces, masses = _run(setup)
    end, outward = _end(setup)
    y = outward * (setup.radii - end)
    return np.stack(
        [
            sample(faces, np.ascontiguousarray(masses[:, k]), y, end, outward, setup.power, _LEAST * setup.loading[k])
            for k in range(len(setup.s))
        ]
    )


def _run(setup):
    """Return the faces (T, cells + 1) of the mesh and the masses (T, n, cells)."""
    end, outward = _end(setup)
    length, rates, constants = setup.bottom - setup.meniscus, abs(setup.rates), abs(setup.constants)
    if setup.ks or setup.kd:
        return simulate_coupled(
            setup.times, length, end, outward, setup.power, rates, constants, setup.diffusion, setup.loading,
            setup.ks, setup.kd, setup.resolution,
        )  # fmt: skip
    faces, masses = simulate(
        setup.times, length, end, outward, setup.power, rates[0], constants[0], setup.diffusion[0], setup.loading[0],
        float(setup.resolution),
    )  # fmt: skip
    return faces, masses[:, None]


def _end(setup):
    """Return the wall at which particles collect, and the direction from there into the cell."""
    return (setup.bottom, -1.0) if (setup.s >= 0).all() else (setup.meniscus, 1.0)
