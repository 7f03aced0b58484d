"""What the notebooks compute: each answer belongs to what was asked."""

import numpy as np
import pytest

from particlelab import diffusion
from particlelab.randomness import generator

LITTLE = {"frames": 6, "fewest_frames": 4, "size": 24, "width": 8, "depth": 1, "batch": 8, "calibration": 100}


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    model = diffusion.train(diffusion.Training(iterations=5, window=15, **LITTLE), generator(0))
    return str(model.save(tmp_path_factory.mktemp("model") / "little.safetensors"))


def test_all_methods_read_the_movie_that_was_asked_for(network):
    asked, watched, table, windows = diffusion.ask(diffusion.Asked(model=network, frames=6, diffusion_um2_s=0.5))
    assert table.method.tolist() == [*watched.estimates.method, network]
    assert windows.shape[0] == 6 and asked.diffusion_um2_s == 0.5
    expected = diffusion.load_model(network).predict(watched.frames[None], asked, 0.95)
    assert table.iloc[-1][["diffusion_um2_s", "low", "high"]].tolist() == [value[0] for value in expected]


def test_dim_movies_are_read_worse_than_bright_ones_by_as_much_as_their_localisation_costs():
    """The error of a track is that of the Cramér-Rao bound, at the error of localisation that the light allows."""
    parameters = diffusion.Comparison(diffusions_um2_s=(0.02,), movies=400, frames=40, size=20)
    photons = (200.0, 2000.0)
    table = diffusion.compare_along({}, parameters, "photons", photons, generator(0))
    found = table[table.method == "mle"].set_index("photons")
    sigma_nm = [diffusion.localisation_bound(parameters, photons=count) for count in photons]
    dim, bright = diffusion.crlb(0.02, parameters.interval_s, parameters.frames, sigma_nm)
    ratio = found.relative_error[200.0] / found.relative_error[2000.0]
    chance = np.hypot(*(found.relative_error_error / found.relative_error))
    assert ratio == pytest.approx(dim / bright, rel=4 * chance) and dim / bright > 1 + 4 * chance


def test_what_is_said_of_a_molecule_is_what_theory_and_its_track_say():
    """3 um^2/s and 10 ms: sqrt(D exposure / 3) is 100 nm."""
    parameters = diffusion.OneMovie(diffusion_um2_s=3.0, frames=8, size=32, photons=3000)
    watched = diffusion.watch(parameters)
    text = diffusion.tell_watched(parameters, watched)
    best = watched.estimates.set_index("method").loc["mle"]
    assert f"says {best.diffusion_um2_s:.3g} ± {best.standard_error_um2_s:.2g} µm²/s" in text
    assert "8 of 8 frames" in text and "smears by 100 nm" in text
    dark = parameters.replace(photons=10, background=100)
    assert "0 of 8 frames. That is too few" in diffusion.tell_watched(dark, diffusion.watch(dark))


def test_a_trial_reads_as_many_movies_as_asked(network):
    estimates, scores = diffusion.try_methods(diffusion.Trial(model=network, movies=12, frames=6, without="order"))
    assert estimates.groupby("method").size().eq(12).all()
    assert network in set(scores.method)


def test_the_example_has_molecules_of_two_kinds():
    study = diffusion.MovieStudy(molecules=40)
    example = diffusion.simulate_example(study)
    spread = np.diff(example.positions_nm, axis=2).var(axis=(1, 2, 3)) / 1e6  # 2 D exposure / 10
    assert example.frames.shape == (40, 128, 128)
    assert spread == pytest.approx(example.diffusion_um2_s * 0.002, rel=0.3)
    assert set(example.diffusion_um2_s) == {0.2, 2.0}


def test_a_training_for_a_movie_knows_its_conditions():
    imaging = diffusion.Imaging(pixel_size_nm=160.0, interval_s=0.04, exposure_s=0.04, photons=123.0, frames=20)
    training = diffusion.fit_training(imaging, iterations=7)
    assert (training.photons, training.frames, training.fewest_frames, training.iterations) == (123.0, 20, 8, 7)
    usual = diffusion.Training()
    per_frame = [
        p.diffusion_high_um2_s * p.interval_s / p.pixel_size_nm**2 for p in (training, usual)
    ]  # squares of pixels
    assert per_frame[0] == pytest.approx(per_frame[1])


def test_the_documents_networks_have_two_to_five_million_weights():
    for network in diffusion.DOCUMENT_NETWORKS.values():
        assert 2e6 < diffusion.count_weights(network, 16) < 5e6
