"""Training of the network that tells primaries apart: what it is asked for is true, and a training goes on."""

import signal

import numpy as np
import pytest

from particlelab.parameters import ParameterError
from particlelab.randomness import generator
from particlelab.soot.network import load_sizer
from particlelab.soot.network_layers import DISK, MARGIN_PX, PRIMARY_PX, STRIDE, view
from particlelab.soot.network_training import (
    Example,
    SizerTraining,
    cut_piece,
    draw_truth,
    simulate_example,
    train_sizer,
)

SMALL = SizerTraining(
    widths=(4, 8), aggregates=3, iterations=4, batch=2, piece_px=32, n_greatest=12, frame_px=200, workers=0
)


def test_the_truth_counts_each_sphere_once_and_knows_its_diameter():
    spheres = np.array([[40.0, 30.0, 9.0], [44.3, 33.1, 5.0], [60.2, 70.8, 7.5]])
    centre, log_diameter, density, first, second = draw_truth(spheres, 96, PRIMARY_PX, DISK)
    log = np.log(2 * spheres[:, 2] / PRIMARY_PX)
    assert density.sum() / DISK == pytest.approx(3, rel=1e-5)
    assert first.sum() / DISK == pytest.approx(log.sum(), rel=1e-4)
    assert second.sum() / DISK == pytest.approx((log**2).sum(), rel=1e-4)
    assert density.max() == pytest.approx((PRIMARY_PX / 18) ** 2 + (PRIMARY_PX / 10) ** 2, rel=0.1)  # of two disks
    peaks = np.argwhere(centre == 1)[:, ::-1]
    assert sorted(map(tuple, peaks.tolist())) == [(20, 15), (22, 16), (30, 35)]
    assert [log_diameter[y, x] for x, y in [(20, 15), (22, 16), (30, 35)]] == pytest.approx(log.tolist(), rel=1e-5)


def test_half_a_sphere_at_the_edge_counts_half():
    density = draw_truth(np.array([[-0.5, 40.0, 10.0]]), 96, PRIMARY_PX, DISK)[2]
    assert density.sum() / DISK == pytest.approx(0.5, abs=0.01)


def disks(spheres, height, width):
    y, x = np.mgrid[:height, :width]
    return np.any([np.hypot(x - cx, y - cy) <= r for cx, cy, r in spheres], axis=0).astype(np.float16)


@pytest.mark.parametrize("shape", [(48, 80), (160, 130)])
def test_a_piece_and_its_spheres_are_turned_and_cut_together(shape):
    height, width = shape
    spheres = np.array([[20.0, 15.0, 8.0], [33.0, 22.0, 9.5], [60.0, 30.0, 6.0]])
    channels = np.stack([disks(spheres, height, width), np.zeros(shape, np.float16)])
    seen = set()
    for n in range(12):
        piece, moved = cut_piece(Example(channels, spheres), 64, generator(n, "piece"))
        assert piece.shape == (2, 64, 64)
        assert np.mean(piece[0] != disks(moved, 64, 64)) < 0.002
        assert sorted(moved[:, 2]) == sorted(spheres[:, 2])
        seen.add(tuple(np.sign(moved[1, :2] - moved[0, :2])))
    assert len(seen) == 4  # every way round


def test_a_view_is_the_optical_depth_scaled_and_knows_where_it_is():
    y, x = np.mgrid[:120, :150]
    near, other = np.hypot(x - 60, y - 50) <= 20, np.hypot(x - 110, y - 50) <= 8
    labels = near + 2 * other
    background = 100 + 0.2 * x + 0.0 * y
    image = background * np.exp(-0.7 * near - 0.3 * other)
    window = (slice(10, 110), slice(20, 130))
    seen = view(image, background[window], labels, 1, window, 0.5)
    depth, inside = seen.channels
    assert depth.shape[0] % STRIDE == depth.shape[1] % STRIDE == 0
    assert min(depth.shape[0] - 50, depth.shape[1] - 55) >= 2 * MARGIN_PX
    row, column = (np.average(at, weights=inside) for at in np.indices(inside.shape))
    assert row / 0.5 + seen.row == pytest.approx(50, abs=0.02)
    assert column / 0.5 + seen.column == pytest.approx(60, abs=0.02)
    assert inside.sum() == pytest.approx(0.25 * near.sum(), rel=0.01)
    assert np.average(depth, weights=inside) == pytest.approx(1, rel=1e-4)
    assert depth[inside > 0.99] == pytest.approx(depth[inside > 0.99].mean(), rel=1e-3)
    assert np.abs(depth[inside == 0]).max() < 1e-5  # the neighbour is painted over


def test_simulated_examples_are_dark_where_their_spheres_are():
    for n in range(6):
        channels, spheres = simulate_example(SizerTraining(frame_px=400, n_greatest=40), generator(n, "example"))
        inside = disks(spheres, *channels.shape[1:]) > 0
        depth, mask = channels.astype(float)
        assert depth[inside].mean() > 0.7 > 0.3 > abs(depth[~inside].mean())
        assert np.mean((mask > 0.5) != inside) < 0.1 * inside.mean() + 0.05
        dp = 2 * np.exp(np.log(spheres[:, 2]).mean())
        assert PRIMARY_PX / 1.7 - 1e-6 <= dp <= PRIMARY_PX * 1.7 + 1e-6


def test_a_training_that_was_stopped_ends_where_another_one_ends(tmp_path, monkeypatch):
    from particlelab.learning import training

    once = train_sizer(SMALL, generator(0, "training"))
    assert once.history.loss.notna().all()
    assert once.history.learning_rate.iloc[-1] < once.history.learning_rate.max() <= SMALL.learning_rate
    monkeypatch.setitem(training.train.__kwdefaults__, "every", 1)

    def stop(share, text):
        if share >= 0.5:
            raise KeyboardInterrupt

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        train_sizer(SMALL, generator(0, "training"), tmp_path, stop)
    assert signal.getsignal(signal.SIGINT) == before  # Ctrl-C is heard afterwards
    shares = []
    again = train_sizer(SMALL, generator(0, "training"), tmp_path, lambda share, text: shares.append(share))
    assert min(shares) >= 0.5
    assert again.history.loss.tolist() == pytest.approx(once.history.loss.tolist(), rel=1e-5)
    with pytest.raises(ValueError, match="another training"):
        train_sizer(SMALL.replace(batch=3), generator(0, "training"), tmp_path)


def test_a_saved_sizer_is_loaded_as_it_was(tmp_path):
    sizer = train_sizer(SMALL.replace(iterations=1), generator(1, "training"))
    path = sizer.save(tmp_path / "mine.safetensors")
    again = load_sizer(path)
    assert again.card == sizer.card
    assert again.card["training"]["aggregates"] == 3
    for name, tensor in again.network.state_dict().items():
        assert tensor.float().numpy() == pytest.approx(
            sizer.network.state_dict()[name].float().numpy(), rel=1e-3, abs=1e-4
        )
    assert "iterations" in path.with_suffix(".md").read_text()


def test_what_cannot_be_trained_is_refused():
    with pytest.raises(ParameterError, match="piece_px = 100 must be a multiple of 16"):
        SizerTraining(piece_px=100)
    with pytest.raises(ValueError, match="no model 'nothing' ships"):
        load_sizer("nothing")
