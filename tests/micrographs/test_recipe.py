"""Recipes: what ships can be read, what is written can be read again, and what is not allowed is told."""

import pytest
import yaml

from particlelab.micrographs.recipe import Population, Recipe, load_recipe, read_recipe, recipes


def test_at_least_ten_recipes_ship_and_can_be_read():
    names = recipes()
    assert len(names) >= 10
    assert {"beads", "spheres_sem", "carbonyl_iron", "tem_aggregates"} <= set(names)
    assert [load_recipe(name).name for name in names] == list(names)
    assert all(load_recipe(name).about for name in names)


@pytest.mark.parametrize("name", recipes())
def test_a_recipe_that_was_written_is_the_same_when_it_is_read(name, tmp_path):
    recipe = load_recipe(name)
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(recipe.to_dict()))
    assert load_recipe(path) == recipe


def test_values_are_changed_by_their_names():
    recipe = load_recipe("bimodal")
    varied = recipe.vary({"technique.edge": 0.1, "populations.number": 7, "populations.1.diameter_nm": 600.0})
    assert varied.technique.edge == varied.get("technique.edge") == 0.1
    assert [p.number for p in varied.populations] == [7, 7]
    assert [p.diameter_nm for p in varied.populations] == [180, 600]
    assert recipe.technique.edge == 0.6  # it stays as it was


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"populations": [{"shape": "cube"}]}, "populations.0: shape = 'cube' is not allowed; expected one of sphere,"),
        ({"populations": [{"size": 3}]}, "populations.0: Population has no parameter 'size'; it has shape, number"),
        ({"populations": []}, "populations must hold at least one population, got none"),
        ({"populations": "spheres"}, "populations must be a list, got 'spheres'"),
        ({"populations": [{}], "camera": {"dose": 0}}, "camera: dose = 0 is not allowed; expected 0 < dose <= 1e+07"),
        ({"populations": [{}], "cammera": {}}, "a recipe has no 'cammera'; it has populations, placement"),
        ({"populations": [{}], "width_px": 2.5}, "width_px = 2.5 is not allowed; expected a whole number from 16"),
        ({"populations": [{}], "pixel_size_nm": -1}, "pixel_size_nm = -1 is not allowed; expected a number, 0 <"),
        (
            {"populations": [{"largest_nm": 300}]},
            "populations.0: diameter_nm = 400 must lie between the bounds, 0 and 300 nm",
        ),
        ({"populations": [{}], "technique": 3}, "technique must have fields such as kind, got 3"),
        (["spheres"], "a recipe has sections: populations, placement, technique, camera"),
    ],
)
def test_what_is_not_allowed_is_told_with_section_field_and_bounds(content, message, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(ValueError) as told:
        load_recipe(path)
    assert str(told.value).startswith(f"mine.yaml: {message}")


def test_a_recipe_that_is_not_there_is_told_with_one_that_is_like_it(tmp_path):
    with pytest.raises(ValueError, match="there is no recipe 'bead'; did you mean 'beads'"):
        load_recipe("bead")
    broken = tmp_path / "broken.yaml"
    broken.write_text("populations: [")
    with pytest.raises(ValueError, match=r"broken.yaml is not YAML"):
        load_recipe(broken)


@pytest.mark.parametrize("name", ["technique.edges", "populations.5.number", "camera", "lens.blur"])
def test_a_name_that_no_recipe_has_is_refused(name):
    with pytest.raises(ValueError, match="has no"):
        load_recipe("beads").get(name)


def test_a_recipe_is_its_values():
    assert Recipe(populations=(Population(),)) == read_recipe({"populations": [{}]})


def test_a_frame_keeps_its_density():
    recipe = load_recipe("bimodal")
    framed = recipe.reframe(256)
    assert (framed.width_px, framed.height_px) == (256, 256)
    assert [p.number for p in framed.populations] == [round(p.number / 4) for p in recipe.populations]
