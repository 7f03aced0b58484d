"""Bodies of particles: they have the volume that was asked for, closed surfaces, and normals that point outwards."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from particlelab.micrographs.aggregation import aggregate, radius_of_gyration
from particlelab.micrographs.bodies import draw_bodies, parts_as_meshes
from particlelab.micrographs.recipe import Population

SHAPES = ("sphere", "ellipsoid", "potato", "worm", "metaball", "crystal", "rod")


def volume(vertices, faces):
    a, b, c = vertices[faces].swapaxes(0, 1)
    return np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6


@pytest.mark.parametrize("shape", ["sphere", "ellipsoid", "potato", "metaball", "crystal"])
def test_the_mesh_is_closed_and_has_the_volume_of_the_sphere(shape):
    population = Population(shape=shape, diameter_nm=100, deviation=1, elongation=1.7, primaries=6)
    for seed in range(4):
        (body,) = draw_bodies(population, np.random.default_rng(seed))
        ((vertices, faces),) = parts_as_meshes(body, level=4)
        edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
        assert {tuple(e) for e in edges.tolist()} == {tuple(e) for e in edges[:, ::-1].tolist()}
        assert volume(vertices, faces) == pytest.approx(np.pi / 6 * 100**3, rel=4e-3)  # a mesh lies within its sphere


@pytest.mark.parametrize("elongation", [1.0, 3.0, 8.0])
def test_a_rod_has_the_volume_and_the_length_that_were_asked_for(elongation):
    rod = Population(shape="rod", diameter_nm=100, deviation=1, elongation=elongation)
    (body,) = draw_bodies(rod, np.random.default_rng(0))
    ((first, last, radius),) = [(c[:3], c[3:6], c[6]) for c in body.capsules]
    length = np.linalg.norm(last - first)
    assert np.pi * radius**2 * length + 4 / 3 * np.pi * radius**3 == pytest.approx(np.pi / 6 * 100**3)
    assert (length + 2 * radius) / (2 * radius) == pytest.approx(elongation)


@pytest.mark.parametrize("shape", SHAPES)
def test_turning_changes_no_volume_and_bounds_hold_the_body(shape):
    (body,) = draw_bodies(Population(shape=shape, elongation=2, primaries=5), np.random.default_rng(3))
    turned = body.turned(Rotation.from_rotvec([0.3, -1.1, 0.7]))
    before, after = (sum(volume(*part) for part in parts_as_meshes(b)) for b in (body, turned))
    assert after == pytest.approx(before, rel=2e-3)  # spheres of worms are meshes that do not turn
    low, high = turned.bounds()
    for vertices, _ in parts_as_meshes(turned):
        assert (vertices >= low - 1e-6).all() and (vertices <= high + 1e-6).all()


def test_a_crystal_is_convex():
    (body,) = draw_bodies(Population(shape="crystal", faces=15), np.random.default_rng(1))
    for corner, normal in zip(body.mesh.vertices[body.mesh.faces[:, 0]], body.mesh.normals[:, 0], strict=True):
        assert ((body.mesh.vertices - corner) @ normal < 1e-6 * 400).all()


def test_diameters_are_log_normal_within_their_bounds():
    population = Population(diameter_nm=50, deviation=1.5, smallest_nm=30, largest_nm=120)
    rng = np.random.default_rng(0)
    drawn = np.array([2 * draw_bodies(population, rng)[0].capsules[0, 6] for _ in range(4000)])
    assert drawn.min() >= 30 and drawn.max() <= 120
    from scipy import stats

    sigma = np.log(1.5)
    low, high = (np.log(edge / 50) / sigma for edge in (30, 120))
    assert stats.kstest(np.log(drawn / 50) / sigma, stats.truncnorm(low, high).cdf).pvalue > 1e-3


@pytest.mark.parametrize("growth", ["cluster-cluster", "particle-cluster"])
def test_aggregates_hold_the_fractal_law_and_hang_together(growth):
    numbers, ratios = [16, 40, 100, 200], []
    for n in numbers:
        rng = np.random.default_rng(n)
        found = []
        for _ in range(6):
            radii = np.full(n, 1.0)
            centres = aggregate(radii, 1.8, 1.3, rng, growth)
            gaps = np.linalg.norm(centres[:, None] - centres, axis=2) - 2 + 3 * np.eye(n)
            assert gaps.min() > -1e-5  # nowhere do they overlap
            touching = gaps < 1e-5
            reached, seen = np.zeros(n, bool), np.zeros(n, bool)
            reached[0] = True
            while (new := reached & ~seen).any():
                seen |= new
                reached |= touching[new].any(axis=0)
            assert reached.all()
            found.append(radius_of_gyration(centres, radii))
        ratios.append(np.mean(found) / (n / 1.3) ** (1 / 1.8))
    np.testing.assert_allclose(ratios, 1, atol=0.06)


def test_primaries_that_are_counted_are_particles_of_their_own():
    population = Population(shape="aggregate", primaries=20, primaries_deviation=1, counted="primaries")
    assert len(draw_bodies(population, np.random.default_rng(0))) == 20
    assert len(draw_bodies(population.replace(counted="wholes"), np.random.default_rng(0))) == 1
