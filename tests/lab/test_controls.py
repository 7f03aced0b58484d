"""Controls: they begin at the values they were given, allow what the set allows, and say in words what it does not."""

from typing import Annotated, Literal

import ipywidgets as widgets
import pytest
from pydantic import Field, model_validator

from particlelab.lab.controls import controls, label
from particlelab.parameters import ParameterError, Parameters, parameter


class Everything(Parameters):
    "A field of each kind."

    frames: int = parameter(16, "Frames of a movie", low=1, high=64)
    photons: int = parameter(500, "Photons of a frame", low=1, high=1_000_000)
    noise: float = parameter(0.1, "Spread of the noise", low=0, high=1)
    pixel_size_nm: float = parameter(0.5, "Edge of a pixel in the sample", unit="nm", above=0, high=100)
    dose: float = parameter(1234.5, "Electrons", unit="1/nm^2", low=0.003, high=1e6)
    diffusion_um2_s: float = parameter(1.5, "Diffusion coefficient", unit="um^2/s", low=0)
    odd: float = parameter(0.12345, "A value that lies on no grid", low=0, high=1)
    method: Literal["otsu", "kmeans"] = parameter("otsu", "Classifier")
    colour: Literal["viridis", "cividis", "grey", "inferno"] = parameter("grey", "Colour map")
    size: Literal[16, 32] | None = parameter(None, "Edge of a crop", unit="px")
    smooth: bool = parameter(True, "Smooth the line")
    limit_nm: float | None = parameter(None, "Limit", low=0, unit="nm")
    methods: tuple[Literal["pcm", "edm_sbs", "hough"], ...] = parameter(("hough",), "Sizing methods")
    levels: tuple[Annotated[float, Field(ge=0, le=1)], ...] = parameter((0.1, 0.2), "Levels")
    name: str = parameter("A6", "Name of the sample")

    @model_validator(mode="after")
    def _few_photons(self):
        if self.frames * self.photons > 10_000_000:
            raise ValueError("All frames together must have at most 10 million photons")
        return self


CHANGED = {
    "frames": 2,
    "photons": 7,
    "noise": 0.123456,
    "pixel_size_nm": 0.01,
    "dose": 0.003,
    "diffusion_um2_s": 1e-9,
    "odd": 1.0,
    "method": "kmeans",
    "colour": "inferno",
    "size": 32,
    "smooth": False,
    "limit_nm": 2.5,
    "methods": ("edm_sbs", "pcm"),
    "levels": (0.0, 1.0, 0.5),
    "name": "B7",
}


def field(made, name):
    return made._fields[name]


def message(made, name):
    """What stands below a control."""
    _, *messages = made._boxes[name].children
    return " ".join(m.value for m in messages)


@pytest.mark.parametrize("start", [Everything(), Everything(**CHANGED)])
def test_controls_begin_at_the_values_they_are_given(start):
    assert controls(start).parameters() == start


def test_what_is_set_is_what_is_read():
    made = controls(Everything)
    made.set(**CHANGED)
    assert made.parameters() == Everything(**CHANGED)
    made.set(limit_nm=None, size=None, methods=(), levels=())
    assert made.parameters() == Everything(**{**CHANGED, "limit_nm": None, "size": None, "methods": (), "levels": ()})


def test_a_set_with_one_wrong_value_changes_nothing():
    made = controls(Everything)
    with pytest.raises(ParameterError, match="noise = 2"):
        made.set(frames=3, noise=2)
    with pytest.raises(ParameterError, match="no parameter 'nois'"):
        made.set(nois=0.5)
    assert made.parameters() == Everything()


def test_every_value_a_slider_can_take_is_allowed():
    made = controls(Everything)
    sliders = [n for n in made.values() if isinstance(field(made, n), widgets.IntSlider | widgets.FloatSlider)]
    assert {"frames", "noise", "pixel_size_nm"} <= set(sliders)
    for name in sliders:
        slider = field(made, name)
        for value in (slider.min, slider.max, slider.min + slider.step):
            slider.value = value
            assert made.parameters()
    log = field(made, "dose")
    for exponent in (log.min, log.max):
        log.value = log.base**exponent
        assert 0.003 <= made.parameters().dose <= 1e6


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("dose", widgets.FloatLogSlider),
        ("photons", widgets.IntText),
        ("diffusion_um2_s", widgets.FloatText),
        ("odd", widgets.FloatText),
        ("method", widgets.ToggleButtons),
        ("colour", widgets.Dropdown),
        ("smooth", widgets.Checkbox),
    ],
)
def test_the_kind_of_control_follows_bounds_and_choices(name, kind):
    assert isinstance(field(controls(Everything), name), kind)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("pixel_size_nm", "Pixel size (nm)"),
        ("dose", "Dose (1/nm²)"),
        ("diffusion_um2_s", "Diffusion (µm²/s)"),
        ("frames", "Frames"),
    ],
)
def test_labels_carry_the_unit_once(name, text):
    assert label(next(d for d in Everything.describe() if d.name == name)) == text


def test_every_control_has_a_label_and_a_tool_tip_with_its_bounds():
    made = controls(Everything)
    for description in Everything.describe():
        widget = field(made, description.name)
        named = widget.children[0] if isinstance(widget, widgets.VBox) else widget
        assert label(description) in (getattr(named, "description", ""), named.value)
        assert description.text in named.tooltip
        assert description.bounds in named.tooltip


def test_wrong_values_are_told_below_their_own_controls_and_taken_away():
    made = controls(Everything)
    field(made, "diffusion_um2_s").value = -3
    field(made, "limit_nm").value = "wide"
    with pytest.raises(ParameterError) as raised:
        made.parameters()
    assert made.show_errors(raised.value) == ""
    assert "-3" in message(made, "diffusion_um2_s")
    assert "0 &lt;= diffusion_um2_s um^2/s" in message(made, "diffusion_um2_s")
    assert "wide" in message(made, "limit_nm")
    assert message(made, "noise") == ""
    made.clear_errors()
    assert message(made, "limit_nm") == ""


def test_an_error_about_two_parameters_together_is_left_for_the_status_line():
    made = controls(Everything)
    field(made, "frames").value, field(made, "photons").value = 64, 1_000_000
    with pytest.raises(ParameterError) as raised:
        made.parameters()
    assert made.show_errors(raised.value) == "All frames together must have at most 10 million photons"


def test_an_error_in_the_house_s_words_finds_its_control():
    made = controls(Everything)
    assert made.show_errors(ValueError("pixel_size_nm must be below 1, got 3.0")) == ""
    assert "must be below 1" in message(made, "pixel_size_nm")
    assert made.show_errors(ValueError("The image has no particles")) == "The image has no particles"


def test_what_is_written_by_a_visitor_is_not_html():
    made = controls(Everything)
    made.show_error("name", "<img src=x onerror=alert(1)>")
    assert "<img" not in message(made, "name")


def test_an_error_in_a_folded_group_unfolds_it():
    made = controls(Everything, main=("frames",), groups={"Optics": ("dose",)})
    folded = made.widget.children[-1]
    assert folded.selected_index is None
    made.show_error("name", "no")
    assert folded.titles[folded.selected_index] == "More settings"


def test_main_on_top_then_groups_then_the_rest_each_once():
    made = controls(Everything, main=("dose", "frames"), groups={"Noise": ("noise", "photons")})
    *top, folded = made.widget.children
    assert [box.children[0] for box in top] == [field(made, "dose"), field(made, "frames")]
    assert folded.titles == ("Noise", "More settings")
    shown = [*top, *(box for group in folded.children for box in group.children)]
    assert sorted(map(id, shown)) == sorted(map(id, made._boxes.values()))


@pytest.mark.parametrize("main", [("nothing",), ("noise", "noise")])
def test_arrangements_that_cannot_be_are_refused(main):
    with pytest.raises(ValueError, match=main[0]):
        controls(Everything, main=main)


def test_changes_are_told_by_name():
    made, told = controls(Everything), []
    made.observe(told.append)
    field(made, "noise").value = 0.5
    made.set(methods=("pcm",))
    assert told == ["noise", "methods"]
