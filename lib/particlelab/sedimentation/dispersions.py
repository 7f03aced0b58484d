"""Dispersions: populations of particles that settle or cream in a cell, and how strongly they attenuate light."""

from typing import NamedTuple

import numpy as np

from particlelab.sedimentation.lamm import solve_lamm

BOLTZMANN_J_K = 1.380649e-23
GRAVITY_M_S2 = 9.80665
SVEDBERG_S = 1e-13
SIZES = 161  # of a population's distribution
TAILS = 4.0  # standard deviations of ln s on either side of the median, beyond which no particles are counted
HINDRANCE = 4.65  # exponent of Richardson and Zaki, Trans. Inst. Chem. Eng. 32 (1954) 35
PACKING = 0.6  # volume fraction of a sediment
MOST_SPECIES = 20  # for which the Lamm equation is solved; where more are needed, diffusion widens a boundary by < 2 %
SMOOTH = 1.5  # widths of a diffusing boundary between one species and the next
FIRST_INSTANT = 1e-9  # s


class Population(NamedTuple):
    """Particles of one material, log-normally distributed by volume."""

    diameter_nm: float  # median by volume
    spread: float  # geometric standard deviation, at least 1
    volume_fraction: float  # of the dispersion
    density_g_cm3: float
    refractive_index: float


class Medium(NamedTuple):
    """The liquid; water at 25 °C."""

    density_g_cm3: float = 0.997
    viscosity_mpa_s: float = 0.89
    refractive_index: float = 1.33
    temperature_k: float = 298.15


class Cell(NamedTuple):
    """A filled cell in a rotor, or standing upright."""

    meniscus_mm: float = 108.0  # from the axis of the rotor; from any mark above it if the cell stands
    bottom_mm: float = 129.5
    rpm: float = 2000.0  # 0: the cell stands, gravity acts
    path_mm: float = 2.0  # that light takes through it
    sector: bool = False  # its walls lie along radii, as in analytical ultracentrifuges; they are parallel otherwise
    wavelength_nm: float = 870.0


class Settled(NamedTuple):
    """How dispersed particles are spread over the cell, and what has left them, at each time."""

    optical_density: np.ndarray  # (T, R) -log10 of the transmission; 0 above the meniscus and below the bottom
    sediment_mm: np.ndarray  # (T,) height of what has come to the bottom
    cream_mm: np.ndarray  # (T,) of what has come to the meniscus
    dispersed: np.ndarray  # (T,) share of the particles' volume that is still dispersed


def settle(populations, medium, cell, radii_mm, times_s, packing=PACKING):
    """Let populations settle or cream.

    Each size moves at its own Stokes velocity, all slowed alike by how dense the dispersion is (Richardson and Zaki),
    and diffuses as `disperse` says. Sediment and cream are counted as if nothing diffused.

    Parameters
    ----------
    populations : sequence of Population
    medium : Medium
    cell : Cell
    radii_mm : (R,) array_like
    times_s : (T,) array_like
    packing : float
        Volume fraction of sediment and cream.

    Returns
    -------
    Settled
    """
    radii, times = np.asarray(radii_mm, float), np.asarray(times_s, float)
    height = cell.bottom_mm - cell.meniscus_mm
    total = sum(p.volume_fraction for p in populations)
    optical_density, left = np.zeros((len(times), len(radii))), np.zeros(len(times))
    layers = np.zeros((2, len(times)))
    for p in populations:
        diameters, shares = sizes(p.diameter_nm, p.spread)
        s = (1 - total) ** HINDRANCE * svedberg(diameters, p.density_g_cm3, medium)
        taken = extinction_per_mm(diameters, p.refractive_index, medium, cell.wavelength_nm)
        loading = taken * shares * p.volume_fraction * cell.path_mm / np.log(10)
        optical_density += disperse(s, diffusion_cm2_s(diameters, medium), loading, cell, radii, times)
        stays = remaining(s, cell, times) @ shares * p.volume_fraction
        layers[0 if s[-1] >= 0 else 1] += (p.volume_fraction - stays) * height / packing
        left += stays
    return Settled(optical_density, *layers, left / total if total else left + 1)


def disperse(s_svedberg, diffusion_cm2_s, loading, cell, radii_mm, times_s):
    """Return the concentration of one population, whose species all move in one direction.

    Where the distribution of s smears the boundary more than diffusion does, the species do not diffuse, and there is a
    closed form: each has left all places that it has had time to cross, and is diluted elsewhere by how far the liquid
    that it moved in was stretched. Otherwise the Lamm equation is solved, for few species that stand for all.

    Parameters
    ----------
    s_svedberg : (n,) array_like
        Increasing in magnitude, of one sign; evenly spaced in its logarithm.
    diffusion_cm2_s : (n,) array_like
    loading : (n,) array_like
        Concentration of each at the start, in any unit.
    cell : Cell
    radii_mm : (R,) array_like
    times_s : (T,) array_like

    Returns
    -------
    (T, R) ndarray
        0 above the meniscus and below the bottom.
    """
    s, diffusion, loading = (np.asarray(a, float) for a in (s_svedberg, diffusion_cm2_s, loading))
    radii, times = np.asarray(radii_mm, float), np.asarray(times_s, float)
    inside = (radii >= cell.meniscus_mm) & (radii <= cell.bottom_mm)
    found = np.zeros((len(times), len(radii)))
    if not inside.any() or not loading.any():
        return found
    if not s.any():
        found[:, inside] = loading.sum()
        return found
    count = _species(s, diffusion, loading, cell, times)
    if count > MOST_SPECIES:
        found[:, inside] = _sharp(loading, _rates(s, cell), radii[inside], times, cell)
    else:
        found[:, inside] = solve_lamm(
            *_gather(s, diffusion, count, loading),
            rpm=cell.rpm,
            times_s=times,
            meniscus_cm=cell.meniscus_mm / 10,
            bottom_cm=cell.bottom_mm / 10,
            radii_cm=radii[inside] / 10,
            loading=_gather(s, diffusion, count, loading, sums=True),
            cell="sector" if cell.sector else "rectangular",
            field="rotor" if cell.rpm else "gravity",
        )
    return found


def remaining(s_svedberg, cell, times_s):
    """Return which share of each species has not arrived at the bottom or the meniscus, without diffusion.

    Parameters
    ----------
    s_svedberg : (n,) array_like
        Negative where a species creams.
    cell : Cell
    times_s : (T,) array_like

    Returns
    -------
    (T, n) ndarray
    """
    top, bottom = cell.meniscus_mm, cell.bottom_mm
    moved = np.abs(np.outer(times_s, _rates(np.asarray(s_svedberg, float), cell)))
    if not cell.rpm:
        return (1 - moved / (bottom - top)).clip(0, 1)
    power = _dilution(cell)
    shrunk = np.exp(-power * moved.clip(None, 50))
    sinks = bottom**power * shrunk - top**power  # a column that thins, and ends at the bottom
    rises = bottom**power - top**power / shrunk  # one that thickens, and ends at the meniscus
    return (np.where(np.asarray(s_svedberg) >= 0, sinks, rises) / (bottom**power - top**power)).clip(0, 1)


def sizes(median, spread):
    """Return diameters (n,) of a log-normal distribution by volume, and the share (n,) of the volume that each has.

    Parameters
    ----------
    median : float
    spread : float
        Geometric standard deviation; 1 is a single diameter.
    """
    if spread <= 1:
        return np.array([float(median)]), np.ones(1)
    steps = np.linspace(-TAILS, TAILS, SIZES)
    shares = np.exp(-(steps**2) / 2)
    return median * float(spread) ** steps, shares / shares.sum()


def svedberg(diameter_nm, density_g_cm3, medium):
    """Return the sedimentation coefficient of a sphere by Stokes, in S; negative where it creams."""
    kg_m = 1e3 * (density_g_cm3 - medium.density_g_cm3) * (1e-9 * np.asarray(diameter_nm, float)) ** 2
    return kg_m / (18e-3 * medium.viscosity_mpa_s) / SVEDBERG_S


def diffusion_cm2_s(diameter_nm, medium):
    """Return the diffusion coefficient of a sphere by Stokes and Einstein, in cm^2/s."""
    drag = 3e-12 * np.pi * medium.viscosity_mpa_s * np.asarray(diameter_nm, float)  # kg/s
    return 1e4 * BOLTZMANN_J_K * medium.temperature_k / drag


def extinction_per_mm(diameter_nm, refractive_index, medium, wavelength_nm=870.0):
    """Return by how much spheres attenuate light, in 1/mm of path and volume fraction of 1.

    3 Q / 2 d, with the efficiency Q of van de Hulst's anomalous diffraction (Light Scattering by Small Particles, 1957,
    section 11.2). It holds for spheres larger than the wavelength whose refractive index is near the medium's; smaller
    ones really scatter less (Rayleigh), ones of another index differ by some ten per cent.

    Parameters
    ----------
    diameter_nm : array_like
    refractive_index : float
        Of the particles.
    medium : Medium
    wavelength_nm : float
        In vacuum.

    Returns
    -------
    ndarray
    """
    d = np.asarray(diameter_nm, float)
    delay = 2 * np.pi * d / wavelength_nm * abs(refractive_index - medium.refractive_index)  # of phase, in the middle
    rho = np.maximum(delay, 1e-2)
    efficiency = 2 - 4 / rho * np.sin(rho) + 4 / rho**2 * (1 - np.cos(rho))
    return 1.5 * np.where(delay > 1e-2, efficiency, delay**2 / 2) / (1e-6 * d)


def _rates(s_svedberg, cell):
    """How fast particles move outwards: of the logarithm of the radius in a rotor (1/s), or in mm/s."""
    seconds = SVEDBERG_S * np.asarray(s_svedberg, float)
    return seconds * (2 * np.pi * cell.rpm / 60) ** 2 if cell.rpm else 1e3 * seconds * GRAVITY_M_S2


def _dilution(cell):
    """Exponent to which the stretching of radii dilutes, as volume elements move outwards."""
    return (2 if cell.sector else 1) if cell.rpm else 0


def _species(s, diffusion, loading, cell, times):
    """How many species must stand for all, so that their diffusing boundaries run into one."""
    shares = loading.cumsum() / loading.sum()
    low, middle, high = (np.searchsorted(shares, q) for q in (1e-3, 0.5, 1 - 1e-3))
    if low == high:
        return 1
    mean = (cell.meniscus_mm + cell.bottom_mm) / 2
    speed = abs(_rates(s[middle], cell)) * (mean if cell.rpm else 1)  # mm/s
    time = min(times[-1], (cell.bottom_mm - cell.meniscus_mm) / speed)
    width = 10 * np.sqrt(2 * diffusion[middle] * time)  # mm
    return max(7, int(min(1e6, np.ceil(speed * time * np.log(s[high] / s[low]) / (SMOOTH * max(width, 1e-12))))))


def _gather(s, diffusion, count, loading, sums=False):
    """Put neighbouring species together: their loadings, or the geometric means of s and D."""
    shares = loading.cumsum() / loading.sum()
    kept = (shares > 1e-4) & (shares - loading / loading.sum() < 1 - 1e-4)
    groups = np.array_split(np.flatnonzero(kept), min(count, kept.sum()))
    if sums:
        return np.array([loading[g].sum() for g in groups]) * (loading.sum() / loading[kept].sum())
    direction = np.sign(s[-1])

    def means(values):
        return np.array([np.exp(np.average(np.log(np.abs(values[g])), weights=loading[g])) for g in groups])

    return direction * means(s), means(diffusion)


def _sharp(loading, rates, radii, times, cell):
    """(T, R) concentration without diffusion: all species that have not passed yet, as diluted as they are."""
    way = np.abs(radii - cell.meniscus_mm if rates[-1] > 0 else radii - cell.bottom_mm)
    if cell.rpm:
        way = np.abs(np.log(radii / (cell.meniscus_mm if rates[-1] > 0 else cell.bottom_mm)))
    speeds = np.abs(rates)
    ratio = np.sqrt(speeds[1] / speeds[0])
    edges = np.concatenate([speeds / ratio, speeds[-1:] * ratio])  # between which each species stands for all
    there = loading * np.exp(-_dilution(cell) * np.outer(times, rates).clip(-50, 50))
    slower = np.concatenate([np.zeros((len(times), 1)), there.cumsum(1)], axis=1)  # than each edge
    return np.stack([np.interp(way / max(t, FIRST_INSTANT), edges, row) for t, row in zip(times, slower, strict=True)])
