"""Transmission spectra as text files: one table a measurement, rows radii and columns times.

IPMT report, AP2.3.a: "each measurement is stored in a single CSV file with a different number of rows (radial
positions) and columns (time stamps)".
"""

import csv
import math
import re
from io import StringIO
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np

from particlelab.reading import ReadError, _content, _text
from particlelab.sedimentation.spectra import RANGE, Spectrum, check_spectrum
from particlelab.writing import write_text

SPECTRUM_ENDINGS = (".csv", ".txt", ".tsv", ".dat")
FEWEST = 2  # radii and times of a measurement
LONGEST_PREAMBLE = 200  # lines before the table
PERCENT_ABOVE = 2.0  # a transmission beyond cannot be a share of 1
CENTRIFUGE_CM = 5.0, 7.5  # radii in cells of analytical ultracentrifuges, which are told in cm
IN_MM = {"mm": 1.0, "cm": 10.0, "m": 1000.0, "um": 1e-3, "µm": 1e-3, "μm": 1e-3}
IN_S = {"s": 1.0, "sec": 1.0, "second": 1.0, "seconds": 1.0, "sek": 1.0, "ms": 1e-3, "min": 60.0, "minutes": 60.0}
IN_S |= {"h": 3600.0, "hr": 3600.0, "hours": 3600.0, "std": 3600.0}
NUMBER = r"[+-]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:[eE][+-]?\d+)?"
CELL = re.compile(rf"(?:[^\W\d]+\s*[=:]?\s*)?({NUMBER})\s*([^\W\d]+|%)?")  # "t = 10 s", "104,5 mm", "98.2 %"
CLOCK = re.compile(r"(\d+):([0-5]\d)(?::([0-5]\d(?:[.,]\d+)?))?")  # 1:30:00 or 1:30, hours first
UNIT_OF = r"(?<![^\W\d_])(?:{})(?:[^\w\n;,\t]|_|\bin\b)*?({})(?![^\W\d_])"
RADIUS_WORDS, TIME_WORDS = "radius|radii|radien|position|positions|r", "time|times|zeit|zeiten|t"
ABSORBANCE = re.compile(r"absorban|absorpt|extin[ck]t|optical density|optische dichte", re.IGNORECASE)
LABEL = re.compile(r"(?:class|klasse|label)\W+(.+)", re.IGNORECASE)
COEFFICIENT = re.compile(rf"(?:sedimentation.?coefficient|s_svedberg)\D*?({NUMBER})", re.IGNORECASE)
SPEED = re.compile(rf"(?:rpm|speed|drehzahl|umdrehung)\D*?({NUMBER})|({NUMBER})\s*(?:rpm|1/min|U/min)", re.IGNORECASE)


def write_spectrum(spectrum, path):
    """Write a spectrum as a CSV file that spreadsheets open and `read_spectrum` reads.

    Comment lines tell the label and the rotor's speed, the next line the times (s); then follows a line for each radius
    (mm). Numbers have as many digits as it takes to read the same number again.

    Parameters
    ----------
    spectrum : Spectrum
    path : path
        Its folder is made if it is not there.

    Returns
    -------
    Path

    Raises
    ------
    ValueError
        As `check_spectrum`, or if the label has several lines.
    """
    spectrum = check_spectrum(spectrum)
    lines = []
    if isinstance(spectrum.label, str):
        if not spectrum.label.strip() or "\n" in spectrum.label or "\r" in spectrum.label:
            raise ValueError(f"label must be one line of text, got {spectrum.label!r}")
        lines.append(f"# class: {spectrum.label}")
    elif spectrum.label is not None:
        lines.append(f"# sedimentation coefficient (S): {float(spectrum.label)}")
    if spectrum.rpm is not None:
        lines.append(f"# rotor speed (rpm): {float(spectrum.rpm)}")
    lines.append("# transmission, 1 where all light passes; rows: radius, columns: time")
    lines.append(",".join(["radius (mm) / time (s)", *map(str, spectrum.times_s.tolist())]))
    digits = spectrum.transmission.T.astype(str).tolist()  # the shortest that tell each number from its neighbours
    lines += [",".join([str(r), *row]) for r, row in zip(spectrum.radii_mm.tolist(), digits, strict=True)]
    return write_text(path, "\n".join(lines) + "\n")


def read_spectrum(path_or_bytes, name=None, *, max_bytes=100_000_000, max_values=20_000_000):
    """Read a spectrum from a text file: a line of times, then a line for each radius, its radius first.

    Numbers are separated by commas, semicolons, tabs or blanks; where the separator is no comma they may have decimal
    commas. Empty lines, comment lines (``#``), lines before the table and a line of units below the times may be there;
    of what they say, label, rotor speed, units and whether the table holds transmission or absorbance are read. Without
    units radii are in mm (in cm if all lie between 5 and 7.5, as in an analytical ultracentrifuge) and times in s.
    Values beyond 2, or a percent sign, mean percent. Radii may fall instead of rise.

    Parameters
    ----------
    path_or_bytes : path or bytes
        A file, or the content of an upload.
    name : str, optional
        Name of an upload.
    max_bytes, max_values : int
        Larger files are refused.

    Returns
    -------
    Spectrum
        ``label`` and ``rpm`` are None where the file does not say.

    Raises
    ------
    ReadError
        If the file is missing, too large or no such table, or a cell is missing or no finite number, radii or times are
        not ordered or too few, or a transmission is impossible: the message gives line and column.
    """
    content, name = _content(path_or_bytes, name, max_bytes)
    table = _find_table(_text(content, name), name)
    times = _increasing([_time(cell, table, column) for column, cell in enumerate(table.times, 2)], table)
    if (found := len(times) * len(table.rows)) > max_values:
        raise ReadError(f"{name} holds {found} values; at most {max_values} are read")
    radii, values = np.empty(len(table.rows)), np.empty((len(table.rows), len(times)), np.float32)
    for at, (line, cells) in enumerate(zip(table.lines, table.rows, strict=True)):
        radii[at] = _radius(cells[0], table, line)
        values[at] = [_value(cell, table, line, column) for column, cell in enumerate(cells[1:], 2)]
    lines = np.array(table.lines)
    if radii[0] > radii[-1]:
        radii, values, lines = radii[::-1], values[::-1], lines[::-1]
    wrong = np.flatnonzero(np.diff(radii) <= 0)
    if len(wrong):
        line = max(lines[wrong[0]], lines[wrong[0] + 1])
        raise ReadError(f"{name}, line {line}, column 1: radii must rise or fall from line to line")
    if not _tells(table, IN_MM, RADIUS_WORDS) and CENTRIFUGE_CM[0] <= radii[0] and radii[-1] <= CENTRIFUGE_CM[1]:
        radii = radii * IN_MM["cm"]
    values = _transmission(values, lines, table)
    return check_spectrum(Spectrum(radii, times, np.ascontiguousarray(values.T), *_said(table.preamble)))


def write_set(spectra, folder):
    """Write spectra to a folder, one CSV file each: ``0001_creaming.csv``, ``0002_5000_S.csv``, ``0003.csv``.

    Parameters
    ----------
    spectra : sequence of Spectrum
    folder : path

    Returns
    -------
    list of Path
    """
    folder, paths = Path(folder), []
    digits = max(4, len(str(len(spectra))))
    for number, spectrum in enumerate(spectra, start=1):
        label = spectrum.label
        tail = f"{label:g}_S" if isinstance(label, int | float | np.number) else re.sub(r"\W+", "-", label or "")
        paths.append(write_spectrum(spectrum, folder / (f"{number:0{digits}}" + (f"_{tail}" if tail else "") + ".csv")))
    return paths


def read_set(folder):
    """Read all spectra of a folder, in the order of the files' names.

    Parameters
    ----------
    folder : path

    Returns
    -------
    list of Spectrum

    Raises
    ------
    ReadError
        If it is no folder, holds no file that ends like a spectrum's, or one of them cannot be read.
    """
    folder = Path(folder)
    paths = sorted(path for path in folder.glob("*") if path.suffix.lower() in SPECTRUM_ENDINGS)
    if not paths:
        raise ReadError(f"{folder} is no folder with spectra ({', '.join(SPECTRUM_ENDINGS)})")
    return [read_spectrum(path) for path in paths]


class _Table(NamedTuple):
    name: str
    preamble: str  # all that stands before the table, and the first cell of the table
    times: list  # cells of the first row but its first
    times_line: int
    rows: list  # of cells, the radius first
    lines: list  # on which line of the file each stands


def _find_table(text, name):
    """Find the line of times, and the lines of radii and values below it."""
    lines, preamble, above = text.splitlines(), [], None
    separator = _find_separator(lines)
    rows, numbers = [], []
    for number, line in enumerate(lines, start=1):
        words = line.strip()
        if not words.strip(",;\t "):
            continue
        if words[0] == "#" or (words[0] == '"' and words[1:2] == "#"):
            preamble.append(words.strip('"# ,;\t'))
            continue
        cells = _cells(line, separator, name, number)
        numeric = sum(_number(cell) is not None or bool(CLOCK.fullmatch(cell)) for cell in cells[1:])
        if rows or (above is not None and numeric and _number(cells[0]) is not None):
            rows.append(cells)
            numbers.append(number)
        elif numeric >= FEWEST - 1 and (above is None or _leads(cells, above[1])):
            if above:
                preamble.append(" ".join(above[1]))
            above = number, cells
        else:
            preamble.append(words)
            if len(preamble) > LONGEST_PREAMBLE:
                break
    if above is None or not rows:
        raise ReadError(f"{name} holds no spectrum: no line of times with a line for each radius below it")
    return _even(name, preamble, above, rows, numbers)


def _leads(cells, above):
    """Whether a second line of numbers with a name before it is rather the times: "Profile;1;2", "Time;0;10"."""
    return bool(re.match(rf"({TIME_WORDS})\b", cells[0].lower())) or not re.match(
        rf"({TIME_WORDS})\b", above[0].lower()
    )


def _even(name, preamble, above, rows, numbers):
    """Return the table with as many cells in each line, without an empty last column; or say which line differs."""
    line, times = above
    if len(times) == len(rows[0]) - 1 and _number(times[0]) is not None:
        times = ["", *times]  # nothing above the radii
    while (
        len(times) > 1 and times[-1] == "" and all(len(row) < len(times) or row[len(times) - 1] == "" for row in rows)
    ):
        times = times[:-1]
    count = len(times)
    for number, row in zip(numbers, rows, strict=True):
        while len(row) > count and row[-1] == "":
            row.pop()
        if len(row) != count:
            what = (
                f"column {len(row) + 1}: no value for this time" if len(row) < count else f"column {count + 1}: no time"
            )
            raise ReadError(f"{name}, line {number}, {what}; {len(row)} cells, but {count} in line {line}")
    for what, found in (("times", count - 1), ("radii", len(rows))):
        if found < FEWEST:
            raise ReadError(f"{name} holds too few {what}: {found}, at least {FEWEST} are needed")
    if _number(times[0]) is None:
        preamble = [*preamble, times[0]]
    return _Table(name, "\n".join(preamble), times[1:], line, rows, numbers)


def _find_separator(lines):
    """Return what separates the cells of the longest line, which belongs to the table."""
    line = max((line for line in lines if not line.lstrip().startswith("#")), key=len, default="").strip(" \ufeff")
    for separator in ";\t":
        if separator in line:
            return separator
    pieces = line.split()
    decimal = sum(_number(piece) is not None for piece in pieces) >= len(pieces) / 2
    return " " if len(pieces) > FEWEST and decimal else ","


def _cells(line, separator, name, number):
    if separator == " ":
        return line.split()
    try:
        return [cell.strip() for cell in next(csv.reader(StringIO(line), delimiter=separator, strict=True))]
    except csv.Error as error:
        raise ReadError(f"{name}, line {number}: {error}") from None


def _number(cell):
    """The number in a cell, without its unit, or None; NaN and infinity are none."""
    try:
        value = float(cell.replace(",", ".") if cell.count(",") == 1 and "." not in cell else cell)
        return value if math.isfinite(value) and "_" not in cell else None
    except ValueError:
        found = CELL.fullmatch(cell)
        return float(found[1].replace(",", ".")) if found else None


def _need(cell, table, line, column, what):
    value = _number(cell)
    if value is None:
        problem = f"the {what} is missing" if cell == "" else f"{cell!r} is no {what}, expected a finite number"
        raise ReadError(f"{table.name}, line {line}, column {column}: {problem}")
    return value


def _time(cell, table, column):
    if found := CLOCK.fullmatch(cell):
        return 3600 * int(found[1]) + 60 * int(found[2]) + float((found[3] or "0").replace(",", "."))
    value = _need(cell, table, table.times_line, column, "time")
    return value * (_unit(cell, IN_S) or _tells(table, IN_S, TIME_WORDS) or 1.0)


def _radius(cell, table, line):
    return _need(cell, table, line, 1, "radius") * (_unit(cell, IN_MM) or _tells(table, IN_MM, RADIUS_WORDS) or 1.0)


def _value(cell, table, line, column):
    try:
        value = float(cell)
        return value if math.isfinite(value) else _need("NaN", table, line, column, "value")
    except ValueError:
        return _need(cell, table, line, column, "value")


def _unit(cell, units):
    """What the unit behind a cell's number makes of it, or None."""
    found = CELL.fullmatch(cell)
    return units.get((found[2] or "").lower()) if found else None


def _tells(table, units, words):
    """The unit that the file's words give radii or times: "radius (cm)", "time_min"; or None."""
    found = re.search(UNIT_OF.format(words, "|".join(sorted(units, key=len, reverse=True))), table.preamble.lower())
    return units[found[1]] if found else None


def _increasing(times, table):
    for column, (before, after) in enumerate(pairwise(times), start=3):
        if after <= before:
            place = f"{table.name}, line {table.times_line}, column {column}"
            raise ReadError(f"{place}: times must rise from column to column, {after:g} s follows {before:g} s")
    return np.array(times)


def _transmission(values, lines, table):
    """Turn percent or absorbance into a share of 1; refuse what is neither."""
    said = table.preamble + " ".join(table.rows[0][1:])
    if ABSORBANCE.search(said):
        return 10 ** -values.clip(-0.3, None)
    if "%" in said or "percent" in said.lower() or np.quantile(values, 0.99) > PERCENT_ABOVE:
        values = values / 100
    beyond = (values < RANGE[0]) | (values > RANGE[1])
    if beyond.any():
        row, column = np.argwhere(beyond)[0]
        place = f"{table.name}, line {lines[row]}, column {column + 2}"
        raise ReadError(f"{place}: a transmission of {values[row, column]:g} cannot be (1 is all light)")
    return values


def _said(preamble):
    """Label and rotor speed, as far as the words before the table tell them."""
    label = speed = None
    for line in preamble.splitlines():
        if found := COEFFICIENT.search(line):
            label = _number(found[1])
        elif label is None and (found := LABEL.match(line)):
            label = found[1].strip(' ,;\t"') or None
        if speed is None and (found := SPEED.search(line)):
            speed = _number(found[1] or found[2])
    return label, speed
