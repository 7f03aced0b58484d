"""Published aggregates find themselves in a mask, and ours agree with them."""

import os
from pathlib import Path

import numpy as np
import pytest

from particlelab import soot
from particlelab.reading import ReadError

HEADER = "fname,da_nm,Rg_nm,dp_pcm_simple_nm\n"


def discs(*diameters_px, name="disks", pixel_size_nm=0.5):
    """Discs in a row, the first of them cut by the border."""
    mask = np.zeros((120, 120 * len(diameters_px)), bool)
    y, x = np.indices(mask.shape)
    for i, diameter in enumerate(diameters_px):
        mask |= np.hypot(y - 60, x - 120 * i - (60 if i else 0)) <= diameter / 2
    return soot.Sample(name, np.where(mask, 100.0, 180.0), pixel_size_nm, mask, None)


def test_each_published_disc_stands_beside_the_disc_of_its_size(tmp_path):
    """da of a disc is its diameter D, its Rg is D / sqrt(8), its dp by pair correlation D within 2 px."""
    rows = [f"disks.TIF,{d},{d / 8**0.5},{d}\n" for d in (40.0, 15.0)]
    (tmp_path / "one_published_aggregates.csv").write_text(HEADER + "".join(rows) + "other.TIF,40,14,40\n")
    table = soot.beside_published([discs(60, 30, 50, 80)], tmp_path)
    assert table["image"].tolist() == ["disks"] * 2
    assert table["da_nm", "published"].tolist() == [40, 15]
    np.testing.assert_allclose(table["da_nm", "here"], [40, 15], rtol=0.01)
    np.testing.assert_allclose(table["rg_nm", "here"], table["rg_nm", "published"], rtol=0.01)
    np.testing.assert_allclose(table["dp_pcm_nm", "here"], [40, 15], atol=1)


def test_aggregates_that_the_border_cuts_are_beside_as_well(tmp_path):
    """Half a disc of 60 px at 0.5 nm: an area of pi 30^2 / 8 nm^2, so that da is 30 / sqrt(2)."""
    (tmp_path / "one_published_aggregates.csv").write_text(HEADER + "disks.TIF,21,8,20\n")
    table = soot.beside_published([discs(60, 90)], tmp_path)
    assert table["da_nm", "here"].item() == pytest.approx(30 / 2**0.5, rel=0.03)


def test_nothing_published_is_an_empty_table(tmp_path):
    sample = discs(60, 30)
    (tmp_path / "one_published_aggregates.csv").write_text(HEADER + "disks.TIF,21,8,20\n")
    unmasked, unmarked = sample._replace(mask=None), sample._replace(mask=np.zeros_like(sample.mask))
    for samples, folder in [([sample], None), ([unmasked], tmp_path), ([unmarked], tmp_path), ([], tmp_path)]:
        table = soot.beside_published(samples, folder)
        assert len(table) == 0
        assert ("da_nm", "published") in table and ("dp_pcm_nm", "here") in table


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("fname,da_nm,Rg_nm\ndisks.TIF,1,2\n", "no column 'dp_pcm_simple_nm'"),
        (HEADER.replace("fname", "file") + "disks.TIF,1,2,3\n", "no column 'fname'"),
        (HEADER + "disks.TIF,1,wide,3\n", "line 2, column 'Rg_nm': 'wide' is not a number"),
    ],
)
def test_a_table_that_is_not_as_expected_is_refused(text, words, tmp_path):
    (tmp_path / "one_published_aggregates.csv").write_text(text)
    with pytest.raises(ReadError, match=words):
        soot.beside_published([discs(60, 30)], tmp_path)


@pytest.mark.skipif("PARTICLELAB_DATA" not in os.environ, reason="PARTICLELAB_DATA names no folder with real images")
def test_the_five_published_aggregates():
    """da and Rg within 3 %, dp by pair correlation within 15 %; each published aggregate finds another one."""
    folder = Path(os.environ["PARTICLELAB_DATA"]) / "soot"
    table = soot.beside_published(soot.read_folder(folder, 0.536), folder)
    assert table["image"].tolist() == ["201805A_A6_004"] * 5
    assert table["da_nm", "here"].nunique() == 5
    for quantity, tolerance in [("da_nm", 0.03), ("rg_nm", 0.03), ("dp_pcm_nm", 0.15)]:
        np.testing.assert_allclose(table[quantity, "here"], table[quantity, "published"], rtol=tolerance)
