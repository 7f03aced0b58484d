"""A parameter set refuses what it should, in words, and everything made from it says the same."""

from typing import Annotated, Literal

import pytest
from annotated_types import Gt

from particlelab.parameters import ParameterError, Parameters, compose, parameter, part


class Imaging(Parameters):
    pixel_size_nm: float = parameter(0.5, "Edge of a pixel", unit="nm", above=0, high=100)
    frames: int = parameter(16, "Frames of a movie", low=1)
    method: Literal["otsu", "kmeans"] = parameter("otsu", "Classifier")
    sizers: tuple[Literal["pcm", "hough"], ...] = parameter(("pcm",), "Sizing methods")
    depths_nm: tuple[Annotated[float, Gt(0)], ...] = parameter((1.0,), "Depths", unit="nm")
    seed: int | None = parameter(None, "Seed", low=0)
    smooth: bool = parameter(True, "Smooth the image")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"pixel_size_nm": -0.5}, ["pixel_size_nm = -0.5", "0 < pixel_size_nm <= 100 nm"]),
        ({"pixel_size_nm": 0}, ["pixel_size_nm = 0", "nm"]),
        ({"pixel_size_nm": float("nan")}, ["pixel_size_nm = nan"]),
        ({"pixel_size_nm": float("inf")}, ["pixel_size_nm = inf"]),
        ({"pixel_size_nm": "wide"}, ["pixel_size_nm = 'wide'"]),
        ({"frames": 0}, ["frames = 0", "1 <= frames", "whole number"]),
        ({"frames": 2.5}, ["frames = 2.5"]),
        ({"method": "magic"}, ["method = 'magic'", "otsu, kmeans"]),
        ({"sizers": ["pcm", "ruler"]}, ["sizers = 'ruler'", "pcm, hough"]),
        ({"depths_nm": [1, -2]}, ["depths_nm = -2", "0 < depths_nm"]),
        ({"seed": -1}, ["seed = -1", "or None"]),
        ({"pixelsize": 1}, ["no parameter 'pixelsize'", "pixel_size_nm"]),
    ],
)
def test_a_wrong_value_names_field_value_and_what_would_be_right(values, words):
    with pytest.raises(ParameterError) as error:
        Imaging(**values)
    assert all(word in str(error.value) for word in words), str(error.value)


def test_every_wrong_field_is_named_at_once():
    with pytest.raises(ParameterError, match=r"frames = 0.*; method = 'magic'"):
        Imaging(frames=0, method="magic")


def test_a_default_outside_its_own_bounds_is_refused():
    class Broken(Parameters):
        size: int = parameter(0, "Size", low=1)

    with pytest.raises(ParameterError, match="size = 0"):
        Broken()


def test_a_set_cannot_be_changed_and_a_changed_copy_is_checked():
    imaging = Imaging()
    with pytest.raises(Exception, match="frozen"):
        imaging.frames = 3
    assert imaging.replace(frames=3).frames == 3
    with pytest.raises(ParameterError, match="frames = 0"):
        imaging.replace(frames=0)


def test_the_papermill_cell_executes_to_the_same_set():
    values = {}
    exec(Imaging.cell(pixel_size_nm=0.25, sizers=("hough", "pcm")), values)
    assert Imaging.select(values) == Imaging(pixel_size_nm=0.25, sizers=("hough", "pcm"))


def test_a_list_too_long_for_a_line_is_written_as_the_formatter_writes_it():
    class Names(Parameters):
        names: tuple[str, ...] = parameter(tuple(f"a name that is long {i}" for i in range(9)), "Names")

    cell = Names.cell()
    assert max(map(len, cell.splitlines())) <= 120 and "# Names" in cell
    values = {}
    exec(cell, values)
    assert Names.select(values) == Names()


def test_select_leaves_alone_what_it_does_not_name():
    assert Imaging.select({"frames": 4, "unrelated": object()}).frames == 4


def test_description_holds_what_the_definition_says():
    described = {d.name: d for d in Imaging.describe()}
    assert list(described) == list(Imaging.model_fields)
    pixel = described["pixel_size_nm"]
    assert (pixel.kind, pixel.unit, pixel.above, pixel.high, pixel.text) == (float, "nm", 0, 100, "Edge of a pixel")
    assert described["method"].choices == ("otsu", "kmeans")
    assert described["sizers"].several and described["sizers"].choices == ("pcm", "hough")
    assert described["depths_nm"].several and described["depths_nm"].above == 0
    assert described["seed"].optional and described["seed"].kind is int
    assert described["smooth"].kind is bool


def test_table_has_a_row_for_every_field():
    table = Imaging(frames=5).table().set_index("parameter")
    assert list(table.index) == list(Imaging.model_fields)
    assert table.loc["frames", "value"] == 5
    assert table.loc["pixel_size_nm", "unit"] == "nm"


def test_a_composed_set_checks_its_parts_and_comes_apart_again():
    class Blur(Parameters):
        sigma_px: float = parameter(1.0, "Reach", unit="px", above=0)

    both = compose("Both", Imaging, before=Blur, after=Blur)
    assert list(both.model_fields) == [*Imaging.model_fields, "before_sigma_px", "after_sigma_px"]
    assert part(both(after_sigma_px=3), "after", Blur) == Blur(sigma_px=3)
    assert {d.name: d.unit for d in both.describe()}["after_sigma_px"] == "px"
    with pytest.raises(ParameterError, match=r"before_sigma_px = -1.*0 < before_sigma_px px"):
        both(before_sigma_px=-1)
