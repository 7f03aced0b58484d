"""Files of spectra: what is written is read again; what others write is understood or refused with line and column."""

import numpy as np
import pandas as pd
import pytest

from particlelab.reading import ReadError
from particlelab.sedimentation import Spectrum, check_spectrum, read_set, read_spectrum, write_set, write_spectrum

PLAIN = "r,0,10,20\n104.0,0.9,0.91,0.92\n104.5,0.1,0.5,0.9\n105.0,0.1,0.2,0.5\n"
RADII, TIMES = [104.0, 104.5, 105.0], [0.0, 10.0, 20.0]
VALUES = np.array([[0.9, 0.1, 0.1], [0.91, 0.5, 0.2], [0.92, 0.9, 0.5]])


def drawn(label, rpm, dtype=np.float32):
    rng = np.random.default_rng(1)
    radii, times = np.sort(rng.uniform(104, 130, 31)), np.cumsum(rng.uniform(0.1, 30, 17))
    return Spectrum(radii, times, rng.uniform(-0.02, 1.05, (17, 31)).astype(dtype), label, rpm)


def check(content, *, radii=RADII, times=TIMES, values=VALUES):
    content = content if isinstance(content, bytes) else content.encode()
    found = read_spectrum(content, "a.csv")
    np.testing.assert_allclose(found.radii_mm, radii, rtol=1e-12)
    np.testing.assert_allclose(found.times_s, times, rtol=1e-12)
    np.testing.assert_allclose(found.transmission, values, rtol=1e-6)
    return found


@pytest.mark.parametrize(
    "label, rpm", [("creaming", 2300.0), (52_500.0, 3000.0), (0.0, None), (None, 0.0), ("Öl, 2", 1)]
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_is_written_is_read_to_the_last_digit(tmp_path, label, rpm, dtype):
    spectrum = drawn(label, rpm, dtype)
    found = read_spectrum(write_spectrum(spectrum, tmp_path / "new" / "a.csv"))
    np.testing.assert_array_equal(found.radii_mm, spectrum.radii_mm)
    np.testing.assert_array_equal(found.times_s, spectrum.times_s)
    np.testing.assert_array_equal(found.transmission, spectrum.transmission.astype(np.float32))
    assert (found.label, found.rpm) == (label, rpm)
    assert type(found.label) is type(label)


def test_another_program_reads_the_file_as_a_table(tmp_path):
    spectrum = drawn("other", 1000.0)
    table = pd.read_csv(write_spectrum(spectrum, tmp_path / "a.csv"), comment="#", index_col=0)
    np.testing.assert_array_equal(table.index, spectrum.radii_mm)
    np.testing.assert_allclose(table.columns.astype(float), spectrum.times_s)
    np.testing.assert_allclose(table.to_numpy(), spectrum.transmission.T, rtol=1e-6)


def test_a_set_keeps_its_order(tmp_path):
    spectra = [drawn(label, None) for label in ("sedimentation", 500.0, None, "other")]
    paths = write_set(spectra, tmp_path)
    assert [path.name for path in paths] == ["0001_sedimentation.csv", "0002_500_S.csv", "0003.csv", "0004_other.csv"]
    assert [spectrum.label for spectrum in read_set(tmp_path)] == ["sedimentation", 500.0, None, "other"]
    with pytest.raises(ReadError, match="no folder with spectra"):
        read_set(tmp_path / "nowhere")


FORMS = {
    "commas": PLAIN,
    "semicolons": PLAIN.replace(",", ";"),
    "tabs": PLAIN.replace(",", "\t"),
    "blanks": PLAIN.replace(",", "   "),
    "decimal commas": PLAIN.replace(",", ";").replace(".", ","),
    "decimal commas between blanks": PLAIN.replace(",", " ").replace(".", ","),
    "quoted decimal commas": "r,0,10,20\n" + "\n".join(
        ",".join(f'"{cell}"'.replace(".", ",") for cell in line.split(",")) for line in PLAIN.splitlines()[1:]
    ),
    "byte order mark": "\ufeff" + PLAIN,
    "lines of Windows": PLAIN.replace("\n", "\r\n"),
    "lines of an old Macintosh": PLAIN.replace("\n", "\r"),
    "an empty last column": PLAIN.replace("\n", ",\n"),
    "an empty last column below": "r,0,10,20\n" + PLAIN.split("\n", 1)[1].replace("\n", ",\n"),
    "empty lines": "\n\n" + PLAIN.replace("\n", "\n\n,,,\n"),
    "no word above the radii": PLAIN[1:],
    "no cell above the radii": PLAIN[2:],
    "a number above the radii": "0" + PLAIN[1:],
    "falling radii": "".join(PLAIN.splitlines(True)[k] for k in (0, 3, 2, 1)),
    "units": PLAIN.replace("r,0,10,20", "position (mm),0 s,10 s,20 s"),
    "units below": PLAIN.replace("\n", "\nmm,s,s,s\n", 1),
    "names of times": PLAIN.replace("0,10,20", "t = 0 s,t = 10 s,t = 20 s", 1),
    "centimetres": PLAIN.replace("r,", "radius_cm,").replace("104.", "10.4").replace("105.", "10.5"),
    "minutes": PLAIN.replace("r,0,10,20", "time in min,0,0.16666666666666666,0.3333333333333333"),
    "clock": PLAIN.replace("0,10,20", "0:00:00,0:00:10,0:00:20", 1),
    "numbers of the profiles above": "profile,1,2,3\n" + PLAIN.replace("r,", "Time [s],"),
    "percent": "r,0,10,20\n104.0,90,91,92\n104.5,10,50,90\n105.0,10,20,50\n",
    "percent signs": "r,0,10,20\n104.0,90%,91%,92%\n104.5,10%,50%,90%\n105.0,10%,20%,50%\n",
    "words before": "Instrument: X 12\nOperator;N. N.\n\n# note, with, commas, in, it\n" + PLAIN.replace(",", ";"),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_the_same_table_in_other_forms(form):
    check(FORMS[form])


def test_dark_percent_is_percent_where_it_says_so():
    dark = "transmission in %;;\nr;0;10\n104;0.5;0.6\n105;0.4;0.5\n"
    check(dark, radii=[104, 105], times=[0, 10], values=[[0.005, 0.004], [0.006, 0.005]])


def test_absorbance_becomes_transmission():
    text = "# absorbance\nr,0,10\n60,1,2\n61,0,0.30102999566\n"
    check(text, radii=[60, 61], times=[0, 10], values=[[0.1, 1], [0.01, 0.5]])


def test_centimetres_of_a_centrifuge_are_known_by_their_size():
    found = check("r,0,10\n6.0,0.1,0.2\n7.2,0.1,0.2\n", radii=[60, 72], times=[0, 10], values=[[0.1, 0.1], [0.2, 0.2]])
    assert found.label is found.rpm is None


def test_label_and_speed_of_other_programs_are_understood():
    found = check("Klasse: Aufrahmung\nDrehzahl 2300 1/min\n" + PLAIN)
    assert (found.label, found.rpm) == ("Aufrahmung", 2300)
    found = check("sedimentation coefficient: 1.5e4 S\nat 3000 rpm\n" + PLAIN)
    assert (found.label, found.rpm) == (15_000.0, 3000)


WRONG = {
    "a missing cell": (PLAIN.replace("0.5,0.9", ",0.9"), r"line 3, column 3: the value is missing"),
    "a short line": (PLAIN.replace("0.1,0.5,0.9", "0.1,0.5"), r"line 3, column 4"),
    "a long line": (PLAIN.replace("0.1,0.5,0.9", "0.1,0.5,0.9,7"), r"line 3, column 5"),
    "text": (PLAIN.replace("0.91", "bright"), r"line 2, column 3: 'bright'"),
    "no number": (PLAIN.replace("0.91", "NaN"), r"line 2, column 3"),
    "infinity": (PLAIN.replace("0.91", "inf"), r"line 2, column 3"),
    "a radius twice": (PLAIN.replace("104.5", "104.0"), r"line 3, column 1: radii must"),
    "radii in disorder": (PLAIN.replace("104.5", "103.0"), r"line 3, column 1: radii must"),
    "a radius of text": (PLAIN.replace("105.0", "bottom"), r"line 4, column 1: 'bottom' is no radius"),
    "times that fall": (PLAIN.replace("10,20", "20,10"), r"line 1, column 4: times must rise"),
    "a time twice": (PLAIN.replace("10,20", "10,10"), r"line 1, column 4: times must rise"),
    "one radius": ("r,0,10,20\n104.0,0.9,0.91,0.92\n", "too few radii: 1"),
    "one time": ("r,0\n104.0,0.9\n105.0,0.9\n", "too few times: 1"),
    "a negative transmission": (PLAIN.replace("0.91", "-0.91"), r"line 2, column 3: a transmission of -0.91"),
    "words": ("nothing here\nbut words\n", "holds no spectrum"),
    "an open quote": (PLAIN.replace("0.91", '"0.91'), r"line 2"),
    "binary": (b"\x89PNG\r\n\x1a\n" + bytes(100), "not text"),
    "nothing": (b"", "is empty"),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_told_with_its_place(what):
    content, message = WRONG[what]
    with pytest.raises(ReadError, match=message) as error:
        read_spectrum(content if isinstance(content, bytes) else content.encode(), "a.csv")
    assert str(error.value).startswith("a.csv")


def test_sizes_are_bounded(tmp_path):
    with pytest.raises(ReadError, match="at most 8 are read"):
        read_spectrum(PLAIN.encode(), max_values=8)
    with pytest.raises(ReadError, match="MB"):
        read_spectrum(PLAIN.encode(), max_bytes=10)
    with pytest.raises(ReadError, match="is not a file"):
        read_spectrum(tmp_path / "a.csv")


@pytest.mark.parametrize(
    "change, message",
    [
        ({"radii_mm": [1.0]}, "radii_mm must be a list of at least 2"),
        ({"times_s": TIMES[::-1]}, "times_s must be finite and increasing"),
        ({"radii_mm": [1.0, 2.0, np.nan]}, "radii_mm must be finite"),
        ({"transmission": VALUES[:2]}, "transmission must have the shape"),
        ({"transmission": 100 * VALUES}, "share of 1"),
        ({"transmission": np.where(VALUES > 0.9, np.nan, VALUES)}, "NaN"),
        ({"rpm": -1.0}, "rpm must be at least 0"),
    ],
)
def test_a_spectrum_is_checked(change, message):
    good = Spectrum(np.array(RADII), np.array(TIMES), VALUES)
    assert check_spectrum(good).transmission is VALUES
    with pytest.raises(ValueError, match=message):
        check_spectrum(good._replace(**change))
    with pytest.raises(ValueError, match="one line"):
        write_spectrum(good._replace(label="a\nb"), "nowhere.csv")
