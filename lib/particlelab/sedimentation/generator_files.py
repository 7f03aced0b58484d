"""Generators and files: trained on files, and what they draw written to files, as the document's software did."""

import re
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from particlelab.learning.models import shipped_models
from particlelab.parameters import Parameters, parameter
from particlelab.randomness import generator
from particlelab.sedimentation.generator_training import train_generator
from particlelab.sedimentation.generators import generation_settings, load_generator
from particlelab.sedimentation.pictures import grey_image, sep_image
from particlelab.sedimentation.spectrum_files import SPECTRUM_ENDINGS, read_spectrum, write_set

COEFFICIENT = re.compile(r"([0-9.]+)\s*(?:S|svedberg)?$", re.IGNORECASE)  # "5000", "5000 S"
TRAINED_ENDINGS = SPECTRUM_ENDINGS
TRAINING_GROUPS = {"Kind by kind (what is not given is what suits the kind)": (
    "iterations", "batch", "learning_rate", "latent", "critic_steps"
)}  # fmt: skip


class Training(Parameters):
    """How a generator is trained on files."""

    kind: Literal[
        "gan", "wgan", "cwgan-gp", "cwgan-div", "cvae", "cvae-wgan-div", "lstm-ae", "flow", "spectrum", "physical"
    ] = parameter("spectrum", "Kind of generator")
    labels: Literal["file", "folder"] = parameter(
        "file", "Where classes or coefficients stand: in the file, or as the name of the folder that it lies in"
    )
    picture: Literal["grey", "sep"] = parameter("grey", "Pictures it learns from; SEP pictures give no spectra")
    size_px: int = parameter(64, "Edge of a picture, a power of 2; 512 in the document", unit="px", low=16, high=1024)
    physical_weight: float = parameter(
        0.0, "Weight of the physical constraint: nothing runs backwards", low=0, high=1e4
    )
    copies: int = parameter(2, "Varied copies of each measurement to learn from", low=0, high=1000)
    iterations: int | None = parameter(None, "Iterations", low=1, high=10_000_000)
    batch: int | None = parameter(None, "Spectra in an iteration", low=2, high=4096)
    learning_rate: float | None = parameter(None, "Learning rate, or its highest value", above=0, high=1)
    latent: int | None = parameter(None, "Numbers of the noise vector, or of a code", low=0, high=4096)
    critic_steps: int | None = parameter(None, "Turns of the critic for one of the generator", low=1, high=100)
    seed: int = parameter(0, "Seed of first weights, order and noise", low=0)


class Sampling(Parameters):
    """What is drawn from a generator."""

    condition: str = parameter("", "Class, or sedimentation coefficient in S; all classes if it is not given")
    number: int = parameter(10, "Spectra of each condition", low=1, high=1_000_000)
    pictures: Literal["none", "grey", "sep"] = parameter("none", "Pictures that are written beside the spectra")
    picture_px: int = parameter(512, "Edge of those pictures", unit="px", low=8, high=4096)
    seed: int = parameter(0, "Seed of what is drawn", low=0)


def train_files(paths, parameters, output, folder=None, progress=None):
    """Train a generator on files, one measurement each, and write it with its card.

    Parameters
    ----------
    paths : sequence of path
        As `read_spectrum` reads them.
    parameters : Training
    output : path
        ``NAME.safetensors``.
    folder : path, optional
        For checkpoints.
    progress : callable, optional

    Returns
    -------
    Path

    Raises
    ------
    ValueError
        If the output does not end in .safetensors, a file cannot be read, or as `train_generator`.
    """
    p, output = parameters, Path(output)
    if output.suffix != ".safetensors":
        raise ValueError(f"a model file ends in .safetensors, got {output.name}")
    given = {name: value for name, value in p.model_dump().items() if value is not None}
    chosen = generation_settings(p.kind, **{n: v for n, v in given.items() if n not in ("kind", "labels", "seed")})
    spectra = [_labelled(path, p.labels) for path in map(Path, paths)]
    made = train_generator(p.kind, spectra, chosen, generator(p.seed, "train"), folder, progress)
    options = " ".join(f"-p {name}={value}" for name, value in p.model_dump(exclude_defaults=True).items())
    made.card["command"] = f"particlelab train sedimentation FILE... -o {output.name} {options}".rstrip()
    return made.save(output)


def sample_files(model, parameters, folder, progress=None):
    """Draw from a generator and write a CSV file for each spectrum; of one on SEP pictures, the pictures (PNG).

    Parameters
    ----------
    model : str or path
        As `load_generator`.
    parameters : Sampling
    folder : path
    progress : callable, optional

    Returns
    -------
    list of Path

    Raises
    ------
    ValueError
        If there is no such model or condition; or a coefficient is needed, and none given.
    """
    p, made, folder = parameters, load_generator(model), Path(folder)
    asked = _conditions(made.conditions, p.condition)
    rng, spectra, drawn = generator(p.seed, "sample"), [], []
    for k, condition in enumerate(asked):
        if made.generation.picture == "sep":
            drawn += list(made.draw(condition, p.number, rng))
        else:
            spectra += made.sample(condition, p.number, rng)
        if progress:
            progress((k + 1) / len(asked), "" if condition is None else str(condition))
    paths = write_set(spectra, folder) if spectra else []
    if p.pictures != "none":
        draw = {"grey": grey_image, "sep": sep_image}[p.pictures]
        drawn += [draw(spectrum, p.picture_px) for spectrum in spectra]
    names = [path.stem for path in paths] or [
        f"{k + 1:04}_{asked[k // p.number] or ''}".rstrip("_") for k in range(len(drawn))
    ]
    folder.mkdir(parents=True, exist_ok=True)
    for name, picture in zip(names, drawn, strict=False):
        paths.append(folder / f"{name}.png")
        Image.fromarray(np.asarray(picture)).save(paths[-1])
    return paths


def shipped_generators():
    """Return the names of the generators that ship."""
    return [name for name in shipped_models("sedimentation") if name.rpartition("-")[2] in ("lum", "lfg")]


def _labelled(path, labels):
    spectrum = read_spectrum(path)
    if labels == "file":
        return spectrum
    name = path.resolve().parent.name
    found = COEFFICIENT.fullmatch(name)
    return spectrum._replace(label=float(found[1]) if found else name)


def _conditions(known, text):
    if known.classes:
        return [known.check(text)] if text else list(known.classes)
    if not known.length:
        return [known.check(text or None)]
    found = COEFFICIENT.fullmatch(text.strip())
    if not found:
        low, high = known.lowest_s, known.highest_s
        raise ValueError(f"condition must be a sedimentation coefficient from {low:g} to {high:g} S, got {text!r}")
    return [known.check(float(found[1]))]
