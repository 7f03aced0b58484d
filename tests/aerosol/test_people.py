"""Persons: distinct, the same each time, with their mouth where they say, lit as the lamp stands; users' pictures."""

import functools

import numpy as np
import pytest
from PIL import Image

from particlelab.aerosol.people import PEOPLE, Person, draw_people, draw_person
from particlelab.aerosol.pictures import read_backgrounds, to_light
from particlelab.aerosol.portrait import trace
from particlelab.parameters import ParameterError
from particlelab.reading import ReadError

SIZE = 64


@functools.cache
def luminance(person):
    return draw_person(person, SIZE) @ np.array([0.2126, 0.7152, 0.0722], np.float32)


def is_body(person, rows, columns):
    return trace(person, np.atleast_1d(rows), np.atleast_1d(columns)).material > 0


def test_there_are_eleven_and_as_many_more_as_asked_for():
    assert [person.number for person in PEOPLE] == list(range(1, 12))
    more = draw_people(40, seed=3)
    assert more[:11] == list(PEOPLE) and more == draw_people(40, seed=3) and more[11:] != draw_people(40, seed=4)[11:]
    assert more[:20] == draw_people(20, seed=3)  # a person does not depend on how many there are
    assert len({person.replace(number=1) for person in more}) == 40


def test_skin_clothing_and_hair_cover_what_a_threshold_would_fall_for():
    skins = sorted(person.skin for person in PEOPLE)
    assert skins[0] <= 0.05 and skins[-1] >= 0.9 and np.diff(skins).max() < 0.2
    assert {"white", "black"} <= {person.cloth for person in PEOPLE}
    assert {"white", "grey", "black", "blond"} <= {person.hair_colour for person in PEOPLE if person.hair != "bald"}


def test_persons_are_different_pictures():
    """In light as an eye sees it, more than a tenth of the range for at least one pixel in ten."""
    pictures = [np.sqrt(draw_person(person, SIZE)) for person in PEOPLE]
    for i, one in enumerate(pictures):
        for other in pictures[:i]:
            assert (np.abs(one - other).max(axis=-1) > 0.1).mean() > 0.1


def test_a_person_is_drawn_the_same_each_time_and_nobody_shares_the_picture():
    first = draw_person(PEOPLE[0], SIZE)
    first[:] = 0
    again = draw_person(PEOPLE[0], SIZE)
    assert again.any() and again.dtype == np.float32 and again.min() >= 0 and again.max() <= 1


@pytest.mark.parametrize("person", draw_people(20), ids=lambda person: str(person.number))
def test_the_mouth_lies_on_the_border_between_face_and_wall(person):
    """Behind it is the face; before it, within a tenth of a head and turned by up to a cheek's width, there is wall."""
    row, column = person.mouth
    cheek = 0.10 + 0.2 * np.sin(np.radians(person.turn_deg))
    assert is_body(person, row, column - 0.05 * person.head_height).all()
    before = column + person.head_height * np.linspace(cheek, 0.6, 20)
    assert not is_body(person, np.full(20, row), before[before < 1]).any()


def test_darker_skin_gives_back_less_light():
    """The cheek of a person who is the same but for the skin."""
    tones = [luminance(Person(skin=skin))[24:30, 12:20].mean() for skin in (0, 0.2, 0.4, 0.6, 0.8, 1.0)]
    assert (np.diff(tones) < 0).all() and tones[0] > 5 * tones[-1]


def test_light_is_in_proportion_to_the_brightness_of_the_lamp():
    bright, dim = (draw_person(Person(brightness=value), SIZE) for value in (1.0, 0.5))
    assert bright == pytest.approx(2 * dim, abs=1e-6)


def test_the_side_towards_the_lamp_is_lit():
    """A bald head: the face with the lamp on the right, the back of the head with the lamp on the left."""
    right, left = (luminance(Person(hair="bald", light_azimuth_deg=angle)) for angle in (90, -90))
    ratio = (right + 1e-3) / (left + 1e-3)
    head = slice(10, 24)
    assert ratio[head, 19:23].mean() > 1.5 and ratio[head, 2:7].mean() < 0.67


def test_the_wall_is_dark():
    for person in PEOPLE:
        assert luminance(person)[:, -8:].max() < 0.03 and luminance(person)[:6, -20:].min() > 0


def test_zoom_scales_about_the_mouth():
    """A ray that meets a person at some distance from the mouth meets the one of twice the zoom at twice of it."""
    small, large = Person(zoom=0.7), Person(zoom=1.4)
    row, column = small.mouth
    y, x = (axis.ravel() for axis in np.meshgrid(np.linspace(-0.2, 0.2, 15), np.linspace(-0.2, 0.1, 15)))
    same = is_body(small, row + y, column + x) == is_body(large, row + 2 * y, column + 2 * x)
    assert same.all()


def test_a_picture_of_twice_the_size_shows_the_same():
    fine = draw_person(PEOPLE[6], 2 * SIZE).reshape(SIZE, 2, SIZE, 2, 3).mean(axis=(1, 3))
    assert np.abs(fine - draw_person(PEOPLE[6], SIZE)).mean() < 0.004


def test_users_pictures_are_cut_to_a_square_with_the_mouth_where_it_was(tmp_path):
    """A bright spot at the mouth of a wide picture is at the mouth of the square."""
    picture = np.zeros((60, 100, 3), np.uint8)
    picture[28:32, 38:42] = 255
    Image.fromarray(picture).save(tmp_path / "b.png")
    Image.fromarray(picture[:, ::-1].copy()).save(tmp_path / "a.PNG")
    (tmp_path / "notes.txt").write_text("no picture")
    mirrored, plain = read_backgrounds(tmp_path, 120, mouth={"b.png": (0.5, 0.4), "a.PNG": (0.5, 0.6)})
    assert (mirrored.name, plain.name) == ("a.PNG", "b.png")
    for background in (mirrored, plain):
        light = draw_person(background, 120)[..., 0]
        at = (np.arange(120) + 0.5) / 120
        found = light.sum(axis=1) @ at / light.sum(), light.sum(axis=0) @ at / light.sum()
        assert found == pytest.approx(background.mouth, abs=0.005)
    assert plain.mouth == pytest.approx((0.5, (40 - 20) / 60))


def test_a_picture_of_its_own_size_is_kept_exactly(tmp_path):
    picture = np.arange(32 * 32 * 3, dtype=np.uint8).reshape(32, 32, 3)
    Image.fromarray(picture).save(tmp_path / "one.png")
    (background,) = read_backgrounds(tmp_path, 32)
    assert np.array_equal(background.picture, to_light(picture))


def test_bad_input_is_refused_by_name(tmp_path):
    with pytest.raises(ParameterError, match=r"turn_deg = 90 is not allowed; expected 0 <= turn_deg <= 40 deg"):
        Person(turn_deg=90)
    with pytest.raises(ValueError, match="n must be a whole number of at least 1, got 0"):
        draw_people(0)
    with pytest.raises(ValueError, match=r"size must be a whole number of at least 8 pixels, got 2\.5"):
        draw_person(Person(), 2.5)
    with pytest.raises(ReadError, match="is not a folder"):
        read_backgrounds(tmp_path / "none")
    with pytest.raises(ReadError, match="holds no picture"):
        read_backgrounds(tmp_path)
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    with pytest.raises(ReadError, match=r"broken.png cannot be read as PNG"):
        read_backgrounds(tmp_path)
    Image.new("RGB", (90, 30)).save(tmp_path / "broken.png")
    with pytest.raises(ValueError, match=r"mouth of broken.png must lie in the central square.*got \(0.5, 0.1\)"):
        read_backgrounds(tmp_path, mouth=(0.5, 0.1))
    with pytest.raises(ValueError, match=r"mouth says nothing of broken.png; it has other.png"):
        read_backgrounds(tmp_path, mouth={"other.png": (0.5, 0.5)})
