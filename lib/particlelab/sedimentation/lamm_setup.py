"""What a Lamm equation is solved for: species, field, cell and times, checked at the door."""

import math
from typing import NamedTuple

import numpy as np

GRAVITY_CM_S2 = 980.665  # standard acceleration of free fall
SVEDBERG_S = 1e-13
RADII = 280  # of the grid if none is given
FIELDS, CELLS = ("rotor", "gravity"), ("sector", "rectangular")


class Setup(NamedTuple):
    """Species in a cell."""

    s: np.ndarray  # (n,) S; negative: creaming
    diffusion: np.ndarray  # (n,) cm^2/s
    loading: np.ndarray  # (n,)
    times: np.ndarray  # (T,) s
    radii: np.ndarray  # (R,) cm
    meniscus: float
    bottom: float
    power: int  # of the radius in the area of a cross-section
    rates: np.ndarray  # (n,) 1/s: outward speed over radius, and
    constants: np.ndarray  # (n,) cm/s: what else there is of it
    ks: float
    kd: float
    resolution: float


def set_up(
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
    resolution=1.0,
):
    """Check the parameters of `particlelab.sedimentation.lamm.solve_lamm`, and return a `Setup`."""
    if field not in FIELDS:
        raise ValueError(f"field must be one of {', '.join(FIELDS)}, got {field!r}")
    if cell not in CELLS:
        raise ValueError(f"cell must be one of {', '.join(CELLS)}, got {cell!r}")
    s, diffusion, load = _species(s_svedberg, diffusion_cm2_s, loading)
    meniscus, bottom = _number("meniscus_cm", meniscus_cm), _number("bottom_cm", bottom_cm)
    if field == "rotor" and meniscus <= 0:
        raise ValueError(f"meniscus_cm must be positive: it is counted from the axis of the rotor, got {meniscus_cm}")
    if meniscus >= bottom:
        raise ValueError(f"meniscus_cm must be below bottom_cm, got {meniscus_cm} and {bottom_cm}")
    times = _row("times_s", times_s)
    if (times < 0).any() or (np.diff(times) < 0).any():
        raise ValueError(f"times_s must be at least 0 and rise, got {_few(times)}")
    radii = np.linspace(meniscus, bottom, RADII) if radii_cm is None else _row("radii_cm", radii_cm)
    if radii.min() < meniscus - 1e-9 * bottom or radii.max() > bottom + 1e-9 * bottom:
        raise ValueError(
            f"radii_cm must lie between meniscus_cm = {meniscus:g} and bottom_cm = {bottom:g}, "
            f"got {radii.min():g} to {radii.max():g}"
        )
    for name, value, least in (("ks", ks, 0), ("kd", kd, 0)):
        if _number(name, value) < least:
            raise ValueError(f"{name} must be at least 0, got {value}: at the wall the concentration has no bound")
    if not 0.1 <= _number("resolution", resolution) <= 100:
        raise ValueError(f"resolution must be between 0.1 and 100, got {resolution}")
    if (ks or kd) and (s > 0).any() and (s < 0).any():
        raise ValueError(
            f"s_svedberg must have one sign where ks or kd is not 0: species that pass each other in both directions "
            f"are not solved for together, got {_few(s)}"
        )
    if (ks or kd) and not (diffusion > 0).all():
        raise ValueError(f"diffusion_cm2_s must be positive where ks or kd is not 0, got {_few(diffusion)}")
    speeds = SVEDBERG_S * s
    if field == "rotor":
        rates, constants = speeds * _squared_angular_speed(rpm), np.zeros_like(s)
    else:
        if rpm is not None and rpm != 0:
            raise ValueError(f"rpm must be None or 0 where field is 'gravity', got {rpm}")
        rates, constants = np.zeros_like(s), speeds * GRAVITY_CM_S2
    power = 1 if field == "rotor" and cell == "sector" else 0
    return Setup(
        s, diffusion, load, times, radii, meniscus, bottom, power, rates, constants, float(ks), float(kd), resolution
    )


def _species(s_svedberg, diffusion_cm2_s, loading):
    try:
        arrays = np.broadcast_arrays(*(np.atleast_1d(x) for x in (s_svedberg, diffusion_cm2_s, loading)))
    except ValueError:
        shapes = ", ".join(str(np.shape(x)) for x in (s_svedberg, diffusion_cm2_s, loading))
        raise ValueError(
            f"s_svedberg, diffusion_cm2_s and loading must have one value or as many as there are species, "
            f"got shapes {shapes}"
        ) from None
    s, diffusion, load = (
        _row(name, array) for name, array in zip(("s_svedberg", "diffusion_cm2_s", "loading"), arrays, strict=True)
    )
    for name, values in (("diffusion_cm2_s", diffusion), ("loading", load)):
        if (values < 0).any():
            raise ValueError(f"{name} must be at least 0, got {_few(values)}")
    return s, diffusion, load


def _squared_angular_speed(rpm):
    if rpm is None:
        raise ValueError("rpm is missing; for a cell that stands say field='gravity'")
    if _number("rpm", rpm) < 0:
        raise ValueError(f"rpm must be at least 0, got {rpm}")
    return (2 * math.pi * rpm / 60) ** 2


def _row(name, values):
    array = np.array(np.atleast_1d(values), dtype=float)  # a copy, contiguous and writeable as compiled code wants it
    if array.ndim != 1 or not len(array):
        raise ValueError(f"{name} must be a number or a row of numbers, got shape {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite, got {_few(array)}")
    return array


def _number(name, value):
    if not np.isscalar(value) or isinstance(value, str) or not math.isfinite(value):
        raise ValueError(f"{name} must be a number, got {value!r}")
    return float(value)


def _few(values):
    return np.array2string(np.asarray(values), threshold=6, edgeitems=3, separator=", ")
