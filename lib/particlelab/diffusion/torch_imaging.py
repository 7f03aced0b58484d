"""Rendering in torch, for a GPU: the camera of `particlelab.diffusion.imaging`."""

import numpy as np
import torch

from particlelab.diffusion.imaging import draw_light, optics
from particlelab.diffusion.psf import STEPS


def render_in_torch(positions_nm, imaging, rng, device=None):
    """Render movies as `render` does, on a device.

    The paths are drawn on the CPU (`place_paths`), which takes a small part of the time. Other random numbers are drawn
    than by `render`: the images agree in distribution.

    Parameters
    ----------
    positions_nm : (n, T, S, 2) array
    imaging : Imaging
    rng : numpy.random.Generator
        Gives the light of each position and the seed of the device's generator.
    device : str or torch.device, optional
        A GPU by default, if there is one.

    Returns
    -------
    (n, T, size, size) float32 Tensor
        Counts, on the device.
    """
    p = imaging
    device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    lit = torch.as_tensor(draw_light(len(positions_nm), p, rng), dtype=torch.float32, device=device)
    chance = torch.Generator(device).manual_seed(int(rng.integers(2**63)))
    places = torch.as_tensor(
        np.asarray(positions_nm) / p.pixel_size_nm + p.size / 2, dtype=torch.float32, device=device
    )
    sigma, table = optics(p)
    expected = _gaussians(places, lit, sigma, p.size) if sigma else _tabulated(places, lit, table, p.size)
    counts = torch.poisson(expected + p.background, chance)
    if p.camera == "emccd":
        multiplied = torch._standard_gamma(counts.clamp_min(1), generator=chance)  # no public one takes a generator
        counts = torch.where(counts > 0, multiplied, counts)
    if p.read_noise:
        counts += p.read_noise * torch.randn(counts.shape, generator=chance, device=device)
    return p.offset + p.gain * counts


def _gaussians(places, lit, sigma, size):
    """Return the expected photons of positions in pixels: integrals over rows times integrals over columns."""
    edges = torch.arange(size + 1, device=places.device)
    shares = torch.special.erf((edges - places[..., None]) / (sigma * 2**0.5)).diff(dim=-1) / 2
    return torch.einsum("ntsw,ntsh->nthw", shares[..., 0, :], shares[..., 1, :] * lit[..., None])


def _tabulated(places, lit, table, size):
    """Return the expected photons by a table of the point-spread function, linearly between its points."""
    table = torch.as_tensor(table, dtype=torch.float32, device=places.device)[None, None]
    last = table.shape[-1] - 1
    expected = places.new_zeros((*lit.shape[:2], size, size))
    for s in range(lit.shape[2]):
        away = (torch.arange(size, device=places.device) + 0.5 - places[:, :, s, :, None]).abs() * (
            2 * STEPS / last
        ) - 1
        across, down = away[:, :, 0], away[:, :, 1]
        at = torch.stack(
            torch.broadcast_tensors(across[..., None, :], down[..., :, None]), dim=-1
        )  # (n, T, size, size, 2), each from -1 to 1 over the table
        sampled = torch.nn.functional.grid_sample(
            table.expand(at.shape[0], -1, -1, -1), at.flatten(1, 2), align_corners=True, padding_mode="zeros"
        )
        expected += lit[:, :, s, None, None] * sampled.reshape(expected.shape)
    return expected
