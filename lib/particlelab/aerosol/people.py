"""Persons before a dark wall, drawn from a description."""

import functools
from typing import Literal

import numpy as np

from particlelab.aerosol.anatomy import CLOTH, DARK, EYE, FRAME, HAIR, LIPS, SKIN, TRIM
from particlelab.aerosol.pictures import Background, to_light
from particlelab.aerosol.portrait import lamp, paint
from particlelab.parameters import Parameters, parameter
from particlelab.randomness import generator

HEAD = 0.36  # height of a head, of the picture's, at zoom 1
# Colours as a screen shows them.
WALL = "#d8e4f0"
SKINS = ("#f3d6c3", "#e6b592", "#c68b62", "#96603c", "#643c24", "#33201a")  # from very light to very dark
HAIRS = {
    "black": "#17130f",
    "brown": "#46301f",
    "blond": "#b89560",
    "red": "#7d3a1c",
    "grey": "#8d8b88",
    "white": "#dcdad5",
}
CLOTHS = {
    "white": "#ececea",
    "grey": "#82858a",
    "black": "#16171a",
    "navy": "#1d2a4d",
    "blue": "#3567a8",
    "green": "#2f6b4a",
    "red": "#9e2b2b",
    "yellow": "#d8b13c",
    "beige": "#c9b596",
    "purple": "#5b3a78",
}
Cloth = Literal["white", "grey", "black", "navy", "blue", "green", "red", "yellow", "beige", "purple"]


class Person(Parameters):
    """Who breathes out, how they stand, where the camera and the lamp are. Everybody faces right."""

    number: int = parameter(1, "Number of the person", low=1, high=1_000_000)
    skin: float = parameter(0.3, "Tone of the skin, from very light to very dark", low=0, high=1)
    hair: Literal["short", "long", "bun", "curly", "bald", "cap"] = parameter("short", "Hair, or a cap on it")
    hair_colour: Literal["black", "brown", "blond", "red", "grey", "white"] = parameter("brown", "Colour of the hair")
    beard: bool = parameter(False, "Whether there is a beard")
    glasses: bool = parameter(False, "Whether there are glasses")
    cloth: Cloth = parameter("navy", "Colour of the clothing")
    trim: Cloth = parameter("grey", "Colour of collar, cap and pattern")
    pattern: Literal["plain", "stripes", "checks", "jacket"] = parameter("plain", "Pattern of the clothing")
    nose: float = parameter(1.0, "How far the nose stands out, 1: usual", low=0.7, high=1.4)
    jaw: float = parameter(1.0, "Size of the jaw, 1: usual", low=0.85, high=1.15)
    build: float = parameter(1.0, "Width of neck and shoulders, 1: usual", low=0.8, high=1.25)

    turn_deg: float = parameter(0.0, "From profile (0) towards the camera", unit="deg", low=0, high=40)
    tilt_deg: float = parameter(0.0, "How far the head is tilted back", unit="deg", low=-20, high=20)
    lean_deg: float = parameter(0.0, "How far the body leans forward", unit="deg", low=-20, high=20)
    camera_deg: float = parameter(0.0, "How far the camera looks down on the person", unit="deg", low=-20, high=20)
    zoom: float = parameter(1.0, "Size of person and cloud in the picture, 1: usual", low=0.5, high=2)
    mouth_row: float = parameter(0.45, "Where the mouth is, of the picture's height", low=0.1, high=0.9)
    mouth_column: float = parameter(0.38, "Where the mouth is, of the picture's width", low=0.1, high=0.9)

    light_azimuth_deg: float = parameter(
        50.0, "Where the light comes from: 0 the camera, 90 the right", unit="deg", low=-180, high=180
    )
    light_elevation_deg: float = parameter(35.0, "How far from above it comes", unit="deg", low=-90, high=90)
    brightness: float = parameter(0.8, "Light of a white sheet that faces the lamp; 1 is white", above=0, high=1)
    wall: float = parameter(0.01, "How much light the wall gives back", low=0, high=0.2)

    @property
    def mouth(self):
        """Row and column of the mouth, of the picture's height and width."""
        return self.mouth_row, self.mouth_column

    @property
    def head_height(self):
        """Height of the head, of the picture's."""
        return HEAD * self.zoom

    @property
    def light(self):
        """Direction from which the light comes, (3,): to the right, up, towards the camera; of unit length."""
        return lamp(self)


# Zoom and mouth are such that the cloud's box reaches the picture's upper, lower and right edges.
PEOPLE = (
    Person(number=1, skin=0.10, hair="short", hair_colour="brown", cloth="navy", trim="grey", turn_deg=0),
    Person(
        number=2, skin=0.95, hair="short", hair_colour="black", cloth="white", trim="white", nose=0.9, jaw=1.05,
        turn_deg=12, tilt_deg=4, zoom=1.05, light_azimuth_deg=65, brightness=0.9,
    ),
    Person(
        number=3, skin=0.0, hair="long", hair_colour="blond", cloth="red", trim="black", nose=0.85, jaw=0.92, build=0.9,
        turn_deg=25, tilt_deg=-3, camera_deg=5, zoom=1.05, mouth_row=0.43,
    ),
    Person(
        number=4, skin=0.55, hair="cap", hair_colour="black", beard=True, cloth="grey", trim="green", turn_deg=5,
        lean_deg=8, light_azimuth_deg=20, light_elevation_deg=50,
    ),
    Person(
        number=5, skin=0.20, hair="short", hair_colour="white", glasses=True, cloth="beige", trim="white",
        pattern="jacket", nose=1.2, turn_deg=15, camera_deg=-6, brightness=0.7, zoom=1.04, mouth_column=0.36,
    ),
    Person(
        number=6, skin=0.75, hair="curly", hair_colour="black", cloth="yellow", trim="yellow", nose=0.95, build=0.9,
        turn_deg=30, tilt_deg=6, zoom=1.04, mouth_row=0.46, light_azimuth_deg=80, light_elevation_deg=25,
    ),
    Person(
        number=7, skin=0.05, hair="bun", hair_colour="red", cloth="white", trim="navy", pattern="stripes", jaw=0.92,
        build=0.85, turn_deg=0, lean_deg=-5, zoom=1.1, mouth_column=0.43, light_azimuth_deg=35,
    ),
    Person(
        number=8, skin=0.40, hair="bald", beard=True, hair_colour="grey", cloth="black", trim="black", nose=1.1,
        build=1.15, jaw=1.08, turn_deg=8, camera_deg=8, light_azimuth_deg=-60, light_elevation_deg=40,
    ),
    Person(
        number=9, skin=0.65, hair="long", hair_colour="black", glasses=True, cloth="blue", trim="white", nose=0.9,
        build=0.88, turn_deg=20, lean_deg=5, mouth_column=0.40, brightness=0.75,
    ),
    Person(
        number=10, skin=0.85, hair="bald", hair_colour="black", cloth="red", trim="white", pattern="checks", build=1.1,
        turn_deg=18, tilt_deg=-5, lean_deg=10, light_azimuth_deg=95, light_elevation_deg=20, brightness=0.95,
    ),
    Person(
        number=11, skin=0.30, hair="bun", hair_colour="grey", cloth="purple", trim="beige", pattern="jacket", nose=1.05,
        build=0.92, turn_deg=35, camera_deg=-10, zoom=1.02, light_azimuth_deg=10, light_elevation_deg=60, wall=0.02,
    ),
)  # fmt: skip


def draw_people(n=11, seed=0):
    """Return persons: the 11 of the lab, who take the place of the document's, then others drawn by chance.

    Parameters
    ----------
    n : int
        How many, at least 1.
    seed : int
        Of those drawn by chance, from number 12 on.

    Returns
    -------
    list of Person
        Numbered from 1.

    Raises
    ------
    ValueError
        If ``n`` is not a whole number of at least 1, or ``seed`` not one of at least 0.
    """
    if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 1:
        raise ValueError(f"n must be a whole number of at least 1, got {n!r}")
    generator(seed)  # which refuses what is no seed
    further = range(len(PEOPLE) + 1, n + 1)
    return [*PEOPLE[:n], *(_draw_by_chance(number, generator(seed, "people", number)) for number in further)]


def draw_person(person, size=256):
    """Draw a person before a dark wall, as light on a camera without noise.

    Parameters
    ----------
    person : Person or Background
    size : int
        Pixels along a side.

    Returns
    -------
    (size, size, 3) float32 ndarray
        Light from 0 to 1, red, green, blue; `particlelab.aerosol.pictures.to_picture` makes what a screen shows of it.

    Raises
    ------
    ValueError
        If ``size`` is not a whole number of at least 8, or not that of a background.
    """
    if isinstance(size, bool) or not isinstance(size, int | np.integer) or size < 8:
        raise ValueError(f"size must be a whole number of at least 8 pixels, got {size!r}")
    if isinstance(person, Background):
        if len(person.picture) != size:
            raise ValueError(f"size must be that of {person.name}, {len(person.picture)} pixels, got {size}")
        return person.picture.copy()
    return _drawn(person, int(size)).copy()


@functools.lru_cache(maxsize=32)  # one person is rendered with many clouds
def _drawn(person, size):
    palette = np.zeros((9, 3))
    palette[0] = person.wall * _light_of(WALL)
    palette[SKIN] = _skin(person.skin)
    palette[LIPS] = palette[SKIN] * (0.80, 0.55, 0.55)
    palette[DARK], palette[FRAME], palette[EYE] = 0.015, 0.01, 0.55
    palette[HAIR] = _light_of(HAIRS[person.hair_colour])
    palette[CLOTH], palette[TRIM] = _light_of(CLOTHS[person.cloth]), _light_of(CLOTHS[person.trim])
    return paint(person, palette, size)


def _skin(tone):
    """Return the reflectance of skin, (3,), between the two nearest of `SKINS`."""
    tones = np.array([_light_of(code) for code in SKINS])
    return np.array([np.interp(tone, np.linspace(0, 1, len(tones)), band) for band in tones.T])


def _light_of(code):
    return to_light(np.frombuffer(bytes.fromhex(code[1:]), np.uint8))


def _draw_by_chance(number, rng):
    def one_of(field):
        return rng.choice(next(item.choices for item in Person.describe() if item.name == field)).item()

    zoom = rng.uniform(1.0, 1.12)
    return Person(
        number=number,
        skin=rng.uniform(),
        beard=rng.random() < 0.25,
        glasses=rng.random() < 0.25,
        **{field: one_of(field) for field in ("hair", "hair_colour", "cloth", "trim", "pattern")},
        nose=rng.uniform(0.8, 1.25),
        jaw=rng.uniform(0.9, 1.1),
        build=rng.uniform(0.82, 1.2),
        turn_deg=rng.uniform(0, 35),
        tilt_deg=rng.uniform(-7, 7),
        lean_deg=rng.uniform(-8, 12),
        camera_deg=rng.uniform(-10, 10),
        zoom=zoom,
        mouth_row=rng.uniform(1 - 0.55 * zoom, 0.45 * zoom),
        mouth_column=rng.uniform(max(0.34, 1 - 0.62 * zoom), 0.42),
        light_azimuth_deg=rng.uniform(-70, 100),
        light_elevation_deg=rng.uniform(15, 60),
        brightness=rng.uniform(0.6, 1.0),
        wall=rng.uniform(0.004, 0.02),
    )
