"""``particlelab measure``: real processes over real files."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from particlelab import soot
from particlelab.lab.options import flag, options
from particlelab.parameters import Parameters, parameter
from particlelab.randomness import generator
from particlelab.reading import read_table

SCENE = soot.Micrograph(
    aggregates=3, da_nm=50.0, pixel_size_nm=1.0, width_px=256, height_px=256, allow_border=False, contaminants=0
)
COMMAND = [str(Path(sys.executable).parent / "particlelab"), "measure"]
FAST = ["--intervals", "counts", "--minimum-pixels", "200"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three micrographs, the mask of one, and a file that is no image."""
    folder = tmp_path_factory.mktemp("images")
    for name in "abc":
        simulated = soot.simulate_micrograph(SCENE, generator(ord(name), "measure"))
        Image.fromarray(simulated.image).save(folder / f"{name}.png")
    soot.save_mask(folder / "c.png", simulated.mask)
    (folder / "broken.png").write_bytes((folder / "a.png").read_bytes()[:100])
    return folder


def call(*words, **more):
    environment = os.environ | {"COLUMNS": "200", "TERM": "dumb"}
    return subprocess.run([*COMMAND, *map(str, words)], capture_output=True, text=True, env=environment, **more)


def test_a_folder_is_measured_and_the_bad_file_named(folder, tmp_path):
    output = tmp_path / "out.csv"
    done = call("soot", folder, "--pixel-size", 1, *FAST, "--workers", 2, "-o", output)
    assert done.returncode == 1
    assert done.stdout == f"3 of 4 files measured: {output}\n"
    assert re.fullmatch(rf"{re.escape(str(folder))}/broken\.png: broken\.png cannot be read as PNG.*\n", done.stderr)
    table, errors = read_table(output), read_table(tmp_path / "out_errors.csv")
    assert errors.file.tolist() == [f"{folder}/broken.png"]
    parameters = soot.Measurement(pixel_size_nm=1.0, intervals="counts", minimum_pixels=200)
    for name in "abc":
        expected, summary = soot.measure_file(folder / f"{name}.png", parameters)
        rows = table[table.file == f"{folder}/{name}.png"]
        np.testing.assert_array_equal(rows.da_nm, expected.da_nm)
        rows = read_table(tmp_path / "out_summary.csv").query("file.str.endswith(@name + '.png')")
        np.testing.assert_allclose(rows.low.astype(float), summary.low)


def test_without_an_output_the_summary_is_printed_and_options_of_methods_count(folder):
    done = call("soot", folder / "c.png", "--masks", "--sizer", "edm_ws", "-p", "pixel_size_nm=2", *FAST)
    assert (done.returncode, done.stderr) == (0, "")
    mask = np.asarray(Image.open(folder / "c_mask.png")) > 0
    _, summary = soot.measure(
        np.asarray(Image.open(folder / "c.png")), 2.0, mask, sizer="edm_ws", intervals="counts", minimum_pixels=200
    )
    for row in summary.itertuples():
        line = next(line for line in done.stdout.splitlines() if f" {row.quantity}  " in line)
        assert f"{row.value:.4g}" in line and (np.isnan(row.low) or f"{row.low:.4g} to {row.high:.4g}" in line)


def test_a_file_without_a_scale_is_an_error_of_that_file(folder):
    done = call("soot", folder / "a.png", *FAST)
    path = folder / "a.png"
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr == f"{path}: a.png does not say how large its pixels are; give pixel_size_nm (--pixel-size)\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["sot", "a.png"],
            "particlelab: there is no domain 'sot' that measures files; "
            "there are aerosol, diffusion, micrographs, sedimentation, soot",
        ),
        (["soot", "a.png", "--pixel-size", "-1"], "particlelab: pixel_size_nm = -1.0 is not allowed"),
        (
            ["soot", "a.png", "--pixel-size", "1", "-p", "pixel_size_nm=2"],
            "pixel_size_nm is given twice: --pixel-size 1.0 and -p 2",
        ),
        (["soot", "a.png", "-p", "magic=1"], "particlelab: Measurement has no parameter 'magic'"),
        (["soot", "a.png", "-o", "out.doc"], "particlelab: out.doc must end in .csv or .parquet"),
        (["soot", "a.png", "--sizer", "ruler"], "'ruler' is not one of"),
    ],
)
def test_what_is_wrong_is_told_before_anything_is_measured(words, message, tmp_path):
    done = call(*words, cwd=tmp_path)
    assert done.returncode == 2 and done.stdout == ""
    assert message in " ".join(done.stderr.split())
    assert not list(tmp_path.iterdir())


def test_help_of_a_domain_lists_every_parameter_in_its_group():
    text = call("soot", "--help").stdout
    assert "soot" in call("--help").stdout
    panels = re.split(r"╭─ (.+?) ─+╮", text)
    panels = dict(zip(panels[1::2], panels[2::2], strict=True))
    for item in soot.Measurement.describe():
        title = next((t for t, names in soot.MEASUREMENT_GROUPS.items() if item.name in names), "Measurement")
        assert re.search(rf"{flag(item)}\s", panels[title]), (title, item.name)


def test_ctrl_c_leaves_what_was_measured_and_the_same_command_goes_on(folder, tmp_path):
    output = tmp_path / "out.csv"
    files = []
    for number in range(300):
        files.append(tmp_path / f"{number}.png")
        files[-1].symlink_to(folder / "a.png")
    words = [*COMMAND, "soot", *files, "--pixel-size", "1", *FAST, "-o", output]
    with subprocess.Popen(list(map(str, words)), stderr=subprocess.PIPE, text=True) as running:
        while not (tmp_path / "out_measured.json").exists():
            assert running.poll() is None
            time.sleep(0.05)
        running.send_signal(signal.SIGINT)
        errors = running.communicate()[1]
    assert running.returncode == 130
    assert errors == f"Stopped. What was measured stands in {output}; the same command goes on.\n"
    done = json.loads((tmp_path / "out_measured.json").read_text())["files"]
    assert 0 < len(done) < 300
    table = read_table(output)
    assert set(table.file) == set(done)
    again = call(*words[len(COMMAND) :])
    assert again.stdout == f"300 of 300 files measured: {output}\n"
    whole = read_table(output)
    pd.testing.assert_frame_equal(whole[whole.file.isin(done)].reset_index(drop=True), table)
    assert whole.file.nunique() == 300


def test_a_folder_of_frames_is_one_series_and_goes_on(tmp_path):
    """Without a model nothing can be measured: each series and film has its error, and no frame has one."""
    for series in ("one", "two"):
        (tmp_path / series).mkdir()
        for number in range(6):
            Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / series / f"{number}.png")
    (tmp_path / "film.mp4").write_bytes(b"none")
    model = tmp_path / "none.safetensors"
    done = call("aerosol", tmp_path, "--frame-time", 0.04, "--model", model, "-o", tmp_path / "out.csv")
    assert done.returncode == 1 and done.stdout == f"0 of 3 files measured: {tmp_path / 'out.csv'}\n"
    for name in ("one", "two", "film.mp4"):
        assert f"{tmp_path / name}: there is no model file {model}" in done.stderr
    text = " ".join(call("aerosol", "--help").stdout.replace("│", " ").split())
    assert "A folder of frames (.png, .jpg, .jpeg, .tif, .tiff) is one series." in text


class Kinds(Parameters):
    """One parameter of every kind."""

    size_um2_s: float = parameter(0.5, "A size", unit="um^2/s", above=0)
    count: int = parameter(0, "A count", low=0)
    exact: bool = parameter(True, "Whether")
    name: str = parameter("default", "A name")
    several: tuple[float, ...] = parameter((1.0, 2.0), "Not an option")


def test_options_drop_units_and_keep_defaults():
    made = {option.name: option for option in options(Kinds, {"Some": ("count",)})}
    assert {name: option.default for name, option in made.items()} == {
        "size_um2_s": 0.5,
        "count": 0,
        "exact": True,
        "name": "default",
    }
    assert [flag(item) for item in Kinds.describe()] == ["--size", "--count", "--exact", "--name", "--several"]
    flags = [flag(item) for item in soot.Measurement.describe()]
    assert len(set(flags)) == len(flags)
