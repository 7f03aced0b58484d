"""The footer that a microscope's program puts below an image: where it begins, and what its scale bar says.

The length of the bar is measured; its label is read only where it reads without doubt.
"""

import re
from functools import cache
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import find_objects, label

LEAST_ROWS, GREATEST_SHARE = 8, 0.3  # height of a footer: in pixels, and of the image
HOLES = {"0": 1, "4": 1, "6": 1, "8": 2, "9": 1}  # all other glyphs have none
EDGE = 16  # pixels of a normalised glyph
LIKENESS, MARGIN = 0.6, 0.08  # least correlation of a glyph with its template, and its lead over the next one
ROUND = (1, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8)  # what scale bars stand for, times a power of ten


class Footer(NamedTuple):
    """A footer below an image."""

    row: int  # its first row; the image ends above
    bar_px: float | None  # length of the scale bar, None if none was found
    label_nm: float | None  # what the bar stands for, None if that cannot be read without doubt

    @property
    def pixel_size_nm(self):
        """Edge of a pixel, or None."""
        return self.label_nm / self.bar_px if self.bar_px and self.label_nm else None


def find_footer(image):
    """Find the footer of an image, its scale bar and the length that is written beside the bar.

    A footer is a band of one grey level, with writing on it, over the whole width at the bottom, at most
    30 % of the image high, and set off from the image above it. The bar is the longest horizontal line in
    it, in one piece or in two equal ones with the label between them. The label is compared with drawn
    digits; it has to be a round number of nm or um next to the bar.

    Parameters
    ----------
    image : (H, W) array_like
        Grey levels.

    Returns
    -------
    Footer or None
        None if there is no footer.

    Raises
    ------
    ValueError
        If the image is not 2-D.
    """
    image = np.asarray(image)
    if image.ndim != 2:
        raise ValueError(f"the image must be grey, of shape (H, W), got shape {image.shape}")
    row, level = _footer_row(image)
    if row is None:
        return None
    ink = np.abs(image[row:].astype(np.float64) - level)
    if ink.max() == 0:
        return Footer(row, None, None)
    ink /= ink.max()
    boxes = find_objects(label(ink > 0.5, np.ones((3, 3)))[0])
    bar = _scale_bar(ink, boxes)
    if bar is None:
        return Footer(row, None, None)
    return Footer(row, float(bar[1] - bar[0]), _label_nm(ink, boxes, bar))


def crop_footer(image):
    """Return the image without its footer, or as it is if it has none. Raises as `find_footer`."""
    footer = find_footer(image)
    return np.asarray(image)[: footer.row] if footer else np.asarray(image)


def _footer_row(image):
    """First row and grey level of the footer, or None, None."""
    height = len(image)
    nothing = None, None
    if height < 4 * LEAST_ROWS or image.size == 0 or np.ptp(image) == 0:
        return nothing
    rows = image[int(height * (1 - GREATEST_SHARE)) - LEAST_ROWS :].astype(np.float64)
    tolerance = 0.01 * (float(image.max()) - float(image.min()))
    middle = np.median(rows, axis=1)
    level = np.median(middle[-LEAST_ROWS:])
    plain = (np.abs(rows - level) <= tolerance).mean(axis=1) >= 0.3  # writing leaves that much free
    line = np.ptp(rows, axis=1) <= tolerance  # a rule over the whole width, of any grey
    belongs = plain | line
    if belongs.all() or not belongs[-1]:
        return nothing
    first = len(rows) - np.argmin(belongs[::-1])
    above = middle[max(0, first - LEAST_ROWS) : first]
    if len(rows) - first < LEAST_ROWS or np.abs(above - level).min() <= 5 * tolerance:
        return nothing
    return int(height - len(rows) + first), level


def _scale_bar(ink, boxes):
    """Left end, right end (exclusive) and row of the scale bar, or None."""
    width = ink.shape[1]
    lines = []
    for rows, columns in boxes:
        length, thickness = columns.stop - columns.start, rows.stop - rows.start
        if length < 10 or thickness > length / 2 or length > 0.95 * width:
            continue
        filled = (ink[rows, columns] > 0.5).sum(axis=1)
        if filled.max() >= 0.95 * length:  # a row that spans it all
            lines.append((columns.start, columns.stop, rows.start + int(np.argmax(filled))))
    spans = list(lines)
    for i, (left, stop, y) in enumerate(lines):
        for start, right, other in lines[i + 1 :]:
            one, two = sorted([(left, stop), (start, right)])
            lengths = one[1] - one[0], two[1] - two[0]
            if abs(y - other) <= 2 and abs(lengths[0] - lengths[1]) <= 0.2 * max(lengths) and one[1] < two[0]:
                spans.append((one[0], two[1], y))
    spans = [s for s in spans if s[1] - s[0] >= max(20, 0.04 * width)]
    return max(spans, key=lambda s: s[1] - s[0], default=None)


def _label_nm(ink, boxes, bar):
    """Read the length beside the bar, in nm; None unless exactly one reading is next to it."""
    left, right, y = bar
    found = []
    for line in _lines_of_text(boxes, bar):
        size = max(rows.stop - rows.start for rows, _ in line)
        text, places = "", []
        for box in line:
            character = _read_glyph(ink, box, size)
            if text[-1:].isdigit() and character.isdigit() and box[1].start - places[-1][1].stop > 0.4 * size:
                character = "?"  # a point too faint to be seen may stand between
            text += character
            places.append(box)
        for match in re.finditer(r"(?<![\w.?])((?:0|[1-9]\d*)(?:\.\d+)?)(nm|um)(?![\w?])", text):
            part = places[match.start() : match.end()]
            top, bottom = min(r.start for r, _ in part), max(r.stop for r, _ in part)
            start, stop = part[0][1].start, part[-1][1].stop
            away = max(start - right, left - stop, top - y, y - bottom, 0)
            value = float(match[1]) * (1000 if match[2] == "um" else 1)
            mantissa = value / 10 ** np.floor(np.log10(value)) if value > 0 else 0
            if away <= 3 * (bottom - top) and np.isclose(mantissa, ROUND).any():
                found.append(value)
    return found[0] if len(set(found)) == 1 else None


def _lines_of_text(boxes, bar):
    """Group what may be letters into words: boxes of about one height, side by side, from left to right."""
    left, right, y = bar
    marks = [
        b
        for b in boxes
        if b[1].stop - b[1].start < 3 * (b[0].stop - b[0].start)
        or not (left <= b[1].start and b[1].stop <= right and b[0].start <= y < b[0].stop)  # the bar itself
    ]
    tall = sorted((b for b in marks if b[0].stop - b[0].start >= 6), key=lambda b: b[1].start)
    words = []
    for box in tall:
        height = box[0].stop - box[0].start
        for word in words:
            last = word[-1]
            tallest = max(b[0].stop - b[0].start for b in word)
            overlap = min(box[0].stop, last[0].stop) - max(box[0].start, last[0].start)
            gap = box[1].start - last[1].stop
            if overlap > 0.6 * min(height, last[0].stop - last[0].start) and gap < 1.2 * max(tallest, height):
                word.append(box)
                break
        else:
            words.append([box])
    for word in words:
        top, bottom = min(b[0].start for b in word), np.median([b[0].stop for b in word])
        size = max(b[0].stop - b[0].start for b in word)
        dots = [
            b
            for b in marks
            if b not in word
            and word[0][1].stop <= b[1].start
            and b[1].stop <= word[-1][1].start + 1
            and max(b[0].stop - b[0].start, b[1].stop - b[1].start) < 0.4 * size
            and b[0].start > top + 0.6 * size
            and b[0].start < bottom + 0.2 * size
        ]
        yield sorted(word + dots, key=lambda b: b[1].start)


def _read_glyph(ink, box, size):
    """The character in a box, or "?"; ``size`` is the height of the line."""
    rows, columns = box
    if rows.stop - rows.start < 0.4 * size:
        return "."
    glyph, proportion = _describe(ink[rows, columns])
    characters, templates, expected = _templates()
    likeness = templates @ glyph / glyph.size - 0.3 * np.abs(np.log(proportion / expected))
    best = {c: likeness[characters == c].max() for c in np.unique(characters)}
    first, second, *_ = sorted(best, key=best.get, reverse=True)
    if best[first] < LIKENESS or best[first] - best[second] < MARGIN:
        return "?"
    # fonts differ in weight and width, hardly ever in the number of holes: a second opinion
    holes = label(np.pad(ink[rows, columns] <= 0.5, 1, constant_values=True))[1] - 1
    return str(first) if holes == HOLES.get(first, 0) else "?"


@cache
def _templates():
    """Characters to compare with, thin and bold: names (T,), normalised glyphs (T, 256), widths over heights (T,)."""
    font = ImageFont.load_default(64)
    foot, flag = [(58, 118), (102, 118)], [(60, 60), (80, 48), (80, 120)]
    drawings = []
    for bold in (0, 3):
        for character in "0123456789nmu":
            drawings.append(
                (character, lambda pen, c=character, b=bold: pen.text((40, 40), c, 255, font, stroke_width=b))
            )
        # fonts differ most in 1, with and without a foot, and Pillow's has no micro sign
        width = 8 + 2 * bold
        drawings.append(("1", lambda pen, w=width: pen.line(flag, 255, w)))
        drawings.append(("1", lambda pen, w=width: (pen.line(flag, 255, w), pen.line(foot, 255, w))))
    inks = [(character, _draw(drawing)) for character, drawing in drawings]
    for u in [ink for character, ink in inks if character == "u"]:
        descender = np.zeros((len(u) * 2 // 5, u.shape[1]))
        descender[:, : u.shape[1] // 5] = 1
        inks.append(("u", np.vstack([u, descender])))
    glyphs, proportions = zip(*[_describe(ink) for _, ink in inks], strict=True)
    return np.array([character for character, _ in inks]), np.stack(glyphs), np.array(proportions)


def _draw(drawing):
    canvas = Image.new("L", (160, 160))
    drawing(ImageDraw.Draw(canvas))
    ink = np.asarray(canvas) / 255
    return ink[find_objects((ink > 0.5).astype(int))[0]]


def _describe(ink):
    """A glyph brought to one size, mean 0 and standard deviation 1, and its width over its height."""
    small = Image.fromarray(ink.astype(np.float32)).resize((EDGE, EDGE), Image.Resampling.BILINEAR)
    small = np.asarray(small, np.float64).ravel()
    return (small - small.mean()) / (small.std() or 1), ink.shape[1] / ink.shape[0]
