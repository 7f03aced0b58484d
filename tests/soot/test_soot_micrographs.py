"""Micrographs: paths through spheres in closed form, noise as asked, and a truth that agrees with the masks."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import ndimage
from skimage.measure import label

from particlelab.parameters import ParameterError
from particlelab.soot.growth import simulate_aggregate
from particlelab.soot.micrographs import Micrograph, Scene, draw_scene, render, simulate_micrograph
from particlelab.soot.projection import project

# a microscope without any fault
IDEAL = {
    "attenuation_nm": (70, 70),
    "background": (200, 200),
    "gradient": (0, 0),
    "noise_sd": (0, 0),
    "film_texture": 0,
    "blur_px": 0,
    "fringe": (0, 0),
}


def spheres(*rows):
    rows = np.array(rows, float)
    return rows[:, :3], rows[:, 3]


# thickness


def test_one_sphere_has_its_chord():
    thickness, labels = project(*spheres([0, 0, 0, 10]), pixel_size_nm=0.25)
    row, column = (np.indices(thickness.shape) - (np.array(thickness.shape) // 2)[:, None, None]) * 0.25
    assert thickness == pytest.approx(2 * np.sqrt(np.maximum(100 - row**2 - column**2, 0)))
    assert np.array_equal(labels == 1, row**2 + column**2 <= 100)


def test_two_spheres_along_the_beam():
    # where both are met, apart: the sum; overlapping: from the lowest bottom to the highest top
    apart, labels = project(*spheres([0, 0, -15, 10], [0, 0, 15, 10]), 0.5)
    assert apart.max() == pytest.approx(40)
    assert set(np.unique(labels)) == {0, 2}  # the upper one hides the other
    merged, _ = project(*spheres([0, 0, -5, 10], [0, 0, 5, 10]), 0.5)
    assert merged.max() == pytest.approx(30)


def test_concentric_spheres_are_the_larger():
    one, _ = project(*spheres([1, 2, 3, 10]), 0.5)
    both, _ = project(*spheres([1, 2, 3, 10], [1, 2, 3, 6]), 0.5)
    assert np.array_equal(one, both)


def test_union_of_two_spheres_has_its_volume():
    # volume of the lens of spheres of radius r at distance d: pi (4 r + d) (2 r - d)^2 / 12
    for direction in ([1, 0, 0], [0, 0, 1], [0.6, 0, 0.8]):
        other = 12 * np.array(direction)
        thickness, _ = project(*spheres([0, 0, 0, 10], [*other, 10]), 0.1)
        volume = 2 * 4 / 3 * math.pi * 1000 - math.pi * 52 * 8**2 / 12
        assert thickness.sum() * 0.1**2 == pytest.approx(volume, rel=2e-4)


def test_thickness_of_an_aggregate_against_points_along_rays():
    centres, radii = simulate_aggregate(40, 1.9, 1.3, 20.0, 1.4, np.random.default_rng(0), overlap=0.3)
    thickness, labels = project(centres, radii, 2.0, margin=3)
    assert not labels[:3].any() and not labels[:, -3:].any() and labels[3:5].any()
    # the frame's corner is not returned: it is the whole pixel below the spheres' box, less the margin
    corner = np.floor((centres[:, :2] - radii[:, None]).min(axis=0) / 2.0) - 3
    z = np.arange(centres[:, 2].min() - 40, centres[:, 2].max() + 40, 0.05)
    rng = np.random.default_rng(1)
    for row, column in zip(*(rng.choice(c, 60) for c in np.nonzero(labels)), strict=True):
        x, y = (corner + (column, row)) * 2.0
        square = (centres[:, 0] - x) ** 2 + (centres[:, 1] - y) ** 2
        inside = square[:, None] + (centres[:, 2, None] - z) ** 2 <= radii[:, None] ** 2
        assert thickness[row, column] == pytest.approx(inside.any(axis=0).sum() * 0.05, abs=0.3)
        if inside.any():
            top = z[inside.any(axis=0)][-1]
            assert inside[labels[row, column] - 1, z == top].all()


def test_project_refuses():
    with pytest.raises(ValueError, match="pixel_size_nm must be a positive number, got 0"):
        project(*spheres([0, 0, 0, 1]), 0)
    with pytest.raises(ValueError, match=r"got \(0, 3\) and \(0,\)"):
        project(np.zeros((0, 3)), np.zeros(0), 1.0)


# the picture


def by_hand(*rows):
    """A scene of spheres (aggregate, x, y, z, r) in nm."""
    table = pd.DataFrame(rows, columns=["aggregate", "x_nm", "y_nm", "z_nm", "r_nm"], dtype=float)
    table["aggregate"] = table["aggregate"].astype(int)
    table.insert(0, "primary", np.arange(1, len(table) + 1))
    return Scene(table)


def test_beer_and_lambert():
    # a sphere of 20 nm, one above another, and a contaminant: dark as the path in them, to the rounding of grey levels
    scene = by_hand((1, 20, 20, 0, 20), (2, 60, 40, -30, 15), (2, 60, 40, 40, 15), (0, 20, 60, 0, 8))
    parameters = Micrograph(**IDEAL, pixel_size_nm=0.5, width_px=200, height_px=180)
    image, mask, primary_labels, table = render(scene, parameters, np.random.default_rng(0))
    assert [image[40, 40], image[80, 120], image[120, 40]] == [round(200 * math.exp(-t / 70)) for t in (40, 60, 16)]
    row, column = np.indices(image.shape) * 0.5
    path = 2 * np.sqrt(np.maximum(400 - (row - 20) ** 2 - (column - 20) ** 2, 0))
    assert np.abs(image[:80, :80] - 200 * np.exp(-path[:80, :80] / 70)).max() <= 0.5
    assert np.array_equal(np.unique(primary_labels), [0, 1, 3])
    assert not mask[120, 40]
    assert image[170, 190] == 200
    assert list(table.n_primaries) == [1, 2]
    assert table.centroid_x_nm.to_list() == pytest.approx([20, 60])
    assert table.centroid_y_nm.to_list() == pytest.approx([20, 40])
    assert table.area_nm2.to_list() == pytest.approx([400 * math.pi, 225 * math.pi], rel=0.01)
    assert table.touches_border.to_list() == [True, False]


def test_supersampling_averages_transmission():
    scene = by_hand((1, 32, 32, 0, 5.3))
    parameters = Micrograph(**IDEAL, pixel_size_nm=1.0, width_px=64, height_px=64, supersampling=4)
    image = render(scene, parameters, np.random.default_rng(0)).image
    offset = (np.arange(4) - 1.5) / 4
    for column in (32, 35, 37):
        y, x = np.meshgrid(offset, column - 32 + offset)
        path = 2 * np.sqrt(np.maximum(5.3**2 - x**2 - y**2, 0))
        assert image[32, column] == round(200 * np.exp(-path / 70).mean())


def empty(**values):
    return Micrograph(**{**IDEAL, "aggregates": 0, "contaminants": 0, "width_px": 1024, "height_px": 1024, **values})


@pytest.mark.parametrize(("sd", "correlation"), [(6, 0.06), (8, 0.2), (11.5, 0.37)])
def test_noise_is_as_asked(sd, correlation):
    parameters = empty(noise_sd=(sd, sd), noise_correlation=(correlation, correlation), background=(150, 150))
    noise = simulate_micrograph(parameters, np.random.default_rng(3)).image.astype(float)
    noise -= noise.mean()
    assert noise.std() == pytest.approx(math.hypot(sd, math.sqrt(1 / 12)), rel=0.02)  # 1 / 12: rounding
    for a, b in ((noise[:, 1:], noise[:, :-1]), (noise[1:], noise[:-1])):
        assert (a * b).mean() / noise.var() == pytest.approx(correlation, abs=0.015)


def test_background_and_gradient_are_as_asked():
    image = simulate_micrograph(empty(background=(150, 150), gradient=(40, 40)), np.random.default_rng(0)).image
    assert image.mean() == pytest.approx(150, abs=0.5)
    assert np.ptp(image) == pytest.approx(40, abs=1)
    plane = ndimage.convolve(image.astype(float), np.full((15, 15), 1 / 225))[20:-20, 20:-20]
    assert np.abs(np.diff(plane, 2)).max() < 0.3  # no bend


def test_shot_noise():
    # half of the noise's variance goes with the light
    scene = by_hand((1, 400, 400, 0, 300))
    flat = Micrograph(**{**IDEAL, "noise_sd": (8, 8), "attenuation_nm": (400, 400)}, width_px=1000, height_px=1000)
    noisy = render(scene, flat, np.random.default_rng(0)).image.astype(float)
    ideal = render(scene, flat.replace(noise_sd=(0, 0)), np.random.default_rng(0)).image.astype(float)
    centre = np.s_[450:550, 450:550]
    light = math.exp(-600 / 400)
    assert (noisy - ideal)[centre].std() == pytest.approx(8 * math.sqrt(0.5 + 0.5 * light), rel=0.05)


def test_fringe_is_bright_outside_and_light_is_kept_far_away():
    scene = by_hand((1, 100, 100, 0, 30))
    parameters = Micrograph(**{**IDEAL, "fringe": (2, 2)}, pixel_size_nm=0.5, width_px=400, height_px=400)
    image = render(scene, parameters, np.random.default_rng(0)).image
    assert image[200, 262:270].max() > 205
    assert image[200, 330] == 200


# the truth


def test_truth_agrees_with_the_masks():
    parameters = Micrograph(aggregates=6, da_nm=80, pixel_size_nm=1.0, contaminants=5)
    for seed in range(4):
        scene = draw_scene(parameters, np.random.default_rng(seed))
        _, mask, primary_labels, table = render(scene, parameters, np.random.default_rng(99))
        components = label(mask, connectivity=2)
        assert sorted(table.label) == list(range(1, 7)) == list(range(1, components.max() + 1))
        assert np.array_equal(mask, primary_labels > 0)
        row, column = np.indices(mask.shape)
        union = np.zeros(mask.shape, bool)
        for s in scene.spheres.itertuples():
            disk = (column - s.x_nm) ** 2 + (row - s.y_nm) ** 2 <= s.r_nm**2
            if s.aggregate > 0:
                union |= disk
            else:
                assert not (mask & disk).any()
        assert np.array_equal(mask, union)
        assert (scene.spheres["aggregate"] == 0).sum() == 5
        for index, true in enumerate(table.itertuples(), 1):
            own = scene.spheres[scene.spheres["aggregate"] == index]
            assert set(np.unique(primary_labels[components == true.label])) <= set(own.primary)
            assert true.n_primaries == len(own)
            assert true.prefactor * (2 * true.rg_nm / true.dp_nm) ** true.fractal_dimension == pytest.approx(
                true.n_primaries, rel=1e-6
            )
            assert true.dp_mean_nm == pytest.approx(2 * own.r_nm.mean())
            rows, columns = np.nonzero(components == true.label)
            assert true.touches_border == (min(*rows, *columns) == 0 or max(*rows, *columns) == 511)
            if not true.touches_border:
                assert true.area_nm2 == rows.size
                assert (true.centroid_x_nm, true.centroid_y_nm) == pytest.approx((columns.mean(), rows.mean()))
            else:
                assert true.area_nm2 >= rows.size


def test_universal_relation_is_recovered():
    parameters = Micrograph(
        aggregates=10, da_nm=60, da_gsd=1.7, dp_gsd=1.15, width_px=2048, height_px=2048, pixel_size_nm=1.0
    )
    rows = []
    for seed in range(12):
        rows.append(_true_sizes(parameters, seed))
    da, dp = np.log(np.concatenate(rows, axis=1))
    slope, intercept = np.polyfit(da - math.log(100), dp, 1)
    error = math.log(1.15) / math.sqrt(da.size)
    assert slope == pytest.approx(0.35, abs=4 * error / da.std())
    assert math.exp(intercept) == pytest.approx(
        17.8, rel=4 * error * math.hypot(1, (da.mean() - math.log(100)) / da.std())
    )
    assert np.std(dp - slope * (da - math.log(100))) == pytest.approx(math.log(1.15), rel=0.3)
    assert da.std() == pytest.approx(math.log(1.7), rel=0.3)
    assert math.exp(da.mean()) == pytest.approx(60, rel=0.2)


def _true_sizes(parameters, seed):
    scene = draw_scene(parameters, np.random.default_rng(seed))
    sizes = []
    for _, own in scene.spheres[scene.spheres["aggregate"] > 0].groupby("aggregate"):
        _, labels = project(own[["x_nm", "y_nm", "z_nm"]], own.r_nm, 1.0)
        sizes.append((math.sqrt(4 * (labels > 0).sum() / math.pi), 2 * math.exp(np.log(own.r_nm).mean())))
    return np.transpose(sizes)


def test_border_is_left_free_when_asked():
    parameters = Micrograph(aggregates=3, da_nm=60, allow_border=False)
    for seed in range(5):
        result = simulate_micrograph(parameters, np.random.default_rng(seed))
        assert not result.table.touches_border.any()
        assert not np.concatenate([result.mask[[0, -1]].ravel(), result.mask[:, [0, -1]].ravel()]).any()


def test_statistics_are_those_of_real_images():
    # measured on real images: background 137-211, noise 6-11.5, lag 1 0.06-0.37, optical depth 0.26-0.54 on average
    depths = []
    for seed in range(12):
        image, mask, _, _ = simulate_micrograph(Micrograph(), np.random.default_rng(seed))
        away = ndimage.distance_transform_edt(~mask) > 25
        row, column = np.indices(mask.shape)
        plane = np.stack([np.ones(mask.shape), row, column], axis=-1)
        fit, *_ = np.linalg.lstsq(plane[away], image[away].astype(float), rcond=None)
        background = plane @ fit
        noise = image - background
        assert 137 - 2 <= background.mean() <= 211 + 2
        assert 10 - 3 <= np.ptp(background) <= 73 + 3
        assert 6 * 0.95 <= noise[away].std() <= 11.5 * 1.1
        both = away[:, 1:] & away[:, :-1]
        assert 0.03 <= (noise[:, 1:] * noise[:, :-1])[both].mean() / noise[away].var() <= 0.42
        depths.append(np.log(background[mask] / np.maximum(image[mask], 1)).mean())
    assert 0.26 <= np.mean(depths) <= 0.54


def test_same_seed_same_micrograph():
    a, b, c = (simulate_micrograph(Micrograph(), np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(a.image, b.image) and np.array_equal(a.primary_labels, b.primary_labels)
    assert a.table.equals(b.table)
    assert not np.array_equal(a.image, c.image)
    # a scene drawn apart is the one in the picture
    scene = draw_scene(Micrograph(), np.random.default_rng(1))
    assert (scene.spheres["aggregate"] > 0).sum() == a.table.n_primaries.sum()


def test_noise_differs_from_image_to_image():
    parameters = empty(noise_sd=(6, 11.5), width_px=128, height_px=128)
    sds = [simulate_micrograph(parameters, np.random.default_rng(seed)).image.std() for seed in range(40)]
    assert np.mean(sds) == pytest.approx(8.75, abs=4 * 1.6 / math.sqrt(40))
    assert np.std(sds) == pytest.approx(5.5 / math.sqrt(12), rel=0.3)


def test_nothing_and_footer():
    result = simulate_micrograph(empty(scale_bar=True, pixel_size_nm=0.5), np.random.default_rng(0))
    assert len(result.table) == 0 and "da_nm" in result.table
    assert not result.mask.any()
    footer = result.image[-(1024 // 14) :]
    bar = footer[-len(footer) * 3 // 16] == 0
    assert bar.sum() == 200  # 100 nm at 0.5 nm per pixel: the longest round length below 35 % of the frame
    crowded = simulate_micrograph(Micrograph(scale_bar=True, aggregates=8, da_nm=60), np.random.default_rng(0))
    assert not crowded.mask[-(512 // 14) :].any()
    assert sorted(crowded.table.label) == list(range(1, label(crowded.mask, connectivity=2).max() + 1))


# bad input


@pytest.mark.parametrize(
    "values",
    [
        {"aggregates": -1},
        {"pixel_size_nm": 0},
        {"pixel_size_nm": math.nan},
        {"da_nm": 5},
        {"overlap": 0.5},
        {"width_px": 10_000},
        {"noise_sd": (9, 6)},
        {"noise_correlation": (0.1, 0.9)},
        {"attenuation_nm": (0, 50)},
        {"background": (100, 300)},
        {"fringe": (-1, 2)},
        {"colour": "red"},
    ],
)
def test_bad_parameters_are_refused(values):
    with pytest.raises(ParameterError, match=next(iter(values))):
        Micrograph(**values)


def test_aggregates_that_do_not_fit_are_refused():
    parameters = Micrograph(aggregates=50, da_nm=300, pixel_size_nm=0.5, width_px=256, height_px=256)
    with pytest.raises(ValueError, match="aggregates = 50 of da_nm = 300 do not fit into a frame of 256 x 256 px"):
        draw_scene(parameters, np.random.default_rng(0))


def test_too_many_primaries_are_refused():
    with pytest.raises(ValueError, match=r"primaries, more than 5000: lower da_nm = 2000 .* raise dp100_nm = 2"):
        draw_scene(Micrograph(da_nm=2000, da_gsd=1, dp100_nm=2, pixel_size_nm=5), np.random.default_rng(0))


def test_a_frame_far_smaller_than_an_aggregate_is_refused():
    with pytest.raises(ValueError, match="do not fit"):
        draw_scene(Micrograph(da_nm=300, pixel_size_nm=0.05), np.random.default_rng(0))
