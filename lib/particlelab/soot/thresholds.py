"""Classifiers by thresholds: Otsu, k-means and a robust threshold, on the flattened, denoised image."""

import numpy as np
from scipy.ndimage import gaussian_filter, grey_closing, grey_erosion, uniform_filter1d
from skimage.filters import threshold_otsu

from particlelab.parameters import parameter
from particlelab.soot.filters import background_surface, bilateral, close_disc, local_entropy, two_clusters
from particlelab.soot.masks import Postprocessing, SegmentationFailure, label_parts, rolling_ball


class Flattened(Postprocessing):
    """A method that subtracts the background first."""

    background_order: int = parameter(2, "Order of the polynomial fitted to the background's grey", low=0, high=4)


class Denoised(Flattened):
    """What every method here begins with: the background is subtracted, and the noise smoothed away."""

    spatial_sigma_px: float = parameter(1.0, "Reach of the bilateral denoising", unit="px", above=0, high=10)
    range_sigma: float = parameter(3.0, "Grey difference that denoising keeps, in noise deviations", above=0, high=100)


class Otsu(Denoised):
    """Otsu's threshold on the flattened, denoised image (Dastanpour et al. 2016, Sipkens and Rogak 2021)."""

    depth: float = parameter(1.0, "Depth of the threshold below the background, relative to Otsu's", above=0, high=10)


class KMeans(Denoised):
    """Two clusters of three layers: denoised image, texture, adjusted threshold (Sipkens and Rogak 2021)."""

    bottom_hat_px: int = parameter(
        20, "Half-width of the bottom hat that the texture is of", unit="px", low=1, high=500
    )
    texture_px: int = parameter(7, "Half-width of the window of the local entropy", unit="px", low=1, high=50)
    smoothing_nm: float = parameter(2.0, "Smoothing before the adjusted threshold", unit="nm", above=0, high=100)
    layer_smoothing_nm: float = parameter(4.0, "Smoothing of the threshold's layer", unit="nm", above=0, high=100)
    trend_departure: float = parameter(0.1, "Growth beyond its trend at which the threshold stops", above=0, high=10)


class Threshold(Denoised):
    """A threshold some robust deviations below the background of the flattened, denoised image."""

    spatial_sigma_px: float = parameter(2.0, "Reach of the bilateral denoising", unit="px", above=0, high=10)
    closing_nm: float = parameter(
        2.0, "Radius of the disc that bridges gaps (rolling ball)", unit="nm", low=0, high=100
    )
    deviations: float = parameter(
        3.0, "Depth of the threshold below the background, in its deviations", above=0, high=100
    )


def segment_by_otsu(image, pixel_size_nm, options):
    """Departs from Dastanpour et al. and from Sipkens and Rogak in three points.

    The background is a polynomial, not a closing with a square of 250 px, which follows large
    aggregates; the range of the bilateral filter is set by the image's noise, not by 8-bit grey levels;
    the rolling ball is that of the document's sec. 2.1.3 for all methods.
    """
    denoised = _denoise(image, options)
    threshold = threshold_otsu(denoised)
    moved = threshold + (options.depth - 1) * (threshold - background_level(denoised)[0])
    mask = rolling_ball(denoised < moved, pixel_size_nm, options.minimum_pixels, options.closing_nm)
    return mask if _stands_out("otsu", denoised, threshold, mask, pixel_size_nm) else np.zeros_like(mask)


def segment_by_kmeans(image, pixel_size_nm, options):
    """Departs from Sipkens and Rogak, beside what `segment_by_otsu` says, as follows.

    Squares stand for discs in the grey closings, and the texture's halo is eroded. The threshold's layer
    is smoothed over 2 nm and 4 nm instead of 4 nm and 15 px: less than the radius of a primary particle, so
    that its edges stay, and the same at every magnification. Thresholds run from Otsu's to the background's
    level, wherever grey level zero lies. The clusters start from the threshold's layer, not from chance.
    """
    denoised = _denoise(image, options)
    start = _adjusted_threshold(denoised, pixel_size_nm, options)
    layers = [
        denoised,
        _texture(denoised, pixel_size_nm, options),
        gaussian_filter(start.astype(np.float32), options.layer_smoothing_nm / pixel_size_nm, truncate=3),
    ]
    mask = rolling_ball(two_clusters(layers, start), pixel_size_nm, options.minimum_pixels, options.closing_nm)
    found = _stands_out("kmeans", denoised, threshold_otsu(denoised), mask, pixel_size_nm)
    return mask if found else np.zeros_like(mask)


def segment_by_threshold(image, pixel_size_nm, options):
    """Denoising is bilateral, not Gaussian: a threshold this close to the background would move edges outwards."""
    denoised = _denoise(image, options)
    level, spread = background_level(denoised)
    mask = denoised < level - options.deviations * spread
    return rolling_ball(mask, pixel_size_nm, options.minimum_pixels, options.closing_nm)


def _denoise(image, options):
    flat = image - background_surface(image, options.background_order)
    _, noise = background_level(flat)
    return bilateral(flat, options.spatial_sigma_px, options.range_sigma * noise)


def background_level(image):
    """Median and robust standard deviation of the background: what is left when dark outliers are clipped."""
    values = image[:: max(1, image.shape[0] // 500), :: max(1, image.shape[1] // 500)].ravel()
    # a noise-free image (a simulated one) gets half a per cent of its depth for noise
    least = 0.005 * (np.median(values) - values.min()) or 1e-6 * np.ptp(values)
    kept = values
    for _ in range(50):
        level = np.median(kept)
        # deviations above the median only: aggregates lie below
        spread = max(least, 1.4826 * np.median(kept[kept >= level] - level))
        count = len(kept)
        kept = values[values > level - 3 * spread]
        if len(kept) == count:
            break
    return level, spread


def _stands_out(method, denoised, threshold, mask, pixel_size_nm):
    """Tell an image without aggregates (False) from one that Otsu's threshold divides well (True).

    A threshold within two deviations of the background divides its noise. If the robust threshold finds
    nothing either, there is nothing; otherwise the method has failed on what there is.
    """
    level, spread = background_level(denoised)
    if threshold < level - 2 * spread:
        return True
    if segment_by_threshold(denoised, pixel_size_nm, Threshold()).any():
        raise SegmentationFailure(method, ["Otsu's threshold lies inside the noise of the background"], mask)
    return False


def _texture(denoised, pixel_size_nm, options):
    """Layer 2: entropy of the bottom hat, closed over the reach of the rolling ball.

    Entropy has no scale of its own: grey levels are counted in thirds of the background's deviation. A
    window shows an edge from its half-width away; an erosion by half of that takes the halo back.
    """
    hat = grey_closing(denoised, size=(2 * options.bottom_hat_px + 1,) * 2) - denoised
    _, spread = background_level(denoised)
    levels = np.minimum(hat * (3 / spread), 255).astype(np.uint8)
    texture = local_entropy(levels, 2 * options.texture_px + 1)
    texture = grey_closing(texture, size=(2 * round(options.closing_nm / pixel_size_nm) + 1,) * 2)
    return grey_erosion(texture, size=(2 * (options.texture_px // 2) + 1,) * 2)


def _adjusted_threshold(denoised, pixel_size_nm, options):
    """Layer 3: Otsu's threshold, raised towards the background until the mask grows faster than its trend.

    Of the raised mask, the connected parts that hold some of Otsu's mask are returned.
    """
    smooth = gaussian_filter(denoised, options.smoothing_nm / pixel_size_nm, truncate=3)
    lowest = threshold_otsu(smooth)
    level, _ = background_level(smooth)
    thresholds = np.linspace(lowest, max(level, lowest), 101)
    counts = np.searchsorted(np.sort(smooth[::2, ::2], axis=None), thresholds).astype(float)
    counts = uniform_filter1d(counts, 5, mode="nearest")
    trend = np.polyval(np.polyfit(np.arange(10), counts[:10], 1), np.arange(101))
    beyond = counts > (1 + options.trend_departure) * trend
    raised = thresholds[np.argmax(beyond)]  # Otsu's own, where the mask never leaves its trend
    mask = close_disc(smooth < raised, max(1, round(options.closing_nm / pixel_size_nm)))
    labels, sizes = label_parts(mask)
    keep = np.zeros(len(sizes), bool)
    keep[np.unique(labels[smooth < lowest])] = True
    keep[0] = False
    return keep[labels]
