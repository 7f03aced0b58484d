"""Single-molecule diffusion: D from movies of blurred, moving molecules.

After E. Silly, M. S. Krause and A. Azar-Pey, "Building a deep learning model to track molecules diffusion coefficient"
(EPFL), whose experiment is repaired where it mixed scales, and carried on.
"""

from particlelab.diffusion.bounds import crlb
from particlelab.diffusion.conditions import Conditions, find_conditions
from particlelab.diffusion.cues import Cues, simulate_without
from particlelab.diffusion.departures import find_departures
from particlelab.diffusion.estimators import Estimate, estimate, mean_squared_displacement
from particlelab.diffusion.imaging import (
    Imaging,
    Sequences,
    expected_images,
    place_paths,
    render,
    simulate,
    simulate_together,
)
from particlelab.diffusion.localisation import Localisations, localisation_bound, localise
from particlelab.diffusion.measurement import (
    MEASURED_ENDINGS,
    MEASUREMENT_GROUPS,
    Measured,
    Measurement,
    examine,
    measure,
    measure_file,
    read_movie,
    tell,
)
from particlelab.diffusion.model import Model, Prediction, load_model
from particlelab.diffusion.motion import Motion, blur_coefficient, draw_paths, reflect
from particlelab.diffusion.networks import QUARTER_TURNS, Network, count_weights
from particlelab.diffusion.one_movie import OneMovie, Survey, Watched, seen_msd, watch
from particlelab.diffusion.scores import Comparison, compare, estimate_from_tracks, fit_all_lags, judge, summarise
from particlelab.diffusion.studies import (
    CUES,
    DOCUMENT_NETWORKS,
    MOVIE_GROUPS,
    MOVIE_NAMES,
    Asked,
    ComparisonStudy,
    MovieStudy,
    TrainingStudy,
    Trial,
    ask,
    compare_along,
    simulate_example,
    tell_watched,
    try_methods,
)
from particlelab.diffusion.surveys import (
    compare_motions,
    correlate_brightness,
    count_leaving,
    describe_scatter,
    measure_background,
    measure_blur,
    measure_peaks,
    measure_precision,
)
from particlelab.diffusion.tracking import CutOuts, Tracking, cut_out, find_tracks
from particlelab.diffusion.training import Training, draw_movies, fit_training, train

__all__ = [
    "CUES",
    "DOCUMENT_NETWORKS",
    "MEASURED_ENDINGS",
    "MEASUREMENT_GROUPS",
    "MOVIE_GROUPS",
    "MOVIE_NAMES",
    "QUARTER_TURNS",
    "Asked",
    "Comparison",
    "ComparisonStudy",
    "Conditions",
    "Cues",
    "CutOuts",
    "Estimate",
    "Imaging",
    "Localisations",
    "Measured",
    "Measurement",
    "Model",
    "Motion",
    "MovieStudy",
    "Network",
    "OneMovie",
    "Prediction",
    "Sequences",
    "Survey",
    "Tracking",
    "Training",
    "TrainingStudy",
    "Trial",
    "Watched",
    "ask",
    "blur_coefficient",
    "compare",
    "compare_along",
    "compare_motions",
    "correlate_brightness",
    "count_leaving",
    "count_weights",
    "crlb",
    "cut_out",
    "describe_scatter",
    "draw_movies",
    "draw_paths",
    "estimate",
    "estimate_from_tracks",
    "examine",
    "expected_images",
    "find_conditions",
    "find_departures",
    "find_tracks",
    "fit_all_lags",
    "fit_training",
    "judge",
    "load_model",
    "localisation_bound",
    "localise",
    "mean_squared_displacement",
    "measure",
    "measure_background",
    "measure_blur",
    "measure_file",
    "measure_peaks",
    "measure_precision",
    "place_paths",
    "read_movie",
    "reflect",
    "render",
    "seen_msd",
    "simulate",
    "simulate_example",
    "simulate_together",
    "simulate_without",
    "summarise",
    "tell",
    "tell_watched",
    "train",
    "try_methods",
    "watch",
]
