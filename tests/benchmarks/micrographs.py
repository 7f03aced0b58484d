"""Micrographs: pictures with all their labels by our own renderer, against Blender's Cycles."""

import multiprocessing
from functools import partial

from run import Case

from particlelab.micrographs import Placement, Population, Recipe, Technique, build_scene, synthesise
from particlelab.micrographs.cycles import find_blender, render
from particlelab.randomness import generator

IMAGES = 40
SAMPLES = 8  # of Cycles: with fewer the grain is stronger than that of the camera
RECIPE = Recipe(
    populations=(Population(shape="sphere", number=100, diameter_nm=320, deviation=1.25),),
    placement=Placement(kind="plane"),
    technique=Technique(kind="sem"),
)


def two_processes():
    return (multiprocessing.get_context("spawn").Pool(2),)


def end(processes):
    processes.close()
    processes.join()


def labelled_pictures(processes):
    for micrograph in processes.imap(partial(synthesise, RECIPE), range(IMAGES)):
        assert micrograph.amodal.shape[1:] == micrograph.category.shape == (512, 512)


def a_picture_by_cycles(*_):
    render(build_scene(RECIPE, generator(0, "scene")), samples=SAMPLES, threads=2)


CASES = [
    Case(
        f"micrographs: {IMAGES} pictures of 512 x 512 with 100 particles and all labels, two cores",
        two_processes,
        labelled_pictures,
        a_picture_by_cycles if find_blender() else None,
        f"Blender's Cycles, {SAMPLES} samples, without labels, from one of {IMAGES}",
        limit_s=IMAGES / 10,
        other_share=1 / IMAGES,
        processors=2,
        finish=end,
    ),
]
