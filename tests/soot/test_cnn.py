"""The convolutional network as a classifier: its arithmetic with a network known in advance, and the one that ships."""

import numpy as np
import pytest
import torch
from skimage.transform import downscale_local_mean, resize

from particlelab.measure import confusion
from particlelab.randomness import generator
from particlelab.soot.cnn import Segmenter, build_network, load_segmenter, standardise
from particlelab.soot.masks import SegmentationFailure
from particlelab.soot.micrographs import Micrograph, simulate_micrograph
from particlelab.soot.segmentation import segment


class Pointwise(torch.nn.Module):
    """A network whose answer for a pixel is known: the logit is minus twice its standardised grey."""

    def forward(self, images):
        assert images.shape[-1] % 32 == 0 and images.shape[-2] % 32 == 0
        assert images.shape[-1] <= 480 and images.shape[-2] <= 480  # so memory is bounded
        return -2 * images


@pytest.mark.parametrize("shape", [(16, 17), (100, 1025), (1024, 1024), (2240, 1952), (33, 5000)])
def test_tiles_leave_no_seam(shape):
    image = standardise(generator(0, "image").normal(100, 20, shape))
    np.testing.assert_allclose(Segmenter(Pointwise(), {}).logits(image), -2 * image, atol=1e-5)


@pytest.mark.parametrize(
    ("pixel_size_nm", "factors"), [(None, (1, 2, 4)), (0.6, (1, 2, 4)), (1.0, (1, 2)), (3.0, (1,))]
)
def test_the_image_is_seen_at_every_scale_that_the_network_knows(pixel_size_nm, factors):
    image = generator(0, "image").normal(100, 20, (72, 96))
    logits = 0
    for factor in factors:
        seen = standardise(downscale_local_mean(image, (factor, factor)))
        logits = logits - 2 * resize(seen, image.shape, order=1, mode="edge") / factor
    expected = 1 / (1 + np.exp(-logits / sum(1 / factor for factor in factors)))
    found = Segmenter(Pointwise(), {}).probability(image, pixel_size_nm=pixel_size_nm)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_the_grey_scale_does_not_matter():
    image = generator(0, "image").normal(100, 20, (64, 64))
    np.testing.assert_allclose(standardise(image), standardise(257 * image - 3000), atol=1e-4)
    assert standardise(image).mean() == pytest.approx(0, abs=1e-5)
    assert standardise(image).std() == pytest.approx(1, abs=1e-5)


def test_a_saved_network_answers_the_same(tmp_path):
    shape = {"encoder": "tu-mobilenetv3_small_050", "pyramid_channels": 16, "segmentation_channels": 32}
    segmenter = Segmenter(build_network(**shape), {"network": shape, "purpose": "a test"})
    image = generator(0, "image").normal(100, 20, (20, 90))
    path = segmenter.save(tmp_path / "mine.safetensors")
    again = load_segmenter(path)
    assert again.card == segmenter.card
    np.testing.assert_allclose(again.probability(image), segmenter.probability(image), atol=2e-2)  # half precision


def test_a_model_of_something_else_is_refused(tmp_path):
    from particlelab.learning.models import save_model

    path = save_model(tmp_path / "other.safetensors", {"a": np.zeros(2)}, {"purpose": "something else"})
    for name in (path, "primaries"):
        with pytest.raises(ValueError, match="holds no segmenter"):
            load_segmenter(name)


@pytest.mark.parametrize("seed", range(3))
def test_the_shipped_network_finds_soot(seed):
    parameters = Micrograph(pixel_size_nm=0.6, width_px=640, height_px=600, aggregates=3)
    truth = simulate_micrograph(parameters, generator(seed, "held out"))
    assert confusion(truth.mask, segment(truth.image, 0.6, method="cnn")).iou > 0.93


def test_a_turned_or_mirrored_image_has_the_turned_or_mirrored_mask():
    parameters = Micrograph(pixel_size_nm=0.6, width_px=512, height_px=512, aggregates=3)
    image = simulate_micrograph(parameters, generator(5, "held out")).image
    mask = segment(image, 0.6, method="cnn")
    for turn in (np.rot90, np.flipud, np.transpose):
        assert confusion(turn(mask), segment(turn(image), 0.6, method="cnn")).iou > 0.96


def test_an_image_without_soot_has_an_empty_mask():
    parameters = Micrograph(pixel_size_nm=0.6, width_px=512, height_px=512, aggregates=0, contaminants=0)
    image = simulate_micrograph(parameters, generator(0, "held out")).image
    assert not segment(image, 0.6, method="cnn").any()


def test_each_step_of_the_post_processing_can_be_switched_off():
    parameters = Micrograph(pixel_size_nm=0.6, width_px=512, height_px=512, aggregates=3)
    image = simulate_micrograph(parameters, generator(1, "held out")).image
    raw = segment(image, 0.6, method="cnn", closing_nm=0, minimum_pixels=0)
    np.testing.assert_array_equal(raw, load_segmenter().probability(image, pixel_size_nm=0.6) > 0.5)
    larger = segment(image, 0.6, method="cnn", closing_nm=0, minimum_pixels=0, probability=0.2)
    assert not np.any(raw & ~larger) and larger.sum() > raw.sum()


def test_bright_particles_are_a_named_failure():
    parameters = Micrograph(pixel_size_nm=0.6, width_px=512, height_px=512, aggregates=3)
    image = simulate_micrograph(parameters, generator(1, "held out")).image
    with pytest.raises(SegmentationFailure, match="unlike the images it was trained on"):
        segment(255 - image, 0.6, method="cnn")
