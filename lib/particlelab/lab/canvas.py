"""A picture to work on by hand: strokes of a brush in named classes, a region to choose, masks laid over it."""

import io
from pathlib import Path

import anywidget
import numpy as np
import traitlets
from PIL import Image
from scipy.ndimage import binary_erosion

from particlelab.drawing import PALETTE

FRONT = Path(__file__).parent / "front"
LARGEST_SIDE = 1600  # pixels of the picture that is sent: sharp on a screen, quick to send
MOST_NUMBERS = 400_000  # of all strokes together: hours of painting
FILL, OUTLINE = 70, 255  # opacity of a mask and of its edge, of 255


class Canvas(anywidget.AnyWidget):
    """A grey picture to paint on and to choose a region in, by mouse, finger, pen or keyboard.

    The picture is sent once, at a bounded size; strokes and region come back in pixels of the whole image.
    The point (x, y) = (0, 0) is the upper left corner of the first pixel, whose centre is (0.5, 0.5).

    Parameters
    ----------
    classes : sequence of str
        What a stroke can be; without any there is no brush.
    region : bool
        Whether a region can be chosen.
    brush_px : int
        Width of the brush to begin with, in pixels of the image.

    Attributes
    ----------
    strokes : list of dict
        In the order in which they were painted: ``class`` (1 for the first of ``classes`` and so on, 0 for the
        eraser), ``width`` and ``points``, a flat list x0, y0, x1, y1, ...
    region : list of int
        Empty, or first row, first column, row after the last, column after the last.
    """

    _esm = FRONT / "canvas.js"
    _css = FRONT / "canvas.css"

    label = traitlets.Unicode().tag(sync=True)
    classes = traitlets.List(traitlets.Dict()).tag(sync=True)
    takes_region = traitlets.Bool().tag(sync=True)
    brush_px = traitlets.Int().tag(sync=True)
    picture = traitlets.Bytes().tag(sync=True)  # PNG
    width = traitlets.Int(1).tag(sync=True)
    height = traitlets.Int(1).tag(sync=True)
    overlays = traitlets.List(traitlets.Dict()).tag(sync=True)
    strokes = traitlets.List(traitlets.Dict()).tag(sync=True)
    region = traitlets.List(traitlets.Int()).tag(sync=True)

    def __init__(self, classes=(), region=False, brush_px=12):
        colours = [{"name": name, "colour": PALETTE[i % len(PALETTE)]} for i, name in enumerate(classes)]
        super().__init__(classes=colours, takes_region=region, brush_px=brush_px)

    def show(self, image, name="", strokes=()):
        """Show another picture, with the strokes that were painted on it before; region and masks are taken away.

        Parameters
        ----------
        image : (H, W) array_like
            Grey levels of any range.
        name : str
            Of the picture, for screen readers.
        strokes : sequence of dict
        """
        image = np.asarray(image)
        with self.hold_sync():
            self.strokes, self.region, self.overlays = [], [], []
            self.label = f"Picture to mark: {name}"
            self.height, self.width = image.shape
            self.picture = _png(Image.fromarray(_levels(image)).resize(self._shown_size, Image.BOX))
            self.strokes = list(strokes)

    def cover(self, masks):
        """Lay masks over the picture, in place of those before.

        Parameters
        ----------
        masks : dict of str to (tuple of str and (H, W) array_like of bool)
            By the name that stands below the picture: colour, such as ``"#0072B2"``, and mask.
        """
        self.overlays = [
            {"name": name, "colour": colour, "picture": self._overlay(np.asarray(mask), colour)}
            for name, (colour, mask) in masks.items()
        ]

    @property
    def _shown_size(self):
        scale = min(1.0, LARGEST_SIDE / max(self.width, self.height))
        return max(1, round(self.width * scale)), max(1, round(self.height * scale))

    def _overlay(self, mask, colour):
        """A PNG of two colours: the mask, see-through, and its edge, as thick as a line on a screen."""
        shown = np.asarray(Image.fromarray(mask).resize(self._shown_size, Image.NEAREST), bool)
        thickness = max(1, round(max(shown.shape) / 600))
        inner = binary_erosion(shown, iterations=thickness, border_value=1)
        picture = Image.fromarray(shown.astype(np.uint8) + (shown & ~inner))
        picture.putpalette(3 * bytes.fromhex(colour.removeprefix("#")))
        return _png(picture, transparency=bytes([0, FILL, OUTLINE]))

    @traitlets.validate("strokes")
    def _check_strokes(self, proposal):
        try:
            known = range(len(self.classes) + 1)
            fine = all(s["class"] in known and _are_numbers([s["width"]]) and s["width"] > 0 for s in proposal.value)
            fine = fine and all(len(s["points"]) % 2 == 0 and _are_numbers(s["points"]) for s in proposal.value)
        except (KeyError, TypeError, ValueError):
            fine = False
        if not fine or sum(len(stroke["points"]) for stroke in proposal.value) > MOST_NUMBERS:
            raise traitlets.TraitError("strokes must have a known class, a positive width and finite points (x, y)")
        return proposal.value

    @traitlets.validate("region")
    def _check_region(self, proposal):
        if proposal.value:
            top, left, bottom, right = proposal.value if len(proposal.value) == 4 else (0, 0, 0, 0)
            if not (0 <= top < bottom <= self.height and 0 <= left < right <= self.width):
                raise traitlets.TraitError(
                    f"region must be (top, left, bottom, right) within {self.height} x {self.width} pixels, "
                    f"got {proposal.value}"
                )
        return proposal.value


def rasterise(strokes, shape):
    """Return what strokes paint, pixel by pixel.

    A stroke paints every pixel whose centre lies within half its width of its line; where strokes cross, the
    later one counts.

    Parameters
    ----------
    strokes : sequence of dict
        ``class``, ``width`` and ``points`` in pixels, as in `Canvas`.
    shape : (int, int)

    Returns
    -------
    (H, W) ndarray of uint8
        The class, 0 where nothing was painted or it was erased.
    """
    labels = np.zeros(shape, np.uint8)
    for stroke in strokes:
        points = np.reshape(np.asarray(stroke["points"], float), (-1, 2))
        ends = points[1:] if len(points) > 1 else points
        for start, end in zip(points, ends, strict=False):
            _paint(labels, start, end, stroke["width"] / 2, stroke["class"])
    return labels


def _paint(labels, start, end, radius, value):
    """Paint all pixels whose centre lies within the radius of the line from start to end, each (x, y)."""
    corners = np.floor([np.minimum(start, end) - radius, np.maximum(start, end) + radius + 1])
    (left, top), (right, bottom) = np.clip(corners, 0, labels.shape[::-1]).astype(int)
    y, x = np.mgrid[top:bottom, left:right] + 0.5 - start[::-1, None, None]
    dx, dy = end - start
    along = np.clip((x * dx + y * dy) / (dx**2 + dy**2 or 1), 0, 1)  # where on the line the nearest point lies
    near = (x - along * dx) ** 2 + (y - along * dy) ** 2 <= radius**2
    labels[top:bottom, left:right][near] = value


def _are_numbers(values):
    return bool(np.all(np.isfinite(np.asarray(values, float))))


def _levels(image):
    """Grey levels of 8 bit; the darkest and the brightest half per mille are cut."""
    low, high = np.percentile(image, [0.05, 99.95])
    return np.clip((image - low) / max(high - low, 1e-9) * 255, 0, 255).astype(np.uint8)


def _png(picture, **options):
    file = io.BytesIO()
    picture.save(file, "PNG", compress_level=3, **options)
    return file.getvalue()
