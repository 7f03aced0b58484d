"""Aggregate masks from TEM images: which pixels are soot, which are background.

`segment` is the one door; `METHODS` names what stands behind it. Aggregates are darker than the
background. Grey levels may have any offset and any positive scale: no method depends on them.
"""

import numpy as np
from scipy.ndimage import gaussian_filter, grey_closing, grey_erosion, label, uniform_filter1d
from skimage.filters import threshold_otsu

from particlelab.parameters import Parameters, parameter
from particlelab.soot.aggregates import EIGHT_CONNECTED, check_pixel_size
from particlelab.soot.filters import background_surface, bilateral, close_disc, local_entropy, open_disc, two_clusters

SMALLEST_EDGE = 16  # pixels; a smaller image holds no background to measure
MOST_PIXELS = 150_000_000  # as many as `read_image` reads; more would not fit into the memory of a laptop


class SegmentationFailure(ValueError):
    """A segmentation method returned a mask that cannot be right.

    Attributes
    ----------
    method : str
    reasons : list of str
        One phrase each, as from `check_segmentation`.
    mask : (H, W) ndarray of bool
        What the method returned, to look at.
    """

    def __init__(self, method, reasons, mask):
        super().__init__(f"segmentation by {method!r} failed: " + "; ".join(reasons))
        self.method, self.reasons, self.mask = method, reasons, mask

    def __reduce__(self):  # so that it comes whole through worker processes
        return type(self), (self.method, self.reasons, self.mask)


class _Common(Parameters):
    """What every method begins with (a flattened, denoised image) and ends with (a rolling ball)."""

    background_order: int = parameter(2, "Order of the polynomial fitted to the background's grey", low=0, high=4)
    spatial_sigma_px: float = parameter(1.0, "Reach of the bilateral denoising", unit="px", above=0, high=10)
    range_sigma: float = parameter(3.0, "Grey difference that denoising keeps, in noise deviations", above=0, high=100)
    closing_nm: float = parameter(
        3.2, "Radius of the disc that bridges gaps (rolling ball)", unit="nm", low=0, high=100
    )
    minimum_pixels: int = parameter(200, "Smaller aggregates are removed", unit="px", low=0, high=10_000_000)


class Otsu(_Common):
    """Otsu's threshold on the flattened, denoised image (Dastanpour et al. 2016, Sipkens and Rogak 2021)."""


class KMeans(_Common):
    """Two clusters of three layers: denoised image, texture, adjusted threshold (Sipkens and Rogak 2021)."""

    bottom_hat_px: int = parameter(
        20, "Half-width of the bottom hat that the texture is of", unit="px", low=1, high=500
    )
    texture_px: int = parameter(7, "Half-width of the window of the local entropy", unit="px", low=1, high=50)
    smoothing_nm: float = parameter(2.0, "Smoothing before the adjusted threshold", unit="nm", above=0, high=100)
    layer_smoothing_nm: float = parameter(4.0, "Smoothing of the threshold's layer", unit="nm", above=0, high=100)
    trend_departure: float = parameter(0.1, "Growth beyond its trend at which the threshold stops", above=0, high=10)


class Threshold(_Common):
    """A threshold some robust deviations below the background of the flattened, denoised image."""

    spatial_sigma_px: float = parameter(2.0, "Reach of the bilateral denoising", unit="px", above=0, high=10)
    closing_nm: float = parameter(
        2.0, "Radius of the disc that bridges gaps (rolling ball)", unit="nm", low=0, high=100
    )
    deviations: float = parameter(
        3.0, "Depth of the threshold below the background, in its deviations", above=0, high=100
    )


def segment(image, pixel_size_nm, method="otsu", **options):
    """Find the aggregates in a TEM image.

    Parameters
    ----------
    image : (H, W) array_like of numbers
        Grey levels of any integer or float type and range, footer cut off; aggregates are dark.
    pixel_size_nm : float
        Edge of a pixel in the sample.
    method : str
        A name in `METHODS`: ``"otsu"``, ``"kmeans"`` or ``"threshold"``.
    **options
        Fields of the method's parameter set (``METHODS[method][0]``), such as ``minimum_pixels``.

    Returns
    -------
    (H, W) ndarray of bool
        True in aggregates, also in those that touch the border. Empty if nothing in the image stands
        out of the noise: that is an answer, not a failure.

    Raises
    ------
    ValueError
        If the image is not 2-D, smaller than 16 x 16, not finite, or of one colour; if the pixel size
        is not positive, or so small that the closing's disc does not fit into the frame; if the method
        is unknown.
    ParameterError
        If an option is unknown or out of bounds.
    SegmentationFailure
        If the mask cannot be right (see `check_segmentation`), if there is no even background, or if what
        stands out is brighter than the background; it carries the mask.
    """
    if method not in METHODS:
        raise ValueError(f"unknown segmentation method {method!r}; there are {', '.join(METHODS)}")
    kind, function = METHODS[method]
    parameters = kind(**options)
    pixel_size_nm = check_pixel_size(pixel_size_nm)
    image = _grey(image)
    extent_nm = max(image.shape) * pixel_size_nm
    if extent_nm < 2 * parameters.closing_nm:
        raise ValueError(
            f"pixel_size_nm = {pixel_size_nm:g} makes the frame {extent_nm:g} nm wide: "
            f"smaller than the disc of closing_nm = {parameters.closing_nm:g}"
        )
    mask = function(image, pixel_size_nm, parameters)
    reasons = check_segmentation(mask)
    if _uneven(image, parameters.background_order):
        reasons.append("no even background was found: a strong gradient, or aggregates on half of the frame?")
    elif not mask.any() and _threshold(-image, pixel_size_nm, Threshold()).any():
        reasons.append("nothing is darker than the background, but parts are brighter: inverted contrast?")
    if reasons:
        raise SegmentationFailure(method, reasons, mask)
    return mask


def check_segmentation(mask, *, border_share=0.25, covered_share=0.5, most_aggregates=50, speckle_pixels=1000):
    """Say why a mask cannot be a good segmentation.

    Parameters
    ----------
    mask : (H, W) array_like of bool
    border_share : float
        Aggregates that touch the border may cover this share of the frame: beyond it, the method has
        most likely taken an uneven background for soot (so does the code behind the document).
    covered_share : float
        All aggregates together may cover this share; every method takes the majority for background.
    most_aggregates, speckle_pixels : int
        More aggregates than this are speckle, or fragments, if more than half of them are smaller than
        ``speckle_pixels`` (the size below which the document removes texture of the background).

    Returns
    -------
    list of str
        One reason each; empty if nothing is wrong. An empty mask is not wrong.

    Raises
    ------
    ValueError
        If the mask is not 2-D or not of type bool.
    """
    labels, sizes = _label(_mask(mask))
    edge = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    at_border = sizes[edge[edge > 0]].sum() / labels.size
    covered = sizes[1:].sum() / labels.size
    small = np.count_nonzero(sizes[1:] < speckle_pixels)
    count = len(sizes) - 1
    reasons = []
    if at_border > border_share:
        reasons.append(f"aggregates at the border cover {at_border:.0%} of the frame (more than {border_share:.0%})")
    if covered > covered_share:
        reasons.append(f"the mask covers {covered:.0%} of the frame (more than {covered_share:.0%})")
    if count > most_aggregates and small > count / 2:
        reasons.append(f"{count} aggregates, {small} of them below {speckle_pixels} px: speckle or fragments")
    return reasons


def rolling_ball(mask, pixel_size_nm, minimum_pixels=0, closing_nm=3.2):
    """Bridge gaps in a mask and smooth it: closing, then opening with a slightly smaller disc.

    Sipkens et al. (the document), sec. 2.1.3: the closing's disc has a radius of 3.2 nm / pixel size
    in pixels, the opening's one pixel less, so that the bridges stay. The frame cuts nothing off:
    beyond it lies background for the closing and aggregate for the opening.

    Parameters
    ----------
    mask : (H, W) array_like of bool
    pixel_size_nm : float
    minimum_pixels : int
        Aggregates of fewer pixels are removed (8-connected); the document uses 1000.
    closing_nm : float
        Radius of the closing; rounded to whole pixels, at least 1 unless it is 0.

    Returns
    -------
    (H, W) ndarray of bool

    Raises
    ------
    ValueError
        If the mask is not 2-D or not of type bool, the pixel size is not positive, or one of the others
        is negative.
    """
    mask, pixel_size_nm = _mask(mask), check_pixel_size(pixel_size_nm)
    for name, value in (("minimum_pixels", minimum_pixels), ("closing_nm", closing_nm)):
        if not value >= 0:
            raise ValueError(f"{name} must be at least 0, got {value!r}")
    if closing_nm:
        radius = max(1, round(min(closing_nm / pixel_size_nm, max(mask.shape))))
        mask = open_disc(close_disc(mask, radius), radius - 1)
    if minimum_pixels > 1:
        labels, sizes = _label(mask)
        keep = sizes >= minimum_pixels
        keep[0] = False
        mask = keep[labels]
    return mask


def _otsu(image, pixel_size_nm, options):
    """Departs from Dastanpour et al. and from Sipkens and Rogak in three points.

    The background is a polynomial, not a closing with a square of 250 px, which follows large
    aggregates; the range of the bilateral filter is set by the image's noise, not by 8-bit grey levels;
    the rolling ball is that of the document's sec. 2.1.3 for all methods.
    """
    denoised = _denoise(image, options)
    threshold = threshold_otsu(denoised)
    mask = rolling_ball(denoised < threshold, pixel_size_nm, options.minimum_pixels, options.closing_nm)
    return mask if _stands_out("otsu", denoised, threshold, mask, pixel_size_nm) else np.zeros_like(mask)


def _kmeans(image, pixel_size_nm, options):
    """Departs from Sipkens and Rogak, beside what `_otsu` says, as follows.

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


def _threshold(image, pixel_size_nm, options):
    """Denoising is bilateral, not Gaussian: a threshold this close to the background would move edges outwards."""
    denoised = _denoise(image, options)
    level, spread = _background_level(denoised)
    mask = denoised < level - options.deviations * spread
    return rolling_ball(mask, pixel_size_nm, options.minimum_pixels, options.closing_nm)


METHODS = {"otsu": (Otsu, _otsu), "kmeans": (KMeans, _kmeans), "threshold": (Threshold, _threshold)}


def _denoise(image, options):
    flat = image - background_surface(image, options.background_order)
    _, noise = _background_level(flat)
    return bilateral(flat, options.spatial_sigma_px, options.range_sigma * noise)


def _background_level(image):
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
    level, spread = _background_level(denoised)
    if threshold < level - 2 * spread:
        return True
    if _threshold(denoised, pixel_size_nm, Threshold()).any():
        raise SegmentationFailure(method, ["Otsu's threshold lies inside the noise of the background"], mask)
    return False


def _uneven(image, background_order):
    """Whether the background varies far more over the frame than within a small block of it.

    That ratio is 1.0 for noise on a polynomial, below 1.4 in real images, at most 2 in simulated ones with
    up to 45 % covered, and 3 to 7 where more than half is. Images with hardly any noise are left alone.
    """
    smooth = gaussian_filter(image - background_surface(image, background_order), 2)
    edge = 32 if min(smooth.shape) >= 128 else 8
    rows, columns = smooth.shape[0] // edge, smooth.shape[1] // edge
    blocks = smooth[: rows * edge, : columns * edge].reshape(rows, edge, columns, edge)
    within = np.quantile(blocks.std(axis=(1, 3)), 0.25)  # blocks of background, as long as there is some
    return _background_level(smooth)[1] > max(2.5 * within, 0.01 * np.ptp(smooth))


def _texture(denoised, pixel_size_nm, options):
    """Layer 2: entropy of the bottom hat, closed over the reach of the rolling ball.

    Entropy has no scale of its own: grey levels are counted in thirds of the background's deviation. A
    window shows an edge from its half-width away; an erosion by half of that takes the halo back.
    """
    hat = grey_closing(denoised, size=(2 * options.bottom_hat_px + 1,) * 2) - denoised
    _, spread = _background_level(denoised)
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
    level, _ = _background_level(smooth)
    thresholds = np.linspace(lowest, max(level, lowest), 101)
    counts = np.searchsorted(np.sort(smooth[::2, ::2], axis=None), thresholds).astype(float)
    counts = uniform_filter1d(counts, 5, mode="nearest")
    trend = np.polyval(np.polyfit(np.arange(10), counts[:10], 1), np.arange(101))
    beyond = counts > (1 + options.trend_departure) * trend
    raised = thresholds[np.argmax(beyond)]  # Otsu's own, where the mask never leaves its trend
    mask = close_disc(smooth < raised, max(1, round(options.closing_nm / pixel_size_nm)))
    labels, sizes = _label(mask)
    keep = np.zeros(len(sizes), bool)
    keep[np.unique(labels[smooth < lowest])] = True
    keep[0] = False
    return keep[labels]


def _label(mask):
    """Label 8-connected parts; return the labels and the number of pixels of each (index 0: background)."""
    labels, count = label(mask, structure=EIGHT_CONNECTED)
    return labels, np.bincount(labels.ravel(), minlength=count + 1)


def _grey(image):
    image = np.asarray(image)
    if image.ndim != 2:
        raise ValueError(f"the image must be grey, of shape (H, W), got shape {image.shape}; convert colours first")
    if min(image.shape) < SMALLEST_EDGE:
        raise ValueError(f"the image must have at least {SMALLEST_EDGE} x {SMALLEST_EDGE} pixels, got {image.shape}")
    if image.size > MOST_PIXELS:
        raise ValueError(f"the image must have at most {MOST_PIXELS} pixels, got {image.shape}; cut it into parts")
    if image.dtype.kind not in "iuf":
        raise ValueError(f"the image must hold whole or floating-point numbers, got {image.dtype}")
    low, high = image.min(), image.max()
    if not (np.isfinite(low) and np.isfinite(high)):
        bad = np.count_nonzero(~np.isfinite(image))
        raise ValueError(f"the image must be finite; {bad} of its pixels are NaN or infinite")
    if low == high:
        raise ValueError(f"the image has one grey level only ({low}): there is nothing to tell apart")
    # one range for all, so that single precision serves images of any offset and scale
    return ((image - np.float64(low)) / (np.float64(high) - np.float64(low))).astype(np.float32)


def _mask(mask):
    mask = np.asarray(mask)
    if mask.ndim != 2 or mask.size == 0:
        raise ValueError(f"the mask must have the shape (H, W), got {mask.shape}")
    if mask.dtype != bool:
        raise ValueError(f"the mask must be of type bool, got {mask.dtype}")
    return mask
