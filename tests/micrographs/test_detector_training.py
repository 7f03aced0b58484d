import numpy as np
import pandas as pd
import pytest

from particlelab.micrographs.centre_network import CentreDetector, draw_truth
from particlelab.micrographs.detector_training import (
    CentreTraining,
    MaskRCNNTraining,
    alter_grey,
    centre_loss,
    cut_piece,
    train_detector,
)
from particlelab.micrographs.training_pictures import Pictures, cut_window

TINY = CentreTraining(widths=(8, 16, 16), pictures=8, iterations=8, batch=2, piece_px=48, checkpoint=2)


def draw_disks(n, size, seed=0):
    """Return pictures of bright disks that do not touch."""
    rng, rows = np.random.default_rng(seed), np.indices((size, size))
    images, instances, tables = [], [], []
    for k in range(n):
        marks, diameters = np.zeros((size, size), np.int32), []
        for y in range(8, size, 16):
            for x in range(8, size, 16):
                diameters.append(rng.uniform(8, 13))
                marks[(rows[0] - y) ** 2 + (rows[1] - x) ** 2 <= (diameters[-1] / 2) ** 2] = len(diameters)
        image = np.where(marks > 0, 180, 60) + rng.normal(0, 8, marks.shape)
        image, marks, table = cut_window(image.astype(np.uint8), marks, diameters, 0, 0, size)
        images.append(image)
        instances.append(marks)
        tables.append(table.assign(picture=k))
    return Pictures(np.stack(images), np.stack(instances), pd.concat(tables, ignore_index=True))


@pytest.fixture(scope="module")
def disks():
    return draw_disks(6, 64)


def weights(detector):
    return {name: array.numpy() for name, array in detector.network.state_dict().items()}


def test_a_training_that_was_stopped_and_goes_on_ends_bit_for_bit_where_one_in_one_go_ends(disks, tmp_path):
    class Stop(Exception):
        pass

    def stop(share, text):
        if text.startswith("iteration 5 "):
            raise Stop

    rng = np.random.default_rng
    whole = train_detector(TINY, rng(1), pictures=disks)
    with pytest.raises(Stop):
        train_detector(TINY, rng(1), pictures=disks, folder=tmp_path, progress=stop)
    assert list((tmp_path / "checkpoints").glob("*.ckpt"))
    gone_on = train_detector(TINY, rng(1), pictures=disks, folder=tmp_path)
    assert whole.history.equals(gone_on.history)
    for name, array in weights(whole).items():
        assert np.array_equal(array, weights(gone_on)[name]), name


def test_a_checkpoint_of_other_pictures_is_refused(disks, tmp_path):
    train_detector(TINY, np.random.default_rng(1), pictures=disks, folder=tmp_path)
    with pytest.raises(ValueError, match="another training"):
        train_detector(TINY, np.random.default_rng(1), pictures=draw_disks(6, 64, seed=1), folder=tmp_path)


def test_a_short_training_finds_the_disks_and_their_diameters():
    pictures = draw_disks(12, 96)
    p = CentreTraining(widths=(16, 24, 32), iterations=250, batch=4, piece_px=64, zoom=1.0, learning_rate=8e-3)
    detector = train_detector(p, np.random.default_rng(0), pictures=pictures)
    assert detector.history.loss.iloc[-10:].mean() < 0.5 * detector.history.loss.iloc[:10].mean()
    again = draw_disks(2, 96, seed=9)
    for image, truth in zip(again.images, again.instances, strict=True):
        found = detector.find(image)
        assert np.mean((found.instances > 0) == (truth > 0)) > 0.88
        assert len(found.scores) == truth.max() == 36
        assert np.exp(np.log(found.diameters_px).mean()) == pytest.approx(10.4, abs=1.5)


def test_a_training_goes_on_from_the_weights_of_another(disks):
    first = train_detector(TINY, np.random.default_rng(1), pictures=disks)
    still = TINY.replace(iterations=1, learning_rate=1e-12, weight_decay=0.0)
    second = train_detector(still, np.random.default_rng(2), start=first, pictures=disks)
    for name, array in weights(first).items():
        assert np.allclose(array, weights(second)[name], atol=1e-9)
    with pytest.raises(ValueError, match="another network"):
        train_detector(TINY.replace(widths=(8, 16)), np.random.default_rng(1), start=first, pictures=disks)


def test_the_loss_of_a_perfect_answer_is_far_below_that_of_any_other():
    import torch

    from particlelab.micrographs.centre_network_layers import UNIT_PX, Answer

    picture = draw_disks(1, 64)
    truth = torch.from_numpy(draw_truth(picture.instances[0], picture.particles.diameter_px))[None]
    seen, heat, down, right, diameter, visible = truth[:, :6].unbind(1)

    def answer(shift=0.0, factor=1.0, flipped=1.0):
        logs = [torch.log(factor * a.clamp(min=1) / UNIT_PX) for a in (diameter, visible)]
        sure = 30 * (seen - 0.5) * flipped
        return Answer(sure, torch.logit(heat.clamp(1e-6, 1 - 1e-6)), down / UNIT_PX + shift, right / UNIT_PX, *logs)

    def loss(**changes):
        return float(centre_loss(lambda _: answer(**changes), None, truth))

    assert loss() < 0.1
    for changes in ({"shift": 0.2}, {"factor": 1.5}, {"flipped": -1.0}):
        assert loss(**changes) > loss() + 0.2


def test_a_piece_scaled_by_two_has_particles_of_twice_the_diameter():
    rows = np.indices((200, 200))
    instances = ((rows[0] - 100) ** 2 + (rows[1] - 100) ** 2 <= 15**2).astype(np.int32)
    image = (200 * instances).astype(np.uint8)
    sizes = []
    for seed in range(30):
        piece, marks, diameters = cut_piece(image, instances, [30.0], 128, 2.0, np.random.default_rng(seed))
        assert piece.shape == marks.shape == (128, 128)
        edge = np.concatenate([marks[0], marks[-1], marks[:, 0], marks[:, -1]])
        if marks.any() and not edge.any():
            assert 2 * np.sqrt(marks.sum() / np.pi) == pytest.approx(diameters[0], rel=0.03)
            assert np.mean((piece > 0.4) == (marks > 0)) > 0.99
            sizes.append(diameters[0])
    assert min(sizes) < 24
    assert max(sizes) > 36


def test_grey_levels_are_altered_without_moving_anything():
    image = np.zeros((60, 60), np.float32)
    image[20:40, 25:45] = 1
    kinds = set()
    for seed in range(20):
        altered = alter_grey(image, np.random.default_rng(seed))
        inner, outer = altered[24:36, 29:41].mean(), altered[:12, :].mean()
        kinds.add(bool(inner > outer))
        level = (inner + altered[10:50, 15:20].mean()) / 2
        assert np.mean(((altered > level) == (inner > level))[10:50, 15:55] == (image > 0)[10:50, 15:55]) > 0.9
    assert kinds == {True, False}  # both contrasts occur


def test_a_cut_window_tells_what_its_edge_cuts_and_keeps_complete_diameters():
    instances = np.zeros((60, 60), np.int32)
    instances[10:20, 10:20], instances[15:35, 35:55], instances[50:52, 1:3] = 1, 2, 3
    image, marks, table = cut_window(np.zeros((60, 60), np.uint8), instances, [11.0, 22.0, 2.0], 5, 5, 40)
    assert image.shape == marks.shape == (40, 40)
    assert table.diameter_px.tolist() == [11, 22]
    assert table.cut.tolist() == [False, True]
    assert table.visible_px.tolist() == [100, 200]
    assert table.x_px.tolist() == [9.5, 34.5]


def test_mask_rcnn_learns(disks):
    p = MaskRCNNTraining(
        backbone="resnet18",
        weights="none",
        magnification=1,
        pictures=6,
        iterations=4,
        batch=1,
        piece_px=64,
        learning_rate=2e-3,
    )
    detector = train_detector(p, np.random.default_rng(0), pictures=disks)
    assert detector.kind == "mask-rcnn"
    assert detector.card["network"]["weights"] == "random"
    assert np.isfinite(detector.history.loss).all()


def test_what_cannot_be_trained_is_refused(disks):
    with pytest.raises(ValueError, match="rng is missing"):
        train_detector(TINY, pictures=disks)
    with pytest.raises(ValueError, match="CentreTraining or a MaskRCNNTraining"):
        train_detector({"iterations": 3}, np.random.default_rng(0), pictures=disks)
    with pytest.raises(ValueError, match="piece_px = 128 is larger"):
        train_detector(TINY.replace(piece_px=128), np.random.default_rng(0), pictures=disks)
    with pytest.raises(ValueError, match="piece_px = 300 must be at most"):
        CentreTraining(piece_px=300)


def test_a_detector_of_the_document_is_mask_rcnn_over_resnet50():
    p = MaskRCNNTraining()
    assert (p.backbone, p.weights) == ("resnet50", "coco")
    assert CentreDetector.kind != "mask-rcnn"
