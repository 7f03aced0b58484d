"""The U-Net: a small one learns discs, scores are those of the document's equations, and files come back."""

import numpy as np
import pytest

from particlelab.aerosol import segmentation_training
from particlelab.aerosol.segmentation import load_segmenter, score_masks, segment
from particlelab.aerosol.segmentation_training import train_unet
from particlelab.aerosol.unet import UNetTraining, build_network
from particlelab.parameters import ParameterError
from particlelab.randomness import generator

LITTLE = UNetTraining(widths=(8, 16), iterations=60, batch=8, piece_px=32, learning_rate=0.01)


def discs(n, rng, size=48):
    """Bright discs before a dark, noisy background, and where they are."""
    y, x = np.mgrid[:size, :size]
    at, radius = rng.uniform(12, size - 12, (n, 2, 1, 1)), rng.uniform(5, 11, (n, 1, 1))
    masks = (y - at[:, 0]) ** 2 + (x - at[:, 1]) ** 2 < radius**2
    images = 40 + 120 * masks[..., None] + rng.normal(0, 15, (*masks.shape, 3))
    return images.clip(0, 255).astype(np.uint8), masks


@pytest.fixture(scope="module", params=["document", "smp"])
def segmenter(request):
    return train_unet(*discs(60, generator(0)), LITTLE.replace(network=request.param), generator(1))


def test_it_learns_what_a_threshold_could_do(segmenter):
    images, masks = discs(20, generator(2))
    assert score_masks(masks, segment(images, segmenter)).dice["all"] > 0.95


def test_an_image_is_padded_and_looked_at_alone_or_with_others_alike(segmenter):
    images, _ = discs(3, generator(3), size=45)
    together = segment(images, segmenter)
    assert together.shape == (3, 45, 45)
    assert np.mean(segment(images[1], segmenter) != together[1]) < 0.001


def test_a_background_tells_a_new_disc_from_those_that_were_there_before():
    """Discs all look alike: only the picture before shows which one is new."""
    images, new = discs(120, generator(8))
    before, _ = discs(120, generator(9))
    images = np.maximum(images, before)
    p = LITTLE.replace(background=True, iterations=150, disturbed=0.0)
    told = train_unet(images[:100], new[:100], p, generator(1), backgrounds=before, background_of=np.arange(100))
    found = [segment(image, told, background=empty) for image, empty in zip(images[100:], before[100:], strict=True)]
    hidden = (before[100:, ..., 0] > 100) & new[100:]  # behind a disc that was there before
    assert score_masks(new[100:] & ~hidden, np.stack(found) & ~hidden).dice["all"] > 0.95
    blind = train_unet(images[:100], new[:100], p.replace(background=False), generator(1))
    assert score_masks(new[100:] & ~hidden, segment(images[100:], blind) & ~hidden).dice["all"] < 0.85
    for model, background, message in [
        (told, None, "background is missing"),
        (blind, before[0], "must be None"),
        (told, before[0, :40], r"must be \(48, 48, 3\) as the images, got \(40, 48, 3\)"),
    ]:
        with pytest.raises(ValueError, match=message):
            segment(images, model, background=background)


def test_a_training_goes_on_from_another_one():
    start = train_unet(*discs(60, generator(0)), LITTLE, generator(1))
    images, masks = discs(20, generator(2))
    p = LITTLE.replace(iterations=1, learning_rate=1e-6)
    further, anew = (train_unet(images, masks, p, generator(3), start=first) for first in (start, None))
    assert np.mean(segment(images, further) != segment(images, start)) < 0.01
    assert (
        score_masks(masks, segment(images, anew)).dice["all"]
        < 0.8
        < score_masks(masks, segment(images, further)).dice["all"]
    )
    assert further.card["started from"]["iterations"] == LITTLE.iterations
    with pytest.raises(ValueError, match="start has a network of another form"):
        train_unet(images, masks, p.replace(widths=(8, 8)), generator(3), start=start)


def test_pieces_get_noise_of_any_deviation_up_to_the_largest():
    """The variance of noise whose deviation is drawn evenly from 0 to s is s squared thirds."""
    grey, nothing = np.full((20, 64, 64, 3), 128, np.uint8), np.zeros((20, 64, 64), bool)
    p = UNetTraining(noise=24.0, batch=200, piece_px=64, blur=0.0)
    pieces, _ = segmentation_training._Pieces(grey, nothing, p, 0, None, None)(0)
    deviations = 255 * pieces.std(dim=(1, 2, 3)).numpy()
    assert deviations.min() < 1 and 23 < deviations.max() < 24.5
    assert np.mean(deviations**2) == pytest.approx(24**2 / 3, rel=0.2)
    quiet, _ = segmentation_training._Pieces(grey, nothing, p.replace(noise=0.0), 0, None, None)(0)
    assert quiet.std() == 0


def test_a_segmenter_comes_back_from_its_file(segmenter, tmp_path):
    images, _ = discs(5, generator(4))
    again = segment(images, segmenter.save(tmp_path / "some.safetensors"))
    assert np.mean(again != segment(images, segmenter)) < 0.01


def test_a_training_that_was_stopped_ends_where_another_ends(tmp_path):
    p, data, shares = LITTLE.replace(iterations=210, widths=(4,), batch=2), discs(10, generator(5)), []

    def stop(share, text):
        if share > 0.97:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_unet(*data, p, generator(6), tmp_path, stop)
    resumed = train_unet(*data, p, generator(6), tmp_path, lambda share, text: shares.append(share))
    whole = train_unet(*data, p, generator(6))
    assert shares[0] > 0.9
    assert list(resumed.history.loss) == pytest.approx(list(whole.history.loss), rel=1e-4)


def test_scores_are_those_of_the_document():
    """Equations 3.1 and 3.2 by hand: 2 of 3 found and 1 added; an empty image that is left empty is right."""
    true, found = np.zeros((2, 2, 2, 4), bool)
    true[0, 0, :3] = True
    found[0, 0, 1:] = True
    scores = score_masks(true, found)
    assert scores.dice.tolist() == pytest.approx([4 / 6, 1.0, 4 / 6])
    assert scores.accuracy.tolist() == pytest.approx([6 / 8, 1.0, 14 / 16])


def test_what_cannot_be_segmented_is_refused(tmp_path):
    from particlelab.learning.models import save_model

    images, masks = discs(4, generator(7))
    for call, message in [
        (lambda: train_unet(images, masks[:2], LITTLE, generator(0)), r"got \(4, 48, 48, 3\) and \(2, 48, 48\)"),
        (lambda: train_unet(images, masks, LITTLE.replace(piece_px=64), generator(0)), "smaller than piece_px = 64"),
        (lambda: train_unet(images, masks, LITTLE), "rng is missing"),
        (lambda: build_network(LITTLE.replace(network="smp", encoder="none")), "encoder = 'none'"),
        (lambda: segment(images[..., 0], "default"), r"images must be \(n, H, W, 3\) of uint8, got \(1, 4, 48, 48\)"),
        (lambda: segment(images / 255, "default"), r"of float64"),
        (lambda: segment(images, "some.safetensors"), "some.safetensors"),
        (
            lambda: train_unet(images, masks, LITTLE.replace(background=True), generator(0), backgrounds=images),
            "backgrounds and background_of must be given",
        ),
        (
            lambda: train_unet(
                *(images, masks, LITTLE.replace(background=True), generator(0)),
                **{"backgrounds": images[:2], "background_of": [0, 1, 2, 0]},
            ),
            r"background_of must be \(4,\) of numbers below 2, got shape \(4,\) and numbers up to 2",
        ),
    ]:
        with pytest.raises(ValueError, match=message):
            call()
    with pytest.raises(ParameterError, match="piece_px = 40 must be a multiple of 32"):
        UNetTraining(piece_px=40)
    path = save_model(tmp_path / "other.safetensors", {"a": np.zeros(3, np.float32)}, {"purpose": "none"})
    with pytest.raises(ValueError, match="holds no network that finds clouds"):
        load_segmenter(path)
