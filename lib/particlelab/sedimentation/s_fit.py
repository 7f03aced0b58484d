"""How profiles are fitted by many species: data thinned out, species where there are any, and the least squares."""

from typing import NamedTuple

import numpy as np
from scipy import linalg, ndimage, optimize, stats
from scipy.special import ndtr

from particlelab.sedimentation.boundaries import SVEDBERG, absorbance, field_of
from particlelab.sedimentation.dispersions import Medium, diffusion_cm2_s
from particlelab.sedimentation.lamm import solve_lamm
from particlelab.sedimentation.liquid import correct, layers
from particlelab.sedimentation.sizes import stokes_diameter_nm

RADII, TIMES = 120, 60  # at most: of a spectrum that is thinned out before it is fitted
MANY = 24  # times of which every second will do for a first look
COARSE = 48  # species of a first look, on each side
LOOKS = 2  # first looks, each over what the one before it found
FOUND = 2e-3  # share of a look that is left out at each end of the next
BESIDE = 2  # species by which the next look reaches farther
NARROWEST = 0.3  # of ln s: what is looked at in the end
WAYS = {"sedimentation": [(1,)], "creaming": [(-1,)], "auto": [(1,), (-1,)]}
TWO_WAYS = 1.25  # by which factor two directions must fit better than one
MODEL = 0.008  # relative standard error of s by what the fit simplifies: radii averaged, blur, smoothing
KNOWN_MM, FOUND_MM = 0.003, 0.03  # standard errors of where a boundary begins, if that is given or found by the fit
PLACED_MM, SHIFT_MM = 0.1, 0.3  # how well meniscus and bottom are seen, and how far off they are at most
BLURS_MM = (0.0, 0.05, 0.1, 0.15, 0.2)
BETTER = 0.95  # of the misfit, if a blur is to be believed in
PALEST = 0.02  # transmission below which a point counts no more than one of this
SEEN = 3  # times at which the fastest species is still in the cell
MOVED = 2.5  # distances of the thinned radii that a species must move to be told from what does not
APART = 2.0  # distances of radii by which boundaries must be apart at the end to be two
WIDE = 0.06  # share of the cell that diffusion blurs, above which its ends matter
BLOCK = 8  # radii and times whose residuals are drawn together, as they belong together


class Data(NamedTuple):
    """A spectrum, thinned out."""

    radii_mm: np.ndarray
    times_s: np.ndarray
    transmission: np.ndarray  # (T, R)
    absorbance: np.ndarray  # (T, R)
    weight: np.ndarray  # (T, R): what makes an absorbance's residual one of the transmission; 0: hidden
    noise: float
    step_mm: float  # of radii that were averaged


def thin(spectrum, liquid):
    """Average neighbouring radii, and keep those times between which most happens."""
    radii, times = np.asarray(spectrum.radii_mm, float), np.asarray(spectrum.times_s, float)
    inside = (radii >= liquid.limits_mm[0]) & (radii <= liquid.limits_mm[1])
    values = correct(np.asarray(spectrum.transmission, float)[:, inside], liquid)
    radii, a = radii[inside], absorbance(values)
    hidden = layers(a)
    apart = np.diff(values, 2, axis=1)
    count = -(-len(radii) // RADII)  # radii that are averaged
    noise = float(np.median(np.abs(apart)) / (stats.norm.ppf(0.75) * 6**0.5) / count**0.5)
    edges = np.arange(0, len(radii), count)
    sizes = np.diff(np.append(edges, len(radii)))
    radii, values, a = (np.add.reduceat(x, edges, axis=-1) / sizes for x in (radii, values, a))
    hidden = np.add.reduceat(hidden, edges, axis=1) > 0
    some = _times(a)
    values, a, hidden = values[some], a[some], hidden[some]
    weight = np.log(10) * ndimage.median_filter(values, 3).clip(PALEST, 1)
    step = float(np.median(np.diff(radii)))
    return Data(radii, times[some], values, a, np.where(hidden, 0.0, weight), noise, step)


def sparse(data):
    """Return every second radius, and time if there are many, of data."""
    every = 2 if len(data.times_s) >= MANY else 1
    some = {name: getattr(data, name)[::every, ::2] for name in ("transmission", "absorbance", "weight")}
    return data._replace(radii_mm=data.radii_mm[::2], times_s=data.times_s[::every], **some)


def _times(a):
    """Choose times: half of them evenly, half by how much has changed."""
    n = len(a)
    if n <= TIMES:
        return np.arange(n)
    change = np.concatenate([[0], np.abs(np.diff(ndimage.uniform_filter(a, (1, 9)), axis=0)).mean(1)])
    course = np.cumsum(change / max(change.sum(), 1e-12) + 1 / n)
    return np.unique(np.searchsorted(course, np.linspace(course[0], course[-1], TIMES)).clip(0, n - 1))


class Look:
    """Data, weighted and freed of what is constant in time or radius, and the same for any profiles."""

    def __init__(self, data, liquid, parameters, rpm, ends_mm, blur_mm=0.0):
        self.data, self.liquid, self.p, self.rpm = data, liquid, parameters, rpm
        self.ends_mm, self.blur_mm = ends_mm, blur_mm
        self.field = field_of(rpm, parameters.walls)
        self.squares = data.weight**2
        self._drift = None

    def prepare(self):
        """Get ready to take off what is fitted along; return the data without it."""
        if self.p.lamp_drift:
            times = np.eye(len(self.data.times_s))[:, :, None] * self.data.weight
            rows = self._free(times[1 if self.p.wall_pattern else 0 :]).reshape(-1, self.data.weight.size)
            sizes, turned = linalg.eigh(rows @ rows.T)
            kept = sizes > 1e-9 * sizes[-1]
            self._drift = (turned[:, kept] / np.sqrt(sizes[kept])).T @ rows
        return self.reduce(self.data.absorbance[None])[0]

    def reduce(self, profiles):
        """(n, T, R) profiles as rows (n, T R): weighted, without the parts that are fitted along."""
        rows = self._free(profiles * self.data.weight).reshape(len(profiles), -1)
        return rows if self._drift is None else rows - (rows @ self._drift.T) @ self._drift

    def _free(self, weighted):
        if not self.p.wall_pattern:
            return weighted
        total = np.maximum(self.squares.sum(0), 1e-12)
        return weighted - self.data.weight * ((weighted * self.data.weight).sum(1) / total)[:, None]

    def reach(self):
        """The smallest and largest |s| (S) that the times and radii tell apart from none and from gone."""
        top, bottom = self.liquid.meniscus_mm / 10, self.liquid.bottom_mm / 10
        step = self.data.step_mm / 10
        times = self.data.times_s[self.data.times_s > 0]
        first, last = times[SEEN - 1], times[-1]
        ways = (np.log1p(MOVED * step / top), np.log(bottom / top)) if self.rpm else (MOVED * step, bottom - top)
        return ways[0] / (SVEDBERG * self.field * last), ways[1] / (SVEDBERG * self.field * first)

    def misplaced(self, s, weights):
        """Relative error of s (standard) that all species share: where the boundary began, over how far it comes."""
        outwards = weights[s > 0].sum() >= weights[s < 0].sum()
        given, seen = (
            (self.p.meniscus_mm, self.liquid.meniscus_mm) if outwards else (self.p.bottom_mm, self.liquid.bottom_mm)
        )
        error = KNOWN_MM if given is not None or seen in self.ends_mm else FOUND_MM
        return float(np.hypot(error / (self._way(s, weights) / 2), MODEL))

    def resolution(self, s, weights):
        """Difference in ln s from which two boundaries are farther apart at the end than the radii are."""
        return float(APART * (self.data.step_mm + self.blur_mm) / self._way(s, weights))

    def _way(self, s, weights):
        """How far (mm) particles of the mean |s| come at most."""
        middle = np.average(np.abs(s), weights=weights) if weights.any() else np.abs(s).mean()
        moved = SVEDBERG * self.field * middle * self.data.times_s[-1]
        way = self.liquid.meniscus_mm * np.expm1(min(moved, 1.0)) if self.rpm else 10 * moved
        return min(way, self.liquid.bottom_mm - self.liquid.meniscus_mm)

    def profiles(self, s, spacing, exact=True):
        """(n, T, R) concentrations of species, each over its share of ln s.

        A boundary is an error function of the radius; where diffusion makes it so wide that meniscus and bottom matter,
        the Lamm equation is solved, if ``exact``.
        """
        radii, times, p = self.data.radii_mm / 10, self.data.times_s, self.p
        top, bottom = self.liquid.meniscus_mm / 10, self.liquid.bottom_mm / 10
        step, power = self.data.step_mm / 10, 2 if p.walls == "sector" else 1
        s, way = np.asarray(s), np.sign(s)[:, None, None]
        start = np.where(way > 0, top, bottom)
        moved = (SVEDBERG * self.field * s[:, None] * times)[..., None]
        d = _diffusion(s, p)[:, None, None]
        if self.rpm:
            moved = moved.clip(-3, 3)  # gone long before
            place, plateau = start * np.exp(moved), np.exp(-power * moved)
            growth = np.where(np.abs(moved) > 1e-9, np.expm1(2 * moved) / np.where(moved == 0, 1, moved), 2.0)
            spread = np.abs(place * moved)
        else:
            place, plateau, growth, spread = start + moved, 1.0, 2.0, np.abs(moved)
        diffused = d * times[:, None] * growth
        seen = step**2 / 12 + (self.blur_mm / 10) ** 2
        width = np.sqrt(diffused + spread**2 * spacing**2 / 6 + seen)  # a hat over ln s is as wide
        c = plateau * ndtr(way * (radii - place) / width)
        wide = np.sqrt(2 * d[:, 0, 0] * times[-1]) > WIDE * (bottom - top)
        if exact and wide.any():
            field = "rotor" if self.rpm else "gravity"
            walls = {"cell": p.walls, "field": field, "separate": True}
            c[wide] = solve_lamm(s[wide], d[wide, 0, 0], self.rpm, times, top, bottom, radii, **walls)
        return c


def _diffusion(s, p):
    """Diffusion coefficients (cm^2/s) of the spheres that have these s; zeros without a density."""
    medium = Medium(p.medium_g_cm3, p.viscosity_mpa_s, temperature_k=p.temperature_k)
    if not p.diffusion or p.density_g_cm3 is None or p.density_g_cm3 == p.medium_g_cm3:
        return np.zeros(len(s))
    gap = abs(p.density_g_cm3 - p.medium_g_cm3)
    return diffusion_cm2_s(stokes_diameter_nm(np.abs(s), p.medium_g_cm3 + gap, medium), medium)


def find_axis(look, p, reach):
    """Return the s of the species, and their spacing in ln s: where looks over all that can be told find any."""
    low, high = reach
    if low * np.exp(NARROWEST) >= high:
        raise ValueError(
            f"nothing can be told: in {look.data.times_s[-1]:g} s only particles of more than {low:.3g} S move far "
            f"enough, and those of {high:.3g} S have gone at the first times"
        )
    limits = np.log([low, high])
    rough = _look_around(look, WAYS[p.direction], limits)
    if p.direction == "auto":
        liquid = look.liquid
        look.liquid, look.blur_mm = _refine(look, rough, p)
        rough, both = _narrow(look, rough.found, limits), _look_around(look, [(1, -1)], limits)
        if both.misfit * TWO_WAYS < rough.misfit:
            rough, look.liquid, look.blur_mm = both, liquid, 0.0
            look.liquid, look.blur_mm = _refine(look, rough, p)
    else:
        look.liquid, look.blur_mm = _refine(look, rough, p)
    found = _narrow(look, rough.found, limits).found
    spacing = sum(b - a for _, a, b in found) / p.species
    parts = [way * np.exp(np.arange(a, b + spacing / 2, spacing)) for way, a, b in found]
    return np.sort(np.concatenate(parts)), spacing


class Rough(NamedTuple):
    """A rough fit."""

    misfit: float  # squares of the transmission
    found: list  # (direction, ends in ln |s|)


def _look_around(look, choices, limits):
    """Return the best of several choices of directions."""
    roughs = []
    for ways in choices:
        rough = Rough(np.inf, [(way, *limits) for way in ways])
        for _ in range(LOOKS):
            rough = _narrow(look, rough.found, limits)
        roughs.append(rough)
    return min(roughs, key=lambda rough: rough.misfit)


def _narrow(look, found, limits):
    """Return how well species on these parts of the axis fit, and where on them their weights lie."""
    axes = [np.linspace(a, b, COARSE) for _, a, b in found]
    parts = [look.profiles(way * np.exp(x), x[1] - x[0], exact=False) for (way, *_), x in zip(found, axes, strict=True)]
    still = np.ones((1, *look.data.weight.shape))  # what does not move: slower particles, a clear cell that is not
    rows = (np.concatenate([*parts, still]) * look.data.weight).reshape(-1, look.data.weight.size)
    aim = (look.data.absorbance * look.data.weight).ravel()
    weights = solve(rows @ rows.T, rows @ aim, 0.0)
    kept = []
    for (way, *_), axis, own in zip(found, axes, np.split(weights[:-1], len(found)), strict=True):
        course = np.cumsum(own) / max(own.sum(), 1e-300)
        first, last = axis[np.searchsorted(course, [FOUND, 1 - FOUND]).clip(0, COARSE - 1)]
        wider = max(BESIDE * (axis[1] - axis[0]), (NARROWEST - last + first) / 2)
        kept.append((way, *np.clip([first - wider, last + wider], *limits)))
    return Rough(float(np.sum((aim - weights @ rows) ** 2)), kept)


def _refine(look, rough, p):
    """Return the liquid and the optical blur (mm) with which the profiles fit best, near to where its ends are seen."""
    scale = rough.misfit * BLOCK**2 / look.data.weight.size
    for name in [{1: "meniscus_mm", -1: "bottom_mm"}[way] for way, *_ in rough.found]:
        seen = getattr(look.liquid, name)
        if getattr(p, name) is None and seen not in look.ends_mm:
            best = optimize.minimize_scalar(
                _misplaced, args=(look, rough.found, name, seen, scale), bounds=(-SHIFT_MM, SHIFT_MM),
                options={"xatol": 0.01},
            ).x  # fmt: skip
            look.liquid = look.liquid._replace(**{name: float(seen + best)})
    blurred = {}
    for blur_mm in BLURS_MM:
        look.blur_mm = blur_mm
        blurred[blur_mm] = _narrow(look, rough.found, (-np.inf, np.inf)).misfit
    best = min(blurred, key=blurred.get)
    return look.liquid, best if blurred[best] < BETTER * blurred[0.0] else 0.0


def _misplaced(shift, look, found, name, seen, scale):
    look.liquid = look.liquid._replace(**{name: float(seen + shift)})
    return _narrow(look, found, (-np.inf, np.inf)).misfit / scale + (shift / PLACED_MM) ** 2


def roughness(s):
    """Squared second differences of the weights over ln |s|, of each direction for itself."""
    total = np.zeros((len(s), len(s)))
    for way in (1, -1):
        own = np.flatnonzero(np.sign(s) == way)
        if len(own) > 2:
            second = np.diff(np.eye(len(own)), 2, axis=0)
            total[np.ix_(own, own)] = second.T @ second
    return total


def solve(gram, aim, penalty):
    """Weights, not negative, that make w (gram + penalty) w - 2 w aim least."""
    scale = np.trace(gram) / len(gram) or 1.0
    root = linalg.cholesky(gram / scale + penalty + 1e-9 * np.eye(len(gram)))
    return optimize.nnls(root, linalg.solve_triangular(root, aim / scale, trans="T"), maxiter=50 * len(gram))[0]


def sum_blocks(rows, shape):
    """Sums over blocks of times and radii: (n, T R) as (n, blocks)."""
    edges = [np.arange(0, n, BLOCK) for n in shape]
    sums = np.add.reduceat(np.add.reduceat(rows.reshape(-1, *shape), edges[0], axis=1), edges[1], axis=2)
    return sums.reshape(len(rows), -1)


def choose_smoothing(gram, aim, total, rough, count, p):
    """The strongest smoothing that does not make the fit worse than chance can (F-ratio), by bisection."""

    def misfit(strength):
        w = solve(gram, aim, strength * rough)
        return max(w @ gram @ w - 2 * w @ aim + total, 1e-300)

    least = misfit(0.0)
    allowed = least * stats.f.ppf(p.confidence, count, count)
    low, high = -9.0, 4.0  # powers of ten
    for _ in range(14):
        middle = (low + high) / 2
        low, high = (middle, high) if misfit(10**middle) <= allowed else (low, middle)
    return 10**low
