"""Pictures of spectra: their axes and colours are where they should be, and a grey image gives its spectrum back."""

import numpy as np
import pytest

from particlelab.sedimentation import Spectrum, from_grey_image, grey_image, profile_colours, sep_image


def spectrum(radii=40, times=40, values=None):
    r, t = np.linspace(104, 130, radii), np.linspace(10, 900, times)
    values = np.random.default_rng(0).random((times, radii)) if values is None else values(t[:, None], r)
    return Spectrum(r, t, np.broadcast_to(values, (times, radii)).astype(float), "creaming", 2000.0)


def test_with_a_pixel_for_each_sample_grey_is_transmission_and_comes_back_to_half_a_level():
    there = spectrum()
    image = grey_image(there, 40)
    np.testing.assert_array_equal(image, np.rint(255 * there.transmission.T))
    back = from_grey_image(image, there.radii_mm, there.times_s, "creaming", 2000.0)
    np.testing.assert_allclose(back.transmission, there.transmission, atol=1 / 510 + 1e-6)
    assert back._replace(transmission=None, radii_mm=0, times_s=0) == (0, 0, None, "creaming", 2000.0)


@pytest.mark.parametrize("size", [64, 128, 512])
@pytest.mark.parametrize("radii, times", [(97, 255), (280, 120), (30, 11)])
def test_planes_come_back_from_any_size(size, radii, times):
    """What is linear in radius and time is interpolated exactly; averages at the edges look inwards by up to 1/3 px."""
    there = spectrum(radii, times, lambda t, r: 0.1 + 0.5 * (r - 104) / 26 + 0.3 * t / 900)
    back = from_grey_image(grey_image(there, size), there.radii_mm, there.times_s)
    np.testing.assert_allclose(back.transmission, there.transmission, atol=1 / 510 + 0.8 / 3 / (size - 1))


def test_uneven_times_lie_where_they_belong():
    """A picture is even in time: of profiles after 0, 1 and 10 s the middle column shows 5 s."""
    times = np.array([0.0, 1.0, 10.0])
    there = Spectrum(np.linspace(0, 1, 8), times, np.array([[0.0], [0.5], [0.95]]) * np.ones(8))
    image = grey_image(there, 11)
    np.testing.assert_array_equal(image[0], np.rint(255 * np.interp(np.arange(11), times, [0.0, 0.5, 0.95])))


def test_many_samples_are_averaged():
    """Noise of 12 samples a pixel along both axes is smaller by about 12 in a triangle's mean (2/3 of a box's)."""
    noisy = spectrum(768, 768)
    image = grey_image(noisy, 64)[1:-1, 1:-1] / 255
    assert image.std() == pytest.approx(12**-0.5 * 2 / 3 / 768 * 64, rel=0.1)


def test_radius_runs_down_and_time_to_the_right():
    image = grey_image(spectrum(values=lambda t, r: (r > 117) * 0.5 + (t > 455) * 0.25), 64)
    assert image[0, 0] == 0
    assert image[-1, 0] == 128
    assert image[0, -1] == 64
    assert grey_image(spectrum(values=lambda t, r: 1.3 + 0 * t * r), 16).min() == 255


def test_sep_lines_stand_at_their_transmission_and_turn_from_red_to_green():
    levels = np.array([0.1, 0.5, 0.9])
    there = Spectrum(np.array([0.0, 1.0]), np.array([0.0, 5.0, 10.0]), np.repeat(levels[:, None], 2, axis=1))
    image = sep_image(there, 256).astype(int)
    for level, colour in zip(levels, profile_colours(there.times_s), strict=True):
        row = round((1.08 - level) / 1.12 * 255)
        strip = 255 * 3 - image[row - 1 : row + 2, 128].sum(axis=1)
        place = row - 1 + strip @ np.arange(3) / strip.sum()
        assert place == pytest.approx((1.08 - level) / 1.12 * 255, abs=0.6)
        darkest = image[row - 1 : row + 2, 128][strip.argmax()]
        assert np.argsort(darkest)[-1] == np.argmax(colour) or colour[0] == colour[1]
    assert profile_colours([0.0, 5.0, 10.0]).tolist() == [[255, 0, 0], [128, 128, 0], [0, 255, 0]]
    later = Spectrum(np.array([0.0, 1.0]), np.array([0.0, 1.0]), np.full((2, 2), 0.5))
    line = sep_image(later, 256).reshape(-1, 3).astype(int)
    assert (line[:, 1] >= line[:, 0]).all()  # green over red


@pytest.mark.parametrize("size", [16, 100, 512])
def test_pictures_have_the_size_that_was_asked_for(size):
    assert sep_image(spectrum(), size).shape == (size, size, 3)
    assert grey_image(spectrum(), size).shape == (size, size)


def test_what_cannot_be_drawn_is_refused():
    for size in (7, 5000, 64.0, True):
        with pytest.raises(ValueError, match="size must be a whole number"):
            grey_image(spectrum(), size)
    for image in (np.zeros((4, 4, 3)), np.full((4, 4), 300.0), np.full((4, 4), np.nan)):
        with pytest.raises(ValueError, match="image must"):
            from_grey_image(image, [1.0, 2.0], [1.0, 2.0])
    with pytest.raises(ValueError, match="increasing"):
        from_grey_image(np.zeros((4, 4)), [2.0, 1.0], [1.0, 2.0])
