"""Training: it finds the known minimum, and being stopped changes nothing."""

import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch

from particlelab.learning.training import train
from particlelab.randomness import generator

WEIGHTS = torch.tensor([[1.5, -2.0, 0.5]])


def batch(n):
    x = torch.from_numpy(generator(0, "batch", n).normal(size=(16, 3)).astype(np.float32))
    return x, x @ WEIGHTS.T


def loss(model, x, y):
    return torch.nn.functional.mse_loss(model(x), y)


def configure(model):
    optimiser = torch.optim.Adam(model.parameters(), lr=0.05)
    return optimiser, torch.optim.lr_scheduler.LambdaLR(optimiser, lambda n: 0.995**n)


def new_model(dropout=0.3):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return torch.nn.Sequential(torch.nn.Dropout(dropout), torch.nn.Linear(3, 1))


def fit(model, **options):
    return train(model, batch, loss, configure, **{"iterations": 40, "every": 10, **options})


def test_a_linear_law_is_found():
    model = new_model(dropout=0)
    history = fit(model, iterations=400)
    np.testing.assert_allclose(model[1].weight.detach(), WEIGHTS, atol=0.02)
    np.testing.assert_allclose(history.learning_rate, 0.05 * 0.995 ** np.arange(400), rtol=1e-6)
    assert history.iteration.tolist() == list(range(400))


@pytest.mark.parametrize("workers", [0, 2])
def test_a_stopped_training_ends_where_an_unbroken_one_does(tmp_path, workers):
    unbroken, stopped = new_model(), new_model()
    expected = fit(unbroken)

    def stop(done, _):
        if done > 0.6:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        fit(stopped, folder=tmp_path, progress=stop)
    again = new_model()
    seen = []
    history = fit(again, folder=tmp_path, workers=workers, progress=lambda done, text: seen.append(done))
    assert min(seen) == pytest.approx(21 / 40)  # it goes on from its checkpoint at 20
    torch.testing.assert_close(again.state_dict(), unbroken.state_dict(), rtol=0, atol=0)
    np.testing.assert_array_equal(history, expected)


def test_a_killed_training_goes_on(tmp_path):
    assert subprocess.run([sys.executable, __file__, tmp_path], timeout=300).returncode == -signal.SIGKILL
    seen = []
    model, unbroken = new_model(), new_model()
    fit(model, folder=tmp_path, progress=lambda done, text: seen.append(done))
    assert min(seen) == pytest.approx(31 / 40)
    fit(unbroken)
    torch.testing.assert_close(model.state_dict(), unbroken.state_dict(), rtol=0, atol=0)


def test_the_checkpoint_of_something_else_is_refused(tmp_path):
    fit(new_model(), folder=tmp_path, name="one")
    with pytest.raises(ValueError, match="of another training: 'one', not 'two'"):
        fit(new_model(), folder=tmp_path, name="two")


def test_a_finished_training_is_not_repeated(tmp_path):
    first = fit(new_model(), folder=tmp_path)
    calls = []
    again = fit(new_model(), folder=tmp_path, progress=lambda *_: calls.append(1))
    assert not calls
    np.testing.assert_array_equal(again, first)


def test_a_loss_that_is_not_finite_is_named():
    with pytest.raises(ValueError, match="the loss is nan at iteration 0"):
        train(new_model(), batch, lambda model, x, y: model(x).sum() * float("nan"), configure, iterations=3)


if __name__ == "__main__":  # a training that is killed on its way
    fit(new_model(), folder=sys.argv[1], progress=lambda done, _: done > 0.8 and os.kill(os.getpid(), signal.SIGKILL))
