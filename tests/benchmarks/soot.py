"""Soot: segmentation, sizing and simulation of a 2240 x 1952 micrograph."""

import numpy as np
import segmentation_models_pytorch as smp
import torch
from run import Case
from scipy import ndimage
from scipy.spatial import KDTree
from skimage.feature import canny, multiscale_basic_features
from skimage.filters import threshold_otsu
from skimage.filters.rank import entropy
from skimage.measure import regionprops_table
from skimage.morphology import closing, disk, opening
from skimage.restoration import denoise_bilateral
from skimage.segmentation import watershed
from skimage.transform import hough_circle, hough_circle_peaks
from sklearn.cluster import KMeans
from sklearn.ensemble import RandomForestClassifier

from particlelab import soot
from particlelab.randomness import generator

SHAPE = 1952, 2240
PIXEL_NM = 0.536
SIZERS = "pcm", "edm_sbs", "hough", "edm_ws"


def scene():
    """A simulated micrograph of the size of the real ones."""
    parameters = soot.Micrograph(height_px=SHAPE[0], width_px=SHAPE[1], pixel_size_nm=PIXEL_NM, aggregates=8)
    return soot.simulate_micrograph(parameters, generator(0, "bench"))


def image():
    return (scene().image,)


def image_and_mask():
    return scene()[:2]


def otsu(grey):
    soot.segment(grey, PIXEL_NM, "otsu")


def otsu_by_scikit_image(grey):
    smooth = denoise_bilateral(grey / 255, win_size=7, sigma_color=0.1, sigma_spatial=2)
    flat = smooth - ndimage.gaussian_filter(smooth, 200)
    opening(closing(flat < threshold_otsu(flat), disk(6)), disk(5))


def kmeans(grey):
    soot.segment(grey, PIXEL_NM, "kmeans")


def kmeans_by_scikit_learn(grey):
    smooth = denoise_bilateral(grey / 255, win_size=7, sigma_color=0.1, sigma_spatial=2)
    texture = entropy(grey, np.ones((15, 15)))
    layers = np.stack([smooth, texture, smooth < threshold_otsu(smooth)], axis=-1).reshape(-1, 3)
    KMeans(2, n_init=1, random_state=0).fit_predict((layers - layers.mean(0)) / layers.std(0))


def threshold(grey):
    soot.segment(grey, PIXEL_NM, "threshold")


def sizing(grey, mask):
    for sizer in SIZERS:
        soot.size_primaries(grey, mask, PIXEL_NM, sizer)


def sizing_by_scikit_image(grey, mask):
    """Circles of every third radius, watershed of the distance map, and pair counts of a tenth of the pixels."""
    radii = np.arange(3, 51, 3)
    hough_circle_peaks(hough_circle(canny(grey, 2, mask=mask), radii), radii, total_num_peaks=200)
    distance = ndimage.distance_transform_edt(mask)
    labels, n = ndimage.label(mask)
    watershed(-distance, mask=mask)
    for label in range(1, n + 1):
        points = np.argwhere(labels == label)[::10]
        tree = KDTree(points)
        tree.count_neighbors(tree, np.arange(1, 60))


def analysis(grey, mask):
    soot.analyse_aggregates(mask, PIXEL_NM, grey)


def analysis_by_scikit_image(grey, mask):
    labels, _ = ndimage.label(mask, np.ones((3, 3)))
    names = ("area", "perimeter_crofton", "inertia_tensor", "mean_intensity", "centroid", "bbox")
    regionprops_table(labels, grey, properties=names)


def aggregate():
    return (soot.simulate_aggregate(200, 1.78, 1.3, 30.0, 1.1, generator(0, "bench")),)


def projection(spheres):
    soot.project(*spheres, 0.5)


def projection_by_numpy(spheres):
    """The sum of all spheres' thicknesses, sphere by sphere: faster than their union, and wrong where they overlap."""
    centres, radii = spheres
    low = (centres[:, :2] - radii[:, None]).min(0)
    x, y = (np.arange(low[i], (centres[:, i] + radii).max(), 0.5) for i in range(2))
    total = np.zeros((len(y), len(x)))
    for (cx, cy, _), r in zip(centres, radii, strict=True):
        total += 2 * np.sqrt(np.clip(r**2 - (x - cx) ** 2 - (y[:, None] - cy) ** 2, 0, None))


def another(grey):
    """Change a pixel, so that nothing remembers the image."""
    grey[0, 0] += 1
    return grey


def weka(grey, _):
    soot.segment(another(grey), PIXEL_NM, "weka")


def image_and_forest():
    grey, mask = image_and_mask()
    features = multiscale_basic_features(grey[::4, ::4])
    forest = RandomForestClassifier(24, max_leaf_nodes=800, random_state=0)
    return grey, forest.fit(features.reshape(-1, features.shape[-1]), mask[::4, ::4].ravel())


def weka_by_scikit_learn(grey, forest):
    features = multiscale_basic_features(grey)
    forest.predict_proba(features.reshape(-1, features.shape[-1]))


def cnn(grey):
    soot.segment(another(grey), PIXEL_NM, "cnn")


def cnn_of_the_document(grey):
    """The document's network (its weights do not matter here), tile by tile."""
    network = smp.FPN("resnet50", encoder_weights=None, in_channels=1).eval()
    with torch.inference_mode():
        for tile in (
            torch.from_numpy(grey / np.float32(255)).unfold(0, 960, 960).unfold(1, 1120, 1120).reshape(-1, 960, 1120)
        ):
            network(tile[None, None])


def network(grey, mask):
    soot.size_primaries(grey, mask, PIXEL_NM, "network")


CASES = [
    Case("soot: Otsu", image, otsu, otsu_by_scikit_image, "scikit-image", limit_s=2, limit_mb=2000),
    Case(
        "soot: k-means", image, kmeans, kmeans_by_scikit_learn, "scikit-image, scikit-learn", limit_s=8, limit_mb=2000
    ),
    Case("soot: robust threshold", image, threshold, otsu_by_scikit_image, "scikit-image's Otsu", limit_mb=2000),
    Case("soot: four sizing methods", image_and_mask, sizing, sizing_by_scikit_image, "scikit-image", 8, 2000),
    Case("soot: weka", image_and_forest, weka, weka_by_scikit_learn, "scikit-image, scikit-learn", limit_mb=3000),
    Case("soot: CNN", image, cnn, cnn_of_the_document, "the document's FPN", limit_s=30, limit_mb=3000),  # 15 s on two
    Case("soot: network sizing", image_and_mask, network, sizing_by_scikit_image, "scikit-image", limit_mb=2000),
    Case("soot: aggregates' shapes", image_and_mask, analysis, analysis_by_scikit_image, "scikit-image"),
    Case("soot: shadow of 200 spheres", aggregate, projection, projection_by_numpy, "NumPy"),
]
