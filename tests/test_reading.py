"""Files come back as they were written, or are refused with a sentence that names the file and the cause."""

import io
import struct
import tempfile
import zlib
from pathlib import Path

import mrcfile
import numpy as np
import pandas as pd
import pytest
import tifffile
from PIL import Image as Picture

from particlelab.randomness import generator
from particlelab.reading import ReadError, read_colours, read_image, read_signals, read_stack, read_table

GREY = generator(0, "reading").integers(0, 256, (40, 50)).astype(np.uint8)
GREY_16 = GREY.astype(np.uint16) * 257


def picture(array, kind="PNG", **options):
    file = io.BytesIO()
    Picture.fromarray(array).save(file, kind, **options)
    return file.getvalue()


def tiff(array, **options):
    file = io.BytesIO()
    tifffile.imwrite(file, array, **options)
    return file.getvalue()


def large_png(width, height):
    """A PNG of a few hundred bytes whose header announces any size."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    pixels = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def large_tiff(width, height):
    file = io.BytesIO(tiff(GREY))
    with tifffile.TiffFile(file, mode="r+b") as tif:
        tif.pages[0].tags["ImageWidth"].overwrite(width)
        tif.pages[0].tags["ImageLength"].overwrite(height)
    return file.getvalue()


def mrc(array, voxel_size=None):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.mrc"
        with mrcfile.new(path) as file:
            file.set_data(array)
            if voxel_size:
                file.voxel_size = voxel_size
        return path.read_bytes()


@pytest.mark.parametrize("array", [GREY, GREY_16])
@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.TIFF"])
def test_grey_levels_come_back(array, name, tmp_path):
    content = picture(array) if name.endswith("png") else tiff(array)
    image = read_image(content, name)
    np.testing.assert_array_equal(image.pixels, array)
    assert image.pixels.dtype == array.dtype and image.source == name and image.pixel_size_nm is None
    (tmp_path / name).write_bytes(content)
    np.testing.assert_array_equal(read_image(tmp_path / name).pixels, array)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16, np.uint32])
@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}, {"tile": (16, 16), "compression": "lzw"}])
def test_tiff_of_any_type(dtype, options):
    array = GREY.astype(dtype) - (3 if dtype != np.uint32 else 0)
    read = read_image(tiff(array, **options), "a.tif").pixels
    np.testing.assert_array_equal(read, array)
    assert read.dtype == dtype


def test_jpeg_is_close():
    smooth = np.add.outer(np.arange(40), np.arange(50)).astype(np.uint8)
    assert np.abs(read_image(picture(smooth, "JPEG", quality=95), "a.jpg").pixels.astype(int) - smooth).max() <= 3


def test_black_is_zero_whatever_the_photometry():
    white_is_zero = read_image(tiff(GREY, photometric="miniswhite"), "a.tif").pixels
    np.testing.assert_array_equal(white_is_zero, 255 - GREY)
    bits = read_image(picture(GREY > 100), "a.png").pixels
    np.testing.assert_array_equal(bits, np.where(GREY > 100, 255, 0))
    ramp = np.repeat(np.linspace(65535, 0, 256).astype(np.uint16)[None], 3, 0)
    np.testing.assert_array_equal(read_image(tiff(GREY, colormap=ramp), "a.tif").pixels, ramp[0][GREY])


SEPARATE = {"photometric": "rgb", "planarconfig": "separate"}


def test_colours_become_grey():
    opaque = np.full_like(GREY, 255)
    for channels in ([GREY] * 3, [*[GREY] * 3, opaque]):
        np.testing.assert_array_equal(read_image(picture(np.dstack(channels)), "a.png").pixels, GREY)
    red, green, blue = GREY, 255 - GREY, GREY // 2
    luminance = 0.299 * red + 0.587 * green + 0.114 * blue
    colours = np.dstack([red, green, blue])
    planes = tiff(np.moveaxis(colours, -1, 0), **SEPARATE)
    for content, name in [(picture(colours), "a.png"), (tiff(colours, photometric="rgb"), "a.tif"), (planes, "a.tif")]:
        np.testing.assert_allclose(read_image(content, name).pixels, luminance, atol=1e-4)


def test_colours_come_back_and_grey_is_equal_in_all():
    colours = generator(1, "reading").integers(0, 256, (6, 7, 3)).astype(np.uint8)
    opaque = np.dstack([colours, np.full((6, 7), 255, np.uint8)])
    for content in (picture(colours), picture(opaque), tiff(colours, photometric="rgb")):
        np.testing.assert_array_equal(read_colours(content).frames, colours[None])
    pages = np.stack([GREY_16, GREY_16[::-1]])
    found = read_colours(tiff(pages, photometric="minisblack")).frames
    assert found.shape == (2, *GREY.shape, 3) and found.dtype == np.uint16
    assert all(np.array_equal(found[..., channel], pages) for channel in range(3))
    see_through = np.dstack([colours, colours[..., 0]])
    with pytest.raises(ReadError, match=r"a\.png has transparent parts"):
        read_colours(picture(see_through), "a.png")


def test_three_frames_of_fractions_are_no_colours():
    """tifffile writes them as red, green and blue unless it is told otherwise."""
    frames = np.stack([GREY, GREY / 2, GREY / 3]).astype(np.float32)
    np.testing.assert_array_equal(read_stack(tiff(frames, **SEPARATE), "a.tif").frames, frames)


def test_transparent_parts_are_refused():
    with pytest.raises(ReadError, match=r"a\.png has transparent parts"):
        read_image(picture(np.dstack([GREY] * 4)), "a.png")


MICRON = {"PhysicalSizeX": 0.000536, "PhysicalSizeXUnit": "µm", "PhysicalSizeY": 0.000536, "PhysicalSizeYUnit": "µm"}


@pytest.mark.parametrize(
    ("options", "nm"),
    [
        ({"resolution": (1e7 / 0.536,) * 2, "resolutionunit": "CENTIMETER"}, 0.536),
        ({"resolution": (2.54e7 / 20,) * 2, "resolutionunit": "INCH"}, 20),
        ({"resolution": (72, 72), "resolutionunit": "INCH"}, None),  # a screen's, not the sample's
        ({"resolution": (300, 300), "resolutionunit": "INCH"}, None),
        ({"resolution": (1e7, 2e7), "resolutionunit": "CENTIMETER"}, None),  # not square
        ({"imagej": True, "resolution": (1 / 0.536,) * 2, "metadata": {"unit": "nm"}}, 0.536),
        ({"imagej": True, "resolution": (1 / 0.000536,) * 2, "metadata": {"unit": "um"}}, 0.536),
        ({"imagej": True, "resolution": (1 / 0.000536,) * 2, "metadata": {"unit": "\\u00B5m"}}, 0.536),
        ({"imagej": True, "resolution": (1 / 0.536,) * 2, "metadata": {"unit": "pixel"}}, None),
        ({"imagej": True, "resolution": (1 / 0.536,) * 2, "metadata": {"unit": "1/nm"}}, None),  # a diffractogram
        ({"ome": True, "metadata": {"axes": "YX", **MICRON}}, 0.536),
        ({"ome": True, "metadata": {"axes": "YX"}}, None),
        ({"extratags": [(34680, 2, 0, "[Scan]\r\nPixelWidth=5.36e-10\r\nPixelHeight=5.36e-10\r\n", True)]}, 0.536),
    ],
)
def test_pixel_size_of_a_tiff(options, nm):
    size = read_image(tiff(GREY, **options), "a.tif").pixel_size_nm
    assert size is None if nm is None else size == pytest.approx(nm, rel=1e-5)


def test_damaged_metadata_do_not_cost_the_image():
    content = tiff(GREY, description="<?xml version='1.0'?><OME><broken", metadata=None)
    np.testing.assert_array_equal(read_image(content, "a.tif").pixels, GREY)


def test_pages():
    pages = np.stack([GREY, 255 - GREY, GREY // 2])
    for content, name in [(tiff(pages, photometric="minisblack"), "a.tif"), (mrc(pages.astype(np.int16)), "a.mrc")]:
        with pytest.raises(ReadError, match=rf"{name} holds 3 pages"):
            read_image(content, name)
        np.testing.assert_array_equal(read_image(content, name, page=1).pixels, pages[1])
        with pytest.raises(ReadError, match=r"no page 3; it holds 3, counted from 0"):
            read_image(content, name, page=3)
        np.testing.assert_array_equal(read_stack(content, name).frames, pages)
        with pytest.raises(ReadError, match=r"3 x 40 x 50 pixels"):
            read_stack(content, name, max_pixels=5000)
    np.testing.assert_array_equal(read_stack(tiff(GREY), "a.tif").frames, GREY[None])


def test_mrc_with_voxels_in_angstrom():
    image = read_image(mrc(GREY_16, 5.36), "a.mrc")
    np.testing.assert_array_equal(image.pixels, GREY_16)
    assert image.pixel_size_nm == pytest.approx(0.536, rel=1e-6)
    assert read_image(mrc(GREY_16), "a.mrc").pixel_size_nm is None


@pytest.mark.parametrize(("unit", "scale", "nm"), [("nm", 0.536, 0.536), ("µm", 0.002, 2.0), ("1/nm", 0.01, None)])
def test_dm3(unit, scale, nm):
    image = read_image(dm3(GREY_16, scale, unit), "a.dm3")
    np.testing.assert_array_equal(image.pixels, GREY_16)
    assert image.pixel_size_nm is None if nm is None else image.pixel_size_nm == pytest.approx(nm, rel=1e-6)
    with pytest.raises(ReadError, match="40 x 50 pixels"):
        read_image(dm3(GREY_16, scale, unit), "a.dm3", max_pixels=1999)


@pytest.mark.parametrize(
    ("content", "name", "words"),
    [
        (b"", "a.png", r"a\.png is empty"),
        (b"<!doctype html><html>", "a.png", "named PNG but holds HTML"),
        (b"PK\x03\x04" + bytes(50), "a.png", "named PNG but holds a ZIP archive"),
        (picture(GREY), "a.tif", "named TIFF but holds PNG"),
        (tiff(GREY), "a.jpg", "named JPEG but holds TIFF"),
        (b"some text", "notes.txt", "no image that can be read .*: it holds text"),
        (bytes(300), "noname", "no image that can be read"),
        (picture(GREY)[:400], "a.png", r"a\.png cannot be read as PNG; it may be damaged"),
        (picture(GREY, "JPEG")[:300], "a.jpg", "cannot be read as JPEG"),
        (tiff(GREY)[:1000], "a.tif", "a.tif is cut short"),
        (tiff(GREY, compression="zlib")[:1000], "a.tif", "cut short"),
        (tiff(GREY)[:60], "a.tif", "cannot be read as TIFF"),
        (b"II*\0" + bytes(100), "a.tif", "a.tif cannot be read|a.tif holds no"),
        (mrc(GREY_16)[:2000], "a.mrc", "cannot be read as MRC"),
        (b"\0\0\0\3" + bytes(100), "a.dm3", "cannot be read as DM3"),
        (tiff(GREY + 1j), "a.tif", "complex128 pixels"),
        (large_png(30_000, 30_000), "a.png", "too large"),
        (large_png(13_000, 13_000), "a.png", "13000 x 13000 pixels; at most 150 million"),
        (large_tiff(30_000, 30_000), "a.tif", "30000 x 30000 pixels; at most 150 million"),
    ],
)
def test_refused(content, name, words):
    with pytest.raises(ReadError, match=words):
        read_image(content, name)


def test_limits_of_files(tmp_path):
    (tmp_path / "a.png").write_bytes(picture(GREY))
    with pytest.raises(ReadError, match=r"a\.png has 0 MB; at most 0 MB"):
        read_image(tmp_path / "a.png", max_bytes=100)
    with pytest.raises(ReadError, match=r"50 x 40 pixels; at most 0\.001 million"):
        read_image(tmp_path / "a.png", max_pixels=1000)
    with pytest.raises(ReadError, match="is not a file"):
        read_image(tmp_path / "b.png")
    with pytest.raises(ReadError, match="is not a file"):
        read_image(tmp_path)
    with pytest.raises(ReadError, match="the upload is empty"):
        read_image(b"")


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1"])
def test_tables(separator, encoding):
    decimal = "." if separator == "," else ","
    rows = [["name", "da (µm)", "n"], ["first", "1.5", "3"], ["", "-2.5e2", "4"], ["third", "", "-5"]]
    text = "\r\n".join(separator.join(cell.replace(".", decimal) for cell in row) for row in rows)
    table = read_table(text.encode(encoding), "a.csv", numbers=["da (µm)", "n"])
    expected = pd.DataFrame({"name": ["first", None, "third"], "da (µm)": [1.5, -250, np.nan], "n": [3, 4, -5]})
    pd.testing.assert_frame_equal(table, expected, check_dtype=False)
    assert table.n.dtype == np.int64


def test_quoted_cells_and_empty_lines():
    table = read_table(b'a,b\n\n"x, y",1\n"two\nlines",2\n', "a.csv")
    assert table.a.tolist() == ["x, y", "two\nlines"] and table.b.tolist() == [1, 2]


def test_whole_numbers_that_no_float_holds_stay_exact_or_text():
    assert read_table(b"a\n9007199254740991\n", "a.csv").a.tolist() == [2**53 - 1]
    assert read_table(b"a\n1_000\n", "a.csv").a.tolist() == ["1_000"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"a,b\n1,2\n3\n", r"a\.csv, line 3: 1 cells, but 2 columns"),
        (b"a,b\n1,2\n\n3,4,5\n", "line 4: 3 cells"),
        (b"a,b\n1,2\n\n3,x4\n", "line 4, column 'b': 'x4' is not a number"),
        (b"a,c\n1,2\n", "no column 'b'; it has 'a', 'c'"),
        (b"a,b\n", "no row follows"),
        (b"\n\n", "no row follows"),
        (b"a,a\n1,2\n", "name each column once"),
        (picture(GREY), "its content is not text"),
        (b"a,b\n\0\0,2\n", "its content is not text"),
        (b"a,b\n1,2\n3,4\n5,6\n7,8\n", "more than 3 rows"),
        (b"PAR1" + bytes(50), "cannot be read as Parquet"),
    ],
)
def test_tables_refused(content, words):
    with pytest.raises(ReadError, match=words):
        read_table(content, "a.csv", numbers=["b"], max_rows=3)


SIGNALS = np.array([[0.125, -3, 2.5e-3], [1e3, 0.75, 4]])


@pytest.mark.parametrize(
    "text",
    [
        "0.125,-3,2.5e-3\n1e3,.75,4\n",
        "0.125, -3, 2.5e-3\n1e3, .75, 4\n",
        "0,125;-3;2,5e-3\r\n1e3;0,75;4\r\n",
        "0,125\t-3\t2,5e-3\n\n1e3\t0,75\t4",
        "  0,125 -3   2,5e-3 \n1e3  0,75 4\n",
        "# made by hand; in nm\n0.125 -3 2.5e-3\n# the second, after a break\n1e3 0.75 4\n",
        "a b c\n0,125 -3 2,5e-3\n1e3 0,75 4\n",
        "a,b,c\n0.125,-3,2.5e-3\n1e3,0.75,4\n",
    ],
)
def test_signals_in_any_notation(text):
    signals = read_signals(text.encode(), "a.txt")
    np.testing.assert_array_equal(signals.values, SIGNALS)
    assert signals.labels.shape == (2, 0) and signals.source == "a.txt"


def test_labels_of_signals_are_no_part_of_them():
    content = b"1;Name;2;3;Angle\n0,125;A;-3;2,5e-3;90\n\n1e3;B 2;0,75;4;0\n"
    signals = read_signals(content, "a.csv", labels=["angle", "name"])
    np.testing.assert_array_equal(signals.values, SIGNALS)
    assert signals.labels.to_dict("list") == {"angle": [90, 0], "name": ["A", "B 2"]}
    assert signals.labels.index.tolist() == [2, 4]  # lines of the file


SAMPLES = np.arange(20.0).reshape(2, 10) / 7


@pytest.mark.parametrize("index", [True, False])
@pytest.mark.parametrize(
    "names", [range(10), range(1, 11), [f"I{k}" for k in range(10)], [f"x={k / 7}" for k in range(10)]]
)
def test_signals_as_pandas_writes_them(index, names):
    """Its names of columns are numbers unless one gives others; so are those of the lines."""
    content = pd.DataFrame(SAMPLES, columns=names).to_csv(index=index).encode()
    np.testing.assert_array_equal(read_signals(content, "a.csv").values, SAMPLES)
    labelled = pd.DataFrame(SAMPLES, columns=names).assign(**{"Angle (deg)": [90, 0]}).to_csv(index=index).encode()
    signals = read_signals(labelled, "a.csv", labels=["name", "angle"])
    np.testing.assert_array_equal(signals.values, SAMPLES)
    assert signals.labels.to_dict("list") == {"angle": [90, 0]}
    with pytest.raises(ReadError, match=r"is no part of the signals, like '|is not a finite number"):
        read_signals(labelled, "a.csv", labels=["name"])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"1,2\n\n3,x\n", r"a\.csv, line 3, column 2: 'x' is not a finite number"),
        (b"0.1,x,0.3\n1,2,3\n", "line 1, column 2: 'x' is not"),  # not taken for names
        (b"# none\n1 2\n3 nan\n", "line 3, column 2: 'nan' is not"),
        (b"1,2\n3,\n", "line 2, column 2: '' is not"),
        (b"name,1,2\nA,3,4\n,5,6\n", "line 3, column 'name': the cell is empty"),
        (b"1,2\n3,4,5\n", "line 2: 3 cells, but 2 columns"),
        (b"a,b\n", "holds no signal"),
        (b"# nothing\n", "holds no signal"),
        (b"1\n2\n3\n4\n5\n", "more than 3 rows"),
        (picture(GREY), "its content is not text"),
    ],
)
def test_signals_refused(content, words):
    with pytest.raises(ReadError, match=words):
        read_signals(content, "a.csv", labels=["name"], max_rows=3)


def test_parquet(tmp_path):
    table = pd.DataFrame({"a": [1.5, np.nan], "b": ["x", "y"]})
    table.to_parquet(tmp_path / "a.parquet")
    pd.testing.assert_frame_equal(read_table(tmp_path / "a.parquet", numbers=["a"]), table)
    with pytest.raises(ReadError, match="line 1, column 'b': 'x' is not a number"):
        read_table(tmp_path / "a.parquet", numbers=["b"])


def dm3(array, scale, unit):
    """A DM3 file with one image: big-endian tags around little-endian data."""

    def tag(name, body):
        return b"\x15" + struct.pack(">H", len(name)) + name + b"%%%%" + body

    def number(name, kind, code, value):
        return tag(name, struct.pack(">ii", 1, kind) + struct.pack("<" + code, value))

    def numbers(name, kind, data, count):
        return tag(name, struct.pack(">iiii", 3, 20, kind, count) + data)

    def group(name, *members):
        return b"\x14" + struct.pack(">H", len(name)) + name + body(*members)

    def body(*members):
        return struct.pack(">??i", True, False, len(members)) + b"".join(members)

    text = unit.encode("utf-16-le")
    calibration = [
        group(
            b"",
            number(b"Origin", 6, "f", 0.0),
            number(b"Scale", 6, "f", scale),
            numbers(b"Units", 4, text, len(text) // 2),
        )
        for _ in range(2)
    ]
    data = group(
        b"ImageData",
        group(b"Calibrations", group(b"Dimension", *calibration)),
        numbers(b"Data", 4, array.astype("<u2").tobytes(), array.size),
        number(b"DataType", 5, "I", 10),  # 16 bits, unsigned
        group(b"Dimensions", number(b"", 5, "I", array.shape[1]), number(b"", 5, "I", array.shape[0])),
        number(b"PixelDepth", 5, "I", 2),
    )
    root = body(group(b"ImageList", group(b"", data)))
    return struct.pack(">iii", 3, len(root), 1) + root + bytes(8)


def test_a_picture_of_a_telephone_stands_upright():
    """Orientation 6 of EXIF: a quarter turn to the right shows it."""
    shown = np.zeros((40, 60), np.uint8)
    shown[:, 40:] = 255
    exif = Picture.Exif()
    exif[0x0112] = 6
    stored = picture(np.ascontiguousarray(np.rot90(shown)), exif=exif)
    np.testing.assert_array_equal(read_image(stored, "phone.png").pixels, shown)
