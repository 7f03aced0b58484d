"""A movie of several molecules: D as it was put in, what cannot be measured said so."""

import numpy as np
import pytest
import tifffile

from particlelab import diffusion
from particlelab.randomness import generator
from particlelab.reading import ReadError

FAST = {"pixel_size_nm": 100.0, "exposure_s": 0.01, "refine": False}
NETWORK = FAST | {"method": "network"}
LITTLE = {"frames": 12, "fewest_frames": 8, "size": 32, "width": 8, "depth": 1, "batch": 16, "calibration": 100}


def film(n=8, d=0.5, frames=40, size=160, **values):
    imaging = diffusion.Imaging(frames=frames, size=size, **values)
    return diffusion.simulate_together(np.full(n, d), imaging, generator(5, "film")).frames


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    model = diffusion.train(diffusion.Training(iterations=30, window=15, **LITTLE), generator(0))
    return str(model.save(tmp_path_factory.mktemp("model") / "little.safetensors"))


def test_tracks_give_back_d():
    """Eight molecules in 40 frames: the bound of the mean is about 6 %; to four of these, and by each estimator."""
    for method in ("mle", "cve", "msd"):
        table, summary = diffusion.measure(film(), method=method, **FAST)
        known = summary.set_index("quantity")
        assert known.value["D: geometric mean"] == pytest.approx(0.5, rel=0.25)
        assert known.low["D: geometric mean"] < known.value["D: geometric mean"] < known.high["D: geometric mean"]
        assert known.value["tracks"] == len(table)
        assert ((table.low <= table.diffusion_um2_s) & (table.diffusion_um2_s <= table.high)).all()


def test_d_scales_with_pixel_and_exposure():
    usual, _ = diffusion.measure(film(), method="mle", **FAST)
    scaled, _ = diffusion.measure(film(), method="mle", **FAST | {"pixel_size_nm": 200.0, "exposure_s": 0.001})
    assert scaled.diffusion_um2_s.to_numpy() == pytest.approx(40 * usual.diffusion_um2_s.to_numpy(), rel=1e-6)


def test_a_network_gives_the_same_d_at_any_gain(network):
    usual, _ = diffusion.measure(film(), model=network, **NETWORK)
    for factor, offset in ((2, 0), (0.5, 0), (3, -200)):
        scaled, _ = diffusion.measure(factor * film() + offset, model=network, **NETWORK)
        assert scaled.track.tolist() == usual.track.tolist()
        assert scaled.diffusion_um2_s.to_numpy() == pytest.approx(
            usual.diffusion_um2_s.to_numpy(), rel=0.02, nan_ok=True
        )


def test_long_tracks_are_known_better_than_their_parts(network):
    """Forty frames are four sequences of ten, as the network knows no more than twelve: half the width in ln D."""
    still = {"n": 1, "d": 0.01, "photons": 1000.0}
    (long, _), (short, _) = (diffusion.measure(film(frames=f, **still), model=network, **NETWORK) for f in (40, 10))
    widths = [np.log(table.high / table.low).iloc[0] for table in (long, short)]
    assert widths[0] == pytest.approx(widths[1] / 2, rel=0.1)


def test_what_is_too_short_for_the_network_says_so(network):
    table, summary = diffusion.measure(film(frames=7), model=network, **NETWORK)
    assert table.diffusion_um2_s.isna().all() and table.mle_um2_s.notna().all()
    assert set(table.note) == {"7 frames: the network needs 8"}
    assert summary.set_index("quantity").value["tracks with D"] == 0
    table, _ = diffusion.measure(film(frames=7), model=network, **FAST)
    assert table.diffusion_um2_s.tolist() == table.mle_um2_s.tolist() and set(table.by) == {"mle"}


def test_a_movie_unlike_the_training_is_told_and_read_from_its_tracks(network):
    """Fewer photons before ten times the background; and a movie such as it has learned from."""
    found = diffusion.examine(film(photons=300.0, background=10.0), diffusion.Measurement(model=network, **FAST))
    assert any(sentence.startswith("photons") for sentence in found.departures)
    assert any(sentence.startswith("background") for sentence in found.departures)
    assert "unlike what the network has learned from" in diffusion.tell(found)
    assert set(found.table.by) == {"mle"} and found.table.network_um2_s.notna().any()
    usual = diffusion.examine(film(frames=12), diffusion.Measurement(model=network, least_frames=12, **FAST))
    assert usual.departures == [] and set(usual.table.by) == {"network"}
    assert usual.table.diffusion_um2_s.tolist() == usual.table.network_um2_s.tolist()


def test_tracks_among_others_are_read_by_what_others_do_not_disturb(network):
    """With a distance for neighbours that holds the whole movie all are crowded."""
    options = {"model": network, "least_frames": 12, "crowding": 100.0} | FAST
    table = diffusion.examine(film(frames=12), diffusion.Measurement(**options)).table
    assert set(table.by) == {"mle"} and table.network_um2_s.notna().all()
    assert table.note.str.contains("others are near in 100 % of its frames").all()
    table = diffusion.examine(film(frames=12), diffusion.Measurement(**options | {"method": "network"})).table
    assert set(table.by) == {"network"}


def test_files_are_measured_as_arrays_are(tmp_path):
    path = tmp_path / "movie.tif"
    tifffile.imwrite(path, film())
    parameters = diffusion.Measurement(method="mle", **FAST)
    table, _ = diffusion.measure_file(path, parameters)
    expected, _ = diffusion.measure(film(), method="mle", **FAST)
    assert table.diffusion_um2_s.to_numpy() == pytest.approx(expected.diffusion_um2_s.to_numpy())
    with pytest.raises(ReadError, match=r"movie\.tif does not say how large its pixels are; give pixel_size_nm"):
        diffusion.measure_file(path, parameters.replace(pixel_size_nm=None))
    with pytest.raises(ReadError, match=r"movie\.tif does not say how long a frame was exposed; give exposure_s"):
        diffusion.measure_file(path, parameters.replace(exposure_s=None))
    stated = tmp_path / "stated.tif"
    tifffile.imwrite(stated, film(), imagej=True, resolution=(1 / 0.2, 1 / 0.2), metadata={"unit": "um", "axes": "TYX"})
    for file, size, origin in ((path, 100, "given"), (stated, 200, "from the file")):
        movie, known, pixel_size_from = diffusion.read_movie(file, parameters)
        measured = diffusion.examine(movie, known, pixel_size_from=pixel_size_from)
        _, summary = diffusion.measure_file(file, parameters)
        row = summary.set_index("quantity").loc["pixel size"]
        assert (row.value, row.note) == (pytest.approx(size), origin)
        assert f"pixels of {size} nm ({origin}), exposures of 0.01 s (given)" in diffusion.tell(measured)
    tifffile.imwrite(tmp_path / "two.tif", film()[:2])
    with pytest.raises(ReadError, match=r"two\.tif holds 2 frames; a movie has at least 3"):
        diffusion.measure_file(tmp_path / "two.tif", parameters)


def test_a_summary_says_what_was_measured_how():
    _, summary = diffusion.measure(film(), method="cve", interval_s=0.012, **FAST)
    known = summary.set_index("quantity")
    assert known.value[["pixel size", "exposure", "interval"]].tolist() == [100, 0.01, 0.012]
    assert known.unit[["pixel size", "exposure", "interval"]].tolist() == ["nm", "s", "s"]
    count = int(known.value["tracks with D"])
    assert known.note["method"] == f"cve: cve for {count} tracks" and known.note["model"] == "none was asked"
    assert known.note["D: geometric mean"] == f"exp of the mean ln D of {count} with D > 0, without 0 of D <= 0"
    _, summary = diffusion.measure(film(), method="mle", **FAST)
    assert summary.set_index("quantity").note["interval"] == "as the exposure"


def test_a_point_spread_function_that_no_microscope_has_is_doubted():
    """130 nm in pixels that are said to be eight times as large."""
    for size, doubted in ((100.0, False), (800.0, True)):
        measured = diffusion.examine(film(), diffusion.Measurement(method="mle", **FAST | {"pixel_size_nm": size}))
        note = measured.summary.set_index("quantity").note["width of the point-spread function"]
        assert all(("is the pixel size right?" in text) == doubted for text in (note, diffusion.tell(measured)))


def test_a_movie_without_molecules_is_refused():
    with pytest.raises(ValueError, match="no molecule was followed for 5 frames"):
        diffusion.measure(film(photons=0.0), method="mle", **FAST)
    with pytest.raises(ValueError, match="pixel_size_nm is missing"):
        diffusion.measure(film(), method="mle")
    with pytest.raises(ValueError, match="exposure_s is missing"):
        diffusion.measure(film(), method="mle", pixel_size_nm=100.0)
