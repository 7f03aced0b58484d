import numpy as np
import pytest

from particlelab.micrographs.centre_network import CentreDetector, draw_truth, group, normalise
from particlelab.micrographs.detector import Found, detect, grey_image, load_detector

WIDTHS = (8, 16, 16)


def disks(centres, diameters, shape):
    """Return instances of disks, later ones over earlier ones."""
    rows, columns = np.indices(shape)
    instances = np.zeros(shape, np.int32)
    for k, ((row, column), diameter) in enumerate(zip(centres, diameters, strict=True), 1):
        instances[(rows - row) ** 2 + (columns - column) ** 2 <= (diameter / 2) ** 2] = k
    return instances


def group_truth(instances, diameters):
    """Group pixels by what a perfect network says."""
    truth = draw_truth(instances, diameters)
    sizes = [np.where(truth[0] > 0, a, 1.0) for a in truth[4:6]]
    return group(truth[0], truth[1], truth[2:4], *sizes)


def same_parts(a, b):
    """Whether two pictures of instances are the same but for the numbers."""
    pairs = np.unique(np.stack([a.ravel(), b.ravel()]), axis=1)
    return len(pairs[0]) == len(np.unique(pairs[0])) == len(np.unique(pairs[1])) and pairs[:, 0].tolist() == [0, 0]


def test_perfect_maps_give_the_exact_instances():
    rng = np.random.default_rng(1)
    for typical in (6, 15, 40):
        spacing = typical * 0.95  # neighbours overlap a little
        grid = np.mgrid[typical:250:spacing, typical:250:spacing].reshape(2, -1).T
        centres = grid + rng.uniform(-0.05, 0.05, grid.shape) * typical
        diameters = typical * rng.uniform(0.95, 1.05, len(centres))
        instances = disks(centres, diameters, (256, 256))
        found = group_truth(instances, diameters)
        assert same_parts(found.instances, instances)
        assert np.allclose(found.scores, 1)
        order = [instances[found.instances == k][0] - 1 for k in range(1, len(found.scores) + 1)]
        assert np.allclose(found.diameters_px, diameters[order], rtol=0.04 + 0.5 / typical)  # they are of pixels


def test_600_particles_come_back_as_600():
    centres = np.mgrid[10:500:20, 10:480:20].reshape(2, -1).T[:600]
    assert len(centres) == 600
    instances = disks(centres, np.full(600, 14.0), (512, 512))
    assert len(group_truth(instances, np.full(600, 14.0)).scores) == 600


def test_a_particle_that_the_edge_cuts_has_its_complete_diameter():
    instances = disks([(50, 0), (50, 60)], [40, 40], (100, 100))
    found = group_truth(instances, [40.0, 40.0])
    assert same_parts(found.instances, instances)
    assert np.allclose(found.diameters_px, 40, rtol=0.01)
    assert 2 * np.sqrt(np.count_nonzero(instances == 1) / np.pi) < 30


def test_of_a_particle_behind_another_what_is_seen_counts():
    instances = disks([(50, 50), (50, 65)], [40, 40], (100, 120))  # the second hides a third of the first
    found = group_truth(instances, [40.0, 40.0])
    assert same_parts(found.instances, instances)
    seen = 2 * np.sqrt(np.array([np.count_nonzero(instances == k) for k in (1, 2)]) / np.pi)
    assert np.allclose(np.sort(found.diameters_px), np.sort(seen))


def test_a_particle_that_is_seen_whole_has_the_diameter_of_its_outline():
    instances = disks([(50, 50)], [40], (100, 100))
    truth = draw_truth(instances, [40.0])
    outline = 2 * np.sqrt(instances.sum() / np.pi)
    for wrong in (0.8, 1.0, 1.3):  # what the network says of both diameters alike
        sizes = [np.where(truth[0] > 0, wrong * a, 1.0) for a in truth[4:6]]
        assert group(truth[0], truth[1], truth[2:4], *sizes).diameters_px == pytest.approx([outline])


def test_the_weight_of_pixels_in_the_training_does_not_swell_particles():
    """A pixel that is as likely as not a particle's has a score of a half, though the training made it likelier."""
    import torch

    detector = untrained()
    head = detector.network.head
    with torch.no_grad():
        head.weight.zero_()
        head.bias.zero_()
        head.bias[:4] = np.log(1 + 15 / 16)  # what cross entropy with that weight ends at; sizes are 16 px
    particle, *_, visible = detector.answer(np.random.default_rng(6).random((32, 32)).astype(np.float32))
    assert np.allclose(visible, 16)
    assert np.allclose(particle, 0.5)


def test_a_particle_in_two_pieces_stays_one():
    instances = np.zeros((60, 60), np.int32)
    instances[25:35, 5:55] = 1
    instances[5:55, 26:34] = 2  # a rod across the first
    found = group_truth(instances, [25.0, 22.5])
    assert same_parts(found.instances, instances)


def test_the_truth_of_one_square_is_what_a_hand_draws():
    instances = np.zeros((9, 9), np.int32)
    instances[2:7, 3:8] = 1
    truth = draw_truth(instances, [7.0])
    seen, heat, down, right, diameter, visible, weight, judged = truth
    assert np.array_equal(seen, instances)
    assert heat[4, 5] == heat.max() == 1
    assert np.count_nonzero(heat == 1) == 1
    assert (down[2, 3], right[2, 3]) == (2, 2)
    assert (down[6, 7], right[6, 7]) == (-2, -2)
    assert np.allclose(diameter[seen > 0], 7)
    assert np.allclose(visible[seen > 0], 2 * np.sqrt(25 / np.pi))
    assert np.allclose(weight[seen > 0], 1 / 5)
    assert judged.all()


def test_slivers_are_not_judged():
    instances = np.zeros((40, 40), np.int32)
    instances[0, :10] = 1  # ten pixels of a particle of 5000
    truth = draw_truth(instances, [80.0])
    assert truth[1].max() == 0
    assert truth[6].max() == 0
    assert np.array_equal(truth[7] == 0, instances == 1)


def test_an_empty_answer_is_no_particle():
    zeros, ones = np.zeros((20, 30)), np.ones((20, 30))
    found = group(zeros, zeros, np.zeros((2, 20, 30)), ones, ones)
    assert found.instances.shape == (20, 30)
    assert not found.instances.any()
    assert len(found.scores) == len(found.diameters_px) == 0


@pytest.mark.parametrize("change", [lambda a: 3 * a + 5, lambda a: a - 10, lambda a: a.astype(np.float32) / 7])
def test_what_the_network_sees_does_not_depend_on_the_scale_of_grey_levels(change):
    image = np.random.default_rng(2).integers(0, 200, (30, 40)).astype(float)
    assert np.allclose(normalise(grey_image(change(image))), normalise(grey_image(image)), atol=1e-5)


def untrained():
    import torch

    torch.manual_seed(0)
    entry = {"kind": "centres", "widths": list(WIDTHS)}
    return CentreDetector(CentreDetector.build(entry), {"network": entry})


@pytest.mark.parametrize("shape", [(8, 8), (33, 47), (64, 64, 3), (70, 65, 1)])
@pytest.mark.parametrize("kind", ["uint8", "uint16", "float64", "bool"])
def test_every_shape_and_type_of_image_is_looked_at(shape, kind):
    image = np.random.default_rng(3).integers(0, 2, shape).astype(kind)
    found = untrained().find(image)
    assert isinstance(found, Found)
    assert found.instances.shape == shape[:2]
    assert found.instances.dtype == np.int32
    assert found.instances.max() == len(found.scores) == len(found.diameters_px)


def test_a_large_image_is_seen_in_tiles_as_it_is_seen_whole(monkeypatch):
    """But for what groups of channels are normalised by, which is the tile: exact for an image that repeats."""
    detector = untrained()
    for layer in detector.network.modules():
        if type(layer).__name__ == "GroupNorm":
            layer.forward = lambda x: x / 10
    image = np.random.default_rng(4).random((200, 264)).astype(np.float32)
    whole = detector.answer(image)
    monkeypatch.setattr("particlelab.micrographs.centre_network.TILE_PX", 128)
    monkeypatch.setattr("particlelab.micrographs.centre_network.OVERLAP_PX", 64)
    tiled = detector.answer(image)
    for a, b in zip(whole, tiled, strict=True):
        assert np.allclose(a, b, atol=1e-4)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((0, 5)), "at least 8 x 8"),
        (np.zeros((20, 20, 2)), "shape"),
        (np.zeros(20), "shape"),
        (np.full((20, 20), np.nan), "400 values that are not finite"),
        (np.zeros((20, 20), complex), "real numbers"),
        (np.full((20, 20), "a"), "real numbers"),
    ],
)
def test_what_is_no_image_is_refused(image, message):
    with pytest.raises(ValueError, match=message):
        detect(image, untrained())


def test_an_image_of_one_grey_level_is_looked_at():
    assert untrained().find(np.full((32, 32), 7)).instances.shape == (32, 32)


def test_a_saved_detector_finds_the_same(tmp_path):
    detector = untrained()
    image = np.random.default_rng(5).random((64, 64))
    again = load_detector(detector.save(tmp_path / "a.safetensors"))
    for a, b in zip(detector.answer(image), again.answer(image), strict=True):
        assert np.allclose(a, b, rtol=0.02, atol=0.02)  # weights are kept in 16 bits


def test_a_file_of_another_model_is_refused(tmp_path):
    from particlelab.learning.models import save_model

    path = save_model(tmp_path / "b.safetensors", {"a": np.zeros(3)}, {"network": {"kind": "other"}})
    with pytest.raises(ValueError, match="no detector of particles"):
        load_detector(path)
