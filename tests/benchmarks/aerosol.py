"""Aerosol: clouds of breath by our own solver against Blender's, the document's data set, and who finds a cloud."""

import tempfile

import numpy as np
from run import Case

from particlelab.aerosol import CloudScene, blender, load_segmenter, make_dataset, simulate_cloud
from particlelab.randomness import generator

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


def a_film():
    return load_segmenter("default"), generator(0).integers(0, 256, (30, 256, 256, 3)).astype(np.uint8)


def the_clouds(segmenter, images):
    segmenter.probabilities(images)


def the_clouds_by_resnet(_, images):
    import segmentation_models_pytorch as smp
    import torch

    network = smp.Unet("resnet34", encoder_weights=None, in_channels=3, classes=1).eval()
    with torch.inference_mode():
        for start in range(0, len(images), 10):
            some = torch.from_numpy(images[start : start + 10]).permute(0, 3, 1, 2).float() / 255
            network(some).sigmoid().numpy()


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
    Case(
        "aerosol: the cloud in 30 pictures of 256 x 256",
        a_film,
        the_clouds,
        the_clouds_by_resnet,
        "U-Net with a ResNet34 of segmentation_models_pytorch",
    ),
]
