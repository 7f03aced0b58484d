"""Parameters of the notebooks' experiments, and what they compute of many clouds."""

from typing import Annotated, Literal, NamedTuple

import numpy as np
import pandas as pd
from pydantic import Field

from particlelab.aerosol.clouds import CloudScene, simulate_cloud
from particlelab.aerosol.dataset import Collection, camera, choose_scene, make_dataset, see_before
from particlelab.aerosol.people import PEOPLE, draw_people
from particlelab.aerosol.rendering import Optics, mask_cloud, render, render_background
from particlelab.aerosol.sde import load_sde
from particlelab.aerosol.sizes import cloud_size
from particlelab.parameters import Parameters, parameter
from particlelab.progress import part_of
from particlelab.randomness import generator

PLAIN = PEOPLE[0].replace(zoom=1.0)  # who stands for all where persons do not matter
ALIKE = {"breath_variation": 0.0, "direction_variation_degrees": 0.0}
CHANCE = {  # what is left to chance, by changes of a scene
    "turbulence and breath": {},
    "turbulence alone": ALIKE,
    "breath alone": {"strength": 0.0, "noise_amount": 0.0},
}
BREATH_GROUPS = {
    "The air": ("size", "flow", "grid", "dimensions"),
    "The breath": ("jet_speed_m_s", "jet_angle_degrees", "pulse_s", "buoyancy_m_s2", "breath_variation"),
    "The picture": ("person", "outlines"),
}


class CloudStudy(CloudScene):
    """Clouds against the strength of the turbulence."""

    strengths: tuple[Annotated[float, Field(ge=0, le=50)], ...] = parameter(
        (1.0, 4.0, 8.0, 12.0, 15.0), "Strengths that are simulated"
    )
    repeats: int = parameter(3, "Breaths at each strength", low=1, high=1000)
    chance_repeats: int = parameter(8, "Breaths by which chance is told apart", low=3, high=1000)
    blender: bool = parameter(False, "Simulate the same scenes in Blender, which has to be installed")
    seed: int = parameter(1, "Seed of the first breath", low=0)


class DatasetStudy(Collection):
    """The document's two data sets; the grid is coarser, for speed."""

    grid: int = parameter(32, "Cells along a side of the box", low=16, high=512)
    people: int = parameter(11, "Persons", low=1, high=1000)
    simulations: int = parameter(13, "Simulations of each person in the fresh data set", low=1, high=1000)
    first_simulations: int = parameter(7, "Simulations of each person in the first data set", low=1, high=7)
    workers: int = parameter(2, "Processes", low=1, high=64)


class OneBreath(Parameters):
    """A person who breathes out; within what a page can show."""

    strength: float = parameter(8.0, "Strength of the turbulence; the document's are 1 to 15", low=0, high=20)
    wind_factor: float = parameter(0.0, "Wind, to the right", unit="m/s", low=-0.5, high=0.5)
    noise_amount: float = parameter(0.2, "What chance adds to the strength", low=0, high=5)
    size: float = parameter(0.0, "Size of the eddies in units of 0.075 m; 0 is 1", low=0, high=4)
    flow: float = parameter(0.0, "How far the turbulence drags the air along", low=0, high=10)
    dimensions: Literal[2, 3] = parameter(3, "Dimensions of the flow")
    grid: int = parameter(32, "Cells along a side of the box", low=16, high=64)
    jet_speed_m_s: float = parameter(0.6, "Speed of the breath at its strongest", unit="m/s", low=0, high=2)
    jet_angle_degrees: float = parameter(10.0, "Its direction, down", unit="°", low=-60, high=60)
    pulse_s: float = parameter(2.4, "Duration of the breath", unit="s", low=0.1, high=5)
    buoyancy_m_s2: float = parameter(0.5, "Acceleration upwards", unit="m/s^2", low=-3, high=3)
    breath_variation: float = parameter(0.05, "How much breaths differ", low=0, high=0.3)
    person: int = parameter(1, "Number of the person; the document has 11", low=1, high=40)
    seed: int = parameter(1, "Another number is another breath", low=0, high=9999)


class Breath(OneBreath):
    """A breath, and whether its true mask is shown."""

    outlines: bool = parameter(True, "Draw the outline of the true mask")


class Picked(Parameters):
    """One simulation of a data set of `DatasetStudy`."""

    kind: Literal["fresh", "first"] = parameter(
        "fresh", "Data set: strength and seed vary, or the first of the document"
    )
    person: int = parameter(1, "Number of the person", low=1, high=11)
    simulation: int = parameter(1, "Number of the simulation; the first data set has seven", low=1, high=13)
    outlines: bool = parameter(True, "Draw the outline of the true mask")


class Watched(NamedTuple):
    """A breath and how it looks."""

    images: np.ndarray  # (frames, H, W, 3) uint8
    masks: np.ndarray  # (frames, H, W) bool
    background: np.ndarray  # (H, W, 3) uint8, before the breath
    table: pd.DataFrame  # of `grow`


def watch(parameters, progress=None):
    """Simulate and draw the breath of a `Breath`.

    Returns
    -------
    Watched
    """
    p = parameters
    return watch_breath(CloudScene.select(p.model_dump()), draw_people(p.person)[-1], p.seed, progress=progress)


def watch_breath(scene, person, seed, rng=None, size=256, optics=None, background=None, progress=None):
    """Simulate and draw one breath.

    Parameters
    ----------
    scene : CloudScene
    person : Person or Background
    seed : int
        Of the breath.
    rng : numpy.random.Generator, optional
        Of the camera; by default of the same seed.
    size, optics
        As for `render`.
    background : (H, W, 3) uint8 array, optional
        Before the breath; by default of the same camera.
    progress : callable, optional
        Called with the share that is done and a text.

    Returns
    -------
    Watched
    """
    rng = rng or generator(seed, "camera")
    density = simulate_cloud(scene, seed, progress=progress)
    images, masks = render(density, person, rng, size, scene=scene, optics=optics)
    if background is None:
        background = render_background(person, rng, size, optics=optics)
    return Watched(images, masks, background, _tabulate(scene, seed, 0, cloud_size(masks)))


def expect_growth(sizes, strength, wind, model="growth-with-wind", n=400, seed=0):
    """Draw how a learned SDE expects a cloud to grow from its first frame on.

    Parameters
    ----------
    sizes : (frames,) array_like
        As they are, in %; the first is where trajectories start.
    strength, wind : float
        Of the air; the model knows usual breaths alone, of any person.
    model : str or path
        An SDE of strength and wind.
    n : int
        Trajectories.
    seed : int

    Returns
    -------
    (n, frames) ndarray
    """
    sde, told = load_sde(model), np.array([[strength, wind]])
    rng, memory = generator(seed, "expected"), sde.card["memory"]
    drawn = sde.sample(np.asarray(sizes)[:1], len(sizes) - 1, sde.step, told, n, rng, memory=memory)
    return np.clip(drawn[0, :, :, 0], 0, 100)


def grow(scene, strengths, repeats=1, seed=1, engine="native", progress=None):
    """Simulate breaths at several strengths, and measure their clouds as they look in front of one person.

    Parameters
    ----------
    scene : CloudScene
    strengths : sequence of float
    repeats : int
        At each strength.
    seed : int
        Of the first breath; each has its own.
    engine : {"native", "blender"}
    progress : callable, optional
        Called with the share that is done and a text.

    Returns
    -------
    DataFrame
        The columns ``Person``, ``Simulation``, ``Frame No``, ``Cloud Size``, ``Strength`` and ``Seed`` of a data set.
    """
    tables = []
    steps = [(strength, repeat) for strength in strengths for repeat in range(repeats)]
    for number, (strength, _) in enumerate(steps):
        one = CloudScene.select(scene.model_dump() | {"strength": strength})
        sizes = cloud_size(mask_cloud(simulate_cloud(one, seed + number, engine), PLAIN, scene=one))
        tables.append(_tabulate(one, seed + number, number, sizes))
        if progress:
            progress((number + 1) / len(steps), f"strength {strength:g}")
    return pd.concat(tables, ignore_index=True)


def split_chance(scene, repeats, seed=1, progress=None):
    """Tell how much breaths of the same parameters differ, and by what.

    Parameters
    ----------
    scene : CloudScene
    repeats : int
    seed : int
    progress : callable, optional
        Called with the share that is done and a text.

    Returns
    -------
    DataFrame
        ``chance`` (`CHANCE`), ``mean`` of the last frame's cloud size in %, its standard ``deviation``, the same as a
        share of the mean (``relative``), and the standard error of that (``relative_error``).
    """
    rows = []
    for number, (name, changes) in enumerate(CHANCE.items()):
        one = CloudScene.select(scene.model_dump() | changes)
        table = grow(one, (one.strength,), repeats, seed)
        last = table[table["Frame No"] == scene.frames]["Cloud Size"]
        relative = last.std() / last.mean()
        rows.append((name, last.mean(), last.std(), relative, relative / (2 * (repeats - 1)) ** 0.5))
        if progress:
            progress((number + 1) / len(CHANCE), name)
    return pd.DataFrame(rows, columns=["chance", "mean", "deviation", "relative", "relative_error"])


def make_both(parameters, progress=None):
    """Make the document's fresh and first data set without pictures.

    Parameters
    ----------
    parameters : DatasetStudy
    progress : callable, optional
        Called with the share that is done and a text.

    Returns
    -------
    fresh, first : DataFrame
        As of `make_dataset`.
    """
    p, tables = parameters, []
    for kind, simulations, begun, share in (
        ("fresh", p.simulations, 0.0, 0.8),
        ("first", p.first_simulations, 0.8, 0.2),
    ):
        report = part_of(progress, begun, share, kind)
        first = p.first_simulation if kind == "fresh" else 1  # the first data set has seven simulations, and no others
        collection = Collection.select(p.model_dump() | {"kind": kind, "first_simulation": first})
        tables.append(make_dataset(p.people, simulations, p.frames, collection, None, p.workers, report))
    return tuple(tables)


def watch_simulation(parameters, person, simulation):
    """Make one simulation of the fresh data set again, with its pictures.

    Parameters
    ----------
    parameters : DatasetStudy
    person, simulation : int
        Their numbers, from 1.

    Returns
    -------
    Watched
    """
    p = parameters
    for name, value, most in (("person", person, p.people), ("simulation", simulation, p.simulations)):
        if not 1 <= value <= most:
            raise ValueError(f"{name} = {value!r} must be at least 1 and at most {most}")
    scene, seed = choose_scene(p, (person - 1) * p.simulations + simulation - 1, simulation - 1)
    one = draw_people(p.people)[person - 1]
    rng, optics = camera(p, person - 1, seed, simulation - 1), Optics.select(p.model_dump())
    watched = watch_breath(scene, one, seed, rng, p.picture_px, optics, see_before(p, one, person - 1))
    return watched._replace(table=watched.table.assign(Person=person, Simulation=simulation))


def pick(parameters):
    """Make the simulation of a `Picked` again, with its pictures.

    Returns
    -------
    Watched

    Raises
    ------
    ValueError
        If the first data set has no simulation of that number.
    """
    p, most = parameters, DatasetStudy().first_simulations
    if p.kind == "first" and p.simulation > most:
        raise ValueError(f"simulation = {p.simulation} must be at most {most} for kind = 'first'")
    return watch_simulation(DatasetStudy(kind=p.kind), p.person, p.simulation)


def _tabulate(scene, seed, number, sizes):
    """Return the cloud sizes of one simulation as rows of a data set."""
    return pd.DataFrame(
        {
            "Person": 1,
            "Simulation": number + 1,
            "Frame No": np.arange(1, len(sizes) + 1),
            "Cloud Size": sizes,
            "Strength": scene.strength,
            "Seed": seed,
        }
    )
