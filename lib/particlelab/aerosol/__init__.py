"""Aerosol clouds: simulate and draw breath, find the cloud in images, learn how it grows."""

from particlelab.aerosol.clouds import CloudScene, draw_breath, project, simulate_cloud
from particlelab.aerosol.dataset import Collection, choose_scene, make_dataset, read_pictures
from particlelab.aerosol.growth import fit_sde
from particlelab.aerosol.imbalance import (
    WEIGHTINGS,
    density_weights,
    equal_weights,
    inverse_kde_weights,
    kde_weights,
    oversample,
)
from particlelab.aerosol.inverse import calibrate_power, find_intervals, infer_parameters, log_likelihood
from particlelab.aerosol.people import PEOPLE, Person, draw_people, draw_person
from particlelab.aerosol.pictures import Background, read_backgrounds, to_picture
from particlelab.aerosol.rendering import Optics, Rendered, mask_cloud, render, render_depth
from particlelab.aerosol.residuals import check_residuals, check_step
from particlelab.aerosol.scores import (
    average_trajectories,
    coverage,
    crps,
    energy_score,
    tabulate_trajectories,
    trajectory_mse,
)
from particlelab.aerosol.sde import SDE, TUNED, SDEParameters, load_sde
from particlelab.aerosol.segmentation import (
    Segmenter,
    UNetTraining,
    load_segmenter,
    score_masks,
    segment,
    train_unet,
)
from particlelab.aerosol.segmentation_studies import (
    Looked,
    SegmentationStudy,
    judge_segmenter,
    look,
    summarise_scores,
    train_segmenter,
)
from particlelab.aerosol.sizes import box_dimension, cloud_size, measure_clouds
from particlelab.aerosol.studies import (
    BREATH_GROUPS,
    PLAIN,
    Breath,
    CloudStudy,
    DatasetStudy,
    grow,
    make_both,
    split_chance,
    watch,
    watch_simulation,
)
from particlelab.aerosol.tuning import tune_sde

__all__ = [
    "BREATH_GROUPS",
    "PEOPLE",
    "PLAIN",
    "SDE",
    "TUNED",
    "WEIGHTINGS",
    "Background",
    "Breath",
    "CloudScene",
    "CloudStudy",
    "Collection",
    "DatasetStudy",
    "Looked",
    "Optics",
    "Person",
    "Rendered",
    "SDEParameters",
    "SegmentationStudy",
    "Segmenter",
    "UNetTraining",
    "average_trajectories",
    "box_dimension",
    "calibrate_power",
    "check_residuals",
    "check_step",
    "choose_scene",
    "cloud_size",
    "coverage",
    "crps",
    "density_weights",
    "draw_breath",
    "draw_people",
    "draw_person",
    "energy_score",
    "equal_weights",
    "find_intervals",
    "fit_sde",
    "grow",
    "infer_parameters",
    "inverse_kde_weights",
    "judge_segmenter",
    "kde_weights",
    "load_sde",
    "load_segmenter",
    "log_likelihood",
    "look",
    "make_both",
    "make_dataset",
    "mask_cloud",
    "measure_clouds",
    "oversample",
    "project",
    "read_backgrounds",
    "read_pictures",
    "render",
    "render_depth",
    "score_masks",
    "segment",
    "simulate_cloud",
    "split_chance",
    "summarise_scores",
    "tabulate_trajectories",
    "to_picture",
    "train_segmenter",
    "train_unet",
    "trajectory_mse",
    "tune_sde",
    "watch",
    "watch_simulation",
]
