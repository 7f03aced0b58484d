"""Training of the convolutional network: the document's schedule, and crops whose truth is true."""

import numpy as np
import pytest

from particlelab.parameters import ParameterError
from particlelab.randomness import generator
from particlelab.soot.cnn_training import (
    DOCUMENT_TRAINING,
    SegmenterTraining,
    draw_crops,
    learning_rates,
    train_segmenter,
)

SMALL = SegmenterTraining(
    encoder="tu-mobilenetv3_small_050",
    pyramid_channels=16,
    segmentation_channels=32,
    iterations=6,
    batch=2,
    crop_px=64,
    warm_up_iterations=2,
    drop_iterations=(4,),
    workers=0,
)


def test_the_documents_learning_rate():
    """Figure 2 and table 2: from 1e-7 linearly to 1e-4 over 1000 iterations, a tenth after 2000 and 8000."""
    rates = learning_rates(DOCUMENT_TRAINING)
    assert len(rates) == 10_000
    np.testing.assert_allclose(rates[:1001], np.linspace(1e-7, 1e-4, 1001), rtol=1e-9)
    np.testing.assert_allclose(rates[1001:2000], 1e-4)
    np.testing.assert_allclose(rates[2000:8000], 1e-5)
    np.testing.assert_allclose(rates[8000:], 1e-6)


def test_the_document_trains_a_resnet50():
    assert (DOCUMENT_TRAINING.encoder, DOCUMENT_TRAINING.weights) == ("resnet50", "imagenet")
    assert (DOCUMENT_TRAINING.iterations, DOCUMENT_TRAINING.batch) == (10_000, 24)


def test_soot_is_darker_than_what_surrounds_it():
    """In every crop, of whatever contrast, background and augmentation: so image and mask go together."""
    differences = []
    for n in range(12):
        images, masks = draw_crops(SegmenterTraining(crop_px=128), generator(n, "crops"))
        assert images.shape == masks.shape == (4, 128, 128)
        assert images.dtype == np.float32 and masks.dtype == bool
        differences += [
            image[mask].mean() - image[~mask].mean()
            for image, mask in zip(images, masks, strict=True)
            if 0.02 < mask.mean() < 0.98
        ]
    assert len(differences) > 15
    assert np.mean(np.array(differences) < 0) > 0.9  # a strong gradient may hide a faint particle
    assert np.mean(differences) < -0.5


def test_crops_depend_on_their_generator_only():
    first, again, other = (draw_crops(SMALL, generator(seed, "crops"), 2)[0] for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert np.any(first != other)


def test_training_is_repeatable_and_recorded(tmp_path):
    first = train_segmenter(SMALL, generator(0, "training"))
    again = train_segmenter(SMALL, generator(0, "training"), folder=tmp_path)
    assert first.history.loss.tolist() == again.history.loss.tolist()
    np.testing.assert_allclose(first.history.learning_rate, learning_rates(SMALL), rtol=1e-6)
    assert first.card["training"]["encoder"] == SMALL.encoder
    assert first.card["training"]["weights"] == "random"


def test_missing_imagenet_weights_are_announced(monkeypatch):
    from particlelab.soot import cnn_training

    build = cnn_training.build_network

    def offline(*shape):
        if "imagenet" in shape:
            raise OSError("no internet")
        return build(*shape)

    monkeypatch.setattr(cnn_training, "build_network", offline)
    with pytest.warns(UserWarning, match=r"ImageNet weights .* could not be had \(no internet\).*random weights"):
        segmenter = train_segmenter(SMALL.replace(weights="imagenet", iterations=1), generator(0, "training"))
    assert segmenter.card["training"]["weights"] == "random"


def test_a_crop_that_no_encoder_can_halve_is_refused():
    with pytest.raises(ParameterError, match="crop_px = 100 must be a multiple of 32"):
        SMALL.replace(crop_px=100)


@pytest.mark.parametrize("encoder", ["resnet51", "tu-nothing"])
def test_an_unknown_encoder_is_refused_by_name(encoder):
    with pytest.raises(ValueError, match=f"encoder = '{encoder}': "):
        train_segmenter(SMALL.replace(encoder=encoder), generator(0, "training"))
