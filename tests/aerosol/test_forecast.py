"""Forecasts of one series: bands that cover where their model is true, and straight growth that goes straight on."""

import numpy as np
import pytest

from particlelab.aerosol.forecast import grow_as_learned, grow_smoothly
from particlelab.randomness import generator

H = 0.04  # s


def draw(times, kick, noise, rng):
    """A radius whose speed is a random walk, by its exact steps; and the same measured with noise. Sizes in %."""
    radius, speed, found = 4.0, 0.5, [4.0]
    for h in np.diff(times):
        a, b = rng.standard_normal(2)
        radius += speed * h + kick * h**1.5 * (a / 2 + b / 12**0.5)
        speed += kick * h**0.5 * a
        found.append(radius)
    found = np.array(found)
    return found**2, (found + noise * rng.standard_normal(len(times))) ** 2


@pytest.mark.parametrize("uneven", [False, True])
def test_bands_cover(uneven):
    """Of 300 series with all ratios of noise and roughness that are possible: 95 % to four standard errors."""
    rng, held = generator(0, uneven), []
    for _ in range(300):
        times = H * np.concatenate([[0.0], np.cumsum(rng.uniform(0.3, 1.7, 29) if uneven else np.ones(29))])
        ratio = np.exp(rng.uniform(np.log(1e-4), np.log(20.0**4)))
        kick = min(0.5, 0.1 / (ratio * H**3) ** 0.5)  # so small that the radius stays above 0
        true, seen = draw(times, kick, kick * (ratio * H**3) ** 0.5, rng)
        sizes = grow_smoothly(times[:20], seen[:20], times[20:], 1000, rng).sizes
        low, high = np.quantile(sizes, [0.025, 0.975], axis=0)
        held.append((low <= true) & (true <= high))
    held = np.mean(held, axis=0)
    error = (0.05 * 0.95 / 300) ** 0.5
    for one in (held[10], held[19], held[20], held[29]):
        assert one == pytest.approx(0.95, abs=4 * error)


def test_what_made_a_series_is_found_again():
    times, kick, noise = H * np.arange(200) / 4, 0.5, 0.005
    true, seen = draw(times, kick, noise, generator(1))
    growth = grow_smoothly(times, seen, times[-1] + H * np.arange(1, 4), 1000, rng=generator(2))
    last = 2 * true[-1] ** 0.5 * noise
    assert np.median(growth.noise) == pytest.approx(last, rel=4 / 400**0.5)  # of 200 numbers, to four standard errors
    for found, truth in ((growth.kick, kick), (growth.noise, last)):
        low, high = np.quantile(found, [0.005, 0.995])
        assert low < truth < high < 10 * low


def test_straight_growth_goes_straight_on_in_any_unit_of_time():
    times, ahead = np.arange(20.0), np.arange(20.0, 30.0)
    for unit in (1.0, 1e-3, 60.0):
        growth = grow_smoothly(unit * times, (1 + 0.1 * times) ** 2, unit * ahead, rng=generator(3))
        assert np.median(growth.sizes[:, -10:], axis=0) == pytest.approx((1 + 0.1 * ahead) ** 2, rel=0.01)
        assert np.median(growth.speeds) == pytest.approx(0.2 * 2.9 / unit, rel=0.01)


def test_no_cloud_is_smaller_than_none_or_larger_than_the_picture():
    times, ahead = np.arange(10.0), np.arange(10.0, 40.0)
    for sizes in ((8 - 0.8 * times) ** 2, (1 + times * 0.8) ** 2):
        drawn = grow_smoothly(times, sizes, ahead, rng=generator(4)).sizes
        assert drawn.min() >= 0 and drawn.max() <= 100


class Line:
    """A frame of 0.04 s adds 0.05 p, and scatter of 0.1; ``step`` is what the SDE counts for a frame."""

    dimension = covariates = 1

    def __init__(self, step=1.0, **card):
        self.step, self.card = step, card

    def log_density(self, x0, x1, h, p):
        h = h / self.step
        return -(((x1 - x0)[:, 0] - 0.05 * p[:, 0] * h) ** 2) / (2 * 0.01 * h)

    def noise(self, x0, x1, h, p):
        h = h / self.step
        return (x1 - x0 - 0.05 * p * h) / (0.1 * h**0.5)

    def sample(self, x0, steps, h, p, n, rng, memory=0.0, last=None):
        self.remembered, h = (memory, p, last), h / self.step
        kicks = 0.05 * p[:, None] * h + 0.1 * h**0.5 * rng.standard_normal((len(x0), steps))
        paths = np.concatenate([np.zeros((len(x0), 1)), np.cumsum(kicks, axis=1)], axis=1)
        return (x0[:, None] + paths)[:, None, :, None]


def test_noise_goes_on_from_the_last_step_that_was_seen():
    sde = Line(memory=0.7)
    times, sizes = 0.04 * np.arange(6), np.array([1, 1.2, 1.4, 1.5, 1.7, 2.4])
    grow_as_learned(times, sizes, [0.24, 0.28], sde, n=50, rng=generator(3))
    memory, strengths, last = sde.remembered
    assert memory == 0.7
    assert last == pytest.approx((0.7 - 0.05 * strengths) / 0.1)


@pytest.mark.parametrize(("between", "step"), [(0.01, 1.0), (0.04, 1.0), (0.04, 0.04), (0.06, 0.04), (0.2, 1.0)])
def test_a_learned_sde_is_asked_in_its_own_time(between, step):
    """The posterior in closed form, whatever the film's time between frames: 0.05 p a frame of 0.04 s."""
    times = np.arange(round(2 / between) + 1) * between
    sizes = 5 + 0.05 * 8 * times / 0.04
    ahead = times[-1] + between * np.arange(1, round(0.8 / between) + 1)
    learned = grow_as_learned(times, sizes, ahead, Line(step), n=20_000, rng=generator(5))
    frames, later = times[-1] / 0.04, (ahead[-1] - times[-1]) / 0.04
    deviation = 0.1 / (0.05 * frames**0.5)
    assert learned.strengths.mean() == pytest.approx(8, abs=0.02) and learned.strengths.std() == pytest.approx(
        deviation, rel=0.03
    )
    last = learned.growth.sizes[:, -1]
    assert last.mean() == pytest.approx(sizes[-1] + 0.05 * 8 * later, rel=0.005)
    assert last.std() == pytest.approx((0.01 * later + (0.05 * later * deviation) ** 2) ** 0.5, rel=0.03)
    assert bool(learned.notes) == (between == 0.2)


def test_growth_unlike_the_learned_is_told_and_a_power_widens():
    times = 0.04 * np.arange(30)
    calm, power = Line(), Line(power=0.25)
    sizes = 5 + 0.4 * np.arange(30)
    one, other = (grow_as_learned(times, sizes, [1.2], sde, 20_000, generator(6)).strengths for sde in (calm, power))
    assert other.std() == pytest.approx(2 * one.std(), rel=0.05)
    wild = grow_as_learned(times, sizes + np.arange(30) % 2, [1.2], calm, rng=generator(6))
    assert any(note.startswith("it grows unlike what the SDE has learned from") for note in wild.notes)


@pytest.mark.parametrize(
    ("times", "sizes", "ahead", "message"),
    [
        ([0, 1, 2], [1, 2, 3], [4], "at least 4 frames, got"),
        ([0, 1, 1, 2], [1, 2, 3, 4], [4], "times_s must increase"),
        ([0, 1, 2, 3], [1, 2, 3, 4], [2], "times_s must increase, and ahead_s go on"),
        ([0, 1, 2, 3], [1, 2, 3, 400], [4], "sizes must be between 0 and 100 %, got 1 to 400"),
    ],
)
def test_what_cannot_be_fitted_is_refused(times, sizes, ahead, message):
    with pytest.raises(ValueError, match=message):
        grow_smoothly(times, sizes, ahead, rng=generator(0))
    with pytest.raises(ValueError, match="rng is missing"):
        grow_smoothly([0, 1, 2, 3], [1, 2, 3, 4], [4])
