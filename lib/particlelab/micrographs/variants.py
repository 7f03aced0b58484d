"""Random recipes, far wider than those that ship: what models learn from that are to measure pictures of any kind."""

import math

from particlelab.micrographs.recipe import Camera, Placement, Population, Recipe, Technique
from particlelab.randomness import log_uniform

SHAPES = {  # how often each is drawn
    "sphere": 0.22,
    "ellipsoid": 0.08,
    "potato": 0.12,
    "crystal": 0.16,
    "rod": 0.12,
    "worm": 0.12,
    "metaball": 0.08,
    "aggregate": 0.1,
}
TECHNIQUES = {"sem": 0.5, "tem": 0.2, "light": 0.2, "categorical": 0.1}
PLACEMENTS = {"plane": 0.4, "piled": 0.3, "agglomerated": 0.3}
SIZES_PX = 7.0, 75.0  # geometric mean diameters; the longest particles reach over half the frame
COVERS = 0.03, 0.55  # share of the frame that particles would cover if none hid another
PIXEL_NM = 10.0


def draw_recipe(rng, width_px=256, height_px=256, shapes=None):
    """Draw a recipe.

    One or two kinds of particles of a shape, a size from 7 to 75 pixels, any placement, technique and camera. Grey
    levels go both ways: particles are brighter or darker than the ground. What sticks together in transmission is
    counted as one whole, as nobody could tell its primary particles; balls that stick to each other in a scanning
    electron microscope are not.

    Parameters
    ----------
    rng : numpy.random.Generator
    width_px, height_px : int
    shapes : sequence of str, optional
        Only these; by default all, as often as `SHAPES` says.

    Returns
    -------
    Recipe
    """
    weights = SHAPES if shapes is None else dict.fromkeys(shapes, 1.0)
    shape = _choose(rng, weights)
    kind = "tem" if shape == "aggregate" else _choose(rng, TECHNIQUES)
    frame = min(width_px, height_px)
    size_px = log_uniform(rng, SIZES_PX[0], min(SIZES_PX[1], frame / 3.5))
    area = width_px * height_px * rng.uniform(*COVERS) ** 1.3
    populations = [_population(rng, shape, size_px, area, width_px * height_px)]
    if shape not in ("aggregate", "metaball", "worm") and rng.random() < 0.2:
        other = _choose(rng, {name: share for name, share in SHAPES.items() if name in ("sphere", "potato", "crystal")})
        other_px = min(size_px * rng.uniform(0.35, 2.2), frame / 3.5)
        second = _population(rng, other, other_px, area / 3, width_px * height_px)
        populations.append(second.replace(brightness=rng.uniform(0.7, 1.4)))
    placement = _placement(rng, shape, kind, size_px)
    return Recipe(
        populations=tuple(populations),
        placement=placement,
        technique=_technique(rng, kind, populations[0].diameter_nm, placement),
        camera=_camera(rng),
        name="variant",
        about="Drawn at random.",
        width_px=width_px,
        height_px=height_px,
        pixel_size_nm=PIXEL_NM,
    )


def _choose(rng, weights):
    names, shares = zip(*weights.items(), strict=True)
    return names[rng.choice(len(names), p=[share / sum(shares) for share in shares])]


def _population(rng, shape, size_px, area_px, frame_px2):
    options = {}
    deviation = 1 + rng.exponential(0.22) if rng.random() < 0.85 else 1.0
    if shape in ("ellipsoid", "potato", "crystal"):
        options["elongation"] = 1 + rng.exponential(0.4 if shape != "ellipsoid" else 0.8)
    if shape in ("rod", "worm"):
        options["elongation"] = rng.uniform(1.5, 9) if shape == "rod" else rng.uniform(4, 14)
        size_px = min(size_px, 50)
    if shape == "potato":
        options["roughness"] = rng.uniform(0.03, 0.25)
    if shape == "crystal":
        options["faces"] = int(rng.integers(6, 24))
    if shape == "worm":
        options["bending"] = rng.uniform(0, 3)
    if shape == "metaball":
        options["primaries"] = rng.uniform(2, 16)
    if shape == "aggregate":
        options |= {"primaries": rng.uniform(6, 70), "sintering": rng.uniform(0, 0.25), "primaries_deviation": 1.6}
        options |= {"fractal_dimension": rng.uniform(1.6, 2.1), "prefactor": rng.uniform(1.1, 1.5)}
        options["growth"] = "cluster-cluster" if rng.random() < 0.6 else "particle-cluster"
    whole = math.pi / 4 * size_px**2 * math.exp(2 * math.log(min(deviation, 2.0)) ** 2)
    number = area_px / whole
    if shape == "aggregate":  # the size is that of the whole: its primary particles are smaller
        primary = min(max(size_px * 1.3 / math.sqrt(options["primaries"]), 5.0), 16.0)
        number = min(area_px, 0.2 * frame_px2) / (math.pi / 4 * primary**2 * options["primaries"])
        size_px, deviation = primary, min(deviation, 1.3)
    options = {name: min(float(v), 20.0) if name == "elongation" else v for name, v in options.items()}
    return Population(
        shape=shape,
        number=int(min(max(number, 1), 600)),
        diameter_nm=size_px * PIXEL_NM,
        deviation=min(deviation, 2.0),
        smallest_nm=0.3 * size_px * PIXEL_NM,
        largest_nm=3.0 * size_px * PIXEL_NM,
        **options,
    )


def _placement(rng, shape, kind, size_px):
    deep = {"light": 0.6, "tem": 0.0 if shape == "aggregate" else 0.3}
    if rng.random() < deep.get(kind, 0):
        return Placement(kind="volume", depth_nm=size_px * PIXEL_NM * rng.uniform(2, 12))
    which = _choose(rng, PLACEMENTS)
    while kind == "tem" and which == "agglomerated":  # they could not be told from aggregates
        which = _choose(rng, PLACEMENTS)
    if shape == "aggregate" or which == "plane":
        return Placement(kind="plane", gap=rng.uniform(0, 0.3) if rng.random() < 0.5 else 0.0)
    return Placement(kind=which, cluster=log_uniform(rng, 2, 40))


def _technique(rng, kind, size_nm, placement):
    spread = rng.exponential(0.12) if rng.random() < 0.5 else 0.0
    if kind == "tem":
        return Technique(
            kind=kind,
            ground=rng.uniform(0.45, 0.95),
            free_path_nm=size_nm * log_uniform(rng, 0.35, 3.0),
            fringe=max(0.0, rng.uniform(-0.4, 0.8)),
            spread=min(spread * 2, 0.6),
            ground_texture=max(0.0, rng.uniform(-0.06, 0.08)),
        )
    if kind == "light":
        opaque = rng.random() < 0.35
        return Technique(
            kind=kind,
            ground=rng.uniform(0.45, 0.95),
            free_path_nm=size_nm * (log_uniform(rng, 0.02, 0.3) if opaque else log_uniform(rng, 0.8, 50)),
            refraction=rng.uniform(0, 0.9) if opaque else rng.uniform(0.2, 0.9),
            highlight=0.0 if opaque else max(0.0, rng.uniform(-0.3, 0.5)),
            spread=min(spread, 0.5),
            depth_of_field_nm=placement.depth_nm * log_uniform(rng, 0.12, 10),
        )
    ground, brightness = rng.uniform(0.03, 0.5), rng.uniform(0.25, 0.7)
    if kind == "categorical":
        while abs(ground - brightness) < 0.15:
            ground, brightness = rng.uniform(0.02, 0.95, 2).tolist()
        return Technique(kind=kind, ground=ground, brightness=brightness, spread=min(spread, 0.4))
    if rng.random() < 0.5:
        ground = min(ground, brightness * rng.uniform(0.2, 0.8))
    texture = rng.exponential(0.06) if rng.random() < 0.6 else 0.0
    return Technique(
        kind=kind,
        ground=ground,
        brightness=brightness,
        edge=rng.uniform(0.1, 1.3),
        relief=max(0.0, rng.uniform(-0.4, 0.8)),
        relief_deg=rng.uniform(0, 360),
        shadowing=rng.uniform(0, 1.2),
        tilt_deg=max(0.0, rng.uniform(-40, 30)),
        charging=max(0.0, rng.uniform(-0.5, 0.3)),
        texture=min(texture, 0.4),
        ground_texture=min(rng.exponential(0.08), 0.4) if rng.random() < 0.5 else 0.0,
        spread=min(spread, 0.4),
    )


def _camera(rng):
    return Camera(
        blur_px=log_uniform(rng, 0.5, 2.2),
        drift_px=max(0.0, rng.uniform(-5, 3)),
        drift_deg=rng.uniform(0, 360),
        gradient=max(0.0, rng.uniform(-0.3, 0.4)),
        gradient_deg=rng.uniform(0, 360),
        dose=log_uniform(rng, 30, 3000),
        read_noise=max(0.0, rng.uniform(-0.03, 0.03)),
    )
