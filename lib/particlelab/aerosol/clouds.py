"""Clouds of breath: a warm jet from a mouth into the turbulent air of a room.

The document's clouds are smoke from Blender. Here the same scene is solved by a flow solver of our own, or by Blender
where it is installed. A scene's parameters have the names of the document's columns: Strength, Size, Flow, Noise
Amount and Wind Factor; what Blender gives in its own units, which have no length, is put into metres by `UNIT_M`.

What Blender's settings mean here: Size of 0 is 1, the same as there; Noise Amount is the largest that chance adds to
Strength or takes from it, anew in each frame and cell; Flow drags the air, so that it moves with the field at strength
/ flow in the end and is not pushed faster and faster; Wind Factor, which Blender only has for cloth, is a wind.

The box is a cube, or a slab of it, that the camera looks into along its depth; row 0 is the top. The mouth stands at
`MOUTH`, whatever the grid, and blows to the right. A frame is solved in at least `STEPS` steps, in as many as it takes
for nothing to cross more than 1.8 cells in one.
"""

import math
from typing import Literal, NamedTuple

import numpy as np
from numba import njit

from particlelab.aerosol.fluid import Air, Box
from particlelab.aerosol.turbulence import draw_turbulence, turbulence_at
from particlelab.parameters import Parameters, parameter
from particlelab.randomness import generator

MOUTH = (0.38, 0.45)  # where it is: share of the width from the left, and of the height from the top
UNIT_M = 0.075  # a length of 1 in Blender, in which the size of turbulence is given
EDDY = 0.44  # correlation length of the turbulence of Size 1, in its units
ACCELERATION_M_S2 = 0.08  # root mean square acceleration by a turbulence of Strength 1
DRAG_1_PER_S = 1.0  # rate at which Flow of 1 makes the air move as the field says
STEPS = 2  # of a frame, at least
MOST_SPREAD = 2.5  # standard deviations beyond which no breath is drawn


class Room(Parameters):
    """A room and a breath, but for what data sets draw: the defaults are those of the document's fresh one."""

    size: float = parameter(0.0, "Size of its eddies in units of 0.075 m; 0 is 1, as in Blender", low=0, high=10)
    flow: float = parameter(0.0, "How far the turbulence is a flow that drags the air along", low=0, high=20)
    noise_amount: float = parameter(0.2, "What chance adds to the strength in each frame and cell", low=0, high=20)
    dimensions: Literal[2, 3] = parameter(3, "Dimensions of the flow")
    frames: int = parameter(30, "Frames", low=1, high=1000)
    frame_time_s: float = parameter(0.04, "Time from one frame to the next", unit="s", above=0, high=1)
    grid: int = parameter(48, "Cells along a side of the box", low=16, high=512)
    box_m: float = parameter(0.6, "Side of the box, and of the picture", unit="m", low=0.1, high=10)
    depth_share: float = parameter(0.667, "Depth of the box as a share of its side", low=0.1, high=1)
    sides: Literal["open", "closed"] = parameter("open", "Whether air and smoke may leave the box")

    jet_speed_m_s: float = parameter(0.6, "Speed of the breath at its strongest", unit="m/s", low=0, high=10)
    jet_angle_degrees: float = parameter(10.0, "Its direction, down from the horizontal", unit="°", low=-90, high=90)
    pulse_s: float = parameter(2.4, "Duration of the breath: half a sine wave", unit="s", above=0, high=10)
    mouth_m: float = parameter(0.055, "Width of the mouth", unit="m", above=0, high=0.2)
    buoyancy_m_s2: float = parameter(
        0.5, "Acceleration upwards of breath; 0.5 is 15 K above the room", unit="m/s^2", low=-10, high=10
    )
    decay_1_per_s: float = parameter(0.0, "Rate at which droplets evaporate", unit="1/s", low=0, high=100)
    extinction: float = parameter(4.0, "Optical depth of breath at the mouth, through it", above=0, high=1000)

    breath_variation: float = parameter(
        0.05, "Relative standard deviation of the speed, duration and density of a breath", low=0, high=0.3
    )
    direction_variation_degrees: float = parameter(2.5, "Standard deviation of its direction", unit="°", low=0, high=30)

    @property
    def cell_m(self):
        """Edge of a cell."""
        return self.box_m / self.grid

    @property
    def box(self):
        """The box of cells that the air flows in."""
        depth = max(4, 2 * round(self.depth_share * self.grid / 2)) if self.dimensions == 3 else 1
        return Box((depth, self.grid, self.grid), self.cell_m, ((self.sides == "open",) * 2,) * 3)

    @property
    def turbulence_length_m(self):
        """Correlation length of the turbulence."""
        return EDDY * UNIT_M * (self.size or 1.0)


class CloudScene(Room):
    """A breath in a room, with the air that moves there."""

    strength: float = parameter(8.0, "Strength of the turbulence; the document's are 1 to 15", low=0, high=50)
    wind_factor: float = parameter(0.0, "Wind, to the right", unit="m/s", low=-2, high=2)


class Exhalation(NamedTuple):
    """One breath of a scene."""

    speed_m_s: float
    pulse_s: float
    direction: tuple  # unit vector along z, y (down) and x

    def speed_at(self, time_s):
        """Speed at a time in s: half a sine wave."""
        return self.speed_m_s * math.sin(math.pi * time_s / self.pulse_s) if 0 < time_s < self.pulse_s else 0.0


def simulate_cloud(scene=None, seed=0, engine="native", progress=None):
    """Simulate the cloud of one breath.

    Parameters
    ----------
    scene : CloudScene, optional
    seed : int
        Of the turbulence and of what varies from breath to breath.
    engine : {"native", "blender"}
        Our own solver, or Blender, which has to be installed.
    progress : callable, optional
        Called with the share that is done and a text.

    Returns
    -------
    (frames, D, H, W) float32 ndarray, or (frames, H, W) in two dimensions
        Density, 1 in breath at the mouth. The first frame is one frame time after the breath begins.

    Raises
    ------
    ValueError
        If there is no such engine, or the seed is not a whole number of at least 0.
    BlenderError
        If Blender is not there, fails, or takes too long.
    """
    scene = scene or CloudScene()
    if engine == "native":
        density = _simulate(scene, seed, progress)
    elif engine == "blender":
        from particlelab.aerosol.blender import simulate_in_blender  # which knows this file

        density = simulate_in_blender(scene, draw_breath(scene, seed), seed, progress)
    else:
        raise ValueError(f'engine must be "native" or "blender", got {engine!r}')
    return density[:, 0] if scene.dimensions == 2 else density


def project(density, scene=None):
    """Return the optical depth that the camera sees.

    Parameters
    ----------
    density : (frames, D, H, W) array, or (frames, H, W) in two dimensions
        A cloud of two dimensions is as deep as the mouth is wide.
    scene : CloudScene, optional
        That it was simulated with.

    Returns
    -------
    (frames, H, W) float32 ndarray
        ``scene.extinction`` times the integral of the density along the depth, in widths of the mouth.

    Raises
    ------
    ValueError
        If the density has other dimensions than the scene.
    """
    scene, density = scene or CloudScene(), np.asarray(density)
    if density.ndim != scene.dimensions + 1:
        raise ValueError(
            f"density of a scene of {scene.dimensions} dimensions must have {scene.dimensions + 1} axes, "
            f"got shape {density.shape}"
        )
    if scene.dimensions == 2:
        return np.float32(scene.extinction) * density
    return density.sum(axis=1, dtype=np.float32) * np.float32(scene.extinction * scene.cell_m / scene.mouth_m)


def draw_breath(scene, seed):
    """Draw a breath: its speed, duration and direction vary by chance about those of the scene.

    Parameters
    ----------
    scene : CloudScene
    seed : int

    Returns
    -------
    Exhalation
    """
    speed, duration, down, aside = np.clip(
        generator(seed, "breath").standard_normal(4), -MOST_SPREAD, MOST_SPREAD
    ).tolist()
    down = math.radians(scene.jet_angle_degrees + scene.direction_variation_degrees * down)
    aside = math.radians(scene.direction_variation_degrees * aside) if scene.dimensions == 3 else 0.0
    direction = (math.sin(aside), math.cos(aside) * math.sin(down), math.cos(aside) * math.cos(down))
    return Exhalation(
        scene.jet_speed_m_s * (1 + scene.breath_variation * speed),
        scene.pulse_s * (1 + scene.breath_variation * duration),
        direction,
    )


def _simulate(scene, seed, progress):
    """Return the density (frames, D, H, W) by our own solver."""
    box, breath = scene.box, draw_breath(scene, seed)
    air = Air(box, (0.0, 0.0, scene.wind_factor))
    density, clouds = np.zeros(box.shape, np.float32), np.empty((scene.frames, *box.shape), np.float32)
    forces, (mouth, share) = _Forces(scene, seed, density), _mouth(scene, _places(scene))
    noise, time_s = generator(seed, "emission"), 0.0
    for frame in range(scene.frames):
        forces.begin_frame()
        emitted = 1 + np.float32(scene.breath_variation) * noise.standard_normal(share.shape, np.float32)
        end_s = (frame + 1) * scene.frame_time_s
        while (left_s := end_s - time_s) > 1e-9:
            limit_s = min(air.longest_step_s(breath.speed_m_s), scene.frame_time_s / STEPS)
            step_s = left_s / math.ceil(left_s / limit_s - 1e-6)
            if speed := breath.speed_at(time_s + step_s / 2):
                density[mouth] += share * (emitted - density[mouth])
            forces.jet = tuple(speed * along for along in breath.direction)
            air.flow(step_s, forces)
            air.carry(density, step_s)
            time_s += step_s
        if scene.decay_1_per_s:
            density *= np.float32(math.exp(-scene.decay_1_per_s * scene.frame_time_s))
        np.maximum(density, 0, out=clouds[frame])
        if progress:
            progress((frame + 1) / scene.frames, f"frame {frame + 1} of {scene.frames}")
    return clouds


class _Forces:
    """What acts on the air: turbulence, buoyancy and the breath; called with a velocity and a time."""

    def __init__(self, scene, seed, density):
        self.scene, self.box, self.density = scene, scene.box, density
        self.drag = np.float32(DRAG_1_PER_S * scene.flow)
        self.wind = [np.float32(speed) for speed in (0.0, 0.0, scene.wind_factor)]
        self.noise = generator(seed, "noise")
        self.field = _turbulence_on_faces(scene, generator(seed, "turbulence"))
        self.force = [component * np.float32(scene.strength) for component in self.field]
        self.mouths = [_mouth(scene, _places(scene, axis)) for axis in range(3)]
        self.jet = (0.0, 0.0, 0.0)

    def begin_frame(self):
        """Draw the strength of the turbulence anew in each cell."""
        if self.scene.noise_amount:
            for axis in self.box.axes:
                chance = self.noise.random(self.field[axis].shape, np.float32)
                _vary(self.force[axis], self.field[axis], chance, self.scene.strength, self.scene.noise_amount)

    def __call__(self, velocity, time_s):
        for axis in self.box.axes:
            _push(velocity[axis], self.force[axis], self.drag, self.wind[axis], np.float32(time_s))
        if self.scene.buoyancy_m_s2:
            rise = np.float32(self.scene.buoyancy_m_s2 * time_s / 2)
            velocity[1][:, 1:-1] -= rise * (self.density[:, 1:] + self.density[:, :-1])
        if any(self.jet):
            for axis in self.box.axes:
                where, share = self.mouths[axis]
                velocity[axis][where] += share * (np.float32(self.jet[axis]) - velocity[axis][where])


def _turbulence_on_faces(scene, rng):
    """Return the acceleration by a turbulence of Strength 1 on the faces across each axis."""
    turbulence = draw_turbulence(scene.turbulence_length_m, rng, scene.dimensions)
    components = [turbulence_at(turbulence, *_places(scene, axis), axis) for axis in range(3)]
    return [component * np.float32(ACCELERATION_M_S2) for component in components]


def _places(scene, across=None):
    """Return z, y and x in m of the cells' centres, or of the faces across an axis; z is 0 in the middle."""
    depth = scene.box.shape[0]
    places = [
        np.arange(n + (axis == across)) + (0 if axis == across else 0.5) for axis, n in enumerate(scene.box.shape)
    ]
    places[0] = places[0] - depth / 2
    return [place * scene.cell_m for place in places]


def _mouth(scene, places):
    """Return where a ball at the mouth is, as slices, and how far each place is in it: 0 to 1 over a cell."""
    radius = max(scene.mouth_m / 2, scene.cell_m)
    middle = (0.0, MOUTH[1] * scene.box_m, MOUTH[0] * scene.box_m)
    if scene.dimensions == 2:
        places = [np.zeros_like(places[0]), *places[1:]]
    near = [np.flatnonzero(np.abs(place - m) < radius + scene.cell_m) for place, m in zip(places, middle, strict=True)]
    where = tuple(slice(indices[0], indices[-1] + 1) for indices in near)
    z, y, x = (place[s] - m for place, s, m in zip(places, where, middle, strict=True))
    distance = np.sqrt(z[:, None, None] ** 2 + y[:, None] ** 2 + x**2)
    return where, np.clip((radius - distance) / scene.cell_m + 0.5, 0, 1).astype(np.float32)


@njit(cache=True, fastmath=True)
def _vary(force, field, chance, strength, noise_amount):
    """Set the force to the field times a strength that chance (0 to 1) varies by as much as the noise amount."""
    least, most = np.float32(strength - noise_amount), np.float32(2 * noise_amount)
    force, field, chance = force.reshape(-1), field.reshape(-1), chance.reshape(-1)
    for i in range(len(force)):
        force[i] = field[i] * (least + most * chance[i])


@njit(cache=True, fastmath=True)
def _push(velocity, force, drag, wind, time_s):
    """Accelerate by a force, and towards the wind by a drag, which is taken at the end of the time."""
    velocity, force = velocity.reshape(-1), force.reshape(-1)
    slower = np.float32(1) / (np.float32(1) + drag * time_s)
    for i in range(len(velocity)):
        velocity[i] = (velocity[i] + time_s * (force[i] + drag * wind)) * slower
