"""Primary particle sizes: spheres of known diameter, closed forms, independent computations, a published image."""

import csv
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy import ndimage
from scipy.optimize import curve_fit
from skimage.morphology import skeletonize
from skimage.segmentation import watershed

from particlelab.parameters import ParameterError
from particlelab.randomness import generator
from particlelab.soot.erosion import ErosionCounting, edm_sbs_image, erosion_counts, fit_sigmoid
from particlelab.soot.growth import simulate_aggregate
from particlelab.soot.micrographs import Micrograph, Scene, render
from particlelab.soot.pair_correlation import pair_correlation
from particlelab.soot.primaries import METHODS, locate_primaries, size_primaries
from particlelab.soot.projection import project

MASK_METHODS = ["pcm", "edm_sbs", "edm_ws"]


def disk(radius, margin=3):
    n = int(np.ceil(radius)) + margin
    y, x = np.mgrid[-n : n + 1, -n : n + 1]
    return np.hypot(y, x) <= radius


def chain(n, diameter_nm, pixel_size_nm):
    """Return the mask of touching spheres in a row, slightly turned on the grid, and their centres in pixels."""
    centres = diameter_nm * np.arange(n)[:, None] * [np.cos(0.3), np.sin(0.3), 0]
    _, labels = project(centres, np.full(n, diameter_nm / 2), pixel_size_nm, margin=5)
    return labels > 0


def aggregate(n, seed, dp_nm=25.0, pixel_size_nm=0.6):
    centres, radii = simulate_aggregate(n, 1.78, 1.3, dp_nm, 1.2, generator(seed, "aggregate"))
    return project(centres, radii, pixel_size_nm)[1] > 0


def picture(centres_px, radii_px, shape, pixel_size_nm, rng):
    """Return image and mask of spheres in a plane, seen through a noisy microscope."""
    x, y = np.transpose(centres_px) * pixel_size_nm
    spheres = {"primary": np.arange(1, len(x) + 1), "aggregate": 1, "x_nm": x, "y_nm": y, "z_nm": 0.0}
    table = pd.DataFrame({**spheres, "r_nm": np.asarray(radii_px) * pixel_size_nm})
    frame = Micrograph(pixel_size_nm=pixel_size_nm, width_px=shape[1], height_px=shape[0], contaminants=0)
    taken = render(Scene(table), frame, rng)
    return taken.image, taken.mask


# The pair correlation function


def test_autocorrelation_of_a_disk_has_its_closed_form():
    radius = 60
    inside = disk(radius)
    r, share = pair_correlation(inside, 2 * radius, origins=inside)
    x = r / (2 * radius)
    expected = 2 / np.pi * (np.arccos(np.minimum(x, 1)) - x * np.sqrt(np.maximum(1 - x**2, 0)))
    assert share == pytest.approx(expected, abs=0.005)


def test_pair_correlation_is_what_counting_pairs_gives():
    inside = aggregate(12, 1, dp_nm=12.0)
    skeleton = skeletonize(inside)
    reach = 15
    window = np.pad(inside, reach)
    counts, points = np.zeros(reach + 1), np.zeros(reach + 1)
    for y, x in np.argwhere(skeleton):
        for dy in range(-reach, reach + 1):
            for dx in range(-reach, reach + 1):
                k = round(np.hypot(dy, dx))
                if k <= reach:
                    counts[k] += window[y + reach + dy, x + reach + dx]
                    points[k] += 1
    assert pair_correlation(inside, reach)[1] == pytest.approx(counts / points, abs=1e-9)


# Erosion counting


def test_erosion_counts_of_a_square_by_hand():
    assert erosion_counts(np.ones((7, 7), bool)).tolist() == [49, 25, 9, 1, 0]


def test_sigmoid_parameters_are_recovered():
    p = ErosionCounting()
    for dg, sigma in [(8.0, 1.3), (20.0, 1.6), (40.0, 1.9)]:
        d = 0.02 * np.arange(1, 10_000)
        curve = p.a / (1 + np.exp(((np.log(dg) - np.log(d)) / np.log(sigma) - p.beta) / p.omega))
        counts = np.concatenate([[1.0], curve]) * 1e6
        assert fit_sigmoid(counts, 0.02, p) == pytest.approx((dg, sigma), rel=0.002)


def test_erosion_of_a_disk_follows_its_closed_form():
    """A disk of diameter D keeps (1 - 2 d / D)^2 of its area; fitted here with another routine."""
    diameter = 400.0
    p, d = ErosionCounting(), np.geomspace(1, 100, 250)

    def sigmoid(log_d, log_dg, log_sigma):
        return p.a / (1 + np.exp(((log_dg - log_d) / log_sigma - p.beta) / p.omega))

    (log_dg, log_sigma), _ = curve_fit(sigmoid, np.log(d), (1 - 2 * d / diameter).clip(0) ** 2, p0=[4, 0.5])
    sizes = size_primaries(None, disk(400), 0.5, "edm_sbs").iloc[0]
    assert sizes.dp_nm == pytest.approx(np.exp(log_dg), rel=0.01)
    assert sizes.gsd == pytest.approx(np.exp(log_sigma), rel=0.01)


def test_all_aggregates_together():
    inside = np.pad(aggregate(20, 2), 5)
    alone = size_primaries(None, inside, 0.6, "edm_sbs").iloc[0]
    assert edm_sbs_image(inside, 0.6) == pytest.approx((alone.dp_nm, alone.gsd))
    assert edm_sbs_image(np.hstack([inside, inside]), 0.6) == pytest.approx((alone.dp_nm, alone.gsd))
    mixed = np.hstack([np.pad(disk(40), ((25, 25), (0, 0))), disk(65)])
    assert edm_sbs_image(mixed, 0.6) == pytest.approx(fit_sigmoid(erosion_counts(mixed), 0.6, ErosionCounting()))
    assert np.isnan(edm_sbs_image(np.zeros((5, 5), bool), 1.0)).all()


# Watershed


def test_disks_in_a_chain_are_found_where_they_are():
    found = locate_primaries(None, chain(7, 30.0, 0.5), 0.5, "edm_ws")
    assert len(found) == 7
    assert found.dp_nm.to_numpy() == pytest.approx(30, rel=0.05)
    steps = np.hypot(*np.diff(found.sort_values("x_nm")[["x_nm", "y_nm"]].to_numpy(), axis=0).T)
    assert steps == pytest.approx(30, abs=1.5)


def test_watershed_regions_have_the_diameters_that_their_maxima_say():
    inside = np.pad(aggregate(60, 3), 1)
    distance = ndimage.distance_transform_edt(inside)
    found = locate_primaries(None, inside, 1.0, "edm_ws")
    seeds = np.zeros(inside.shape, int)
    seeds[found.y_nm.round().astype(int), found.x_nm.round().astype(int)] = range(1, len(found) + 1)
    regions = watershed(-distance, seeds, mask=inside)
    largest = ndimage.maximum(distance, regions, range(1, len(found) + 1))
    assert 2 * np.array(largest) == pytest.approx(found.dp_nm.to_numpy())


def test_prominence_merges_maxima():
    two = np.zeros((60, 120), bool)
    y, x = np.mgrid[:60, :120]
    for at in (40, 62):  # overlapping: between them the map falls from 20 to 16.7
        two |= np.hypot(y - 30, x - at) <= 20
    assert len(locate_primaries(None, two, 1.0, "edm_ws", prominence_px=1.0)) == 2
    assert len(locate_primaries(None, two, 1.0, "edm_ws", prominence_px=6.0)) == 1


# Hough


def test_circles_of_known_place_and_size_are_found_in_noise():
    centres = [(60, 60), (115, 60), (190, 130), (60, 200), (150, 230)]
    radii = [25, 30, 40, 18, 12]
    image, mask = picture(centres, radii, (280, 260), 0.6, generator(1, "circles"))
    found = locate_primaries(image, mask, 0.6, "hough")
    assert len(found) == 5
    for (x, y), radius in zip(centres, radii, strict=True):
        distance = np.hypot(found.x_nm / 0.6 - x, found.y_nm / 0.6 - y)
        assert distance.min() < 2
        assert found.dp_nm[distance.idxmin()] / 0.6 == pytest.approx(2 * radius, abs=4)


def test_fine_images_are_averaged_without_moving_or_resizing_anything():
    centres, radii = [(200, 220), (420, 200)], [100, 80]  # diameters of 200 and 160 px are beyond 100 px
    image, mask = picture(centres, radii, (440, 560), 0.2, generator(2, "fine"))
    found = locate_primaries(image, mask, 0.2, "hough").sort_values("x_nm")
    assert found.x_nm.to_numpy() / 0.2 == pytest.approx([200, 420], abs=5)
    assert found.y_nm.to_numpy() / 0.2 == pytest.approx([220, 200], abs=5)
    assert found.dp_nm.to_numpy() / 0.2 == pytest.approx([200, 160], rel=0.06)


def test_circles_do_not_depend_on_the_grey_scale_and_belong_to_the_aggregate_at_their_centre():
    image, mask = picture([(60, 60), (160, 60)], [25, 30], (120, 220), 0.6, generator(3, "grey"))
    found = locate_primaries(image, mask, 0.6, "hough")
    right = found.x_nm > 0.6 * 100
    assert found.label.tolist() == (1 + right).tolist() or found.label.tolist() == (2 - right).tolist()
    again = locate_primaries(image * 256.0 + 3000, mask, 0.6, "hough")
    assert again.to_numpy() == pytest.approx(found.to_numpy())


def test_hough_needs_the_image():
    with pytest.raises(ValueError, match="needs the image"):
        size_primaries(None, disk(20), 1.0, "hough")


# All methods


@pytest.mark.parametrize("method", ["pcm", "edm_ws"])
@pytest.mark.parametrize("radius", [10, 25, 60])
def test_a_lone_sphere_has_its_diameter(method, radius):
    assert size_primaries(None, disk(radius), 0.5, method).dp_nm[0] == pytest.approx(radius, abs=1)  # 2 px


def test_a_chain_of_spheres():
    inside = chain(8, 40.0, 0.4)
    assert size_primaries(None, inside, 0.4, "edm_ws").dp_nm[0] == pytest.approx(40, rel=0.04)
    assert size_primaries(None, inside, 0.4, "edm_ws").gsd[0] == pytest.approx(1, abs=0.02)
    assert size_primaries(None, inside, 0.4, "pcm").dp_nm[0] < 40  # the skeleton runs through the necks
    # A chain keeps the share of its area that one of its spheres keeps, but for the necks.
    sphere = size_primaries(None, chain(1, 40.0, 0.4), 0.4, "edm_sbs")
    assert size_primaries(None, inside, 0.4, "edm_sbs").dp_nm[0] == pytest.approx(sphere.dp_nm[0], rel=0.02)


@pytest.mark.parametrize("method", ["pcm", "edm_ws"])
def test_sizes_scale_with_the_pixel(method):
    inside = aggregate(30, 4)
    fine, coarse = (size_primaries(None, inside, pixel, method).iloc[0] for pixel in (0.5, 1.5))
    assert coarse.dp_nm == pytest.approx(3 * fine.dp_nm)
    assert np.isnan(coarse.gsd) if method == "pcm" else coarse.gsd == pytest.approx(fine.gsd)


@pytest.mark.parametrize("method", METHODS)
def test_sizes_do_not_depend_on_place_orientation_or_neighbours(method):
    rng = generator(5, "neighbours")
    inside = np.pad(aggregate(30, 5), 40)
    frame = np.hstack([inside, np.rot90(inside, 2)])
    image = 170 * np.exp(-0.4 * ndimage.gaussian_filter(frame.astype(float), 1)) + rng.normal(0, 0.1, frame.shape)
    both = size_primaries(image, frame, 0.6, method)
    assert both.label.tolist() == [1, 2]
    # Not exact: a skeleton is not symmetric to half a turn, nor is what looks at the image under other noise.
    assert both.dp_nm[1] == pytest.approx(both.dp_nm[0], rel={"hough": 0.1, "network": 0.05}.get(method, 0.02))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("calibrated", [False, True])
def test_an_empty_mask_gives_an_empty_table(method, calibrated):
    table = size_primaries(np.ones((30, 20)), np.zeros((30, 20), bool), 1.0, method, calibrated=calibrated)
    assert len(table) == 0
    assert list(table) == ["label", "dp_nm", "gsd", "n_primaries"]


@pytest.mark.parametrize("method", METHODS)
def test_specks_have_no_size(method):
    mask = np.zeros((40, 40), bool)
    mask[5, 5] = True
    mask[10:13, 10:13] = True
    mask[20:22, 5:30] = True  # two pixels thin: large enough, whatever a method makes of it
    table = size_primaries(np.full((40, 40), 7.0), mask, 1.0, method)
    assert table.label.tolist() == [1, 2, 3]
    assert table.dp_nm[:2].isna().all()
    assert table[["gsd", "n_primaries"]][:2].isna().all(axis=None)
    assert not (table.dp_nm[2] <= 0)


@pytest.mark.parametrize("method", METHODS)
def test_a_mask_that_fills_the_frame(method):
    table = size_primaries(np.full((50, 60), 7.0), np.ones((50, 60), bool), 1.0, method)
    assert table.label.tolist() == [1]


def test_unknown_names_are_refused_with_those_that_there_are():
    inside = disk(10)
    with pytest.raises(ValueError, match="unknown method 'tem'; there are pcm, edm_sbs, hough, edm_ws, network"):
        size_primaries(None, inside, 1.0, "tem")
    with pytest.raises(ValueError, match="unknown method 'pcm'; there are hough, edm_ws, network"):
        locate_primaries(None, inside, 1.0, "pcm")
    with pytest.raises(ParameterError, match="has no parameter 'levle'; it has form, level"):
        size_primaries(None, inside, 1.0, "pcm", levle=0.9)
    with pytest.raises(ParameterError, match="coverage = 2"):
        size_primaries(np.ones(inside.shape), inside, 1.0, "hough", coverage=2)


@pytest.mark.parametrize("method", METHODS)
def test_bad_input_is_refused(method):
    inside = disk(10)
    image = np.ones(inside.shape)
    with pytest.raises(ValueError, match="same shape"):
        size_primaries(image[1:], inside, 1.0, method)
    with pytest.raises(ValueError, match="finite"):
        size_primaries(image * np.nan, inside, 1.0, method)
    with pytest.raises(ValueError, match=r"positive number, got -0\.5"):
        size_primaries(image, inside, -0.5, method)
    with pytest.raises(ValueError, match="mask must"):
        size_primaries(np.ones((2, 2, 3)), np.ones((2, 2, 3)), 1.0, method)


# Published values


@pytest.mark.parametrize("form", ["simple", "general"])
def test_published_sizes_by_pair_correlation(form):
    table, published = _published()
    dp = size_primaries(None, table.attrs["mask"], 0.536, "pcm", form=form).dp_nm[table.index]
    expected = [float(row[f"dp_pcm_{form}_nm"]) for row in published]
    assert dp.to_numpy() == pytest.approx(np.array(expected), rel=0.15)


def test_watershed_sizes_are_larger_than_those_of_the_other_methods_as_published():
    """Sec. 3.3: EDM-WS is 50 to 100 % above EDM-SBS on average."""
    table, _ = _published()
    image, mask = table.attrs["image"], table.attrs["mask"]
    dp = {m: size_primaries(image, mask, 0.536, m).dp_nm[table.index].to_numpy() for m in METHODS}
    assert 1.2 < np.exp(np.mean(np.log(dp["edm_ws"] / dp["edm_sbs"]))) < 2.2
    assert (dp["edm_ws"] > dp["hough"]).all()


def _published():
    from particlelab.soot.aggregates import analyse_aggregates

    if "PARTICLELAB_DATA" not in os.environ:
        pytest.skip("PARTICLELAB_DATA is not set: no real image")
    folder = Path(os.environ["PARTICLELAB_DATA"]) / "soot"
    mask = np.asarray(Image.open(folder / "201805A_A6_004_slider_mask.png"))
    with (folder / "A6_004_published_aggregates.csv").open() as file:
        published = sorted(csv.DictReader(file), key=lambda row: float(row["Rg_nm"]))
    table = analyse_aggregates(mask, 0.536).query("n_pixels > 1000").sort_values("rg_nm")
    table.attrs = {"mask": mask, "image": np.asarray(Image.open(folder / "201805A_A6_004.png"))}
    return table, published


def test_a_correction_is_refused_where_it_was_not_calibrated():
    mask = np.zeros((60, 60), bool)
    mask[20:40, 20:40] = True
    assert size_primaries(None, mask, 0.5, "pcm", calibrated=True, level=0.913).dp_nm.notna().all()
    with pytest.raises(
        ValueError, match="calibrated = True holds for the default options of 'pcm' only; changed: level"
    ):
        size_primaries(None, mask, 0.5, "pcm", calibrated=True, level=0.8)
