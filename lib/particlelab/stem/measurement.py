"""A user's own particles, from a table of projections or from STEM images: what they hold, and how many hold it."""

from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from particlelab.parameters import parameter
from particlelab.reading import IMAGE_ENDINGS, ReadError, read_stack
from particlelab.stem.classifier import load_classifier
from particlelab.stem.picking import Picking, take_projections
from particlelab.stem.projection import normalise, view_angles
from particlelab.stem.projection_files import Projections, read_projections
from particlelab.stem.resampling import resample
from particlelab.stem.shares import estimate_shares

TABLE_ENDINGS = (".csv", ".txt")
MEASURED_ENDINGS = (*IMAGE_ENDINGS, *TABLE_ENDINGS)
TOLD = {"problem": "could not be measured", "unlike the simulation": "unlike the simulation, not in the shares"}
LEAST_SAMPLES = 16  # of a projection: the edges of a particle, and what lies between them
TURNED_DEGREES = 5.0  # by which a view may differ from those that the network knows


class Measurement(Picking):
    """How a user's particles are measured."""

    model: str = parameter("one-view-at-best", "A model that ships, or the path of a .keras file")
    scaling: Literal["auto", "given", "edges"] = parameter(
        "auto",
        "Data points of a table: as they are (given), centred and scaled by the particle's edges (edges), "
        "or as they are if their number fits the model (auto)",
    )
    least_likeness: float = parameter(
        0.01, "Particles that resemble the simulation less are counted apart; 0 counts all", low=0, below=1
    )


MEASUREMENT_GROUPS = {
    "Images": ("dark", "smoothing_px", "smallest_radius_px", "rows_averaged"),
    "Tables": ("scaling",),
}


class Recorded(NamedTuple):
    """A user's particles as a network takes them."""

    table: pd.DataFrame  # particle, problem ("" where there is none); of images also x_px, y_px, radius_px
    x: np.ndarray  # (n, views, points) float32; NaN where there is a problem


def measure(projections, **options):
    """Classify particles by their projections, and estimate the share of each category in their population.

    Parameters
    ----------
    projections : (n, views, samples) array_like
        Intensities of any scale; more material is more intensity.
    **options
        Fields of `Measurement`, such as ``model="chirality"``, ``scaling="edges"``.

    Returns
    -------
    table : DataFrame
        One row a particle: ``particle`` (its number, from 1), ``probability_<category>`` of each category, the most
        probable ``category``, and ``likeness``: the share of simulated particles that are more unusual
        (`Classifier.likeness`). Where it is near 0, the network was never shown the like, and the rest means nothing.
        A particle that could not be measured, such as one that is cut off, has its ``problem`` instead.
    summary : DataFrame
        ``quantity``, ``value``, ``low``, ``high`` (95 %) and ``unit``: number of ``particles``, of those with a
        ``problem``, of those that are ``unlike the simulation``, and of the others the ``share of <category>`` in the
        population, corrected for the network's wrong predictions (`estimate_shares`). NaN where there is nothing to
        tell.

    Raises
    ------
    ValueError
        If there is no such model, it looks at another number of views or points, or no particle can be measured.
    """
    p = Measurement(**options)
    intensity = np.asarray(projections, float)
    if intensity.ndim != 3 or len(intensity) == 0:
        raise ValueError(f"projections must be (n, views, samples), n at least 1, got {intensity.shape}")
    _check_views(intensity.shape[1], p)
    read = Projections(intensity, list(range(1, len(intensity) + 1)), None)
    return classify(_rescale(_pick(read, p), p), p)


def measure_file(path, parameters):
    """Measure a table of projections, or an image of particles, as `measure` does.

    Parameters
    ----------
    path : path
        See `record`.
    parameters : Measurement

    Returns
    -------
    table, summary : DataFrame

    Raises
    ------
    ReadError
        If the file cannot be read.
    ValueError
        As `measure` and `take_projections`.
    """
    return classify(record(path, parameters), parameters)


def record(path_or_bytes, parameters, name=None):
    """Read a user's particles and bring them to the data points of a network.

    Parameters
    ----------
    path_or_bytes : path or bytes
        A table of projections (.csv, .txt; see `read_projections`) or an image of particles (see `take_projections`),
        whose pages are views of the same particles.
    parameters : Measurement
    name : str
        Of an upload; its ending tells what it is.

    Returns
    -------
    Recorded

    Raises
    ------
    ReadError, ValueError
        As `measure_file`.
    """
    p = parameters
    classifier = load_classifier(p.model)
    if Path(name or path_or_bytes).suffix.lower() in TABLE_ENDINGS:
        read = _pick(read_projections(path_or_bytes, classifier.views, name), p)
        if read.angles is not None:
            _check_angles(read, classifier)
        return _rescale(read, p)
    frames = read_stack(path_or_bytes, name).frames
    _check_views(len(frames), p)
    table, projections = take_projections(frames, p)
    x, radius, problems = _bring(projections, table, lambda views: resample(views, classifier.particles), p)
    return Recorded(table.assign(radius_px=radius, problem=problems), x)


def classify(recorded, parameters):
    """Return table and summary, as `measure`, of what `record` gives."""
    p = parameters
    classifier = load_classifier(p.model)
    probabilities, likeness = (
        np.full((len(recorded.x), len(classifier.categories)), np.nan),
        np.full(len(recorded.x), np.nan),
    )
    good = (recorded.table.problem == "").to_numpy()
    probabilities[good] = classifier.probabilities(recorded.x[good])
    likeness[good] = classifier.likeness(recorded.x[good])
    columns = ["probability_" + category.replace(",", "").replace(" ", "_") for category in classifier.categories]
    table = recorded.table.assign(
        **dict(zip(columns, probabilities.T, strict=True)),
        category=np.where(good, np.array(classifier.categories)[probabilities.argmax(axis=1)], ""),
        likeness=likeness,
    )
    alike = likeness >= p.least_likeness
    shares, intervals = np.full(len(columns), np.nan), np.full((len(columns), 2), np.nan)
    if alike.any():
        shares, intervals = estimate_shares(probabilities[alike], classifier.confusion)
    unlike = int((good & ~alike).sum())
    counts = [("particles", len(table)), ("problem", int((~good).sum())), ("unlike the simulation", unlike)]
    rows = [(quantity, count, np.nan, np.nan, "") for quantity, count in counts]
    rows += [
        (f"share of {category}", share, low, high, "")
        for category, share, (low, high) in zip(classifier.categories, shares, intervals, strict=True)
    ]
    return table, pd.DataFrame(rows, columns=["quantity", "value", "low", "high", "unit"])


def tell(summary):
    """Say a summary from `measure` in one line."""
    value = summary.set_index("quantity").value
    parts = [f"{value['particles']:g} particles"]
    parts += [f"{value[name]:g} {text}" for name, text in TOLD.items() if value[name]]
    shares = summary[summary.quantity.str.startswith("share")].dropna()
    parts += [
        f"{row.quantity} {100 * row.value:.0f} % ({100 * row.low:.0f} to {100 * row.high:.0f})"
        for row in shares.itertuples()
    ]
    return "; ".join(parts if len(shares) else [*parts, "no shares: none resembles the simulation"])


def _check_views(views, parameters):
    expected = load_classifier(parameters.model).views
    if views != expected:
        raise ValueError(f"model {parameters.model!r} looks at {expected} views of a particle, got {views}")


def _check_angles(read, classifier):
    """Refuse particles that were turned by other angles than those that the network knows."""
    known = view_angles(classifier.views, classifier.particles)
    turned = read.angles - read.angles[:, :1] - (known - known[0])
    wrong = np.abs((turned + 180) % 360 - 180).max(axis=1) > TURNED_DEGREES
    if wrong.any():
        at = int(wrong.argmax())
        angles, expected = (", ".join(f"{angle:g}" for angle in row) for row in (read.angles[at], known))
        raise ReadError(
            f"angle of particle {read.particles[at]}: got views at {angles} degrees, but the model knows {expected} "
            f"(or all turned by the same angle)"
        )


def _pick(read, parameters):
    """Return the picked particle alone, or all."""
    if parameters.picked is None:
        return read
    chosen = [i for i, name in enumerate(read.particles) if str(name) == str(parameters.picked)]
    if not chosen:
        raise ValueError(f"picked = {parameters.picked} is none of the {len(read.particles)} particles in the table")
    angles = read.angles if read.angles is None else read.angles[chosen]
    return Projections(read.intensity[chosen], [read.particles[i] for i in chosen], angles)


def _rescale(read, parameters):
    """Bring (n, views, samples) projections to the data points of the network."""
    particles, samples = load_classifier(parameters.model).particles, read.intensity.shape[2]
    if samples < LEAST_SAMPLES:
        raise ValueError(f"projections, one a row, must have at least {LEAST_SAMPLES} data points, got {samples}")
    if parameters.scaling == "given" and samples != particles.data_points:
        raise ValueError(f"scaling = 'given' needs projections of {particles.data_points} data points, got {samples}")
    by_edges = parameters.scaling == "edges" or samples != particles.data_points

    def bring(views):
        return resample(views, particles) if by_edges else (normalise(views[None])[0], np.nan)

    table = pd.DataFrame({"particle": read.particles, "problem": ""})
    x, _, problems = _bring(read.intensity, table, bring, parameters)
    return Recorded(table.assign(problem=problems), x)


def _bring(projections, table, bring, parameters):
    """Return (n, views, points) data points, (n,) radii and problems; ``bring`` gives the first two of one particle."""
    classifier = load_classifier(parameters.model)
    x = np.full((len(projections), classifier.views, classifier.particles.data_points), np.nan, np.float32)
    radius, problems = np.full(len(x), np.nan), list(table.problem)
    for i, views in enumerate(projections):
        try:
            for number, view in enumerate(views, 1):
                _check_view(view, number)
            if not problems[i]:
                x[i], radius[i] = bring(views)
        except ValueError as error:
            problems[i] = str(error)
    if all(problems):
        raise ValueError(f"particle {table.particle.iloc[0]}: {problems[0]}")
    return x, radius, problems


def _check_view(view, number):
    wrong = np.flatnonzero(~np.isfinite(view))
    if wrong.size:
        raise ValueError(f"view {number}: sample {wrong[0] + 1} is {view[wrong[0]]}, not a finite number")
    if np.ptp(view) == 0:
        raise ValueError(f"view {number}: the projection is flat: all its values are {view[0]:g}")
