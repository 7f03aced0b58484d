"""Texture descriptors: what they must not see, what they must tell apart, and that gradients through them are right."""

import numpy as np
import pytest

from particlelab.micrographs.texture import describe_shapes, describe_texture, texture_difference


def disks(radii, size=192, seed=0):
    """A picture of bright disks that do not touch each other."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size] + 0.5
    picture, placed = np.full((size, size), 0.2, np.float32), []
    for radius in radii:
        for _ in range(500):
            cx, cy = rng.uniform(radius, size - radius, 2)
            if all((cx - a) ** 2 + (cy - b) ** 2 > (radius + r + 3) ** 2 for a, b, r in placed):
                placed.append((cx, cy, radius))
                picture[(x - cx) ** 2 + (y - cy) ** 2 < radius**2] = 0.7
                break
    return picture


def bars(length, width, size=192, seed=0):
    """A picture of bright bars of any direction."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size] + 0.5
    picture = np.full((size, size), 0.2, np.float32)
    for _ in range(14):
        cx, cy, angle = *rng.uniform(0, size, 2), rng.uniform(0, np.pi)
        along = (x - cx) * np.cos(angle) + (y - cy) * np.sin(angle)
        across = (y - cy) * np.cos(angle) - (x - cx) * np.sin(angle)
        picture[(np.abs(along) < length / 2) & (np.abs(across) < width / 2)] = 0.7
    return picture


@pytest.mark.parametrize("kind", ["bank", "random"])
def test_another_arrangement_is_nearer_than_another_size(kind):
    a, same, other = disks([8] * 25, seed=1), disks([8] * 25, seed=2), disks([14] * 9, seed=3)
    near, far = (texture_difference(describe_texture(a, kind), describe_texture(b, kind)) for b in (same, other))
    assert near < 0.5 * far
    assert texture_difference(describe_texture(a, kind), describe_texture(a, kind)) == 0


def test_bytes_and_shares_are_the_same_picture():
    picture = np.round(255 * disks([9] * 12)).astype(np.uint8)
    np.testing.assert_allclose(describe_texture(picture), describe_texture(picture / 255), atol=1e-4)


def test_spectrum_finds_the_wavelength():
    """A wave of 12 pixels has its power in the ring that holds 1/12."""
    import torch

    from particlelab.micrographs.texture_layers import FREQUENCIES, Bank

    bank = Bank()
    wave = 0.5 + 0.4 * torch.sin(2 * torch.pi * torch.arange(192.0) / 12).expand(192, 192)
    rings = bank.spectrum(wave[None])[0]
    assert len(rings) == FREQUENCIES
    assert bank.edges[rings.argmax()] < 1 / 12 <= bank.edges[rings.argmax() + 1]


def test_histogram_counts_grey_levels():
    """Half of the pixels at one level, half at another: two classes of a half each, and the mean between them."""
    import torch

    from particlelab.micrographs.texture_layers import BINS, Bank

    picture = torch.full((1, 64, 64), 5 / (BINS - 1))
    picture[:, 32:] = 17 / (BINS - 1)
    found = Bank().histogram(picture)[0]
    shares = found[:BINS].exp() - 1e-3
    np.testing.assert_allclose(shares[[5, 17]], [0.5, 0.5], atol=1e-3)
    assert shares.sum() == pytest.approx(1, abs=1e-3)
    assert found[BINS] == pytest.approx(11 / (BINS - 1), abs=1e-5)


def test_openings_tell_two_sizes_from_one_and_bars_from_disks():
    """Shapes tell apart what has the same share of bright pixels."""
    one, two = disks([12] * 12, seed=4), disks([6] * 24 + [18] * 3, seed=5)
    assert texture_difference(describe_shapes(one), describe_shapes(two)) > 3 * texture_difference(
        describe_shapes(one), describe_shapes(disks([12] * 12, seed=6))
    )
    long, short = bars(60, 8, seed=7), bars(60, 8, seed=8)
    assert texture_difference(describe_shapes(long), describe_shapes(short)) < texture_difference(
        describe_shapes(long), describe_shapes(one)
    )


def test_gradient_of_the_bank_is_that_of_finite_differences():
    import torch

    from particlelab.micrographs.texture_layers import Bank

    bank = Bank().double()
    picture = torch.from_numpy(disks([9] * 8, size=96).astype(float)) + 0.01 * torch.sin(torch.arange(96.0)).double()
    direction = torch.from_numpy(np.random.default_rng(0).standard_normal((96, 96)))
    weight = torch.linspace(-1, 1, bank(picture[None]).shape[1]).double()

    def along(t):
        return bank((picture + t * direction)[None])[0] @ weight

    t = torch.zeros((), dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(along(t), t)
    step = 1e-6
    finite = (along(torch.tensor(step)) - along(torch.tensor(-step))) / (2 * step)
    assert float(slope) == pytest.approx(float(finite), rel=1e-4)


def test_vgg_layers_are_those_of_torchvision():
    """Without weights the network still is VGG19's beginning: a picture passes four blocks."""
    import torch

    from particlelab.micrographs.texture_layers import VGG_LAYERS, VGGGram

    network = VGGGram(weights=None, sizes=1)
    assert [network.features[k - 1].out_channels for k in VGG_LAYERS] == [64, 128, 256, 512]
    with torch.inference_mode():
        found = network(torch.rand(1, 64, 64))
    assert found.shape == (1, 4 * 128)
    assert torch.isfinite(found).all()


def test_bad_pictures_are_refused():
    with pytest.raises(ValueError, match="at least 64 by 64"):
        describe_texture(np.zeros((32, 100)))
    with pytest.raises(ValueError, match="from 0 to 1"):
        describe_texture(np.full((64, 64), 7.0))
    with pytest.raises(ValueError, match="kind must be one of"):
        describe_texture(np.zeros((64, 64)), "gram")
    assert np.isfinite(describe_texture(np.zeros((64, 64)))).all()
    assert np.isfinite(describe_texture(np.full((64, 64), 255, np.uint8))).all()
