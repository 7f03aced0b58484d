"""The flow solver against laws that it must keep and solutions in closed form."""

import itertools

import numpy as np
import pytest

from particlelab.aerosol.fluid import COURANT, Air, Box, divergence, make_incompressible, transport
from particlelab.randomness import generator

CLOSED = ((False, False),) * 3
OPEN = ((True, True),) * 3
SIDES = list(itertools.product([(True, True), (False, False), (True, False), (False, True)], repeat=2))


def square(n, sides=OPEN, edge_m=1.0):
    return Box((1, n, n), edge_m / n, sides)


def centres(box, across=None):
    """y and x of the cells' centres, or of the faces across an axis."""
    y, x = (
        (np.arange(box.shape[axis] + (axis == across)) + (0.5 if axis != across else 0)) * box.cell_m for axis in (1, 2)
    )
    return y[:, None], x


def uniform(box, along_y, along_x):
    return [np.full(box.faces(axis), speed, np.float32) for axis, speed in enumerate((0.0, along_y, along_x))]


def a_flow(box, seed=0):
    velocity = [generator(seed, axis).standard_normal(box.faces(axis), np.float32) for axis in range(3)]
    if box.shape[0] == 1:
        velocity[0][:] = 0
    make_incompressible(velocity, box)
    return velocity


def largest_divergence(velocity, box):
    """In units of the fastest velocity over a cell."""
    fastest = max(np.abs(component).max() for component in velocity)
    return np.abs(divergence(velocity, box)).max() * box.cell_m / fastest


@pytest.mark.parametrize("sides", SIDES)
def test_no_divergence_is_left_but_rounding(sides):
    """For every kind of opposite sides, and a box of three different lengths."""
    for box in (Box((1, 24, 40), 0.01, ((True, True), *sides)), Box((10, 12, 14), 0.3, (*sides, (True, False)))):
        velocity = a_flow(box)
        assert largest_divergence(velocity, box) < 1e-5
        for axis in box.axes:
            for end, is_open in zip((0, -1), box.open_sides[axis], strict=True):
                through = np.abs(np.take(velocity[axis], end, axis=axis)).max()
                assert (through > 0.1) if is_open else (through == 0)


def test_pressure_leaves_alone_what_is_free_of_divergence_and_takes_all_of_a_gradient():
    box = Box((12, 16, 20), 0.1)
    velocity = a_flow(box)
    again = [component.copy() for component in velocity]
    make_incompressible(again, box)
    assert max(np.abs(a - v).max() for a, v in zip(again, velocity, strict=True)) < 1e-5
    potential = np.zeros([n + 2 for n in box.shape])
    potential[1:-1, 1:-1, 1:-1] = generator(1).standard_normal(box.shape)
    for axis in range(3):  # so that it is 0 in the open sides: odd about them
        inner = np.moveaxis(potential, axis, 0)
        inner[0], inner[-1] = -inner[1], -inner[-2]
    inside = tuple(slice(1, -1) for _ in range(3))
    gradient = []
    for axis in range(3):
        part = tuple(slice(None) if i == axis else inside[i] for i in range(3))
        gradient.append(np.diff(potential[part], axis=axis).astype(np.float32))
    make_incompressible(gradient, box)
    assert max(np.abs(component).max() for component in gradient) < 1e-5


def test_mass_is_kept_in_a_closed_box_whatever_the_flow():
    """To rounding, over hundreds of steps; nothing is negative by more than a ripple."""
    box = Box((12, 16, 20), 0.1, CLOSED)
    air, density = Air(box), np.zeros(box.shape, np.float32)
    air.velocity[:] = a_flow(box)
    density[4:8, 5:9, 6:12] = 1
    before = density.sum(dtype=float)
    for _ in range(200):
        time_s = min(air.longest_step_s(), 0.05)
        air.flow(time_s)
        air.carry(density, time_s)
    assert density.sum(dtype=float) == pytest.approx(before, rel=1e-5)
    assert density.min() > -0.02 and density.max() < 1.02
    assert largest_divergence(air.velocity, box) < 1e-5


def test_what_leaves_through_an_open_side_is_gone_and_clean_air_enters():
    box = square(32)
    density = np.ones(box.shape, np.float32)
    velocity, time_s = uniform(box, 0.0, 1.0), COURANT * box.cell_m
    for _ in range(18):
        transport(density, velocity, box, time_s)
    gone = 18 * time_s
    assert density.mean() == pytest.approx(1 - gone, abs=1e-3)
    _, x = centres(box)
    assert np.abs(density[0, :, x > gone + 0.15] - 1).max() < 1e-3 and density[0, :, x < gone - 0.15].max() < 1e-3


def test_a_uniform_quantity_stays_uniform_in_any_flow():
    box = Box((12, 16, 20), 0.1, CLOSED)
    velocity, quantity = a_flow(box), np.full(box.shape, 3.0, np.float32)
    time_s = COURANT * box.cell_m / max(np.abs(component).max() for component in velocity)
    for _ in range(20):
        transport(quantity, velocity, box, time_s)
    assert np.abs(quantity - 3).max() < 1e-4


def moved_blob(n, turns):
    """Error of a Gaussian that has moved by 0.3 across and -0.2 down, and its centre and spread."""
    box = square(n)
    y, x = centres(box)
    velocity = uniform(box, -0.2, 0.3)
    steps = int(np.ceil(0.3 / (0.5 * box.cell_m)))

    def blob(at_y, at_x):
        return np.exp(-((y - at_y) ** 2 + (x - at_x) ** 2) / (2 * 0.08**2)).astype(np.float32)[None]

    density = blob(0.6, 0.35)
    for step in range(steps):
        transport(density, velocity, box, 1.0 / steps, backwards=turns and step % 2)
    error = np.abs(density - blob(0.4, 0.65)).mean()
    return error, (density * y).sum() / density.sum(), (density * x).sum() / density.sum()


def test_a_blob_keeps_its_centre_and_its_shape_is_of_second_order_at_least():
    """When the cells are halved the error falls by 8 where nothing is limited, by 4 about the top that is."""
    errors = []
    for n in (32, 64, 128):
        error, down, across = moved_blob(n, turns=True)
        errors.append(error)
        assert (down, across) == pytest.approx((0.4, 0.65), abs=0.02 / n)
    assert errors[0] / errors[1] > 4 and errors[1] / errors[2] > 4


def taylor_green(n, time_s=1.0):
    """Return the velocities of a square of eddies between walls before and after a time in which they turn."""
    box = square(n, CLOSED)
    air = Air(box)
    y, x = centres(box, across=1)
    air.velocity[1][0] = np.sin(2 * np.pi * y) * np.cos(2 * np.pi * x)
    y, x = centres(box, across=2)
    air.velocity[2][0] = -np.cos(2 * np.pi * y) * np.sin(2 * np.pi * x)
    before = [component.copy() for component in air.velocity]
    steps = int(np.ceil(time_s / (2 * 0.6 * box.cell_m)))
    for _ in range(steps):
        air.flow(time_s / steps)
    return before, air.velocity


def test_the_vortices_of_taylor_and_green_stand_still():
    """They solve Euler's equations; the error falls by more than 2^1.7 when the cells are halved, and energy stays."""
    errors = []
    for n in (32, 64):
        before, after = taylor_green(n)
        errors.append(max(np.abs(a - b).mean() for a, b in zip(after, before, strict=True)))
    energy = sum((a**2).sum() for a in after) / sum((b**2).sum() for b in before)
    assert errors[0] / errors[1] > 2**1.7
    assert energy == pytest.approx(1, abs=0.01)


def test_a_passive_puff_moves_with_the_wind():
    """By the wind's velocity times the time, to 5 % of a cell, in air that stays uniform."""
    box = Box((8, 12, 24), 0.05)
    air, puff = Air(box, (0.0, -0.1, 0.5)), np.zeros(box.shape, np.float32)
    puff[3:5, 6:8, 4:7] = 1
    y, x = centres(box)
    for _ in range(16):
        air.flow(0.05)
        air.carry(puff, 0.05)
    middle = (puff * y).sum() / puff.sum(), (puff * x).sum() / puff.sum()
    assert middle == pytest.approx((0.35 - 0.08, 0.275 + 0.4), abs=0.05 * box.cell_m)
    assert max(np.abs(v - w).max() for v, w in zip(air.velocity, air.wind_m_s, strict=True)) < 1e-5


def test_a_layer_of_light_air_lifts_what_is_above_and_below_it():
    """As wide as the box, it has no way around itself: all air rises with the mean force over the height."""
    box = Box((1, 20, 12), 0.1, ((False, False), (True, True), (False, False)))
    air, layer = Air(box), np.zeros(box.shape, np.float32)
    layer[:, 8:12] = 1

    def lift(velocity, time_s):
        velocity[1][:, 1:-1] -= np.float32(time_s / 2) * (layer[:, 1:] + layer[:, :-1])

    for _ in range(5):
        air.flow(0.02, lift)
    assert np.abs(air.velocity[1] + 0.1 * 4 / 20).max() < 1e-5
    assert np.abs(air.velocity[2]).max() < 1e-6


def test_mirrored_flows_stay_mirrored():
    box = Box((1, 24, 24), 0.1)
    one, other = Air(box), Air(box)
    velocity = a_flow(box)
    one.velocity[:] = [component.copy() for component in velocity]
    other.velocity[:] = [
        np.ascontiguousarray(sign * component[..., ::-1]) for sign, component in zip((1, 1, -1), velocity, strict=True)
    ]
    for _ in range(4):
        for air in (one, other):
            air.flow(0.02)
    for sign, a, b in zip((1, 1, -1), one.velocity, other.velocity, strict=True):
        assert np.abs(a - sign * b[..., ::-1]).max() < 1e-4
