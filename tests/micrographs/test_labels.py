"""Labels as files: what is written is what is true, to the pixel, and other programs read it."""

import json
import struct

import numpy as np
import pandas as pd
import pytest
from pycocotools import mask as coco_masks
from pycocotools.coco import COCO
from scipy import stats

from particlelab.micrographs import Camera, Micrograph, Patch, Placement, Population, Recipe, Technique, synthesise
from particlelab.micrographs.coco import (
    CATEGORIES,
    _encode,
    as_coco,
    describe,
    instances_of,
    join,
    outlines_of,
    read_coco,
)
from particlelab.micrographs.labels import (
    KINDS,
    as_png,
    as_tiff,
    size_distribution,
    true_diameters,
    write_labels,
)
from particlelab.micrographs.meshes import as_stl, meshes_of, read_stl, unite
from particlelab.randomness import generator
from particlelab.reading import read_image

CROWDED = Recipe(
    populations=(
        Population(shape="sphere", number=12, diameter_nm=120, deviation=1.4),
        Population(shape="crystal", number=4, diameter_nm=200),
    ),
    placement=Placement(kind="piled"),
    technique=Technique(kind="categorical"),
    camera=Camera(),
    width_px=96,
    height_px=64,
)


@pytest.fixture(scope="module")
def crowded():
    return synthesise(CROWDED, 3)


@pytest.fixture(scope="module")
def loaded(crowded, tmp_path_factory):
    """Two micrographs, one of them twice, in pycocotools' own class."""
    path = tmp_path_factory.mktemp("coco") / "annotations.json"
    path.write_text(json.dumps(as_coco([crowded, synthesise(CROWDED, 4), crowded], ["a.png", "b.png", "c.png"])))
    return COCO(path), path


def by_hand():
    """Three particles: 1 lies over 2, which the frame cuts, and over all of 3."""
    first, second = np.zeros((2, 5, 6), bool)
    first[1:4, 1:4] = True
    second[2:5, 3:6] = True
    instances = np.where(first, 1, np.where(second, 2, 0)).astype(np.int32)
    patches = [Patch(1, 1, np.ones((3, 3), bool), None), Patch(2, 3, np.ones((4, 5), bool), None)]
    patches.append(Patch(2, 2, np.eye(2, dtype=bool), None))
    seen = [np.count_nonzero(instances == k) for k in (1, 2, 3)]
    table = pd.DataFrame({"id": [1, 2, 3], "population": 0, "shape": ["sphere", "rod", "sphere"]})
    table = table.assign(diameter_nm=[3.0, 4.0, 1.0], visible_px=seen, visible_share=[1.0, 8 / 9, 0.0])
    table["cut"] = [False, True, False]
    recipe = Recipe(width_px=16, height_px=16, pixel_size_nm=2.0, name="by hand")
    return Micrograph(instances.astype(np.uint8), instances, None, None, table, patches, None, recipe)


def test_what_a_hand_can_check():
    described = describe(by_hand(), "x.png")
    first, second = described["annotations"]
    assert (first["area"], first["bbox"], first["amodal_area"]) == (9, [1, 1, 3, 3], 9)
    assert (second["area"], second["bbox"]) == (7, [3, 2, 3, 3])  # two of nine are hidden
    assert (second["amodal_area"], second["amodal_bbox"]) == (9, [3, 2, 3, 3])  # of 20, within the frame
    assert [CATEGORIES[a["category_id"] - 1]["name"] for a in (first, second)] == ["sphere", "rod"]
    assert [hidden["instance"] for hidden in described["image"]["hidden"]] == [3]
    amodal = outlines_of(described["image"], described["annotations"])
    np.testing.assert_array_equal(amodal, by_hand().amodal)
    np.testing.assert_array_equal(instances_of(described["image"], described["annotations"]), by_hand().instances)


def test_run_lengths_are_those_of_pycocotools():
    """Random masks within random slices of a frame, full columns and empty masks among them."""
    rng = generator(0, "masks")
    for share in (0, 0.05, 0.5, 0.95, 1):
        for _ in range(20):
            shape = tuple(rng.integers(1, 30, 2).tolist())
            rows, columns = (np.sort(rng.choice(size + 1, 2, replace=False)).tolist() for size in shape)
            frame = slice(*rows), slice(*columns)
            mask = np.zeros(shape, np.uint8)
            mask[frame] = rng.random((rows[1] - rows[0], columns[1] - columns[0])) < share
            expected = coco_masks.encode(np.asfortranarray(mask))
            text, area, box = _encode(mask[frame].astype(bool), frame, shape)
            assert text["counts"].encode() == expected["counts"] and text["size"] == list(shape)
            assert area == coco_masks.area(expected) and box == coco_masks.toBbox(expected).tolist()


def test_pycocotools_reads_the_same_particles(loaded, crowded):
    data, _ = loaded
    ids = data.getAnnIds()
    assert ids == [*range(1, len(ids) + 1)] and data.getImgIds() == [1, 2, 3]
    assert [data.imgs[number]["file_name"] for number in (1, 2, 3)] == ["a.png", "b.png", "c.png"]
    rebuilt = np.zeros_like(crowded.instances)
    for annotation in data.loadAnns(data.getAnnIds(imgIds=3)):
        mask = data.annToMask(annotation).astype(bool)
        assert not rebuilt[mask].any()  # every pixel once
        rebuilt[mask] = annotation["instance"]
        row = crowded.table.iloc[annotation["instance"] - 1]
        assert annotation["area"] == mask.sum() == row.visible_px and annotation["iscrowd"] == 0
        assert data.cats[annotation["category_id"]]["name"] == row["shape"]
        assert annotation["diameter_nm"] == row.diameter_nm
        amodal = coco_masks.decode(annotation["amodal_segmentation"]).astype(bool)
        np.testing.assert_array_equal(amodal, crowded.amodal[annotation["instance"] - 1])
    np.testing.assert_array_equal(rebuilt, crowded.instances)
    hidden = (crowded.table.visible_px == 0).sum()
    assert len(data.imgs[1]["hidden"]) == hidden and len(data.getAnnIds(imgIds=1)) == len(crowded.table) - hidden


def test_annotations_of_others_are_read(tmp_path):
    """Polygons and plain run lengths, without any of our own fields."""
    image = {"id": 7, "width": 6, "height": 5, "file_name": "x.png"}
    square = {"segmentation": [[1, 1, 4, 1, 4, 4, 1, 4]], "image_id": 7}
    runs = {"segmentation": {"size": [5, 6], "counts": [25, 5]}, "image_id": 7}
    path = tmp_path / "theirs.json"
    path.write_text(json.dumps({"images": [image], "annotations": [square, runs]}))
    images, annotations = read_coco(path)
    instances = instances_of(images[0], annotations[7])
    expected = np.zeros((5, 6), int)
    expected[1:4, 1:4], expected[:, 5] = 1, 2
    np.testing.assert_array_equal(instances, expected)
    np.testing.assert_array_equal(outlines_of(images[0], annotations[7]), [expected == 1, expected == 2])
    path.write_text('{"images": []')
    with pytest.raises(ValueError, match="is not in the format of COCO"):
        read_coco(path)


def test_an_image_without_particles_is_an_image():
    joined = join([{"image": {"file_name": "empty.png", "width": 4, "height": 3}, "annotations": []}])
    assert joined["annotations"] == [] and joined["images"][0]["id"] == 1
    assert outlines_of(joined["images"][0], []).shape == (0, 3, 4)


def test_ids_keep_their_value_in_png_and_tiff():
    ids = np.array([[0, 1, 255], [256, 300, 65535]])
    assert read_image(as_png(ids), "ids.png").pixels.tolist() == ids.tolist()
    wide = ids.astype(np.int32) * 1000
    assert read_image(as_tiff(wide), "ids.tif").pixels.tolist() == wide.tolist()
    for wrong in (-1, 65536):
        with pytest.raises(ValueError, match="16 bit hold 0 to 65535"):
            as_png(np.array([[0, wrong]]))


def test_depth_keeps_its_value_and_the_pixel_its_size():
    depth = np.float32([[1.25, np.nan], [-3e4, 1e-7]])
    for size in (0.05, 1.0, 12.5, 900.0):
        image = read_image(as_tiff(depth, size), "depth.tif")
        np.testing.assert_array_equal(image.pixels, depth)
        assert image.pixels.dtype == np.float32 and image.pixel_size_nm == pytest.approx(size, rel=1e-6)


def test_all_labels_of_a_micrograph_are_written(crowded, tmp_path):
    paths = write_labels(crowded, tmp_path / "new", "m")
    assert list(paths) == list(KINDS) and all(path.stat().st_size for path in paths.values())
    assert [path.name for path in paths.values()][:2] == ["m_image.png", "m_instances.png"]
    for kind, values in (("image", crowded.image), ("instances", crowded.instances), ("categories", crowded.category)):
        np.testing.assert_array_equal(read_image(paths[kind]).pixels, values)
    np.testing.assert_array_equal(read_image(paths["depth"]).pixels, crowded.depth)
    pd.testing.assert_frame_equal(pd.read_parquet(paths["features"]), crowded.table)
    pd.testing.assert_frame_equal(pd.read_csv(paths["features_csv"]), crowded.table, check_dtype=False)
    assert COCO(paths["coco"]).imgs[1]["file_name"] == "m_image.png"
    with pytest.raises(ValueError, match="kinds holds 'mask'; there are image, instances"):
        write_labels(crowded, tmp_path, kinds=["mask"])


def test_sizes_of_a_log_normal_distribution():
    """Geometric mean 100 nm and deviation 1.3; its moment means by Hatch and Choate, D[p,q] = g exp((p+q)/2 ln^2 s)."""
    d = 100 * np.exp(np.log(1.3) * stats.norm.ppf((np.arange(20_000) + 0.5) / 20_000))
    sizes = size_distribution(d, bins=40)
    assert sizes.fit[:2] == pytest.approx((100, 1.3), rel=1e-3)
    for (p, q), name in (((1, 0), "D[1,0]"), ((3, 2), "D[3,2]"), ((4, 3), "D[4,3]")):
        assert sizes.means[name] == pytest.approx(100 * np.exp((p + q) / 2 * np.log(1.3) ** 2), rel=2e-3)
    table = sizes.histogram
    widths = np.log(table.largest_nm / table.smallest_nm)
    assert table["count"].sum() == 20_000 and (table.density * widths).sum() == pytest.approx(1)
    middle = np.sqrt(table.largest_nm * table.smallest_nm)
    np.testing.assert_allclose(table.density, stats.norm.pdf(np.log(middle), np.log(100), np.log(1.3)), atol=0.02)


def test_sizes_of_few_particles():
    assert size_distribution([]).fit is None and len(size_distribution([]).histogram) == 0
    one = size_distribution([5.0])
    assert one.fit is None and set(one.means.values()) == {5.0} and one.histogram["count"].sum() == 1
    assert size_distribution([5.0, 5.0]).fit.deviation == 1
    with pytest.raises(ValueError, match="diameters_nm must be a list of positive lengths"):
        size_distribution([1.0, 0.0])
    with pytest.raises(ValueError, match="bins must be at least 1, got 0"):
        size_distribution([1.0, 2.0], 0)
    table = pd.DataFrame({"x_px": [5.0, -0.1, 29.9, 12], "y_px": [5.0, 8, 19, 20.1], "diameter_nm": [1.0, 2, 3, 4]})
    assert true_diameters(table, 30, 20).tolist() == [1.0, 3.0]  # two have their middle outside


def volume(corners):
    """By the divergence theorem: positive where triangles turn outwards in right-handed axes."""
    a, b, c = corners.swapaxes(0, 1)
    return np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6


def assert_closed(faces):
    """Each edge belongs to two triangles, which run along it in opposite directions."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    forth, back = (
        np.sort(some[:, 0].astype(np.int64) * (faces.max() + 1) + some[:, 1]) for some in (edges, edges[:, ::-1])
    )
    assert len(np.unique(forth)) == len(forth)
    np.testing.assert_array_equal(forth, back)


def test_the_scene_is_closed_right_handed_and_in_its_place(crowded):
    """Spheres of 1280 triangles have 1.2 % less volume than true ones; crystals have theirs."""
    content = as_stl(crowded.scene)
    count = struct.unpack_from("<I", content, 80)[0]
    assert len(content) == 84 + 50 * count and not content.startswith(b"solid")
    corners = read_stl(content)
    meshes = meshes_of(crowded.scene)
    assert len(corners) == sum(len(faces) for *_, faces in meshes)
    start = 0
    for index, _, faces in meshes:
        assert_closed(faces)
        particle = crowded.scene.particles[index]
        some = corners[start : start + len(faces)]
        start += len(faces)
        middle = (some.reshape(-1, 3).min(axis=0) + some.reshape(-1, 3).max(axis=0)) / 2
        if particle.shape == "sphere":
            radius = particle.body.capsules[0, 6]
            assert volume(some) == pytest.approx(4 / 3 * np.pi * radius**3, rel=0.02)
            x, y, z = particle.centre_nm
            assert middle == pytest.approx([x, 640 - y, z], abs=0.02 * radius)  # the frame is 640 nm high; y goes up
        else:
            assert volume(some) > 0
    normals = np.frombuffer(content, "<f4", 3, 84)
    a, b, c = corners[0]
    assert normals @ np.cross(b - a, c - a) == pytest.approx(np.linalg.norm(np.cross(b - a, c - a)), rel=1e-4)
    with pytest.raises(ValueError, match="a binary STL file of"):
        read_stl(content[:-1])


def test_united_capsules_are_one_closed_surface():
    """Two balls of radius 10 at a distance of 12: two balls less their lens. A capsule: cylinder and two halves."""
    balls = np.array([[0, 0, 0, 0, 0, 0, 10], [12, 0, 0, 12, 0, 0, 10.0]])
    lens = np.pi * (4 * 10 + 12) * (2 * 10 - 12) ** 2 / 12
    rod = np.array([[0, 0, 0, 3, 20, 4, 6.0]])
    for capsules, expected in ((balls, 8 / 3 * np.pi * 1000 - lens), (rod, np.pi * 36 * (np.sqrt(425) + 8))):
        vertices, faces = unite(capsules)
        assert_closed(faces)
        assert volume(vertices[faces]) == pytest.approx(expected, rel=0.02)
