"""How well a cloud can be found at all: by estimators that know what no film tells.

A pixel shows its background, weakened by the opacity of the smoke, and the smoke. Who knows the background and how
bright smoke is there can solve for the opacity, colour by colour. But how bright it is depends on the cloud's own
shadow, which nobody knows who does not know the cloud.
"""

import numpy as np
import pandas as pd
from scipy import ndimage

from particlelab.aerosol.clouds import simulate_cloud
from particlelab.aerosol.dataset import Collection, camera, choose_scene
from particlelab.aerosol.people import draw_people, draw_person
from particlelab.aerosol.pictures import to_light, to_picture
from particlelab.aerosol.rendering import MASK_DEPTH, Optics, light_smoke, place_cloud, project_cloud, render_depth
from particlelab.aerosol.segmentation import score_masks
from particlelab.aerosol.segmentation_studies import UNSEEN

SHADOWS = ("known", "inferred with the lamp known", "none")
EVERY = 5  # of a breath so many-th frame is looked at
ROUNDS = 4  # in which the shadow is inferred from the opacity, and the opacity from it
QUANTUM = 1e-3  # of light, below which 8 bits tell no difference
SMOOTHING = 1.0  # pixels, over which noise is averaged, where 8 bits show it


def judge_limits(parameters, progress=None):
    """Score estimators that know the person, and more or less of how bright smoke is.

    Parameters
    ----------
    parameters : SegmentationStudy
        Of whose unseen breaths the first of each person is taken, every fifth frame.
    progress : callable, optional
        Called with the share that is done and a text.

    Returns
    -------
    DataFrame
        By ``shadow``, what is known of it (`SHADOWS`): mean ``accuracy`` and ``dice`` of frames that show a cloud.
    """
    p, rows = parameters, []
    unseen, optics = Collection.select(p.model_dump() | {"first_simulation": UNSEEN}), Optics.select(p.model_dump())
    for number, who in enumerate(draw_people(p.people)):
        scene, seed = choose_scene(unseen, number * p.test_simulations, 0)
        depth, mouth = project_cloud(simulate_cloud(scene, seed), scene)
        depth = depth[EVERY - 1 :: EVERY]
        rng = camera(p, number, seed, 0)
        images, masks = render_depth(depth, who, rng, p.picture_px, mouth=mouth, optics=optics)
        found = find_with_knowledge(images, who, place_cloud(depth, who, p.picture_px, mouth), optics)
        for shadow, opacity in found.items():
            scores = score_masks(masks, opacity >= 1 - np.exp(-MASK_DEPTH)).iloc[:-1][masks.any(axis=(1, 2))]
            rows.append((shadow, scores.accuracy.mean(), scores.dice.mean()))
        if progress:
            progress((number + 1) / p.people, f"person {number + 1}")
    table = pd.DataFrame(rows, columns=["shadow", "accuracy", "dice"])
    return table.groupby("shadow", sort=False).mean().reset_index()


def set_beside(limits, scores):
    """Set networks beside the limits, by the frames that those are of.

    Parameters
    ----------
    limits : DataFrame
        From `judge_limits`.
    scores : DataFrame
        From `judge_segmenters`, of the same parameters.

    Returns
    -------
    DataFrame
        ``who``, ``accuracy``, ``dice``: the networks first.
    """
    same = scores[(scores.simulation == 1) & (scores.frame % EVERY == 0) & (scores.true > 0)]
    networks = same.groupby("network", sort=False)[["accuracy", "dice"]].mean().rename_axis("who").reset_index()
    limits = limits.rename(columns={"shadow": "who"})
    return pd.concat([networks, limits.assign(who="person known, shadow " + limits.who)], ignore_index=True)


def find_with_knowledge(images, person, depth, optics):
    """Estimate the opacity of smoke in each pixel, knowing the person and more or less of the cloud's shadow.

    Least squares over the colours, each weighed by its noise, and over neighbours where there is noise.

    Parameters
    ----------
    images : (n, size, size, 3) uint8 array
    person : Person or Background
    depth : (n, size, size) array
        True optical depth, of which only the shadow is taken, where it is known.
    optics : Optics

    Returns
    -------
    dict of str to (n, size, size) ndarray
        By what is known of the shadow (`SHADOWS`).
    """
    seen, behind = to_light(images), to_light(to_picture(draw_person(person, images.shape[1])))
    noise = behind / optics.photons + (optics.read_noise / optics.photons) ** 2
    variance, smoothing = noise + QUANTUM**2, SMOOTHING if noise.max() > QUANTUM**2 else 0.0

    def solve(smoke):
        away = smoke[..., None] - behind
        told, scale = (
            ndimage.gaussian_filter((part * away / variance).sum(axis=-1), (0, smoothing, smoothing))
            for part in (seen - behind, away)
        )
        return np.clip(told / scale, 0, 0.999)

    guess = without = solve(np.full(depth.shape, person.brightness * optics.albedo, np.float32))
    for _ in range(ROUNDS):
        guess = solve(light_smoke(-np.log1p(-guess).astype(np.float32), person, optics))
    return dict(zip(SHADOWS, (solve(light_smoke(depth, person, optics)), guess, without), strict=True))
