"""Features of pictures: Gram matrices by their definition, published networks as their authors load them."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from particlelab.learning.models import shipped_models
from particlelab.micrographs import feature_training, features
from particlelab.micrographs.features import NETWORKS, Features, choose_features, load_features
from particlelab.micrographs.recipe import load_recipe, recipes


def textures(n, width, seed, size=48):
    """Noise, smoothed."""
    noise = np.random.default_rng(seed).standard_normal((n, size, size))
    smooth = ndimage.gaussian_filter(noise, (0, width, width), mode="wrap")
    smooth /= smooth.std(axis=(1, 2), keepdims=True)
    return np.clip(128 + 40 * smooth, 0, 255).astype(np.uint8)


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """An empty folder of weights."""
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    features._published.cache_clear()
    yield tmp_path / "checkpoints"
    features._published.cache_clear()


def kept(hub, weights, state):
    """Put weights where torchvision keeps them."""
    hub.mkdir()
    torch.save(state, hub / weights.url.rpartition("/")[2])


def test_style_is_the_style_loss_of_gatys():
    """The squared distance of two vectors is the sum over layers of 1 / L * |G - A|^2 / (4 N^2 M^2)."""
    network = load_features("random", seed=3)
    pair = textures(2, 1.0, 0)
    with torch.inference_mode():
        maps = network.network.maps(torch.from_numpy(pair[:, None].astype(np.float32) / 255))
    loss = 0.0
    for layer in maps:
        first, second = layer.flatten(2).double().numpy()
        n, m = first.shape
        loss += np.sum((first @ first.T - second @ second.T) ** 2) / (4 * n**2 * m**2) / len(maps)
    vectors = network.style(pair).astype(float)
    assert np.sum((vectors[0] - vectors[1]) ** 2) == pytest.approx(loss, rel=1e-4)


def test_style_does_not_ask_where_things_lie():
    """A texture that goes round and round has one style, but for the frame."""
    network = load_features("random")
    one = textures(1, 2.0, 1, 160)
    other = textures(1, 0.7, 2, 160)
    apart = np.sum((network.style(one) - network.style(other)) ** 2)
    turned = np.sum((network.style(one) - network.style(np.roll(one, 32, axis=2))) ** 2)
    assert turned < 0.05 * apart  # at 160 pixels the frame matters little


def test_random_features_are_fixed_by_their_seed():
    pictures = textures(3, 1.0, 4)
    again = [load_features("random", seed=seed).describe(pictures) for seed in (0, 0, 1)]
    assert np.array_equal(again[0], again[1])
    assert not np.allclose(again[0], again[2])


def test_each_picture_is_described_by_itself(monkeypatch):
    """Neither the others of a set nor the size of a batch matter."""
    network, pictures = load_features("random"), textures(5, 1.0, 5)
    whole = network.describe(pictures)
    monkeypatch.setattr(features, "BATCH_PX", 2 * 48 * 48)
    assert np.allclose(network.describe(pictures[::-1])[::-1], whole, atol=1e-5)


def test_inception_is_that_of_torchvision(hub):
    from torchvision.models import Inception_V3_Weights, inception_v3

    torch.manual_seed(0)
    theirs = inception_v3(weights=None, init_weights=False, transform_input=True).eval()
    kept(hub, Inception_V3_Weights.IMAGENET1K_V1, theirs.state_dict())
    assert features.weights_here("inception")
    assert choose_features("auto", "inception") == "inception"
    pictures = textures(1, 1.0, 6, 299)
    theirs.fc = torch.nn.Identity()
    mean, spread = (torch.tensor(part)[:, None, None] for part in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    with torch.inference_mode():
        expected = theirs((torch.from_numpy(pictures[:, None] / np.float32(255)) - mean) / spread).numpy()
    assert load_features("inception").describe(pictures) == pytest.approx(expected, abs=1e-4)


def test_vgg_is_that_of_torchvision(hub):
    from torchvision.models import VGG19_Weights, vgg

    torch.manual_seed(0)
    theirs = vgg.make_layers(vgg.cfgs["E"]).eval()
    kept(hub, VGG19_Weights.IMAGENET1K_V1, {f"features.{k}": v for k, v in theirs.state_dict().items()})
    pictures = textures(1, 1.0, 7)
    mean, spread = (torch.tensor(part)[:, None, None] for part in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    with torch.inference_mode():
        seen = (torch.from_numpy(pictures[:, None] / np.float32(255)) - mean) / spread
        last = theirs[:30](seen).flatten(2)[0].double().numpy()  # conv5_1 and its ReLU
    gram = last @ last.T / (2 * last.size * 5**0.5)
    assert load_features("vgg").style(pictures)[0, -(512**2) :] == pytest.approx(gram.ravel(), rel=1e-3, abs=1e-9)


def test_clip_is_the_tower_that_timm_names():
    import timm

    known = timm.get_pretrained_cfg(features.CLIP_NAME)
    assert known.hf_hub_id == features.CLIP_REPOSITORY
    assert known.num_classes == 512  # the projection into the space of images and texts
    assert known.input_size == (3, 224, 224)


def test_weights_that_cannot_be_had_are_told(hub, monkeypatch):
    import torchvision.models._api

    def offline(*arguments, **options):
        raise OSError("no network")

    monkeypatch.setattr(torchvision.models._api, "load_state_dict_from_url", offline)
    with pytest.raises(ValueError, match=r"Inception v3 .* not on this machine .* features='own'"):
        load_features("inception")
    assert choose_features("auto", "inception") == "own"
    assert choose_features("vgg", "inception") == "vgg"


def test_a_training_is_kept_in_its_file(tmp_path):
    parameters = feature_training.FeatureTraining(
        pictures=20, picture_px=64, piece_px=48, iterations=2, batch=4, widths=(8, 8), features=5
    )
    network = feature_training.train_features(parameters, np.random.default_rng(0))
    network.save(tmp_path / "mine.safetensors")
    loaded = load_features(tmp_path / "mine.safetensors")
    pictures = textures(2, 1.0, 8)
    assert isinstance(loaded, Features)
    assert loaded.describe(pictures) == pytest.approx(network.describe(pictures), abs=0.02)
    assert "carbonyl_iron" not in loaded.card["data"]["recipes"]


@pytest.mark.parametrize("name", recipes())
def test_every_recipe_can_be_varied(name):
    rng = np.random.default_rng(0)
    recipe = load_recipe(name)
    kinds = {feature_training.vary_recipe(recipe, rng).technique.kind for _ in range(60)}
    assert kinds == {recipe.technique.kind, "categorical"}


@pytest.mark.skipif("features" not in shipped_models("micrographs"), reason="the network is not trained yet")
def test_the_network_that_ships_knows_recipes_that_it_has_not_been_tested_on():
    network = load_features("own")
    told = next(scores for heading, scores in network.card.items() if heading.startswith("scores"))
    right = next(value for name, value in told.items() if name.startswith("recipe right"))
    assert right > 0.5  # of 14
    a, b, c = (network.describe(textures(20, width, seed, 96)) for width, seed in ((1, 0), (1, 1), (4, 2)))
    assert np.linalg.norm(a.mean(0) - b.mean(0)) < 0.3 * np.linalg.norm(a.mean(0) - c.mean(0))


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: load_features("resnet"), "features must be one of auto, inception"),
        (lambda: load_features("random").describe(np.zeros((2, 8, 8), np.uint8)), "32 x 32 pixels at least"),
        (lambda: load_features("random").describe(np.zeros((2, 48, 48))), "of type uint8"),
        (lambda: load_features("random").describe(np.zeros((48, 48), np.uint8)), r"\(n, H, W\)"),
    ],
)
def test_bad_input_of_features_is_refused(call, said):
    with pytest.raises(ValueError, match=said):
        call()


def test_a_style_needs_maps():
    network = Features("inception", torch.nn.Identity())
    with pytest.raises(ValueError, match=r"a style needs features with maps \(vgg, own, random\)"):
        network.style(textures(2, 1.0, 9))
    assert not NETWORKS["inception"].maps
