"""Aerosol: clouds of breath by our own solver against Blender's, and the document's data set with its pictures."""

import tempfile

from run import Case

from particlelab.aerosol import CloudScene, blender, make_dataset, simulate_cloud

SCENE = CloudScene(grid=48, depth_share=1.0)
PEOPLE, SIMULATIONS = 11, 13


def nothing():
    return (None,)


def a_cloud(_):
    simulate_cloud(SCENE, 1)


def a_cloud_by_blender(_):
    simulate_cloud(SCENE, 1, engine="blender")


def the_data_set(_):
    with tempfile.TemporaryDirectory() as folder:
        make_dataset(PEOPLE, SIMULATIONS, folder=folder, workers=2)


CASES = [
    Case(
        "aerosol: a cloud of 48 x 48 x 48 cells, 30 frames",
        nothing,
        a_cloud,
        a_cloud_by_blender if blender.find_blender() else None,
        "Blender",
        limit_s=2.5,
        limit_mb=1000,
    ),
    Case(
        "aerosol: 143 simulations of 30 frames, drawn at 256 x 256, two cores",
        nothing,
        the_data_set,
        a_cloud_by_blender if blender.find_blender() else None,
        "Blender, without pictures, from one of 143",
        limit_s=300,
        limit_mb=4000,
        other_share=1 / (PEOPLE * SIMULATIONS),
        processors=2,
        runs=1,
    ),
]
