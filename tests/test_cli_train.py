"""``particlelab train`` and ``particlelab sample``: real processes over real files."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from particlelab import sedimentation
from particlelab.lab.options import flag
from particlelab.randomness import generator

COMMAND = str(Path(sys.executable).parent / "particlelab")
SMALL = ["--size", 16, "--latent", 4, "--iterations", 3, "--batch", 2]


def call(*words, **more):
    environment = os.environ | {"COLUMNS": "200", "TERM": "dumb", "OMP_NUM_THREADS": "1"}
    return subprocess.run([COMMAND, *map(str, words)], capture_output=True, text=True, env=environment, **more)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Four measurements of two coefficients, as files that say so and in folders that say otherwise."""
    folder, rng = tmp_path_factory.mktemp("measurements"), generator(0, "files")
    spectra = [sedimentation.simulate_one("lfg", s, rng) for s in (20_000.0, 60_000.0, 30_000.0, 50_000.0)]
    thin = [s._replace(radii_mm=s.radii_mm[::8], transmission=s.transmission[:, ::8]) for s in spectra]
    for number, spectrum in enumerate(thin):
        name = ("slow", "fast")[number % 2]
        sedimentation.write_spectrum(spectrum, folder / "files" / f"{number}.csv")
        sedimentation.write_spectrum(spectrum, folder / name / f"{number}.csv")
    return folder


def test_train_on_files_and_sample_from_what_was_trained(folder, tmp_path):
    model = tmp_path / "mine.safetensors"
    done = call("train", "sedimentation", folder / "files", "-o", model, "--kind", "cvae", *SMALL)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{model}\n{model.with_suffix('.md')}\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.md", "mine.safetensors"]  # no checkpoints left
    made = sedimentation.load_generator(model)
    assert (made.kind, made.conditions.lowest_s, made.conditions.highest_s) == ("cvae", 20_000, 60_000)
    drawn = tmp_path / "drawn"
    done = call(
        "sample", "sedimentation", model, "-o", drawn, "--condition", "45000 S", "--number", 2, "--pictures", "sep"
    )
    assert (done.returncode, done.stdout) == (0, f"4 files: {drawn}\n")
    spectra = sedimentation.read_set(drawn)
    expected = made.sample(45_000.0, 2, generator(0, "sample"))
    for one, other in zip(spectra, expected, strict=True):
        assert (one.label, one.rpm) == (45_000, 3000)
        np.testing.assert_allclose(one.transmission, other.transmission, atol=1e-6)
    pictures = [np.asarray(Image.open(path)) for path in sorted(drawn.glob("*.png"))]
    assert [picture.shape for picture in pictures] == [(512, 512, 3)] * 2
    done = call("sample", "sedimentation", model, "-o", drawn, "--condition", "70000")
    assert done.returncode == 2 and "from 20000 to 60000 S, got 70000" in done.stderr


def test_folders_may_say_the_class(folder, tmp_path):
    model = tmp_path / "mine.safetensors"
    files = [folder / "slow", folder / "fast"]
    done = call("train", "sedimentation", *files, "-o", model, "--kind", "physical", "--labels", "folder")
    assert done.returncode == 0
    assert sedimentation.load_generator(model).conditions.classes == ("slow", "fast")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["train", "sot", "a.csv", "-o", "m.safetensors"],
            "there is no domain 'sot' that trains generators; there are sedim",
        ),
        (["sample", "soot", "m", "-o", "out"], "there is no domain 'soot' that draws from generators; there are sedim"),
        (["train", "sedimentation", "a.csv"], "Missing option '-o' / '--output'"),
        (["train", "sedimentation", "a.csv", "-o", "m.pt"], "a model file ends in .safetensors, got m.pt"),
        (["train", "sedimentation", "a.csv", "-o", "m.safetensors"], "a.csv"),
        (["train", "sedimentation", "a.csv", "-o", "m.safetensors", "--kind", "magic"], "'magic' is not one of"),
        (["train", "sedimentation", "a.csv", "-o", "m.safetensors", "--batch", "4", "-p", "batch=2"], "given twice"),
        (["sample", "sedimentation", "nothing", "-o", "out"], "no model 'nothing' ships for sedimentation"),
    ],
)
def test_what_is_wrong_is_told_before_anything_is_done(words, message, tmp_path):
    done = call(*words, cwd=tmp_path)
    assert done.returncode == 2 and done.stdout == ""
    assert message in " ".join(done.stderr.replace("│", " ").split())
    assert not list(tmp_path.iterdir())


def test_help_lists_every_parameter():
    for command, parameters in (("train", sedimentation.Training), ("sample", sedimentation.Sampling)):
        text = call(command, "sedimentation", "--help").stdout
        for item in parameters.describe():
            assert re.search(rf"{flag(item)}\s", text), item.name
