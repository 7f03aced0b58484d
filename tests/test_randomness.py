"""Generators are fixed by their seed and stream, and independent otherwise."""

import numpy as np
import pytest
import scipy.stats

from particlelab.randomness import generator, log_uniform


def test_the_same_seed_and_stream_give_the_same_numbers():
    np.testing.assert_array_equal(generator(3, "noise", 1).random(5), generator(3, "noise", 1).random(5))


def test_a_counter_of_numpy_is_the_number_that_it_holds():
    assert generator(3, np.int64(1), np.str_("a")).random() == generator(3, 1, "a").random()


def test_streams_and_seeds_are_uncorrelated():
    draws = np.array(
        [generator(seed, *s).normal(size=4000) for seed in (0, 1) for s in ((), ("a",), ("b",), (1,), ("1",))]
    )
    correlation = np.corrcoef(draws)[np.triu_indices(len(draws), 1)]
    assert np.abs(correlation).max() < 5 / np.sqrt(4000)  # 45 pairs: five standard errors


@pytest.mark.parametrize("seed", [-1, 1.5, None, True, "1"])
def test_a_seed_that_is_no_whole_number_is_refused(seed):
    with pytest.raises(ValueError, match="seed must be a whole number"):
        generator(seed)


def test_the_logarithm_of_a_log_uniform_number_is_uniform():
    rng = generator(0, "log-uniform")
    logarithms = np.log([log_uniform(rng, 0.5, 40.0) for _ in range(2000)])
    assert scipy.stats.kstest(logarithms, "uniform", (np.log(0.5), np.log(80.0))).pvalue > 1e-3
