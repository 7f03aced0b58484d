"""What many simulated paths and movies come to on average, beside what theory expects of them."""

import numpy as np
import pandas as pd

from particlelab.diffusion.estimators import mean_squared_displacement
from particlelab.diffusion.imaging import Imaging, expected_images, photon_variance, place_paths, render, simulate
from particlelab.diffusion.localisation import localisation_bound, localise
from particlelab.diffusion.motion import Motion, blur_coefficient, draw_paths
from particlelab.randomness import generator

DIFFUSIONS_UM2_S = (0.1, 1.0, 10.0)
PHOTONS = (50.0, 100.0, 300.0, 1000.0, 3000.0)
DOCUMENT_PEAK = 4096 / 100  # photons of the brightest pixel of each of the document's frames
DOCUMENT_VIEW = Imaging(pixel_size_nm=5.0, centred_on="start")  # five units of its paths are a pixel
DOCUMENT_UM2_S = (0.015, 0.05)
LAGS = 20  # of mean squared displacements
FAR = 3  # widths of the point-spread function; what lies farther away is not the molecule


def correlate_brightness(survey, diffusions_um2_s=DIFFUSIONS_UM2_S):
    """Compare the brightest pixel of frames with how far the molecule moved within them.

    Parameters
    ----------
    survey : Survey
    diffusions_um2_s : sequence of float

    Returns
    -------
    DataFrame
        ``true_um2_s``; ``spread_nm``, root mean square distance of the positions of a frame from their middle, along
        an axis; ``peak_counts``, mean of the brightest pixel; ``rank_correlation`` of the two (Spearman).
    """
    rows = []
    for d in diffusions_um2_s:
        imaging = Imaging(size=32, frames=1, edge="reflect")
        movies = simulate(np.full(10 * survey.movies, d), imaging, generator(survey.seed, "brightness", d))
        spread = movies.positions_nm.var(axis=2).mean(axis=(1, 2)) ** 0.5
        peak = movies.frames.max(axis=(1, 2, 3))
        correlation = pd.Series(spread).corr(pd.Series(peak), method="spearman")
        rows.append((d, np.mean(spread**2) ** 0.5, peak.mean(), correlation))
    return pd.DataFrame(rows, columns=["true_um2_s", "spread_nm", "peak_counts", "rank_correlation"])


def measure_background(cameras, survey):
    """Compare pixels that see background alone with the mean and the variance of their camera.

    Parameters
    ----------
    cameras : dict of str to Imaging
        By what each is called.
    survey : Survey

    Returns
    -------
    DataFrame
        In counts: ``camera``, ``expected_mean``, ``mean``, ``expected_variance``, ``variance`` and its standard error
        ``variance_error``.
    """
    rows = []
    for name, p in cameras.items():
        empty = p.replace(photons=0.0, frames=1, substeps=1)
        counts = render(np.zeros((survey.movies, 1, 1, 2)), empty, generator(survey.seed, "noise", name)).astype(float)
        squares = (counts - counts.mean()) ** 2
        rows.append(
            {
                "camera": name,
                "expected_mean": p.gain * p.background + p.offset,
                "mean": counts.mean(),
                "expected_variance": p.gain**2 * (photon_variance(p) * p.background + p.read_noise**2),
                "variance": squares.mean(),
                "variance_error": squares.std() / squares.size**0.5,
            }
        )
    return pd.DataFrame(rows)


def measure_blur(paths_nm, diffusion_um2_s, motion):
    """Compare the middles of exposures, and the positions within, with what theory expects (Berglund 2010).

    Parameters
    ----------
    paths_nm : (n, T, S, 2) array
        From `draw_paths`: free, without drift.
    diffusion_um2_s : float
        Of all of them.
    motion : Motion

    Returns
    -------
    DataFrame
        In units of D times the interval, along an axis: ``quantity``, ``continuous``, what is expected of light that
        is collected all through an exposure; ``expected`` of that from its S positions; ``found`` with its standard
        error ``error``; ``z_score``.
    """
    paths = paths_nm / 1e3
    steps = np.diff(paths.mean(axis=2), axis=1)
    products = {
        "variance of an increment of centroids": steps**2,
        "covariance with the next of centroids": steps[:, 1:] * steps[:, :-1],
        "covariance with the next but one of centroids": steps[:, 2:] * steps[:, :-2],
        "variance of the positions in a frame": paths.var(axis=2),
    }
    each = {  # paths are independent, their steps are not
        name: product.mean(axis=(1, 2)) / (diffusion_um2_s * motion.interval_s) for name, product in products.items()
    }
    table = pd.DataFrame({"quantity": list(each)})
    blur = blur_coefficient(motion)
    for column, r in (("continuous", blur), ("expected", blur * (1 - 1 / motion.substeps**2))):
        table[column] = [2 * (1 - 2 * r), 2 * r, 0.0, 2 * r]
    table["found"] = [values.mean() for values in each.values()]
    table["error"] = [values.std() / len(paths) ** 0.5 for values in each.values()]
    return table.assign(z_score=(table.found - table.expected) / table.error)


def describe_scatter(estimates_um2_s, true_um2_s):
    """Tell how estimates, or the document's targets, of one true D are distributed.

    Parameters
    ----------
    estimates_um2_s : (n,) array
    true_um2_s : float

    Returns
    -------
    DataFrame
        Indexed by what it is: ``over_d``, as a multiple of D, and its standard error ``error``; NaN for quantiles.
    """
    x = np.asarray(estimates_um2_s) / true_um2_s
    deviation, n = x.std(), len(x)
    fourth = ((x - x.mean()) ** 4).mean() / deviation**4
    names = ["smallest", "5 % are smaller", "median", "5 % are larger", "largest"]
    quantiles = np.quantile(x, [0, 0.05, 0.5, 0.95, 1])
    rows = {
        "mean": (x.mean(), deviation / n**0.5),
        "standard deviation": (deviation, deviation * (fourth - 1) ** 0.5 / n**0.5 / 2),
    } | {name: (quantile, np.nan) for name, quantile in zip(names, quantiles, strict=True)}
    return pd.DataFrame.from_dict(rows, orient="index", columns=["over_d", "error"])


def measure_peaks(survey, diffusions_um2_s=DIFFUSIONS_UM2_S):
    """Return the photons that are expected in the brightest pixel of a frame, without background.

    Parameters
    ----------
    survey : Survey
    diffusions_um2_s : sequence of float

    Returns
    -------
    DataFrame
        ``true_um2_s``, ``photons``, their ``standard_deviation`` from frame to frame, ``document``.
    """
    rows = []
    for d in diffusions_um2_s:
        imaging = Imaging(frames=8, background=0.0)
        paths = place_paths(np.full(50, d), imaging, generator(survey.seed, "peaks", d))
        peak = expected_images(paths, imaging).max(axis=(2, 3))
        rows.append((d, peak.mean(), peak.std(), DOCUMENT_PEAK))
    return pd.DataFrame(rows, columns=["true_um2_s", "photons", "standard_deviation", "document"])


def count_leaving(survey, diffusions_um2_s=DOCUMENT_UM2_S):
    """Return the share of paths that leave the document's field of view, in the middle of which they begin.

    Parameters
    ----------
    survey : Survey
    diffusions_um2_s : sequence of float
        In units of the document's paths, taken for nm.

    Returns
    -------
    DataFrame
        ``true_um2_s``, ``share``, and its standard error ``error``.
    """
    rows = []
    for d in diffusions_um2_s:
        positions = place_paths(np.full(survey.paths, d), DOCUMENT_VIEW, generator(survey.seed, "leaving", d))
        left = np.abs(positions) > DOCUMENT_VIEW.size * DOCUMENT_VIEW.pixel_size_nm / 2
        share = left.any(axis=(1, 2, 3)).mean()
        rows.append((d, share, (share * (1 - share) / survey.paths) ** 0.5))
    return pd.DataFrame(rows, columns=["true_um2_s", "share", "error"])


def measure_precision(survey, photons=PHOTONS, methods=("mle", "centroid", "radial")):
    """Localise molecules that stand still, and compare how far off they are with the Cramér-Rao bound.

    Parameters
    ----------
    survey : Survey
    photons : sequence of float
        Of a molecule in a frame.
    methods : sequence of str
        Of `localise`.

    Returns
    -------
    DataFrame
        ``method``, ``photons``, ``error_nm`` (root mean square, along an axis) and its standard error
        ``error_nm_error``, ``bound_nm``, ``found``: the share of frames in which a molecule was found that is not
        more than three widths of the point-spread function away. Others do not count.
    """
    rows = []
    for count in photons:
        imaging = Imaging(size=32, frames=4, photons=count)
        still = simulate(np.zeros(survey.movies), imaging, generator(survey.seed, "still", count))
        for method in methods:
            places = localise(still.frames, imaging, method).positions_nm
            squares = ((places - still.positions_nm.mean(axis=2)) ** 2).sum(axis=-1)
            known = squares[squares < (FAR * imaging.psf_sigma_nm) ** 2] / 2  # along an axis
            error = known.mean() ** 0.5
            rows.append(
                {
                    "method": method,
                    "photons": count,
                    "error_nm": error,
                    "error_nm_error": known.std() / known.size**0.5 / (2 * error),
                    "bound_nm": localisation_bound(imaging),
                    "found": known.size / squares.size,
                }
            )
    return pd.DataFrame(rows)


def compare_motions(survey, side_nm=700.0, speed_um_s=4.0, slow=0.1):
    """Compare the mean squared displacements of free and other molecules with what theory expects.

    Parameters
    ----------
    survey : Survey
        A quarter of its paths are drawn of each kind.
    side_nm : float
        Of the square that the confined ones cannot leave.
    speed_um_s : float
        With which others drift.
    slow : float
        D in the second state of those that have two, as a multiple of that in the first; each has half of the time.

    Returns
    -------
    DataFrame
        ``motion``, ``lag_s``, ``msd_um2`` and its standard error ``msd_error_um2``, ``expected_um2``: of confined
        molecules at lags at which they have forgotten where they were.
    """
    d, usual = survey.diffusion_um2_s, Motion(frames=40, substeps=1)
    lag_s = np.arange(1, LAGS + 1) * usual.interval_s
    free, confined = 4 * d * lag_s, np.full(LAGS, (side_nm / 1e3) ** 2 / 3)
    switching = usual.replace(second_state=slow, leaving_1_per_s=50.0, leaving_2_per_s=50.0)
    motions = {
        "free": (usual, free),
        f"confined to {side_nm:.0f} nm": (usual.replace(confinement_nm=side_nm), confined),
        f"drift of {speed_um_s:g} µm/s": (usual.replace(drift_um_s=speed_um_s), free + (speed_um_s * lag_s) ** 2),
        "two states": (switching, free * (1 + slow) / 2),
    }
    tables = []
    for name, (motion, expected) in motions.items():
        paths = draw_paths(np.full(survey.paths // 4, d), motion, generator(survey.seed, "kinds", name))
        _, each = mean_squared_displacement(paths[:, :, 0], LAGS)
        found = {"msd_um2": each.mean(axis=0), "msd_error_um2": each.std(axis=0) / len(each) ** 0.5}
        tables.append(pd.DataFrame({"motion": name, "lag_s": lag_s, **found, "expected_um2": expected}))
    return pd.concat(tables, ignore_index=True)
