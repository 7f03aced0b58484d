"""One micrograph, turned by hand: factors do what they say, and figures show what is there."""

import numpy as np
import pytest

from particlelab import micrographs
from particlelab.micrographs import figures
from particlelab.micrographs.one_micrograph import change


def test_factors_of_one_leave_a_recipe_as_it_is():
    p = micrographs.one_micrograph()
    for name in micrographs.recipes():
        recipe = micrographs.load_recipe(name)
        changed = change(recipe, p(recipe=name, frame_px=recipe.width_px))
        assert changed.populations == recipe.populations and changed.technique == recipe.technique
        assert changed.camera == recipe.camera


def test_factors_change_sizes_numbers_and_widths():
    recipe = micrographs.load_recipe("carbonyl_iron")
    changed = change(recipe, micrographs.OneMicrograph(size=2.0, number=0.5, width=2.0, frame_px=256))
    before, after = recipe.populations[0], changed.populations[0]
    assert after.diameter_nm == 2 * before.diameter_nm and after.largest_nm == 2 * before.largest_nm
    assert after.number == round(before.number * 0.5 / 4)
    assert np.log(after.deviation) == pytest.approx(2 * np.log(before.deviation))


def test_particles_of_twice_the_size_are_found_to_be_so():
    one, two = (
        micrographs.look(micrographs.OneMicrograph(recipe="beads", size=s, number=n, frame_px=1024)).truth
        for s, n in ((1, 1), (2, 0.25))
    )
    assert two.mean / one.mean == pytest.approx(2, rel=0.06)


def test_a_recipe_of_ones_own_takes_the_place_of_the_chosen_one():
    own = micrographs.read_recipe_file("mine.yaml", b"populations: [{shape: rod, number: 12, diameter_nm: 300}]")
    made = micrographs.look(micrographs.OneMicrograph(frame_px=256), own).micrograph
    assert made.recipe.name == "mine" and set(made.table["shape"]) == {"rod"}


@pytest.mark.parametrize("name", ["beads", "droplets", "tem_aggregates"])
def test_figures_have_axes_with_units_and_pictures(name):
    made, truth = micrographs.look(micrographs.OneMicrograph(recipe=name, frame_px=128))
    shown = figures.micrograph(made)
    assert [trace.type for trace in shown.data].count("image") == 6
    sizes = figures.true_sizes(made, truth)
    assert sizes.layout.xaxis.title.text.startswith("Diameter / ") and sizes.layout.yaxis.title.text


def test_a_frame_without_particles_can_be_drawn():
    recipe = micrographs.Recipe(
        populations=(micrographs.Population(number=1, diameter_nm=20),), width_px=64, height_px=64
    )
    for seed in range(4):
        made = micrographs.synthesise(recipe, seed)
        truth = micrographs.fit_truth([made])
        assert truth.n < 2 and np.isnan(truth.mean)  # there is at most one: no distribution
        assert [trace.type for trace in figures.micrograph(made).data].count("image") == 6
        assert len(figures.true_sizes(made, truth).data) == 0
