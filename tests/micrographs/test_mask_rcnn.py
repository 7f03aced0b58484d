import numpy as np
import pytest

from particlelab.micrographs.detector import load_detector
from particlelab.micrographs.detector_training import MaskRCNNTraining
from particlelab.micrographs.mask_rcnn import MaskRCNNDetector, losses, paint

SMALL = MaskRCNNTraining(backbone="resnet18", weights="none", magnification=1)


@pytest.fixture(scope="module")
def untrained():
    import torch

    torch.manual_seed(0)
    network, entry = MaskRCNNDetector.untrained(SMALL)
    return MaskRCNNDetector(network, {"network": entry})


def test_600_particles_are_painted_as_600():
    top, left = np.mgrid[5:500:20, 5:480:20].reshape(2, -1)[:, :600]
    rng = np.random.default_rng(1)
    sizes = rng.integers(6, 16, 600)
    boxes = np.stack([left, top, left + sizes, top + sizes], 1).astype(float)
    found = paint(boxes, np.ones((600, 28, 28)), rng.random(600), (512, 512))
    assert len(found.scores) == found.instances.max() == 600
    assert np.array_equal(np.sort(np.bincount(found.instances.ravel())[1:]), np.sort(sizes**2))
    assert np.allclose(np.sort(found.diameters_px), 2 * np.sqrt(np.sort(sizes) ** 2 / np.pi))


def test_a_disk_in_its_box_keeps_its_area():
    rows, columns = np.indices((28, 28)) + 0.5
    disk = ((rows - 14) ** 2 + (columns - 14) ** 2 < 14**2).astype(float)
    for diameter in (9, 20.5, 47):
        found = paint(np.array([[30, 25, 30 + diameter, 25 + diameter]]), disk[None], np.ones(1), (100, 100))
        assert found.diameters_px[0] == pytest.approx(diameter, rel=0.03)


def test_where_masks_overlap_the_better_score_wins_and_the_other_keeps_its_diameter():
    boxes = np.array([[10, 10, 30, 30], [20, 10, 40, 30]], float)
    found = paint(boxes, np.ones((2, 28, 28)), np.array([0.6, 0.9]), (50, 50))
    assert found.scores.tolist() == [0.9, 0.6]
    assert np.bincount(found.instances.ravel())[1:].tolist() == [400, 200]
    assert np.allclose(found.diameters_px, 2 * np.sqrt(400 / np.pi))


def test_what_is_almost_wholly_hidden_is_not_counted_again():
    boxes = np.array([[10, 10, 30, 30], [11, 10, 31, 30]], float)
    assert len(paint(boxes, np.ones((2, 28, 28)), np.array([0.6, 0.9]), (50, 50)).scores) == 1


def test_boxes_that_reach_over_the_edge_are_cut_there():
    found = paint(np.array([[-5.0, -5, 5, 5]]), np.ones((1, 28, 28)), np.ones(1), (20, 20))
    assert np.count_nonzero(found.instances) == 25


def test_targets_are_the_boxes_and_masks_of_the_instances():
    import torch

    from particlelab.micrographs.mask_rcnn_layers import targets

    instances = torch.zeros((2, 20, 30), dtype=torch.int32)
    instances[0, 2:6, 3:10] = 5
    instances[0, 10:12, 20:25] = 2
    some, none = targets(instances, 2)
    assert some["boxes"].tolist() == [[40, 20, 50, 24], [6, 4, 20, 12]]
    assert some["masks"].shape == (2, 40, 60)
    assert some["masks"].sum((1, 2)).tolist() == [40, 112]
    assert some["labels"].tolist() == [1, 1]
    assert none["boxes"].shape == (0, 4)


def test_every_limit_lets_600_particles_through(untrained):
    network = untrained.network
    assert network.roi_heads.detections_per_img >= 600
    for training in (True, False):
        network.rpn.training = training
        assert min(network.rpn.pre_nms_top_n(), network.rpn.post_nms_top_n()) >= 600
    assert network.eval() is network


def test_a_picture_without_particles_has_a_finite_loss(untrained):
    import torch

    images, instances = torch.rand(2, 64, 64), torch.zeros((2, 64, 64), dtype=torch.int32)
    instances[0, 10:30, 20:40] = 1
    loss = losses(untrained.network.train(), images, instances, 1)
    untrained.network.eval()
    assert torch.isfinite(loss)
    assert loss.requires_grad


def test_an_untrained_network_answers_in_the_form_of_found(untrained, monkeypatch):
    monkeypatch.setattr("particlelab.micrographs.mask_rcnn.SCORE", 0.0)
    found = untrained.find(np.random.default_rng(2).random((70, 90)))
    assert found.instances.shape == (70, 90)
    assert found.instances.max() == len(found.scores) == len(found.diameters_px)
    assert ((found.scores >= 0) & (found.scores <= 1)).all()


def test_a_saved_network_is_loaded_as_what_it_is(untrained, tmp_path):
    again = load_detector(untrained.save(tmp_path / "m.safetensors"))
    assert isinstance(again, MaskRCNNDetector)
    for name, weight in untrained.network.state_dict().items():
        assert np.allclose(weight, again.network.state_dict()[name].float(), atol=1e-3), name
