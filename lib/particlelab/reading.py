"""Images, stacks and tables from files or uploads: checked, bounded, with the pixel size where the file states it.

Sizes are checked in the header, before anything is decoded. What cannot be read raises `ReadError` with a
sentence that names the file and the cause.
"""

import csv
import math
import re
import tempfile
import warnings
from collections import Counter
from io import BytesIO, StringIO
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import numpy as np
import pandas as pd

ENDINGS = {
    "TIFF": (".tif", ".tiff"),
    "PNG": (".png",),
    "JPEG": (".jpg", ".jpeg"),
    "MRC": (".mrc", ".mrcs", ".map", ".rec", ".st"),
    "DM3": (".dm3",),
    "DM4": (".dm4",),
}
IMAGE_ENDINGS = tuple(ending for endings in ENDINGS.values() for ending in endings)
COUNTED = 8  # columns at least that a first line counts, if its numbers are to be names
LARGEST_PIXEL_NM = 10_000  # a coarser "resolution" is that of a printer or a screen (72 dpi: 353 um)
NM = {"nm": 1.0, "um": 1e3, "µm": 1e3, "μm": 1e3, "micron": 1e3, "microns": 1e3, "mm": 1e6, "cm": 1e7, "m": 1e9}
NM |= {"a": 0.1, "å": 0.1, "angstrom": 0.1, "pm": 1e-3, "inch": 2.54e7}
FOREIGN = {b"PK\x03\x04": "a ZIP archive", b"%PDF": "a PDF", b"GIF8": "a GIF", b"BM": "a BMP"}


class ReadError(ValueError):
    """A file cannot be read; the message names it and says why."""


class Image(NamedTuple):
    """A grey image."""

    pixels: np.ndarray  # (H, W), in the file's own type; float32 where colours were turned into grey
    pixel_size_nm: float | None  # None where the file does not state it
    source: str  # name of the file


class Stack(NamedTuple):
    """Grey frames of one size."""

    frames: np.ndarray  # (N, H, W)
    pixel_size_nm: float | None
    source: str


class Colours(NamedTuple):
    """Frames in colours, of one size."""

    frames: np.ndarray  # (N, H, W, 3), red, green, blue, in the file's own type
    source: str


class Signals(NamedTuple):
    """Signals of one length."""

    values: np.ndarray  # (n, points)
    labels: pd.DataFrame  # what is known of each signal; its index is the line of the file
    source: str


def read_image(path_or_bytes, name=None, *, page=None, max_bytes=300_000_000, max_pixels=150_000_000):
    """Read a grey image from a TIFF, PNG, JPEG, MRC, DM3 or DM4 file.

    Colours become grey: their one channel where all are equal, their luminance (ITU-R BT.601) otherwise.
    An opaque alpha channel is dropped.

    Parameters
    ----------
    path_or_bytes : path or bytes
        A file, or the content of an upload.
    name : str, optional
        Name of an upload; its ending must fit its content.
    page : int, optional
        Which page, from 0, of a file that holds several.
    max_bytes, max_pixels : int
        Larger files are refused.

    Returns
    -------
    Image

    Raises
    ------
    ReadError
        If there is no such file, it is too large, its content is damaged or not what its ending says, it
        has transparent parts, or it holds several pages and ``page`` is not given.
    """
    content, name = _content(path_or_bytes, name, max_bytes)
    pages, pixel_size_nm = _decode(content, name, page, max_pixels)
    if page is None and len(pages) > 1:
        raise ReadError(f"{name} holds {len(pages)} pages; say which one, or read it as a stack")
    return Image(_grey(pages[0], name), pixel_size_nm, name)


def read_stack(path_or_bytes, name=None, *, max_bytes=2_000_000_000, max_pixels=1_000_000_000):
    """Read the grey frames of a TIFF, MRC or DM file; a single image is a stack of one.

    Parameters and errors are those of `read_image`; ``max_pixels`` holds for all frames together.

    Returns
    -------
    Stack
    """
    content, name = _content(path_or_bytes, name, max_bytes)
    pages, pixel_size_nm = _decode(content, name, None, max_pixels)
    return Stack(np.stack([_grey(page, name) for page in pages]), pixel_size_nm, name)


def pixel_size_of(picture, given_nm):
    """Return how large the pixels of an `Image` or a `Stack` are (nm): as its file says, else as was given.

    Raises
    ------
    ReadError
        If neither the file says it nor ``given_nm`` (float or None).
    """
    size = picture.pixel_size_nm or given_nm
    if size is None:
        raise ReadError(f"{picture.source} does not say how large its pixels are; give pixel_size_nm (--pixel-size)")
    return size


def read_colours(path_or_bytes, name=None, *, max_bytes=2_000_000_000, max_pixels=1_000_000_000):
    """Read frames in colours, as `read_stack` reads grey ones; of a grey frame all three colours are equal.

    Returns
    -------
    Colours
    """
    content, name = _content(path_or_bytes, name, max_bytes)
    pages, _ = _decode(content, name, None, max_pixels)
    return Colours(np.stack([_colours(page, name) for page in pages]), name)


def read_table(path_or_bytes, name=None, *, numbers=(), max_bytes=300_000_000, max_rows=5_000_000):
    """Read a table from CSV (separated by commas, semicolons or tabs; first row: names) or Parquet.

    Where the separator is no comma, numbers may have decimal commas. Empty cells are missing values. A
    column of numbers becomes a column of floats or whole numbers; any other stays text.

    Parameters
    ----------
    path_or_bytes, name
        As in `read_image`.
    numbers : sequence of str
        Columns that must be there and hold numbers only.
    max_bytes, max_rows : int
        Larger files are refused.

    Returns
    -------
    pandas.DataFrame

    Raises
    ------
    ReadError
        If the file is missing, too large or no table, a row has too few or too many cells, or a cell of
        ``numbers`` holds no number: the message gives line and column.
    """
    content, name = _content(path_or_bytes, name, max_bytes)
    table, lines = _parquet(content, name, max_rows) if content[:4] == b"PAR1" else _csv(content, name, max_rows)
    for column in numbers:
        if column not in table:
            raise ReadError(f"{name} has no column {column!r}; it has {', '.join(map(repr, table.columns))}")
        if not pd.api.types.is_numeric_dtype(table[column]):
            row = next(
                i for i, cell in enumerate(table[column]) if not pd.isna(cell) and _number(str(cell), ",") is None
            )
            cell = table[column].iloc[row]
            raise ReadError(f"{name}, line {lines[row]}, column {column!r}: {cell!r} is not a number")
    return table


def read_signals(path_or_bytes, name=None, *, labels=(), max_bytes=300_000_000, max_rows=5_000_000):
    """Read signals from a text, one a line: numbers separated by commas, semicolons, tabs or blanks.

    Where the separator is no comma, numbers may have decimal commas. Lines that begin with ``#`` are comments. The
    first line names the columns if it holds no number, or one of ``labels``, or counts from 0 or 1; a first column that
    alone has no name numbers the lines, as pandas writes it, and is left out.

    Parameters
    ----------
    path_or_bytes, name
        As in `read_image`.
    labels : sequence of str
        Columns, by name, that tell something of a signal and are no part of it. Case does not matter, nor what follows
        the word: "Angle (deg)" is an "angle".
    max_bytes, max_rows : int
        Larger files are refused.

    Returns
    -------
    Signals
        ``labels`` has the columns that were found, in lower case.

    Raises
    ------
    ReadError
        If the file is missing, too large or no text, lines have different numbers of cells, a cell holds no finite
        number, or a column is named unlike most others and is none of ``labels``: the message gives line and column.
    """
    content, name = _content(path_or_bytes, name, max_bytes)
    text = _text(content, name)
    lines = (line.strip() for line in text.splitlines())
    separator = _separator(next((line for line in lines if line and line[0] != "#"), ""))
    rows, lines = _rows(text, separator, name, max_rows, comments=True)
    names = _names(rows[0], labels, separator) if rows else []
    if names:
        rows, lines = rows[1:], lines[1:]
    elif rows:
        names = [""] * len(rows[0])
    if not rows:
        raise ReadError(f"{name} holds no signal: no line of numbers is there")
    data = [at for at, column in enumerate(names) if column not in (*labels, None)]
    if foreign := _foreign_name([names[at] for at in data]):
        usual, other = foreign
        known = f"nor one of {', '.join(labels)}" if labels else "nor anything else that is known"
        raise ReadError(f"{name}: column {other!r} is no part of the signals, like {usual!r}, {known}")
    values = np.array(
        [[_finite(row[at], separator, name, line, at) for at in data] for row, line in zip(rows, lines, strict=True)]
    )
    found = {label: [row[names.index(label)] for row in rows] for label in labels if label in names}
    for label, cells in found.items():
        if "" in cells:
            raise ReadError(f"{name}, line {lines[cells.index('')]}, column {label!r}: the cell is empty")
    columns = {label: _column(cells, separator).to_numpy() for label, cells in found.items()}
    return Signals(values, pd.DataFrame(columns, pd.Index(lines, name="line")), name)


def _content(path_or_bytes, name, max_bytes):
    """Return the bytes of a file or an upload, and its name, with the checks that need no decoding."""
    if isinstance(path_or_bytes, bytes | bytearray | memoryview):
        content, name = bytes(path_or_bytes), name or "the upload"
        size = len(content)
    else:
        path = Path(path_or_bytes)
        name = name or path.name
        if not path.is_file():
            raise ReadError(f"{path} is not a file")
        content, size = None, path.stat().st_size
    if size == 0:
        raise ReadError(f"{name} is empty")
    if size > max_bytes:
        raise ReadError(f"{name} has {size / 1e6:.0f} MB; at most {max_bytes / 1e6:.0f} MB are read")
    return content if content is not None else path.read_bytes(), name


def _decode(content, name, page, max_pixels):
    """Return a list of pages, each (H, W) or (H, W, channels), and the pixel size."""
    kind = _kind(content)
    ending = Path(name).suffix.lower()
    named = next((k for k, endings in ENDINGS.items() if ending in endings), None)
    if named and kind != named:
        raise ReadError(f"{name} is not what its name says: it is named {named} but holds {kind or _foreign(content)}")
    if kind is None:
        raise ReadError(f"{name} is no image that can be read ({', '.join(ENDINGS)}): it holds {_foreign(content)}")
    decode = {"TIFF": _tiff, "MRC": _mrc, "DM3": _dm, "DM4": _dm}.get(kind, _picture)
    try:
        pages, pixel_size_nm = decode(content, name, page, max_pixels)
    except ReadError:
        raise
    except MemoryError:
        raise ReadError(f"{name} does not fit into memory") from None
    except Exception as error:  # whatever a reader of another library makes of a damaged file
        raise ReadError(f"{name} cannot be read as {kind}; it may be damaged ({error})") from error
    if any(array.size == 0 for array in pages) or not pages:
        raise ReadError(f"{name} holds no pixels")
    return pages, pixel_size_nm


def _kind(content):
    if content[:8] == b"\x89PNG\r\n\x1a\n":
        return "PNG"
    if content[:3] == b"\xff\xd8\xff":
        return "JPEG"
    if content[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return "TIFF"
    if content[:4] in (b"\0\0\0\3", b"\0\0\0\4") and len(content) > 16:
        return f"DM{content[3]}"
    return "MRC" if content[208:211] == b"MAP" else None


def _foreign(content):
    for signature, words in FOREIGN.items():
        if content.startswith(signature):
            return words
    if content[:500].lstrip()[:1] == b"<":
        return "HTML or XML"
    return "text" if content[:500].isascii() and b"\0" not in content[:500] else "something else"


def _check_pixels(name, shape, max_pixels):
    shape = [int(n) for n in shape if n != 1] or [1]
    if math.prod(shape) > max_pixels:
        size = " x ".join(map(str, shape))
        raise ReadError(f"{name} has {size} pixels; at most {max_pixels / 1e6:g} million are read")


def _page(name, page, count):
    if page is not None and not 0 <= page < count:
        raise ReadError(f"{name} has no page {page}; it holds {count}, counted from 0")


def _picture(content, name, page, max_pixels):
    """PNG and JPEG, upright. Their resolution is that of a screen or a printer, never that of the sample."""
    from PIL import Image as Picture
    from PIL import ImageOps

    _page(name, page, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Picture.DecompressionBombWarning)  # the check below is stricter
        try:
            picture = Picture.open(BytesIO(content))
        except Picture.DecompressionBombError as error:
            raise ReadError(f"{name} is too large: {error}") from None
    _check_pixels(name, picture.size, max_pixels)
    picture = ImageOps.exif_transpose(picture)  # as a telephone was held
    if picture.mode in ("P", "PA", "CMYK", "YCbCr", "LAB", "HSV") or "transparency" in picture.info:
        transparent = picture.mode == "PA" or "transparency" in picture.info
        picture = picture.convert("RGBA" if transparent else "RGB")
    return [np.asarray(picture)], None


def _tiff(content, name, page, max_pixels):
    from tifffile import PHOTOMETRIC, TiffFile

    with TiffFile(BytesIO(content)) as tif:
        leaves, first = list(tif.series[0].pages), tif.series[0].keyframe  # other series are thumbnails
        _page(name, page, len(leaves))
        chosen = leaves if page is None else [leaves[page]]
        _check_pixels(name, (len(chosen), first.imagelength, first.imagewidth), max_pixels)
        for leaf in chosen:
            if max(np.add(leaf.dataoffsets, leaf.databytecounts)) > len(content):
                raise ReadError(f"{name} is cut short: pixels that it announces are missing")
        pages = [leaf.asarray() for leaf in chosen]
        if first.photometric == PHOTOMETRIC.MINISWHITE:
            pages = [~page if page.dtype.kind in "bu" else page for page in pages]
        if first.photometric == PHOTOMETRIC.PALETTE and first.colormap is not None:
            pages = [np.moveaxis(first.colormap[:, page], 0, -1) for page in pages]
        elif first.planarconfig == 2 and first.dtype.kind == "f":  # three frames, which tifffile calls red, green, blue
            pages = [plane for page in pages for plane in page]
        elif first.planarconfig == 2:
            pages = [np.moveaxis(page, 0, -1) for page in pages]
        try:
            return pages, _tiff_pixel_size(tif)
        except (ElementTree.ParseError, ValueError, TypeError, KeyError, IndexError, AttributeError):
            return pages, None  # a damaged note on the pixel size is no reason to refuse the pixels


def _tiff_pixel_size(tif):
    """The pixel size that the microscope or a program wrote, in nm, or None."""
    tags = tif.pages[0].tags
    if tif.is_ome:
        element = next((e for e in ElementTree.fromstring(tif.ome_metadata).iter() if e.tag.endswith("}Pixels")), None)
        found = element.attrib if element is not None else {}
        sizes = [_nm(found.get(f"PhysicalSize{a}"), found.get(f"PhysicalSize{a}Unit", "um")) for a in "XY"]
        return _square(*sizes)
    if tif.is_fei:
        parts = [part for part in tif.fei_metadata.values() if isinstance(part, dict)]
        scan = {key.lower(): value for part in parts for key, value in part.items()}
        return _square(_nm(scan.get("pixelwidth"), "m"), _nm(scan.get("pixelheight"), "m"))
    if tif.is_sis:
        return _square(_nm(tif.sis_metadata.get("pixelsizex"), "m"), _nm(tif.sis_metadata.get("pixelsizey"), "m"))
    if tif.is_sem:
        entry = tif.sem_metadata.get("ap_image_pixel_size") or tif.sem_metadata.get("ap_pixel_size")
        return _nm(entry[1], entry[2]) if entry and len(entry) == 3 else None
    x, y = (_ratio(tags[key].value) if key in tags else 0.0 for key in ("XResolution", "YResolution"))
    if x <= 0 or y <= 0:
        return None
    if tif.is_imagej:
        unit = (tif.imagej_metadata or {}).get("unit")
    else:
        unit = {2: "inch", 3: "cm"}.get(int(tags["ResolutionUnit"].value) if "ResolutionUnit" in tags else 0)
    size = _square(_nm(1 / x, unit), _nm(1 / y, unit))
    return size if size and size < LARGEST_PIXEL_NM else None


def _mrc(content, name, page, max_pixels):
    from mrcfile.mrcinterpreter import MrcInterpreter

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # mrcfile's remarks on harmless oddities of headers
        header = MrcInterpreter(BytesIO(content), header_only=True).header
        shape = tuple(int(header[n]) for n in ("nz", "ny", "nx"))
        _page(name, page, shape[0])
        _check_pixels(name, shape, max_pixels)
        mrc = MrcInterpreter(BytesIO(content))
    frames = np.array(mrc.data).reshape(-1, *mrc.data.shape[-2:])
    size = _square(*(_nm(round(float(mrc.voxel_size[axis]), 5), "a") for axis in "xy"))
    return list(frames if page is None else frames[page : page + 1]), size


def _dm(content, name, page, max_pixels):
    from ncempy.io.dm import fileDM

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "image.dm"  # the reader wants a file
        path.write_bytes(content)
        with fileDM(path) as dm:
            dm.parseHeader()
            first = 0 if dm.numObjects == 1 else 1  # a thumbnail stands before the image
            _check_pixels(name, (dm.zSize[first], dm.ySize[first], dm.xSize[first]), max_pixels)
            found = dm.getDataset(0)
            data, sizes, units = np.array(found["data"]), found["pixelSize"], found["pixelUnit"]
    if data.ndim not in (2, 3):
        raise ReadError(f"{name} holds {data.ndim}-dimensional data, not an image")
    frames = data.reshape(-1, *data.shape[-2:])
    _page(name, page, len(frames))
    size = _square(*(_nm(s, u) for s, u in zip(sizes[-2:], units[-2:], strict=True))) if len(sizes) >= 2 else None
    return list(frames if page is None else frames[page : page + 1]), size


def _csv(content, name, max_rows):
    """Return a table and, for each row, the line of the file on which it ends."""
    text = _text(content, name)
    header = text.lstrip().partition("\n")[0]
    separator = max(",;\t", key=header.count)
    rows, lines = _rows(text, separator, name, max_rows)
    if len(rows) < 2:
        raise ReadError(f"{name} holds no table: no row follows the names of the columns")
    names = rows.pop(0)
    del lines[0]
    if len(set(names)) < len(names):
        raise ReadError(f"{name}: the first row must name each column once, got {names}")
    columns = zip(*rows, strict=True)
    return pd.DataFrame({n: _column(cells, separator) for n, cells in zip(names, columns, strict=True)}), lines


def _text(content, name):
    if b"\0" in content[:10_000] or _kind(content):
        raise ReadError(f"{name} is no table: its content is not text")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def _separator(line):
    """Return what separates the numbers or names of a line: 0,5 0,7 are two numbers, and so are 1, 2."""
    for separator in ";	":
        if separator in line:
            return separator
    cells = line.split()
    decimal = all(cell.strip(",") == cell and _number(cell, " ") is not None for cell in cells)
    return " " if len(cells) > 1 and ("," not in line or decimal) else ","


def _rows(text, separator, name, max_rows, comments=False):
    """Return rows of cells, all as long as the first, and the line on which each ends; empty lines do not count."""
    lines = StringIO(text)
    if comments:
        lines = ("\n" if line.lstrip().startswith("#") else line for line in lines)
    if separator == " ":
        lines = (f"{line.strip()}\n" for line in lines)
    reader = csv.reader(lines, delimiter=separator, skipinitialspace=separator == " ")
    rows, ends = [], []
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if not any(cells):
                continue
            if rows and len(cells) != len(rows[0]):
                raise ReadError(f"{name}, line {reader.line_num}: {len(cells)} cells, but {len(rows[0])} columns")
            rows.append(cells)
            ends.append(reader.line_num)
            if len(rows) > max_rows + 1:  # one of names
                raise ReadError(f"{name} has more than {max_rows} rows")
    except csv.Error as error:
        raise ReadError(f"{name}, line {reader.line_num}: {error}") from None
    return rows, ends


def _names(cells, labels, separator):
    """Return the names of columns in a first row, in lower case, None for a column of line numbers; or nothing."""
    words = [re.match(r"[^\W\d_]*", cell.lower())[0] for cell in cells]
    names = [
        word if word in labels and words.count(word) == 1 else cell.lower()
        for word, cell in zip(words, cells, strict=True)
    ]
    unnamed = names[0] == "" and names.count("") == 1
    rest = cells[unnamed:]
    counts = len(rest) >= COUNTED and any(rest == [str(first + n) for n in range(len(rest))] for first in (0, 1))
    if set(names) & set(labels) or counts or all(_number(cell, separator) is None for cell in cells):
        return [None, *names[1:]] if unnamed else names
    return []


def _foreign_name(names):
    """Return a name as most are, its numbers apart, and one that is not; or None."""
    kinds = [re.sub(r"[-+]?\d+([.,]\d+)?(e[-+]?\d+)?", "0", name) for name in names]
    usual, count = Counter(kinds).most_common(1)[0] if kinds else ("", 0)
    if len(names) / 2 < count < len(names):
        return names[kinds.index(usual)], next(n for n, kind in zip(names, kinds, strict=True) if kind != usual)
    return None


def _finite(cell, separator, name, line, at):
    value = _number(cell, separator)
    if value is None or not math.isfinite(value):
        raise ReadError(f"{name}, line {line}, column {at + 1}: {cell!r} is not a finite number")
    return value


def _column(cells, separator):
    values = [np.nan if cell == "" else _number(cell, separator) for cell in cells]
    if any(value is None for value in values):
        return pd.Series([cell or None for cell in cells], dtype="str")
    values = pd.Series(values, dtype=float)
    whole = values.notna().all() and all(cell.lstrip("+-").isdigit() for cell in cells) and (values.abs() < 2**53).all()
    return values.astype(np.int64) if whole else values


def _number(cell, separator):
    """The value of a cell, or None; NaN and infinity count as numbers if they are written out."""
    if separator != "," and cell.count(",") == 1 and "." not in cell:
        cell = cell.replace(",", ".")
    try:
        return float(cell) if "_" not in cell else None
    except ValueError:
        return None


def _parquet(content, name, max_rows):
    from pyarrow import ArrowException
    from pyarrow.parquet import ParquetFile

    try:
        file = ParquetFile(BytesIO(content))
        rows = file.metadata.num_rows
        if rows > max_rows:
            raise ReadError(f"{name} has {rows} rows; at most {max_rows} are read")
        return file.read().to_pandas(), range(1, rows + 1)
    except (ArrowException, OSError) as error:
        raise ReadError(f"{name} cannot be read as Parquet; it may be damaged ({error})") from error


def _nm(value, unit):
    """A length in nm, or None if it is none: no number, not positive, or in another kind of unit (1/nm, pixel)."""
    unit = str(unit).strip().lower().replace("\\u00b5", "u")
    try:
        value = float(value)
    except (TypeError, ValueError):
        return None
    return value * NM[unit] if unit in NM and 0 < value < np.inf else None


def _square(x, y):
    """The edge of a square pixel; None where it is not known or the pixels are not square to 1 %."""
    return x if x and y and abs(x / y - 1) < 0.01 else None


def _ratio(value):
    return value[0] / value[1] if isinstance(value, tuple) and value[1] else float(value if np.isscalar(value) else 0)


def _grey(array, name):
    array = _channels(array, name)
    if array.shape[-1] == 1 or all(np.array_equal(array[..., 0], array[..., i]) for i in range(1, array.shape[-1])):
        return np.ascontiguousarray(array[..., 0])
    return (array @ np.array([0.299, 0.587, 0.114])).astype(np.float32)


def _colours(array, name):
    array = _channels(array, name)
    return np.ascontiguousarray(np.broadcast_to(array, (*array.shape[:2], 3)))


def _channels(array, name):
    """Return an image as (H, W, 1) or (H, W, 3), without an opaque alpha channel."""
    if array.dtype == bool:
        array = array.astype(np.uint8) * 255
    if array.dtype.kind not in "uif":
        raise ReadError(f"{name} holds {array.dtype} pixels; grey levels must be real numbers")
    if array.ndim == 2:
        return array[..., None]
    channels = array.shape[-1] if array.ndim == 3 else 0
    if channels not in (1, 2, 3, 4):
        raise ReadError(f"{name} has the shape {array.shape}; expected grey (H, W) or colours (H, W, 3 or 4)")
    if channels in (2, 4):
        alpha, array = array[..., -1], array[..., :-1]
        if alpha.min() != alpha.max() or alpha.max() == 0:
            raise ReadError(f"{name} has transparent parts, which have no grey level; save it without transparency")
    return array
