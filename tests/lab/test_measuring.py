"""Many files: each is measured once, one that is bad stops nothing, and the tables are whole whatever happens."""

import importlib
import os
import sys

import numpy as np
import pandas as pd
import pytest

from particlelab.lab.measuring import find_files, measure_files
from particlelab.parameters import Parameters
from particlelab.reading import read_table

TOY = """
import os
import pandas as pd
from particlelab.parameters import Parameters, parameter

class Toy(Parameters):
    factor: float = parameter(1.0, "By what a number is multiplied", above=0)
    model: str = parameter("default", "A name, or a file")

def measure(path, parameters):
    text = path.read_text()
    if text == "kill":
        os._exit(9)
    number = float(text) * parameters.factor
    table = pd.DataFrame({"number": [number, -number], "word": ["plus, of course", "minus"]})
    return table.head(0 if number == 0 else 2), pd.DataFrame({"quantity": ["number"], "value": [number]})
"""


class Nothing(Parameters):
    """No parameter."""


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """A module that worker processes can import: a file holds a number; its table the number with both signs."""
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "toy_domain.py").write_text(TOY)
    monkeypatch.syspath_prepend(tmp_path / "modules")
    yield importlib.import_module("toy_domain")
    del sys.modules["toy_domain"]


@pytest.fixture
def files(tmp_path):
    (tmp_path / "images").mkdir()
    return [write(tmp_path / "images" / f"{name}.png", text) for name, text in zip("abcd", "1370", strict=True)]


def write(path, text):
    path.write_text(text)
    return path


def counting(measure, calls):
    def counted(path, parameters):
        calls.append(path.stem)
        return measure(path, parameters)

    return counted


def test_folders_stand_for_their_images_without_masks(tmp_path):
    for name in ("b.png", "a.TIF", "a_mask.png", "notes.txt"):
        (tmp_path / name).touch()
    (tmp_path / "empty").mkdir()
    other = tmp_path / "other.dat"
    assert find_files([other, tmp_path, tmp_path / "b.png"]) == [other, tmp_path / "a.TIF", tmp_path / "b.png"]
    assert find_files([tmp_path], [".txt", ".png"]) == [tmp_path / "b.png", tmp_path / "notes.txt"]
    with pytest.raises(ValueError, match=r"empty holds nothing to measure; expected files ending in \.tif"):
        find_files([tmp_path / "empty"])
    assert find_files([tmp_path / "empty", other]) == [other, tmp_path / "empty"]  # which fails alone


def test_a_folder_of_frames_is_one_series_where_a_domain_says_so(tmp_path):
    """And a folder of films and series stands for each of them."""
    frames, films = (".png",), (".mp4",)
    for name in ("one/1.png", "one/2.png", "two/1.png", "film.mp4", "notes.txt", "tables/a.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    one, two, film = (tmp_path / name for name in ("one", "two", "film.mp4"))
    assert find_files([one], films, None, frames) == [one]
    assert find_files([tmp_path, one], films, None, frames) == [film, one, two]
    assert find_files([one], frames) == [one / "1.png", one / "2.png"]  # a domain of single images
    with pytest.raises(ValueError, match=r"tables holds nothing.*ending in \.mp4, or folders of frames \(\.png\)"):
        find_files([tmp_path / "tables"], films, None, frames)
    (tmp_path / "cover.png").touch()
    with pytest.raises(
        ValueError, match=r"frames of a series \(cover\.png\) and other things to measure \(film\.mp4\)"
    ):
        find_files([tmp_path], films, None, frames)


def test_a_series_is_measured_again_when_a_frame_of_it_changes(tmp_path):
    calls, output = [], tmp_path / "run" / "out.csv"
    (tmp_path / "run").mkdir()
    frame = write(tmp_path / "run" / "1.png", "1")

    def measure(path, parameters):
        calls.append(path.name)
        return pd.DataFrame({"a": [1]}), pd.DataFrame({"quantity": ["a"], "value": [1.0]})

    for text in ("1", None, "other"):
        if text == "other":
            write(frame, text)
        measure_files(measure, Nothing(), [tmp_path / "run"], output)
    assert calls == ["run", "run"]  # the table that stands among the frames is none of them


def test_the_tables_that_measurements_are_written_to_are_not_measured(tmp_path, monkeypatch):
    for name in ("a.csv", "out.csv", "out_summary.csv", "out_errors.csv"):
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    for output in (tmp_path / "out.csv", "out.csv"):
        assert find_files([tmp_path], [".csv"], output) == [tmp_path / "a.csv"]
    assert tmp_path / "out.csv" in find_files([tmp_path], [".csv"], tmp_path / "other.csv")


@pytest.mark.parametrize("ending", ["csv", "parquet"])
@pytest.mark.parametrize("workers", [1, 2])
def test_tables_hold_every_file_in_its_order(toy, files, tmp_path, ending, workers):
    measured = measure_files(toy.measure, toy.Toy(factor=2.0), files, tmp_path / f"out.{ending}", workers)
    names = [str(file) for file in files]
    assert measured.table.file.tolist() == np.repeat(names[:3], 2).tolist()  # the last one has no row
    assert measured.table.number.tolist() == [2, -2, 6, -6, 14, -14]
    assert measured.summary.value.tolist() == [2, 6, 14, 0] and measured.summary.file.tolist() == names
    assert measured.errors.empty and not (tmp_path / f"out_errors.{ending}").exists()
    for name, table in (("out", measured.table), ("out_summary", measured.summary)):
        pd.testing.assert_frame_equal(read_table(tmp_path / f"{name}.{ending}"), table, check_dtype=False)


def test_a_bad_file_is_named_with_its_reason_and_measured_again_once_it_is_mended(toy, files, tmp_path):
    write(files[1], "no number")
    told = []
    missing = tmp_path / "missing.png"
    output = tmp_path / "out.csv"
    measured = measure_files(
        toy.measure, toy.Toy(), [*files, missing], output, progress=lambda file, error: told.append((file, error))
    )
    assert measured.summary.value.tolist() == [1, 7, 0]
    errors = read_table(tmp_path / "out_errors.csv")
    assert errors.file.tolist() == [str(files[1]), str(missing)]
    assert "could not convert string to float: 'no number'" in errors.error[0]
    assert errors.error[1].startswith("FileNotFoundError")
    assert told == list(zip([*files, missing], ["", errors.error[0], "", "", errors.error[1]], strict=True))
    write(files[1], "3")
    assert measure_files(toy.measure, toy.Toy(), files, output).summary.value.tolist() == [1, 3, 7, 0]
    assert not (tmp_path / "out_errors.csv").exists()


def test_what_was_measured_and_has_not_changed_is_not_measured_again(toy, files, tmp_path):
    calls, output = [], tmp_path / "out.csv"
    measure = counting(toy.measure, calls)
    first = measure_files(measure, toy.Toy(), files, output)
    again = measure_files(measure, toy.Toy(), files, output)
    assert calls == list("abcd")
    for one, other in zip(first, again, strict=True):
        pd.testing.assert_frame_equal(one, other, check_dtype=False)
    calls.clear()
    os.utime(files[2], ns=(0, 0))
    (tmp_path / "images" / "a_mask.png").touch()  # a mask of a file is a part of it
    more = write(tmp_path / "images" / "e.png", "9")
    assert measure_files(measure, toy.Toy(), [*files, more], output).summary.value.tolist() == [1, 3, 7, 0, 9]
    assert calls == ["a", "c", "e"]
    calls.clear()
    measure_files(measure, toy.Toy(factor=2.0), files, output, fresh=True)
    assert calls == list("abcd") and read_table(tmp_path / "out_summary.csv").value.tolist() == [2, 6, 14, 0]


def test_what_stands_in_a_table_stays_when_other_files_are_added(toy, files, tmp_path):
    output, told = tmp_path / "out.csv", []
    measure_files(toy.measure, toy.Toy(), files[:2], output)
    files[0].unlink()
    measured = measure_files(toy.measure, toy.Toy(), files[2:], output, progress=lambda file, _: told.append(file))
    assert measured.summary.value.tolist() == read_table(tmp_path / "out_summary.csv").value.tolist() == [1, 3, 7, 0]
    assert told == files[2:]


def test_files_are_measured_again_when_what_the_numbers_depend_on_has_changed(toy, files, tmp_path):
    calls, output = [], tmp_path / "out.csv"
    model = write(tmp_path / "mine.model", "first")
    parameters = toy.Toy(model=str(model))

    def measured(basis):
        calls.clear()
        measure_files(counting(toy.measure, calls), parameters, files, output, basis=basis)
        return calls

    assert measured("code") == list("abcd")
    assert measured("code") == []
    assert measured("other code") == list("abcd")
    write(model, "trained anew")
    assert measured("other code") == list("abcd")
    assert measured("other code") == []


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_table_without_a_row_is_gone_on_with(toy, files, tmp_path, ending):
    output = tmp_path / f"out.{ending}"
    assert measure_files(toy.measure, toy.Toy(), files[3:], output).table.empty
    assert measure_files(toy.measure, toy.Toy(), files, output).table.number.tolist() == [1, -1, 3, -3, 7, -7]


def test_after_an_interruption_stands_what_was_measured_and_the_same_call_goes_on(toy, files, tmp_path):
    calls, output = [], tmp_path / "out.csv"

    def interrupted(path, parameters):
        if path.stem == "c":
            raise KeyboardInterrupt
        return toy.measure(path, parameters)

    with pytest.raises(KeyboardInterrupt):
        measure_files(interrupted, toy.Toy(), files, output)
    assert read_table(tmp_path / "out_summary.csv").value.tolist() == [1, 3]
    assert measure_files(counting(toy.measure, calls), toy.Toy(), files, output).summary.value.tolist() == [1, 3, 7, 0]
    assert calls == ["c", "d"]
    assert not list(tmp_path.glob(".*"))  # no drafts


def test_nothing_is_overwritten_that_is_something_else(toy, files, tmp_path):
    with pytest.raises(ValueError, match=r"out\.xls must end in \.csv or \.parquet"):
        measure_files(toy.measure, toy.Toy(), files, tmp_path / "out.xls")
    foreign = write(tmp_path / "mine.csv", "a,b\n1,2\n")
    with pytest.raises(ValueError, match=r"mine\.csv is there already, and no measurement of files"):
        measure_files(toy.measure, toy.Toy(), files, foreign)
    assert foreign.read_text() == "a,b\n1,2\n"
    measure_files(toy.measure, toy.Toy(), files, tmp_path / "out.csv")
    with pytest.raises(ValueError, match=r"was measured with factor = 1\.0, not 3\.0"):
        measure_files(toy.measure, toy.Toy(factor=3.0), files, tmp_path / "out.csv")


def test_a_file_that_kills_its_process_does_not_take_the_others_with_it(toy, files, tmp_path):
    write(files[1], "kill")
    measured = measure_files(toy.measure, toy.Toy(), files, workers=2)
    assert measured.summary.value.tolist() == [1, 7, 0]
    assert measured.errors.to_dict("records") == [
        {"file": str(files[1]), "error": "its process was killed: not enough memory?"}
    ]


def test_nothing_measured_gives_empty_tables(toy, tmp_path):
    measured = measure_files(toy.measure, toy.Toy(), [tmp_path / "missing.png"], tmp_path / "out.csv")
    assert len(measured.table) == len(measured.summary) == 0 and len(measured.errors) == 1
