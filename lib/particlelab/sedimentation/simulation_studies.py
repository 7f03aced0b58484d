"""Parameters of the notebook that simulates the report's two sets, and what it computes of them."""

import numpy as np
import pandas as pd

from particlelab.parameters import Parameters, parameter
from particlelab.processes import each
from particlelab.progress import part_of
from particlelab.randomness import generator
from particlelab.sedimentation.boundaries import estimate_s
from particlelab.sedimentation.lfg import LFG, simulate_lfg
from particlelab.sedimentation.lum import LUM, OTHERS, list_kinds, simulate_measurement
from particlelab.sedimentation.pictures import from_grey_image, grey_image
from particlelab.sedimentation.spectra import CLASSES

SVEDBERG_S = 1e-13
FIRST_SET = LUM(sedimentation=175, creaming=111, combined=13, other=14)  # the 313 measurements that came first


class SimulationStudy(Parameters):
    """How much of the two sets is simulated."""

    lum_share: float = parameter(0.5, "Share of the 463 measurements of LUM that are simulated", above=0, high=1)
    lfg_step_svedberg: float = parameter(
        2000.0, "From one coefficient of LFG to the next; 500 in the document", unit="S", low=100, high=50_000
    )
    size_px: int = parameter(256, "Edge of the pictures", unit="px", low=32, high=512)
    examples: int = parameter(4, "Measurements of each class that are shown", low=1, high=12)
    seed: int = parameter(0, "Seed of all spectra", low=0)


def show_examples(study):
    """Simulate measurements to look at.

    Parameters
    ----------
    study : SimulationStudy

    Returns
    -------
    dict of str to list of Spectrum
        Of each class, and of each kind of "other".
    """
    p = LUM()
    return {
        kind: [
            simulate_measurement(kind, p, generator(study.seed, "example", kind, k)).spectrum
            for k in range(study.examples)
        ]
        for kind in (*CLASSES, *OTHERS)
    }


def survey_lum(study, progress=None):
    """Simulate the set LUM, or a share of it, and describe each measurement.

    Parameters
    ----------
    study : SimulationStudy
    progress : callable, optional

    Returns
    -------
    DataFrame
        ``label``, ``kind``, ``populations``, ``rpm``, ``profiles``, ``radii``, ``first_mm``, ``last_mm``,
        ``duration_s``, ``meniscus_mm``, ``transmission`` (of the liquid in the first profile, median), ``change`` (from
        the first profile to the last, root mean square over the liquid), ``spread`` (geometric standard deviation of
        the first population) and ``grey_error`` (root mean square, of the way to a grey image and back).
    """
    full = LUM()
    p = full.replace(**{name: max(1, round(study.lum_share * getattr(full, name))) for name in CLASSES})
    kinds = list_kinds(p)
    tasks = [(kind, p, study.size_px, generator(study.seed, "lum", n)) for n, kind in enumerate(kinds)]
    rows = dict(each(_describe, tasks, 1, part_of(progress, 0, 1)))
    return pd.DataFrame([rows[k] for k in range(len(tasks))])


def survey_lfg(study, progress=None):
    """Simulate the set LFG, read s back from each spectrum, and compare the boundary with its closed form.

    Parameters
    ----------
    study : SimulationStudy
    progress : callable, optional

    Returns
    -------
    DataFrame
        ``s_svedberg``; ``read_svedberg`` with ``read_low`` and ``read_high`` (95 %), by `estimate_s`; ``cleared_mm``:
        how far the boundary came in all profiles, at most to the bottom; ``plateau`` and ``plateau_expected``:
        absorbance before the boundary in the last profile in which it has not come within 1 mm of the bottom.
    """
    p = LFG(step_svedberg=study.lfg_step_svedberg)
    spectra = simulate_lfg(p, generator(study.seed, "lfg"), progress=progress)
    rows = []
    for spectrum in spectra:
        s, (low, high) = (np.nan, (np.nan, np.nan)) if spectrum.label == 0 else estimate_s(spectrum)[:2]
        rate = spectrum.label * SVEDBERG_S * (2 * np.pi * p.rpm / 60) ** 2
        edges = 10 * p.meniscus_cm * np.exp(rate * spectrum.times_s)
        last = max(0, np.searchsorted(edges, 10 * p.bottom_cm - 1) - 1)
        before = (spectrum.radii_mm > edges[last] + 0.4) & (spectrum.radii_mm < 10 * p.bottom_cm - 0.2)
        rows.append(
            {
                "s_svedberg": spectrum.label,
                "read_svedberg": s,
                "read_low": low,
                "read_high": high,
                "cleared_mm": min(edges[-1], 10 * p.bottom_cm) - 10 * p.meniscus_cm,
                "plateau": -np.log10(spectrum.transmission[last, before].mean()),
                "plateau_expected": p.absorbance * np.exp(-2 * rate * spectrum.times_s[last]),
            }
        )
    return pd.DataFrame(rows)


def _describe(kind, parameters, size_px, rng):
    m = simulate_measurement(kind, parameters, rng)
    spectrum, cell = m.spectrum, m.cell
    liquid = (spectrum.radii_mm > cell.meniscus_mm + 1) & (spectrum.radii_mm < cell.bottom_mm - 1)
    values = spectrum.transmission[:, liquid]
    back = from_grey_image(grey_image(spectrum, size_px), spectrum.radii_mm, spectrum.times_s)
    return {
        "label": spectrum.label,
        "kind": kind,
        "populations": len(m.populations),
        "rpm": spectrum.rpm,
        "profiles": len(spectrum.times_s),
        "radii": len(spectrum.radii_mm),
        "first_mm": spectrum.radii_mm[0],
        "last_mm": spectrum.radii_mm[-1],
        "duration_s": spectrum.times_s[-1],
        "meniscus_mm": cell.meniscus_mm,
        "transmission": float(np.median(values[0])),
        "change": float(np.sqrt(np.mean((values[-1] - values[0]) ** 2))),
        "spread": m.populations[0].spread,
        "grey_error": float(np.sqrt(np.mean((back.transmission - spectrum.transmission)[:, liquid] ** 2))),
    }
