"""Recipes: everything that a synthetic micrograph is made of, from the particles' shapes to the camera's noise.

A recipe is a YAML file with the sections below; its random seed is given when it is used, so that one recipe gives any
number of variants (IPMT report, AP1.2)::

    name: beads
    about: Glass beads on a dark ground.
    pixel_size_nm: 10
    populations:
      - {shape: sphere, number: 60, diameter_nm: 400, deviation: 1.2}
    placement: {kind: plane}
    technique: {kind: sem, edge: 0.6}
    camera: {blur_px: 1.0, dose: 200}
"""

import dataclasses
import difflib
from pathlib import Path
from typing import Literal

import yaml
from pydantic import model_validator

from particlelab.home import home
from particlelab.parameters import Parameters, parameter

ENDINGS = (".yaml", ".yml")
LENGTHS = "smallest_nm", "diameter_nm", "largest_nm"
MOST = 5000  # particles of a population


class Population(Parameters):
    """Particles of one kind."""

    shape: Literal["sphere", "ellipsoid", "potato", "worm", "metaball", "crystal", "rod", "aggregate"] = parameter(
        "sphere", "Shape of the particles"
    )
    number: int = parameter(60, "Particles whose centre lies in the frame, if there is room", low=1, high=MOST)
    diameter_nm: float = parameter(
        400.0,
        "Geometric mean of the diameter of a sphere of the same volume; of aggregates, of their primary particles",
        unit="nm",
        above=0,
        high=1e8,
    )
    deviation: float = parameter(1.2, "Geometric standard deviation of the diameter", low=1, high=4)
    smallest_nm: float | None = parameter(None, "No particle is smaller", unit="nm", above=0, high=1e8)
    largest_nm: float | None = parameter(None, "No particle is larger", unit="nm", above=0, high=1e8)
    elongation: float = parameter(1.0, "Length over width (ellipsoid, potato, crystal, rod, worm)", low=1, high=20)
    roughness: float = parameter(0.1, "Height of the bumps over the radius (potato)", low=0, high=0.5)
    faces: int = parameter(12, "Faces (crystal)", low=4, high=60)
    bending: float = parameter(1.0, "Angle that a worm turns along its length", unit="rad", low=0, high=10)
    primaries: float = parameter(40, "Primary particles of an aggregate, balls of a metaball", low=1, high=2000)
    primaries_deviation: float = parameter(1.3, "Geometric standard deviation of their number", low=1, high=3)
    growth: Literal["cluster-cluster", "particle-cluster"] = parameter("cluster-cluster", "How aggregates grow")
    fractal_dimension: float = parameter(1.78, "Fractal dimension of aggregates", low=1.2, high=2.8)
    prefactor: float = parameter(1.3, "Fractal prefactor of aggregates", low=0.7, high=2)
    sintering: float = parameter(
        0.0, "Overlap of primary particles that touch, over their radii's sum", low=0, high=0.5
    )
    counted: Literal["wholes", "primaries"] = parameter("wholes", "What of an aggregate is one particle in the labels")
    brightness: float = parameter(1.0, "Times as bright, or as absorbing, as the technique says", above=0, high=10)

    @model_validator(mode="after")
    def _bounds(self):
        low, high = self.smallest_nm or 0, self.largest_nm or float("inf")
        if not low < high:
            raise ValueError(f"smallest_nm = {low:g} must be below largest_nm = {high:g}")
        if not low <= self.diameter_nm <= high:
            raise ValueError(f"diameter_nm = {self.diameter_nm:g} must lie between the bounds, {low:g} and {high:g} nm")
        return self


class Placement(Parameters):
    """Where particles lie."""

    kind: Literal["plane", "volume", "piled", "agglomerated"] = parameter(
        "plane", "On a plane, anywhere in a volume, dropped on each other, or stuck to each other; without overlap"
    )
    depth_nm: float = parameter(5000.0, "Depth of the volume", unit="nm", above=0, high=1e9)
    cluster: float = parameter(6.0, "Particles of an agglomerate, on average", low=1, high=500)
    gap: float = parameter(0.0, "Least distance between two particles over the smaller one's radius", low=0, high=5)


class Technique(Parameters):
    """How the particles become visible; grey levels go from 0, black, to 1, white."""

    kind: Literal["sem", "tem", "light", "categorical"] = parameter(
        "sem", "Secondary electrons, transmitted electrons, transmitted light, or a flat grey for each kind"
    )
    ground: float = parameter(0.25, "Grey level of the ground", low=0, high=1)
    brightness: float = parameter(
        0.5, "Grey level of a surface that is seen from above (sem, categorical)", low=0, high=1
    )
    spread: float = parameter(
        0.0, "Standard deviation of ln brightness, or absorption, between particles", low=0, high=1
    )
    edge: float = parameter(0.5, "How much brighter steep surfaces are (sem)", low=0, high=2)
    relief: float = parameter(0.0, "How much brighter surfaces towards the detector are (sem)", low=0, high=1)
    relief_deg: float = parameter(
        45.0, "Where the detector stands, from the right, clockwise", unit="°", low=0, high=360
    )
    shadowing: float = parameter(0.3, "How dark it is between particles (sem)", low=0, high=2)
    tilt_deg: float = parameter(0.0, "Tilt of the sample", unit="°", low=0, high=60)
    charging: float = parameter(0.0, "Brightness that particles leave behind along the line (sem)", low=0, high=1)
    texture: float = parameter(0.0, "Standard deviation of ln brightness over surfaces (sem)", low=0, high=1)
    ground_texture: float = parameter(0.0, "The same of the ground", low=0, high=1)
    free_path_nm: float = parameter(
        500.0, "Path on which 1/e of the beam is left (tem), or of the light (light)", unit="nm", above=0, high=1e9
    )
    fringe: float = parameter(0.0, "Strength of Fresnel fringes (tem)", low=0, high=2)
    refraction: float = parameter(0.3, "How fast light is lost towards the rim (light)", low=0, high=5)
    highlight: float = parameter(0.0, "Light that a particle's middle gathers (light)", low=0, high=1)
    depth_of_field_nm: float = parameter(
        1e9,
        "Distance from the middle of the depth at which the blur is one pixel (light)",
        unit="nm",
        above=0,
        high=1e9,
    )


class Camera(Parameters):
    """How the picture is taken."""

    blur_px: float = parameter(0.8, "Standard deviation of the blur", unit="px", low=0, high=20)
    drift_px: float = parameter(0.0, "Way of the sample during the exposure", unit="px", low=0, high=50)
    drift_deg: float = parameter(0.0, "Its direction, from the right, clockwise", unit="°", low=0, high=360)
    gradient: float = parameter(0.0, "Change of the brightness over the frame, as a share", low=-1, high=1)
    gradient_deg: float = parameter(0.0, "Its direction, from the right, clockwise", unit="°", low=0, high=360)
    dose: float = parameter(500.0, "Quanta in a white pixel: their number is Poisson's", above=0, high=1e7)
    read_noise: float = parameter(0.0, "Standard deviation of the read noise, white is 1", low=0, high=0.5)


@dataclasses.dataclass(frozen=True)
class Recipe:
    """All that a synthetic micrograph is made of, but for its seed."""

    populations: tuple = (Population(),)
    placement: Placement = dataclasses.field(default_factory=Placement)
    technique: Technique = dataclasses.field(default_factory=Technique)
    camera: Camera = dataclasses.field(default_factory=Camera)
    name: str = "unnamed"
    about: str = ""
    width_px: int = 512
    height_px: int = 512
    pixel_size_nm: float = 10.0

    def __post_init__(self):
        if not self.populations:
            raise ValueError("populations must hold at least one population, got none")
        for name in ("width_px", "height_px"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not 16 <= value <= 8192:
                raise ValueError(f"{name} = {value!r} is not allowed; expected a whole number from 16 to 8192 px")
        size = self.pixel_size_nm
        if isinstance(size, bool) or not isinstance(size, int | float) or not 0 < size <= 1e7:
            raise ValueError(f"pixel_size_nm = {size!r} is not allowed; expected a number, 0 < pixel_size_nm <= 1e7 nm")

    def get(self, name):
        """Return a value by its dotted name, such as ``technique.edge`` or ``populations.0.diameter_nm``.

        ``populations.diameter_nm`` is that of the first population.
        """
        section, *rest = _names(self, name)
        if not rest:
            return getattr(self, section)
        if section != "populations":
            return getattr(getattr(self, section), rest[0])
        return getattr(self.populations[int(rest[0])] if len(rest) == 2 else self.populations[0], rest[-1])

    def vary(self, values):
        """Return a recipe with other values, checked like a new one.

        Parameters
        ----------
        values : dict
            By dotted names, as for `get`; ``populations.diameter_nm`` is set in all populations.

        Raises
        ------
        ValueError
            If there is no such value, or it is not allowed.
        """
        changed = {}
        for name, value in values.items():
            section, *rest = _names(self, name)
            part = changed.get(section, getattr(self, section))
            if not rest:
                part = value
            elif section != "populations":
                part = part.replace(**{rest[0]: value})
            else:
                which = range(len(part)) if len(rest) == 1 else [int(rest[0])]
                part = tuple(p.replace(**{rest[-1]: value}) if k in which else p for k, p in enumerate(part))
            changed[section] = part
        return dataclasses.replace(self, **changed)

    def scale(self, *, sizes=1.0, numbers=1.0):
        """Return a recipe with particles ``sizes`` times as large and ``numbers`` times as many, in all populations.

        The bounds of their diameters are scaled as well; a population has at least one particle and at most 5000.

        Raises
        ------
        ValueError
            If a diameter is no longer allowed.
        """
        scaled = []
        for population in self.populations:
            lengths = {name: getattr(population, name) for name in LENGTHS}
            changed = {name: sizes * length for name, length in lengths.items() if length is not None}
            changed["number"] = min(max(round(numbers * population.number), 1), MOST)
            scaled.append(population.replace(**changed))
        return dataclasses.replace(self, populations=tuple(scaled))

    def reframe(self, width_px, height_px=None):
        """Return a recipe with another frame, a square by default, in which particles lie as densely as before."""
        width_px, height_px = int(width_px), int(height_px or width_px)
        share = width_px * height_px / (self.width_px * self.height_px)
        return dataclasses.replace(self.scale(numbers=share), width_px=width_px, height_px=height_px)

    def to_dict(self):
        """Return the recipe as it is written in YAML."""
        plain = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        sections = {name: plain[name].model_dump(exclude_defaults=True) for name in SECTIONS}
        populations = [population.model_dump(exclude_defaults=True) for population in self.populations]
        head = {name: plain[name] for name in ("name", "about", "width_px", "height_px", "pixel_size_nm")}
        return head | {"populations": populations} | sections


SECTIONS = {"placement": Placement, "technique": Technique, "camera": Camera}


def recipes():
    """Return the names of the recipes that ship."""
    return tuple(sorted(path.stem for path in _folder().glob("*.yaml")))


def load_recipe(name):
    """Read a recipe.

    Parameters
    ----------
    name : str or path
        One that ships, or a path that ends in ``.yaml``.

    Returns
    -------
    Recipe

    Raises
    ------
    ValueError
        If there is none, or the file says something that is not allowed; the message names section, field and bounds.
    """
    if isinstance(name, Recipe):
        return name
    path = Path(name) if str(name).endswith(ENDINGS) else _folder() / f"{name}.yaml"
    if not path.is_file():
        near = difflib.get_close_matches(str(name), recipes(), 1)
        hint = f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(recipes())}"
        raise ValueError(f"there is no recipe {str(name)!r}{hint}")
    return read_recipe_file(path.name, path.read_bytes())


def read_recipe_file(name, content):
    """Read a recipe from the content of a YAML file; raises as `load_recipe`.

    Parameters
    ----------
    name : str
        Of the file.
    content : bytes

    Returns
    -------
    Recipe
    """
    try:
        plain = yaml.safe_load(content.decode())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{name} is not YAML: {error}") from None
    try:
        return read_recipe({"name": Path(name).stem} | plain if isinstance(plain, dict) else plain)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def read_recipe(content):
    """Make a recipe of a dictionary, as `Recipe.to_dict` gives it.

    Raises
    ------
    ValueError
        If a section or a field is unknown, or a value is not allowed.
    """
    if not isinstance(content, dict):
        raise ValueError("a recipe has sections: populations, placement, technique, camera")
    known = [field.name for field in dataclasses.fields(Recipe)]
    if unknown := sorted(set(content) - set(known)):
        raise ValueError(f"a recipe has no {unknown[0]!r}; it has {', '.join(known)}")
    made = dict(content)
    for name, kind in SECTIONS.items():
        made[name] = _section(name, kind, content.get(name, {}))
    populations = content.get("populations", ())
    if not isinstance(populations, list | tuple):
        raise ValueError(f"populations must be a list, got {populations!r}")
    made["populations"] = tuple(_section(f"populations.{k}", Population, p) for k, p in enumerate(populations))
    return Recipe(**made)


def _section(name, kind, content):
    if not isinstance(content, dict):
        raise ValueError(f"{name} must have fields such as {next(iter(kind.model_fields))}, got {content!r}")
    try:
        return kind(**content)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def _names(recipe, name):
    """Return the parts of a dotted name that a recipe has."""
    parts = name.split(".")
    section, fields = parts[0], parts[1:]
    if section in SECTIONS and len(fields) == 1 and fields[0] in SECTIONS[section].model_fields:
        return parts
    if section == "populations" and fields and fields[-1] in Population.model_fields:
        numbered = len(fields) == 2 and fields[0].isdigit() and int(fields[0]) < len(recipe.populations)
        if len(fields) == 1 or numbered:
            return parts
    if not fields and section in ("name", "about", "width_px", "height_px", "pixel_size_nm"):
        return parts
    raise ValueError(f"the recipe {recipe.name!r} has no {name!r}; names are like technique.edge, populations.number")


def _folder():
    return home() / "data" / "recipes" / "micrographs"
