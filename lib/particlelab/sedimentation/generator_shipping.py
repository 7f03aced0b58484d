"""Generators as files that ship, with their cards."""

from pathlib import Path

from particlelab.progress import part_of
from particlelab.randomness import generator
from particlelab.sedimentation.generation_studies import (
    conditions_of,
    look_closely,
    model_name,
    neighbours_in,
    read_back,
    share_within,
    training_set,
)
from particlelab.sedimentation.generator_training import train_generator
from particlelab.sedimentation.generators import KINDS, generation_settings

JUDGED = 8  # spectra of each condition
COEFFICIENTS = 40  # that are read back
SHIPPED = {  # by set, kind and picture: what is otherwise than in the quick setting
    ("LFG", "spectrum", "grey"): {"latent": 0, "fronts": 8, "edges": 4, "iterations": 6000},
    ("LUM", "spectrum", "grey"): {"steep": 0.125, "iterations": 7000},
    ("LUM", "cwgan-div", "grey"): {"iterations": 2000},
    ("LFG", "cwgan-div", "grey"): {"iterations": 2000, "physical_weight": 1.0},
    ("LUM", "cvae-wgan-div", "grey"): {"iterations": 2000},
    ("LFG", "cvae-wgan-div", "grey"): {"iterations": 2000, "physical_weight": 1.0},
    ("LUM", "cwgan-div", "sep"): {"iterations": 2000},
}


def ship_generators(folder, names=None, seed=0, checkpoints=None, progress=None):
    """Train the generators that ship on the sets as simulated by default, look at what they draw, and write them.

    Parameters
    ----------
    folder : path
        ``data/models/sedimentation``.
    names : sequence of str, optional
        Such as ``"spectrum-lum"``; all by default.
    seed : int
    checkpoints : path, optional
        A shipping that was killed goes on from there.
    progress : callable, optional

    Returns
    -------
    list of Path

    Raises
    ------
    ValueError
        If a name is not one of those that ship.
    """
    known = {model_name(kind, name, picture): (name, kind, picture) for name, kind, picture in SHIPPED}
    names = list(names or known)
    if unknown := [name for name in names if name not in known]:
        raise ValueError(f"names must be among {', '.join(known)}, got {unknown[0]!r}")
    written = []
    for k, model in enumerate(names):
        name, kind, picture = known[model]
        part = part_of(progress, k / len(names), 1 / len(names), model)
        chosen = generation_settings(kind, picture=picture, **SHIPPED[known[model]])
        rng = generator(seed, "ship", model)
        made = train_generator(kind, training_set(name), chosen, rng, checkpoints and f"{checkpoints}/{model}", part)
        written.append(publish(made, name, Path(folder) / f"{model}.safetensors", seed))
    return written


def publish(made, name, path, seed=0):
    """Write a generator with what numbers say of it in its card.

    Parameters
    ----------
    made : Generator
    name : {"LUM", "LFG"}
        The set that it was trained on.
    path : path
    seed : int

    Returns
    -------
    Path
    """
    rng = generator(seed, "judge", path.stem)
    if made.generation.picture == "grey":
        told = [condition if KINDS[made.kind].conditional else None for condition in conditions_of(name)]
        spectra = [spectrum for condition in told for spectrum in made.sample(condition, JUDGED, rng)]
        looks = look_closely(spectra, neighbours_in(name))
        made.card[f"looks of {len(spectra)} spectra"] = {
            "zigzag, as a multiple of the measurements'": looks["zigzag"],
            "share of points that run backwards": looks["backwards"],
            "distance to the nearest measurement, as a multiple of the usual": looks["nearest"],
        }
        if name == "LFG" and KINDS[made.kind].conditional:
            table = read_back(made, COEFFICIENTS, rng)
            made.card[f"s read back of {COEFFICIENTS} spectra from 5000 to 100 000 S"] = {
                "share within 5 % of s asked for": share_within(table),
                "median error": f"{100 * (table.read_s / table.asked_s - 1).abs().median():.2g} %",
            }
    made.card["data"]["simulated by"] = f"particlelab.sedimentation.simulate_{name.lower()}(), its default seed"
    made.card["command"] = (
        'python -c "from particlelab.sedimentation import ship_generators; '
        f"ship_generators('data/models/sedimentation', ['{path.stem}'], seed={seed})\""
    )
    return made.save(path)
