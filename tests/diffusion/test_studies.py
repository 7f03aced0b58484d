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


def test_dim_movies_are_read_worse_than_bright_ones():
    """With a tenth of the light the error of localisation is more than three times as large."""
    parameters = diffusion.Comparison(diffusions_um2_s=(0.1,), movies=60, size=32)
    table = diffusion.compare_along({}, parameters, "photons", (100.0, 1000.0), generator(0)).set_index("method")
    dim, bright = (table[table.photons == photons].relative_error for photons in (100, 1000))
    assert (dim["mle"] > bright["mle"]) and (dim["cve"] > bright["cve"])
    assert set(table.photons) == {100.0, 1000.0}


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
