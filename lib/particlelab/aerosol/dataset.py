"""Data sets of breaths: persons, simulations of each, the images, and how large the cloud is in each frame."""

import functools
import json
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from pydantic import model_validator

from particlelab.aerosol.clouds import CloudScene, Room, simulate_cloud
from particlelab.aerosol.people import draw_people
from particlelab.aerosol.pictures import Background
from particlelab.aerosol.rendering import Optics, mask_cloud, render, render_background
from particlelab.aerosol.sizes import cloud_size
from particlelab.learning.digests import digest
from particlelab.parameters import parameter
from particlelab.processes import each
from particlelab.randomness import generator
from particlelab.writing import write_bytes, write_text

COLUMNS = {  # of the document (figure 3.5), by fields of a scene
    "Strength": "strength",
    "Size": "size",
    "Flow": "flow",
    "Noise Amount": "noise_amount",
    "Wind Factor": "wind_factor",
}
FIRST_SEED = 4
TESTED = 2  # persons that no network is trained on: the last ones (document: 9 for the training, 2 for the test)
FIRST_SIMULATIONS = (  # four strengths, and other parameters that vary: the first and the last are the document's
    {"strength": 0.0},
    {"strength": 5.0},
    {"strength": 5.0, "wind_factor": 0.1},
    {"strength": 10.0},
    {"strength": 10.0, "flow": 1.0, "noise_amount": 1.0},
    {"strength": 15.0},
    {"strength": 15.0, "flow": 2.0},
)


class _Breaths(Room):
    """What all data sets have."""

    strength_low: int = parameter(1, "Smallest strength", low=0, high=50)
    strength_high: int = parameter(15, "Largest strength", low=0, high=50)
    picture_px: int = parameter(256, "Edge of a picture", unit="px", low=32, high=2048)
    first_simulation: int = parameter(1, "Number of the first: others are another data set", low=1, high=1_000_000)
    seed: int = parameter(0, "Seed of the strengths and of the camera's noise", low=0)

    @model_validator(mode="after")
    def _strengths(self):
        if self.strength_low > self.strength_high:
            raise ValueError(f"strength_low = {self.strength_low} must be at most strength_high = {self.strength_high}")
        return self

    @property
    def first(self):
        """Whether this is the document's first data set."""
        return False


class Recording(_Breaths, Optics):
    """Breaths that a camera sees, all in the same wind."""

    wind_factor: float = parameter(0.0, "Wind, to the right", unit="m/s", low=-2, high=2)


class Collection(Recording):
    """How a data set is made; the strength and the seed of a simulation are those of its kind."""

    kind: Literal["fresh", "first"] = parameter(
        "fresh", "Strength and seed vary (document, section 3.5.4), or its first, inconsistent settings"
    )

    @property
    def first(self):
        """Whether this is the document's first data set."""
        return self.kind == "first"


class Survey(_Breaths):
    """A data set to infer parameters from: strengths are any number, and the wind varies too."""

    wind_low: float = parameter(0.0, "Smallest wind", unit="m/s", low=-2, high=2)
    wind_high: float = parameter(0.0, "Largest wind", unit="m/s", low=-2, high=2)

    @model_validator(mode="after")
    def _winds(self):
        if self.wind_low > self.wind_high:
            raise ValueError(f"wind_low = {self.wind_low} must be at most wind_high = {self.wind_high}")
        return self


class Pictures(NamedTuple):
    """The pictures of a data set, in files."""

    images: object  # zarr.Array (people, simulations, frames, H, W, 3) uint8
    masks: object  # zarr.Array (people, simulations, frames, H, W) bool
    backgrounds: object  # zarr.Array (people, H, W, 3) uint8: each person before the breath


def make_dataset(people=11, simulations=13, frames=None, parameters=None, folder=None, workers=None, progress=None):
    """Simulate breaths of persons, draw them, and measure the cloud of each frame in its true mask (eq. 3.3).

    The fresh data set of the document has whole strengths drawn at random and a seed of its own for each simulation,
    numbered through from 1; the first one has the same settings (`FIRST_SIMULATIONS`) and one seed for all persons. A
    `Survey` is a fresh data set with strengths that need not be whole, and a wind of its own for each simulation.

    Parameters
    ----------
    people : int or sequence of Person or Background
        How many, or who, or users' own pictures of persons (`read_backgrounds`).
    simulations : int
        Of each person.
    frames : int, optional
        Of each simulation; by default as the parameters say (document: 30).
    parameters : Collection or Survey, optional
    folder : path, optional
        Where ``table.parquet`` and the pictures are written: ``images.zarr`` (people, simulations, frames, H, W, 3),
        ``masks.zarr`` (the same without colours) and ``backgrounds.zarr`` (people, H, W, 3). What stands there of a
        data set that was stopped is not made again. Without it there is the table alone, and no picture is drawn.
    workers : int, optional
        Processes; as many as there are processors by default. A script that asks for more than one has to stand below
        ``if __name__ == "__main__":``, as everywhere in Python.
    progress : callable, optional
        Called with the share that is done and a text.

    Returns
    -------
    DataFrame
        A row for each frame with the document's columns ``Person``, ``Simulation``, ``Frame No`` (all from 1), ``Cloud
        Size`` (%), ``Strength``, ``Size``, ``Flow``, ``Noise Amount``, ``Seed``, ``Wind Factor`` and ``Parameter``:
        the strength; in the first data set, as in the document, the sum of all these, seed and all.

    Raises
    ------
    ValueError
        If a number is below 1, the first data set is asked for more simulations than it has, or the folder holds
        another data set.
    """
    p = parameters or Collection()
    p = p if frames is None else p.replace(frames=frames)
    count = people if isinstance(people, int) else len(people)
    if count < 1 or simulations < 1:
        raise ValueError(f"people and simulations must be at least 1, got {count} and {simulations}")
    persons = draw_people(people) if isinstance(people, int) else list(people)
    if p.first and (last := p.first_simulation + simulations - 1) > len(FIRST_SIMULATIONS):
        raise ValueError(
            f"first_simulation + simulations - 1 = {last} must be at most {len(FIRST_SIMULATIONS)} for kind = 'first'"
        )
    tasks = [(i, j) for i in range(len(persons)) for j in range(simulations)]
    folder = None if folder is None else _open(Path(folder), p, persons, simulations)
    done = {} if folder is None else _read_parts(folder, tasks)
    left = [task for task in tasks if task not in done]
    if p.first:
        left.sort(key=lambda task: task[1])  # persons of the same cloud follow each other
    report = progress or (lambda share, text: None)
    for index, table in each(_make, [(p, persons[i], i, j, simulations, folder) for i, j in left], workers):
        i, j = left[index]
        done[i, j] = table
        report(len(done) / len(tasks), f"person {i + 1}, simulation {j + 1}")
    return _gather(done, tasks, folder)


def choose_scene(parameters, number, simulation):
    """Return the scene and the seed of a simulation.

    Parameters
    ----------
    parameters : Collection or Survey
    number : int
        Of the simulation among those of all persons, from 0: the fresh data set draws its strength by it.
    simulation : int
        Among those of a person, from 0.

    Returns
    -------
    scene : CloudScene
    seed : int
    """
    p, first = parameters, parameters.first_simulation - 1
    if p.first:
        return CloudScene.select(p.model_dump() | FIRST_SIMULATIONS[first + simulation]), FIRST_SEED
    seed = first + number + 1
    if isinstance(p, Survey):
        drawn = generator(p.seed, "survey", first + number)
        strength, wind = drawn.uniform((p.strength_low, p.wind_low), (p.strength_high, p.wind_high)).tolist()
        return CloudScene.select(p.model_dump() | {"strength": strength, "wind_factor": wind}), seed
    strength = generator(p.seed, "strength", first + number).integers(p.strength_low, p.strength_high + 1)
    return CloudScene.select(p.model_dump() | {"strength": float(strength)}), seed


def read_pictures(folder):
    """Open the pictures of a data set.

    Parameters
    ----------
    folder : path

    Returns
    -------
    Pictures
    """
    import zarr

    return Pictures(*(zarr.open_array(str(Path(folder) / f"{name}.zarr"), mode="r") for name in Pictures._fields))


def see_before(p, person, number):
    """Render a person of a data set before the breath, (H, W, 3) uint8; persons are numbered from 0."""
    rng, optics = generator(p.seed, "camera", number, "background"), Optics.select(p.model_dump())
    return render_background(person, rng, p.picture_px, optics=optics)


def camera(p, number, seed, simulation):
    """Return the generator of the camera's noise in a simulation, by the seed of its breath; both numbers from 0."""
    return generator(p.seed, "camera", number, seed, simulation)


_simulate_once = functools.lru_cache(maxsize=1)(simulate_cloud)  # all persons of the first data set share clouds


def _make(p, person, i, j, simulations, folder):
    """Make one simulation of one person and return its part of the table."""
    scene, seed = choose_scene(p, i * simulations + j, j)
    density = _simulate_once(scene, seed)
    if folder is None:
        masks = mask_cloud(density, person, p.picture_px, scene=scene)
    else:
        rng, optics = camera(p, i, seed, j), Optics.select(p.model_dump())
        images, masks = render(density, person, rng, p.picture_px, scene=scene, optics=optics)
    values = {name: getattr(scene, field) for name, field in COLUMNS.items()}
    sums = sum(values.values()) + seed
    table = pd.DataFrame({"Person": i + 1, "Simulation": j + 1, "Frame No": np.arange(1, len(masks) + 1)})
    table["Cloud Size"] = cloud_size(masks)
    table = table.assign(**values, Seed=seed, Parameter=sums if p.first else scene.strength)
    table = table[[*table.columns[:8], "Seed", "Wind Factor", "Parameter"]]  # in the document's order
    if folder is not None:
        import zarr

        for name, part in (("images.zarr", images), ("masks.zarr", masks)):
            zarr.open_array(str(folder / name), mode="r+")[i, j] = part
        write_bytes(_part(folder, i, j), table.to_parquet(index=False))
    return table


def _open(folder, p, persons, simulations):
    """Return a folder that is ready for a data set, or holds some of it."""
    import zarr

    wanted = json.loads(
        json.dumps(
            {
                "parameters": p.model_dump(mode="json"),
                "people": [_describe(person) for person in persons],
                "simulations": simulations,
            }
        )
    )
    about = folder / "dataset.json"
    if about.exists():
        if json.loads(about.read_text(encoding="utf-8")) != wanted:
            raise ValueError(f"folder {folder} holds another data set: give an empty one, or its parameters")
        return folder
    (folder / "parts").mkdir(parents=True, exist_ok=True)
    shape = (len(persons), simulations, p.frames, p.picture_px, p.picture_px)
    chunks = (1, 1, *shape[2:])
    for name, colours, dtype in (("images.zarr", (3,), "uint8"), ("masks.zarr", (), "bool")):
        path, chunk = str(folder / name), chunks + colours
        zarr.create_array(path, shape=shape + colours, chunks=chunk, dtype=dtype, overwrite=True)
    backgrounds = np.stack([see_before(p, person, number) for number, person in enumerate(persons)])
    zarr.create_array(str(folder / "backgrounds.zarr"), data=backgrounds, overwrite=True)
    write_text(about, json.dumps(wanted))
    return folder


def _describe(person):
    """Return what tells a person, or a user's own picture of one, from others."""
    if isinstance(person, Background):
        return person._asdict() | {"picture": digest(person.picture)}
    return person.model_dump(mode="json")


def _gather(done, tasks, folder):
    """Return the table of all parts, and write it."""
    table = pd.concat([done[task] for task in tasks], ignore_index=True)
    if folder is not None:
        write_bytes(folder / "table.parquet", table.to_parquet(index=False))
    return table


def _part(folder, i, j):
    return folder / "parts" / f"{i + 1}_{j + 1}.parquet"


def _read_parts(folder, tasks):
    return {task: pd.read_parquet(_part(folder, *task)) for task in tasks if _part(folder, *task).exists()}
