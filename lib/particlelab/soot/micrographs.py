"""Simulated transmission electron micrographs of soot, with the truth of every pixel and every aggregate.

A micrograph is made in two steps: `draw_scene` puts aggregates of spheres into a frame, `render` takes
their picture; `simulate_micrograph` does both. Lengths are in nm; pixel (row, column) has its centre at
y = row, x = column times the pixel size; the beam comes along z from above.
"""

import math
from typing import Annotated, NamedTuple

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw
from pydantic import Field, model_validator
from scipy import fft, ndimage
from skimage.measure import label

from particlelab.parameters import Parameters, parameter
from particlelab.soot.growth import radius_of_gyration, simulate_aggregate
from particlelab.soot.projection import project_with_corner, shadow

Range = tuple[Annotated[float, Field(ge=0)], Annotated[float, Field(ge=0)]]
FRINGE_NM = 3.0  # reach of the bright fringe at an edge
FILM_NM = 20.0  # length over which the support film is uneven
MOST_PRIMARIES = 5000
COLUMNS = [
    *("label", "n_primaries", "fractal_dimension", "prefactor", "dp_nm", "dp_mean_nm", "gsd", "da_nm", "area_nm2"),
    *("rg_nm", "centroid_x_nm", "centroid_y_nm", "touches_border"),
]


class Micrograph(Parameters):
    """What is on the grid and how the microscope sees it; ranges are drawn anew for each image.

    Defaults of the ranges are those measured on real images of soot at 0.27 to 2.7 nm per pixel.
    """

    aggregates: int = parameter(3, "Aggregates in the frame", low=0, high=200)
    da_nm: float = parameter(100.0, "Median projected-area diameter of the aggregates", unit="nm", low=20, high=2000)
    pixel_size_nm: float = parameter(0.8, "Edge of a pixel", unit="nm", low=0.05, high=20)

    da_gsd: float = parameter(1.5, "Geometric standard deviation of the projected-area diameters", low=1, high=3)
    dp100_nm: float = parameter(
        17.8, "Primary diameter where da is 100 nm (universal relation)", unit="nm", low=2, high=90
    )
    d_tem: float = parameter(0.35, "Exponent of the relation dp = dp100 (da / 100 nm)^D_TEM", low=0, high=0.9)
    dp_gsd: float = parameter(
        1.2, "Scatter of dp about the relation, geometric, from aggregate to aggregate", low=1, high=2
    )
    primaries_gsd: float = parameter(1.2, "Geometric standard deviation of primaries in an aggregate", low=1, high=2)
    fractal_dimension: float = parameter(1.78, "Df of N = kf (Rg / rp)^Df", low=1.5, high=2.5)
    # 1.3 where spheres only touch; overlap draws them together, which multiplies it by (1 - overlap)^-Df
    prefactor: float = parameter(1.7, "kf of N = kf (Rg / rp)^Df", low=1, high=2.5)
    overlap: float = parameter(0.15, "Overlap of touching primaries (sintering), share of ri + rj", low=0, high=0.4)
    contaminants: int = parameter(2, "Small spheres that are not soot", low=0, high=500)
    allow_border: bool = parameter(True, "Aggregates may be cut by the edge of the frame")

    width_px: int = parameter(512, "Width of the image", unit="px", low=64, high=4096)
    height_px: int = parameter(512, "Height of the image", unit="px", low=64, high=4096)
    attenuation_nm: Range = parameter((50.0, 90.0), "Attenuation length in soot, least and greatest", unit="nm")
    background: Range = parameter((137.0, 211.0), "Mean grey level of the background, least and greatest")
    gradient: Range = parameter((10.0, 73.0), "Grey levels across the frame, least and greatest")
    noise_sd: Range = parameter((6.0, 11.5), "Standard deviation of the background's noise in grey levels")
    noise_correlation: Range = parameter((0.06, 0.37), "Correlation of the noise of neighbouring pixels")
    grain_px: float = parameter(
        1.6, "Size (sigma) of the film's grain, the correlated noise", unit="px", low=1, high=10
    )
    film_texture: float = parameter(0.005, "Relative unevenness of the support film over 20 nm", low=0, high=0.1)
    blur_px: float = parameter(1.0, "Sigma of the microscope's blur", unit="px", low=0, high=10)
    fringe: Range = parameter((0.8, 2.5), "Strength of the bright fringe of a defocused edge, least and greatest")
    supersampling: int = parameter(
        1, "Rays per pixel and axis in the image (masks: one, at the pixel's centre)", low=1, high=4
    )
    scale_bar: bool = parameter(False, "A footer with a scale bar covers the bottom of the image")

    @model_validator(mode="after")
    def _ranges_make_sense(self):
        for name, highest in (
            ("attenuation_nm", 1e4),
            ("background", 255),
            ("gradient", 255),
            ("noise_sd", 100),
            ("fringe", 5),
        ):
            _check_range(name, getattr(self, name), highest)
        _check_range("noise_correlation", self.noise_correlation, 0.75)
        if self.attenuation_nm[0] <= 0:
            raise ValueError(f"attenuation_nm must be positive, got {self.attenuation_nm}")
        return self


class Scene(NamedTuple):
    """Aggregates and contaminants in place.

    ``spheres``: one row a sphere: ``primary`` (1, 2, ...; its id in ``primary_labels``), ``aggregate`` (1, 2, ...;
    0 for a contaminant), ``x_nm``, ``y_nm``, ``z_nm``, ``r_nm``.
    """

    spheres: pd.DataFrame


class SimulatedMicrograph(NamedTuple):
    """A picture and its truth; see `simulate_micrograph`."""

    image: np.ndarray
    mask: np.ndarray
    primary_labels: np.ndarray
    table: pd.DataFrame


def simulate_micrograph(parameters, rng):
    """Simulate a micrograph of soot.

    Parameters
    ----------
    parameters : Micrograph
    rng : numpy.random.Generator

    Returns
    -------
    image : (H, W) uint8 ndarray
        The particles are dark.
    mask : (H, W) bool ndarray
        True where the beam through the pixel's centre meets soot. Contaminants are not soot.
    primary_labels : (H, W) int32 ndarray
        0, or the id of the topmost sphere of soot (``primary`` in `Scene.spheres`).
    table : DataFrame
        One row an aggregate, true values of the whole aggregate even where the frame cuts it: ``label`` (its
        component in ``skimage.measure.label(mask, connectivity=2)``), ``n_primaries``, ``fractal_dimension``,
        ``prefactor``, ``dp_nm`` and ``dp_mean_nm`` (geometric and arithmetic mean diameter of its primaries), ``gsd``
        (of its primaries), ``da_nm`` and ``area_nm2`` (of its shadow in pixels), ``rg_nm`` (in 3-D), ``centroid_x_nm``,
        ``centroid_y_nm`` (of its shadow), ``touches_border`` (its mask reaches the edge of the frame).

    Raises
    ------
    ValueError
        As `draw_scene`.
    """
    return render(draw_scene(parameters, rng), parameters, rng)


def draw_scene(parameters, rng):
    """Grow aggregates and place them in the frame so that no two touch in projection.

    Projected-area diameters da are log-normal; each aggregate's dp scatters about dp = dp100 (da / 100 nm)^D_TEM,
    and its number of primaries is chosen to give da (to about 5 %). An aggregate that finds no room after
    100 trials is drawn again, up to 20 times, so that crowded frames favour small ones.

    Returns
    -------
    Scene

    Raises
    ------
    ValueError
        If the aggregates do not fit into the frame, have too many primaries, or cannot hold their fractal law.
    """
    pixel = parameters.pixel_size_nm
    taken = np.zeros((parameters.height_px - _footer_height(parameters), parameters.width_px), bool)
    groups = []
    for aggregate in range(1, parameters.aggregates + 1):
        for _ in range(20):
            centres, radii = _draw_aggregate(parameters, rng)
            place = _find_room(centres, radii, pixel, taken, parameters.allow_border, rng)
            if place is not None:
                break
        else:
            raise ValueError(
                f"aggregates = {parameters.aggregates} of da_nm = {parameters.da_nm:g} do not fit into a frame of "
                f"{taken.shape[1]} x {taken.shape[0]} px at pixel_size_nm = {pixel:g}: no room for number {aggregate}"
            )
        groups.append(_sphere_table(aggregate, centres + place, radii))
    for _ in range(parameters.contaminants):
        radii = np.exp(rng.normal(math.log(3.0), 0.3, 1))
        place = _find_room(np.zeros((1, 3)), radii, pixel, taken, True, rng)
        if place is not None:
            groups.append(_sphere_table(0, place[None], radii))
    spheres = pd.concat(groups, ignore_index=True) if groups else _sphere_table(0, np.zeros((0, 3)), np.zeros(0))
    spheres.insert(0, "primary", np.arange(1, len(spheres) + 1))
    return Scene(spheres)


def render(scene, parameters, rng):
    """Take the picture of a scene and tell the truth about it: see `simulate_micrograph` for what is returned."""
    image, mask, labels = take_picture(scene, parameters, rng)
    return SimulatedMicrograph(image, mask, labels, _truth(scene.spheres, mask, labels, parameters))


def take_picture(scene, parameters, rng):
    """Take the picture of a scene: its image, mask and labels of primaries, as in `simulate_micrograph`.

    The beam is attenuated by Beer and Lambert's law over its path through the union of the spheres; the
    edges get the bright fringe of a slight defocus, the support film its unevenness and grain, the
    background its gradient, and the detector its noise, of which half the variance is shot noise.
    """
    spheres, pixel = scene.spheres, parameters.pixel_size_nm
    shape = (parameters.height_px, parameters.width_px)
    geometry = spheres[["x_nm", "y_nm", "z_nm", "r_nm"]].to_numpy(float) / pixel
    _, labels = shadow(*geometry.T, *shape)
    soot = np.concatenate([[False], spheres["aggregate"].to_numpy() > 0])
    labels = np.where(soot[labels], labels, 0).astype(np.int32)
    footer = _footer_height(parameters)
    labels[shape[0] - footer :] = 0
    mask = labels > 0

    fine = parameters.supersampling
    shift = (fine - 1) / 2  # the first fine pixel's centre lies this many fine pixels before the first pixel's
    geometry = geometry * fine + np.array([shift, shift, 0.0, 0.0])
    thickness, _ = shadow(*geometry.T, shape[0] * fine, shape[1] * fine)
    image = _expose(thickness * pixel / fine, parameters, rng)
    if footer:
        _draw_footer(image, footer, pixel)
    return image, mask, labels


def _draw_aggregate(parameters, rng):
    """Return centres and radii of an aggregate whose shadow has about the diameter drawn for it."""
    da = parameters.da_nm * math.exp(rng.normal(0.0, math.log(parameters.da_gsd)))
    dp = parameters.dp100_nm * (da / 100) ** parameters.d_tem * math.exp(rng.normal(0.0, math.log(parameters.dp_gsd)))
    power = 2.16  # N grows about so with da / dp (Eggersdorfer and Pratsinis 2012: 2 x 1.08)
    n = max(1, round((da / dp) ** power))
    if n > MOST_PRIMARIES:
        raise ValueError(
            f"an aggregate of da = {da:.4g} nm and dp = {dp:.3g} nm has {n} primaries, more than {MOST_PRIMARIES}: "
            f"lower da_nm = {parameters.da_nm:g} or da_gsd = {parameters.da_gsd:g}, "
            f"or raise dp100_nm = {parameters.dp100_nm:g}"
        )
    for _ in range(2):
        centres, radii = _grow(n, dp, parameters, rng)
        area = np.count_nonzero(project_with_corner(centres, radii, dp / 20, 1)[1]) * (dp / 20) ** 2
        n, before = max(1, round(n * (da / math.sqrt(4 * area / math.pi)) ** power)), n
        if n == before:
            break
    else:
        centres, radii = _grow(n, dp, parameters, rng)
    return centres, radii


def _grow(n, dp, parameters, rng):
    """Grow an aggregate; a few spheres that cannot hold the law get one more."""
    for more in range(4):
        try:
            return simulate_aggregate(
                n + more,
                parameters.fractal_dimension,
                parameters.prefactor,
                dp,
                parameters.primaries_gsd,
                rng,
                parameters.overlap,
            )
        except ValueError:
            if more == 3:
                raise


def _find_room(centres, radii, pixel, taken, allow_border, rng):
    """Return the place (x, y, 0, nm) of an aggregate, marking it and a rim as taken; None if there is no room."""
    height, width = taken.shape
    if np.ptp(centres[:, :2], axis=0).max() > 1.5 * max(height, width) * pixel:
        return None
    rim = 3
    part = np.append(rng.uniform(-0.5, 0.5, 2), 0.0)  # of a pixel
    _, labels, corner = project_with_corner(centres + part * pixel, radii, pixel, rim + 1)
    body = labels > 0
    for _ in range(100):
        column, row = int(rng.integers(width)), int(rng.integers(height))
        left, top = column + corner[0], row + corner[1]
        window = np.s_[max(top, 0) : max(top + body.shape[0], 0), max(left, 0) : max(left + body.shape[1], 0)]
        inside = np.s_[max(-top, 0) : max(height - top, 0), max(-left, 0) : max(width - left, 0)]
        visible = body[inside]
        whole = visible.shape == body.shape
        if not (visible.any() and (whole or allow_border)) or np.any(taken[window] & visible):
            continue
        if label(visible, connectivity=2).max() > 1:
            continue
        taken[window] |= ndimage.binary_dilation(body, iterations=rim)[inside]
        return (part + (column, row, 0.0)) * pixel
    return None


def _sphere_table(aggregate, centres, radii):
    table = pd.DataFrame({"aggregate": aggregate, "x_nm": centres[:, 0], "y_nm": centres[:, 1], "z_nm": centres[:, 2]})
    return table.assign(r_nm=radii)


def _truth(spheres, mask, labels, parameters):
    components = label(mask, connectivity=2)
    bottom = mask.shape[0] - 1 - _footer_height(parameters)
    rows = []
    for _, group in spheres[spheres["aggregate"] > 0].groupby("aggregate"):
        centres, radii = group[["x_nm", "y_nm", "z_nm"]].to_numpy(), group.r_nm.to_numpy()
        _, own_labels, corner = project_with_corner(centres, radii, parameters.pixel_size_nm, 0)
        row, column = np.nonzero(own_labels)
        area = row.size * parameters.pixel_size_nm**2
        visible = (labels >= group.primary.min()) & (labels <= group.primary.max())
        logs = np.log(2 * radii)
        rows.append(
            {
                "label": components[visible].max(initial=0),
                "n_primaries": radii.size,
                "fractal_dimension": parameters.fractal_dimension,
                "prefactor": parameters.prefactor,
                "dp_nm": math.exp(logs.mean()),
                "dp_mean_nm": 2 * radii.mean(),
                "gsd": math.exp(logs.std(ddof=1)) if radii.size > 1 else 1.0,
                "da_nm": math.sqrt(4 * area / math.pi),
                "area_nm2": area,
                "rg_nm": radius_of_gyration(centres, radii),
                "centroid_x_nm": (corner[0] + column.mean()) * parameters.pixel_size_nm,
                "centroid_y_nm": (corner[1] + row.mean()) * parameters.pixel_size_nm,
                "touches_border": bool(visible[[0, bottom]].any() or visible[:, [0, -1]].any()),
            }
        )
    return pd.DataFrame(rows, columns=COLUMNS)


def _expose(thickness_nm, parameters, rng):
    """Return the image (H, W, uint8) that the beam leaves behind soot of a thickness, seen on finer pixels."""
    fine, pixel = parameters.supersampling, parameters.pixel_size_nm
    height, width = thickness_nm.shape[0] // fine, thickness_nm.shape[1] // fine
    depth = thickness_nm / rng.uniform(*parameters.attenuation_nm)
    light = np.exp(-depth).reshape(height, fine, width, fine).mean(axis=(1, 3))
    depth = depth.reshape(height, fine, width, fine).mean(axis=(1, 3))
    light *= 1 + rng.uniform(*parameters.fringe) * (
        _blur(depth, FRINGE_NM / pixel) - _blur(depth, FRINGE_NM / 3 / pixel)
    )
    light = _blur(light, parameters.blur_px)

    angle = rng.uniform(0, 2 * math.pi)
    across = math.cos(angle) * np.linspace(-1, 1, width) + math.sin(angle) * np.linspace(-1, 1, height)[:, None]
    background = rng.uniform(*parameters.background) + rng.uniform(*parameters.gradient) * across / np.ptp(across)
    background *= 1 + parameters.film_texture * _random_field((height, width), FILM_NM / pixel, rng)[0]

    white = rng.standard_normal((height, width))
    grain, neighbour = _random_field((height, width), parameters.grain_px, rng)
    share = rng.uniform(*parameters.noise_correlation) / neighbour
    noise = rng.uniform(*parameters.noise_sd) * (math.sqrt(1 - share) * white + math.sqrt(share) * grain)
    image = background * light + noise * np.sqrt(0.5 + 0.5 * light)
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def _random_field(shape, sigma, rng):
    """Return white noise blurred to a length of sigma pixels, of unit variance, and its correlation at lag 1."""
    rows, columns = (np.exp(-0.5 * (2 * math.pi * sigma * fft.fftfreq(n)) ** 2) for n in shape)
    spectrum = fft.rfft2(rng.standard_normal(shape)) * np.outer(rows, columns[: shape[1] // 2 + 1])
    field = fft.irfft2(spectrum, shape) / math.sqrt(np.mean(rows**2) * np.mean(columns**2))
    return field, np.average(np.cos(2 * math.pi * fft.fftfreq(shape[1])), weights=columns**2)


def _blur(image, sigma):
    return ndimage.gaussian_filter(image, sigma) if sigma else image


def _footer_height(parameters):
    return max(24, parameters.height_px // 14) if parameters.scale_bar else 0


def _draw_footer(image, height, pixel):
    """Cover the bottom rows with a white footer and a bar of a round length."""
    longest = 0.35 * image.shape[1] * pixel
    length = max(d * 10.0**e for e in range(-3, 6) for d in (1, 2, 5) if d * 10.0**e <= longest)
    footer = Image.new("L", (image.shape[1], height), 255)
    pen = ImageDraw.Draw(footer)
    left, bar = height // 2, round(length / pixel)
    pen.rectangle((left, height * 3 // 4, left + bar - 1, height * 7 // 8), fill=0)
    pen.text((left + bar + height // 3, height // 2), f"{length:g} nm", fill=0, anchor="lm", font_size=height * 2 // 3)
    image[-height:] = np.asarray(footer)


def _check_range(name, limits, highest):
    if not limits[0] <= limits[1] <= highest:
        raise ValueError(f"{name} = {limits} is not allowed; expected least <= greatest <= {highest:g}")
