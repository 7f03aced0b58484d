"""A cloud before a person: Beer and Lambert's law, bounds of light, shadows, the true mask and the camera's noise."""

import math

import numpy as np
import pytest

from particlelab.aerosol import clouds, rendering
from particlelab.aerosol.people import Person, draw_people, draw_person
from particlelab.aerosol.pictures import Background, to_light, to_picture
from particlelab.aerosol.rendering import MASK_DEPTH, Optics, place_cloud, render_depth
from particlelab.randomness import generator

MIDDLE = (0.5, 0.5)
BLACK = Optics(albedo=0)  # a cloud that only takes light away


def picture(size=64, **values):
    """A person who is a picture of all values of light: a background with its mouth in the middle."""
    light = np.linspace(0, 0.8, size * size * 3, dtype=np.float32).reshape(size, size, 3)
    return Background("ramp", light, **{"mouth": MIDDLE, "light": (0.0, 0.0, 1.0), **values})


def slab(depth, size=64, frames=1):
    return np.full((frames, size, size), depth, np.float32)


def puff(size=64, sigma=0.08, depth=1.5, row=0.5, column=0.5):
    y, x = (np.mgrid[:size, :size] + 0.5) / size
    return (depth * np.exp(-((y - row) ** 2 + (x - column) ** 2) / (2 * sigma**2)))[None]


@pytest.mark.parametrize("depth", [0.1, 0.7, 3.0])
def test_a_slab_that_absorbs_weakens_light_as_beer_and_lambert_say(depth):
    found = render_depth(slab(depth), picture(), size=64, mouth=MIDDLE, optics=BLACK).images[0]
    expected = to_picture(math.exp(-depth) * picture().picture)
    assert np.abs(found.astype(int) - expected).max() <= 1


def test_a_thick_cloud_of_white_particles_is_as_bright_as_white_paper_and_hides_all_else():
    person = picture(brightness=0.6)
    found = render_depth(slab(50.0), person, size=64, mouth=MIDDLE, optics=Optics(albedo=1)).images[0]
    assert np.array_equal(found, np.full_like(found, to_picture(0.6)))


def test_no_cloud_leaves_the_picture_as_it_is():
    person = Person()
    found = render_depth(np.zeros((2, 32, 32)), person, size=48, mouth=MIDDLE)
    assert np.array_equal(found.images[1], to_picture(draw_person(person, 48))) and not found.masks.any()
    values = np.arange(256, dtype=np.uint8)
    assert np.array_equal(to_picture(to_light(values)), values)  # light and back without loss


def test_the_picture_is_never_brighter_than_the_light():
    """Each pixel is between darkness and the brighter of what is behind it and white paper."""
    rng = generator(0, "clouds")
    depth = rng.exponential(1.0, (3, 40, 40))
    for azimuth in (-120, 0, 70):
        person = Person(light_azimuth_deg=azimuth, brightness=0.5)
        found = render_depth(depth, person, size=48, mouth=MIDDLE, optics=Optics(albedo=1)).images
        behind = draw_person(person, 48)
        assert behind.max() <= 0.5
        assert (found <= to_picture(np.maximum(behind, 0.5))).all()


@pytest.mark.parametrize(
    ("light", "bright", "dark"),
    [
        ((1.0, 0.0, 0.0), np.s_[:, 36:], np.s_[:, :28]),
        ((-1.0, 0.0, 0.0), np.s_[:, :28], np.s_[:, 36:]),
        ((0.0, 1.0, 0.0), np.s_[:28], np.s_[36:]),
        ((0.0, -1.0, 0.0), np.s_[36:], np.s_[:28]),
    ],
)
def test_a_cloud_is_darker_on_the_side_away_from_the_lamp(light, bright, dark):
    person = picture(light=light)._replace(picture=np.zeros((64, 64, 3), np.float32))
    found = to_light(render_depth(puff(), person, size=64, mouth=MIDDLE).images[0])
    assert found[bright].sum() > 1.2 * found[dark].sum()


@pytest.mark.parametrize("angle_deg", [0, 30, 45, 100, 200, 290])
def test_shadow_grows_evenly_into_a_slab(angle_deg):
    """By the length of the ray to the lamp, in pixels, where it leaves by the edge that faces the lamp most."""
    right, up = math.cos(math.radians(angle_deg)), math.sin(math.radians(angle_deg))
    depth = slab(2.0, 81)
    met = rendering._depth_to_lamp(depth, right, -up, 0.01)[0]
    y, x = np.mgrid[:81, :81]
    to_side = (80 - x if right > 0 else x) / max(abs(right), 1e-12)  # length of the ray to either edge
    to_end = (y if up > 0 else 80 - y) / max(abs(up), 1e-12)
    facing, other = (to_side, to_end) if abs(right) > abs(up) else (to_end, to_side)
    plain = (other - facing) * max(min(abs(right), abs(up)), 1e-12) > 10  # pixels beside the ray to the corner: blurred
    assert plain.sum() > 2000 and met[plain] == pytest.approx(0.02 * facing[plain], abs=0.01)


def test_light_from_the_camera_casts_no_shadow_in_the_picture():
    assert not rendering._depth_to_lamp(slab(2.0), 0.0, 0.0, 0.1).any()


def test_the_mask_is_where_the_opacity_is_ten_of_255():
    assert 255 * (1 - math.exp(-MASK_DEPTH)) == pytest.approx(10, abs=1e-12)
    for factor, inside in ((1 - 1e-5, False), (1 + 1e-5, True)):
        found = render_depth(slab(factor * MASK_DEPTH), picture(), size=64, mouth=MIDDLE)
        assert (found.masks[0, 4:-4, 4:-4] == inside).all()  # its border falls to nothing outside the box


def test_the_mask_of_a_round_cloud_is_the_disk_of_that_optical_depth():
    """r = sigma sqrt(2 ln(depth / 0.04)); noise does not touch it."""
    person, radius = picture(256), 0.08 * math.sqrt(2 * math.log(1.5 / MASK_DEPTH))
    clean = render_depth(puff(96), person, mouth=MIDDLE)
    noisy = render_depth(puff(96), person, generator(0), mouth=MIDDLE)
    assert clean.masks.mean() == pytest.approx(math.pi * radius**2, rel=0.01)
    assert np.array_equal(clean.masks, noisy.masks) and not np.array_equal(clean.images, noisy.images)


def test_the_mouth_of_the_cloud_is_at_the_mouth_of_the_person():
    """At any place, zoom and size of the picture, to a tenth of a pixel; zoom also scales its width."""
    cloud = puff(96, sigma=0.05, row=0.3, column=0.2)
    for size, zoom in ((64, 1.0), (100, 0.7), (128, 1.5)):
        person = Person(mouth_row=0.55, mouth_column=0.35, zoom=zoom)
        placed = place_cloud(cloud, person, size, (0.3, 0.2))[0]
        at = (np.arange(size) + 0.5) / size
        row, column = (placed.sum(axis=axis) @ at / placed.sum() for axis in (1, 0))
        assert (row, column) == pytest.approx((0.55, 0.35), abs=0.1 / size)
        width = math.sqrt(placed.sum(axis=0) @ (at - column) ** 2 / placed.sum())
        assert width == pytest.approx(0.05 * zoom, rel=0.02)


def test_no_cloud_ends_inside_the_picture_but_behind_the_person():
    """A box that is full of smoke reaches the upper, the lower and the right edge of everybody's picture."""
    for person in draw_people(40):
        placed = place_cloud(slab(1.0), person, 64, clouds.MOUTH[::-1])[0]
        assert placed[[0, -1], 20:].min() > 0.4 and placed[:, -1].min() > 0.4  # edges may meet to a rounding


def test_a_simulated_cloud_is_rendered_by_its_optical_depth_and_the_mouth_of_its_scene():
    scene = clouds.CloudScene(dimensions=2, grid=16, frames=2)
    density, (across, down) = generator(0).random((2, 16, 16)), clouds.MOUTH
    found = rendering.render(density, Person(), size=32, scene=scene)
    expected = render_depth(clouds.project(density, scene), Person(), size=32, mouth=(down, across))
    assert np.array_equal(found.images, expected.images) and np.array_equal(found.masks, expected.masks)


def test_a_picture_of_twice_the_size_shows_the_same():
    """Means over 2 x 2 pixels; masks differ at their outline alone."""
    person = Person(turn_deg=15)
    small, large = (render_depth(puff(48, column=0.3), person, size=size, mouth=(0.5, 0.2)) for size in (64, 128))
    coarse = to_light(large.images[0]).reshape(64, 2, 64, 2, 3).mean(axis=(1, 3))
    assert np.abs(coarse - to_light(small.images[0])).mean() < 0.004
    assert small.masks.mean() == pytest.approx(large.masks.mean(), rel=0.02)


def test_noise_has_the_variance_of_photons_and_of_reading():
    """Over 400 frames of the same grey wall, in light, where 8 bits are fine enough."""
    person = picture(16)._replace(picture=np.full((16, 16, 3), 0.3, np.float32))
    optics = Optics(photons=1000.0, read_noise=20.0)
    images = render_depth(slab(0.0, 16, 400), person, generator(2), 16, mouth=MIDDLE, optics=optics).images
    light = to_light(images).astype(float)
    assert light.mean() == pytest.approx(0.3, abs=1e-3)
    assert light.var() == pytest.approx(0.3 / 1000 + (20 / 1000) ** 2, rel=0.03)


def test_chance_is_only_the_generators():
    first, again, other = (
        render_depth(puff(), picture(), generator(seed), 64, mouth=MIDDLE).images for seed in (1, 1, 2)
    )
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_bad_input_is_refused_by_name():
    with pytest.raises(
        ValueError, match=r"optical_depth must be a stack of images \(frames, h, w\), got shape \(4, 4\)"
    ):
        render_depth(np.zeros((4, 4)), picture(), size=64, mouth=MIDDLE)
    with pytest.raises(ValueError, match="optical_depth must be finite and at least 0"):
        render_depth(slab(-0.1), picture(), size=64, mouth=MIDDLE)
    with pytest.raises(ValueError, match=r"mouth must be \(row, column\) as fractions.*got \(0.5, 1.2\)"):
        render_depth(slab(0.1), picture(), size=64, mouth=(0.5, 1.2))
    with pytest.raises(ValueError, match="size must be that of ramp, 64 pixels, got 32"):
        render_depth(slab(0.1), picture(), size=32, mouth=MIDDLE)
