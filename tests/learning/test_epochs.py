"""Training by epochs: it learns, keeps the best, stops when asked, and goes on where it was."""

import numpy as np
import pytest

from particlelab.learning.epochs import train_epochs
from particlelab.randomness import generator

rng = generator(0, "epochs")
X = rng.standard_normal((600, 4)).astype(np.float32)
Y = (X[:, 0] > 0).astype(int)
HELD_OUT = X[400:], Y[400:]


def build(rate=0.1):
    import keras

    layers = [
        keras.layers.Dense(8, activation="relu", kernel_initializer=keras.initializers.GlorotUniform(1)),
        keras.layers.BatchNormalization(),
        keras.layers.Dropout(0.2, seed=2),
        keras.layers.Dense(2, activation="softmax", kernel_initializer=keras.initializers.GlorotUniform(3)),
    ]
    model = keras.Sequential([keras.Input((4,)), *layers])
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def teach(model, epochs=6, y=Y, **options):
    return train_epochs(model, (X[:400], y[:400]), HELD_OUT, epochs=epochs, batch=50, **options)


class Killed(Exception):
    pass


def kill_at(epoch):
    def progress(done, text):
        if text.startswith(f"epoch {epoch} "):
            raise Killed

    return progress


def test_a_killed_training_ends_where_one_that_was_not_ends(tmp_path):
    whole = build()
    history = teach(whole)
    for epoch in (2, 4):
        with pytest.raises(Killed):
            teach(build(), folder=tmp_path, progress=kill_at(epoch))
    resumed = build()
    again = teach(resumed, folder=tmp_path)
    assert again.equals(history)
    assert all(np.array_equal(a, b) for a, b in zip(whole.get_weights(), resumed.get_weights(), strict=True))
    assert whole.evaluate(*HELD_OUT, verbose=0)[1] > 0.9


def test_the_best_weights_are_those_at_the_end():
    model = build(rate=0.5)  # too high to settle
    history = teach(model, epochs=12)
    assert model.evaluate(*HELD_OUT, verbose=0)[0] == pytest.approx(history.val_loss.min(), rel=1e-5)
    assert history.val_loss.iloc[-1] > history.val_loss.min()


def test_patience_ends_a_training_that_gets_no_better():
    model = build()
    history = teach(model, epochs=40, y=generator(1).integers(0, 2, 600), patience=3)
    best = int(history.val_loss.idxmin())
    assert len(history) == best + 1 + 3 < 40


def test_a_checkpoint_of_something_else_is_refused(tmp_path):
    teach(build(), epochs=1, folder=tmp_path, name="this")
    with pytest.raises(ValueError, match="another training: 'this', not 'that'"):
        teach(build(), epochs=1, folder=tmp_path, name="that")


def test_a_loss_that_is_not_finite_ends_the_training():
    model = build()
    model.compile("sgd", lambda true, predicted: np.nan * predicted[:, 0])
    with pytest.raises(ValueError, match="the loss is nan in epoch 1: lower the learning rate"):
        teach(model)
