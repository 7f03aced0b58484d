"""The pixel classifier: features against their definitions, the forest against scikit-learn's, masks against truths."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from skimage.filters import sobel

from particlelab.learning.models import save_model
from particlelab.measure.segmentation import confusion
from particlelab.parameters import ParameterError
from particlelab.randomness import generator
from particlelab.soot import pixel_features
from particlelab.soot.forest import evaluate_forest, flatten_forest
from particlelab.soot.masks import SegmentationFailure
from particlelab.soot.pixel_features import FEATURES, feature_bands, features_of
from particlelab.soot.segmentation import segment
from particlelab.soot.weka import (
    PixelClassifier,
    PixelTraining,
    load_pixel_classifier,
    train_pixel_classifier,
)
from particlelab.soot.weka_training import simulate_training_image

Y, X = np.mgrid[:160, :200]
DISCS = ((Y - 60) ** 2 + (X - 60) ** 2 < 30**2) | ((Y - 110) ** 2 + (X - 140) ** 2 < 25**2)


def picture(mask, depth=0.4, noise=8.0, stream="weka"):
    return 180 * np.exp(-depth * mask) + generator(0, stream).normal(0, noise, mask.shape)


def all_features(image):
    return np.concatenate([features for _, features in feature_bands(image, 2)], axis=1)


def layer(features, name):
    return features[FEATURES.index(name)]


PAINTED = np.zeros(DISCS.shape, np.uint8)
PAINTED[50:70, 50:70] = PAINTED[100:120, 130:150] = 2
PAINTED[5:20, 20:180] = PAINTED[140:155, 20:60] = 1


@pytest.fixture(scope="module")
def painted():
    training = PixelTraining(trees=12, leaves=50)
    return train_pixel_classifier([picture(DISCS)], [PAINTED], generator(0, "painted"), training)


def test_features_follow_their_definitions():
    """Compared inside the frame with scipy's and scikit-image's filters of the same image, up to one factor."""
    image = gaussian_filter(picture(DISCS), 1)
    features = all_features(image)
    smooth = gaussian_filter(image, 4, truncate=4)
    inner = np.s_[20:-20, 20:-20]

    def alike(found, expected):
        return np.corrcoef(found[inner].ravel(), expected[inner].ravel())[0, 1]

    assert alike(layer(features, "gaussian 4 px"), smooth) > 0.999  # but for the surface that is taken off
    assert alike(layer(features, "sobel 4 px"), sobel(smooth)) > 0.999
    second = [gaussian_filter(image, 4, order=order) for order in ((2, 0), (1, 1), (0, 2))]
    yy, xy, xx = second
    root = np.sqrt((yy - xx) ** 2 / 4 + xy**2)
    assert alike(layer(features, "hessian 1 4 px"), (yy + xx) / 2 + root) > 0.99
    assert alike(layer(features, "hessian 2 4 px"), (yy + xx) / 2 - root) > 0.99
    difference = gaussian_filter(image, 8) - smooth
    assert alike(layer(features, "difference 8 - 4 px"), difference) > 0.999


def test_entropy_of_white_noise():
    """Gaussian noise in thirds of its deviation has log2(3 sqrt(2 pi e)) = 3.63 bits; 289 pixels show 0.05 less."""
    noise = all_features(picture(np.zeros_like(DISCS)))
    assert layer(noise, "entropy 17 px").mean() == pytest.approx(3.58, abs=0.06)


def test_features_of_noise_have_unit_deviation_at_every_scale():
    """Gaussians are counted in deviations of the background at their own scale, whatever the grain of the noise."""
    for correlation in (0.0, 1.5):
        noise = gaussian_filter(generator(1, "grain").normal(0, 5, (600, 600)), correlation)
        features = all_features(noise)
        for scale in (1, 2, 4):
            assert layer(features, f"gaussian {scale} px").std() == pytest.approx(1, abs=0.15)


def test_features_do_not_depend_on_grey_scale_or_bands(monkeypatch):
    image = np.round(picture(DISCS) * 50)
    features = all_features(image)
    for scaled in (image.astype(np.uint16), image.astype(np.int64) + 3_000_000_000, image * 2.0**-30):
        np.testing.assert_allclose(all_features(scaled), features, atol=2e-3)
    places = np.array([0, 5 * 200 + 7, 159 * 200 + 199, 80 * 200 + 100])
    monkeypatch.setattr(pixel_features, "_BAND_PIXELS", 1)  # bands of 64 rows
    assert len(list(feature_bands(image, 2))) == 3
    np.testing.assert_allclose(all_features(image), features, atol=1e-4)
    np.testing.assert_allclose(features_of(image, places, 2), features.reshape(len(FEATURES), -1)[:, places], atol=1e-4)


def test_the_forest_is_that_of_scikit_learn():
    """`predict_proba` averages in double precision; features that equal a threshold go left in both."""
    from sklearn.ensemble import RandomForestClassifier

    rng = generator(0, "forest")
    features = rng.normal(size=(4000, len(FEATURES))).astype(np.float32).round(1)  # many equal ones
    soot = features[:, 0] + features[:, 3] * features[:, 7] > rng.normal(0, 0.3, 4000)
    forest = RandomForestClassifier(20, max_leaf_nodes=200, random_state=1).fit(features[:2000], soot[:2000])
    found = evaluate_forest(flatten_forest(forest), np.ascontiguousarray(features.T))
    np.testing.assert_allclose(found, forest.predict_proba(features)[:, 1], atol=1e-5)


def test_a_few_painted_pixels_find_the_discs(painted):
    """Painted on one picture, used on another: 3000 pixels far from every edge."""
    probability = painted.probability(picture(DISCS, stream="another"))
    assert confusion(DISCS, probability > 0.5).iou > 0.85
    assert probability.min() >= 0 and probability.max() <= 1


def test_training_is_fixed_by_its_seed(painted):
    again = train_pixel_classifier(
        [picture(DISCS)], [PAINTED], generator(0, "painted"), PixelTraining(trees=12, leaves=50)
    )
    for name, array in painted.forest.items():
        np.testing.assert_array_equal(again.forest[name], array)


def test_a_saved_classifier_segments_by_its_path(painted, tmp_path):
    path = painted.save(tmp_path / "discs.safetensors")
    image = picture(DISCS, stream="third")
    np.testing.assert_array_equal(load_pixel_classifier(path).probability(image), painted.probability(image))
    assert confusion(DISCS, segment(image, 0.5, "weka", model=str(path))).iou > 0.85
    assert "soot" in path.with_suffix(".md").read_text()


def test_progress_rises_to_one():
    steps = []
    train_pixel_classifier(
        [picture(DISCS)],
        [PAINTED],
        generator(0),
        PixelTraining(trees=3, leaves=10),
        lambda share, text: steps.append(share),
    )
    assert steps == sorted(steps) and steps[0] == 0 and steps[-1] == 1


def test_probabilities_of_masks_known_in_full_are_shares_of_soot():
    """Unbalanced training on whole masks: on another image as many pixels are soot as the probabilities sum up to."""
    noisy = [picture(DISCS, depth=0.1, stream=i) for i in range(2)]  # half a deviation of noise: much is undecided
    training = PixelTraining(balanced=False, trees=20, leaves=100, leaf_pixels=50)
    classifier = train_pixel_classifier(noisy[:1], [DISCS + 1], generator(0), training)
    assert classifier.probability(noisy[1]).mean() == pytest.approx(DISCS.mean(), rel=0.2)


def test_the_shipped_classifier_finds_simulated_soot():
    """Another stream of chance than the one it was trained on."""
    drawn = [simulate_training_image(generator(number, "not trained on")) for number in range(4)]
    with_soot = [(image, mask) for image, mask in drawn if mask.any()]
    assert len(with_soot) >= 2
    for image, mask in with_soot:
        assert confusion(mask, load_pixel_classifier().probability(image) > 0.5).iou > 0.8


def test_a_classifier_that_is_not_sure_has_failed():
    """Contrast of a third of the noise, and inverted contrast, on which it was not trained."""
    for image in (picture(DISCS, depth=0.015), -picture(DISCS)):
        with pytest.raises(SegmentationFailure, match=r"the classifier is sure of only|inverted contrast") as failure:
            segment(image, 0.5, "weka")
        assert failure.value.method == "weka" and failure.value.mask.shape == DISCS.shape


def test_bad_input(painted, tmp_path):
    image, rng = picture(DISCS), generator(0)
    for images, labels, words in [
        ([], [], "every image needs its labels, got 0 images"),
        ([image], [PAINTED, PAINTED], "got 1 images and 2 arrays"),
        ([image], [PAINTED[:50]], r"labels\[0\] has the shape \(50, 200\), but its image \(160, 200\)"),
        ([image], [PAINTED * 2], r"labels\[0\] must hold 0 \(not labelled\), 1 \(background\) and 2 \(soot\) only"),
        ([image], [DISCS], r"labels\[0\] must hold 0"),
        ([image], [np.minimum(PAINTED, 1)], r"no pixel is labelled soot \(2\)"),
        ([image], [PAINTED // 2 * 2], r"no pixel is labelled background \(1\)"),
        ([np.zeros(DISCS.shape)], [PAINTED], "one grey level only"),
    ]:
        with pytest.raises(ValueError, match=words):
            train_pixel_classifier(images, labels, rng)
    with pytest.raises(ParameterError, match="trees = 0"):
        PixelTraining(trees=0)
    with pytest.raises(ValueError, match="no model 'unheard of' ships for soot"):
        segment(image, 0.5, "weka", model="unheard of")
    other = save_model(tmp_path / "other.safetensors", {"weights": np.zeros(3)}, {"purpose": "none"})
    with pytest.raises(ValueError, match=r"other\.safetensors holds no pixel classifier"):
        load_pixel_classifier(other)
    astray = dict(painted.forest, left=np.zeros_like(painted.forest["left"]))  # back to the root, for ever
    short = dict(painted.forest, value=painted.forest["value"][:-1])
    for number, forest in enumerate((astray, short)):
        path = PixelClassifier(forest, painted.card).save(tmp_path / f"damaged {number}.safetensors")
        with pytest.raises(ValueError, match="is damaged: its arrays make no forest"):
            load_pixel_classifier(path)
