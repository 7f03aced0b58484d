"""Model files: what is written comes back, and what is no model is refused by name."""

import json
import os
import zipfile

import numpy as np
import pytest

from particlelab.learning.models import (
    find_model,
    half_precision,
    load_model,
    load_trained,
    save_model,
    shipped_models,
)


def test_weights_and_card_come_back(tmp_path):
    tensors = {"a": np.arange(6, dtype=np.float16).reshape(2, 3), "b.c": np.array(3, np.int64)}
    card = {"purpose": "Größe", "scores": {"IoU": 0.97, "at": [1, 2]}, "steps": ["one", "two"]}
    path = save_model(tmp_path / "new" / "model.safetensors", tensors, card)
    found, found_card = load_model(path)
    assert found_card == card
    for name, array in tensors.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)
    text = path.with_suffix(".md").read_text(encoding="utf-8")
    assert "## scores" in text and "| IoU | 0.97 |" in text and "- two" in text and "Größe" in text
    assert sorted(file.name for file in path.parent.iterdir()) == ["model.md", "model.safetensors"]


def test_half_precision_keeps_what_it_cannot_hold(tmp_path):
    """Variances of a normalisation may be beyond 65504, the largest number of 16 bits."""
    import torch

    norm = torch.nn.BatchNorm1d(2)
    norm.running_var[:] = torch.tensor([1e5, 3.0])
    half = half_precision(norm)
    assert half["running_var"].tolist() == [1e5, 3.0] and half["weight"].dtype == np.float16
    weights, _ = load_model(save_model(tmp_path / "norm.safetensors", half, {}))
    assert weights["running_var"].tolist() == [1e5, 3.0]


def test_a_view_of_weights_is_written_as_it_is_seen(tmp_path):
    array = np.arange(12.0).reshape(3, 4)
    path = save_model(tmp_path / "m.safetensors", {"turned": array.T}, {})
    np.testing.assert_array_equal(load_model(path)[0]["turned"], array.T)


@pytest.fixture(scope="module")
def network():
    import keras

    inputs = keras.Input((3,))
    hidden = keras.layers.Dense(5, activation="tanh", kernel_initializer=keras.initializers.GlorotUniform(1))(inputs)
    model = keras.Model(inputs, keras.layers.Dense(2, kernel_initializer=keras.initializers.GlorotUniform(2))(hidden))
    model.compile("adam", "mse")
    return model


def test_a_keras_model_comes_back_and_the_same_model_is_the_same_file(tmp_path, network):
    import keras

    card = {"purpose": "Größe", "confusion": [[0.9, 0.1], [0.2, 0.8]]}
    path = save_model(tmp_path / "new" / "model.keras", network, card)
    x = np.random.default_rng(0).random((20, 3))
    expected = network.predict(x, verbose=0)
    found, found_card = load_model(path)
    assert found_card == card and not found.compiled
    np.testing.assert_array_equal(found.predict(x, verbose=0), expected)
    np.testing.assert_array_equal(
        keras.models.load_model(path, compile=False).predict(x, verbose=0), expected
    )  # Keras's own file
    assert "- 0.2, 0.8" in path.with_suffix(".md").read_text(encoding="utf-8")
    assert sorted(file.name for file in path.parent.iterdir()) == ["model.keras", "model.md"]
    assert save_model(tmp_path / "again.keras", network, card).read_bytes() == path.read_bytes()


def test_a_model_that_cannot_be_written_leaves_the_one_that_is_there(tmp_path, network):
    path = save_model(tmp_path / "m.keras", network, {"purpose": "x"})
    before = path.read_bytes()
    with pytest.raises(TypeError):
        save_model(path, network, {"purpose": object()})
    assert path.read_bytes() == before and sorted(f.name for f in tmp_path.iterdir()) == ["m.keras", "m.md"]


@pytest.mark.parametrize("ending", ["safetensors", "keras"])
@pytest.mark.parametrize("content", [b"", b"no model", bytes(64)])
def test_a_file_that_is_no_model_is_named(tmp_path, ending, content):
    path = tmp_path / f"broken.{ending}"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"broken\.{ending} is not a model file"):
        load_model(path)


def test_a_keras_file_without_a_card_or_with_damaged_parts_is_named(tmp_path, network):
    path = tmp_path / "m.keras"
    network.save(path)
    with pytest.raises(ValueError, match=r"m\.keras is not a model file of this lab: .*card\.json"):
        load_model(path)
    save_model(path, network, {"purpose": "x"})
    content = path.read_bytes()
    for damaged in (content[:-100], content[:300] + bytes(100) + content[400:]):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match="is not a model file"):
            load_model(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("card.json", json.dumps({}))
    with pytest.raises(ValueError, match="is not a model file"):
        load_model(path)


def test_a_file_that_was_cut_off_is_named(tmp_path):
    path = save_model(tmp_path / "m.safetensors", {"a": np.zeros(1000)}, {"purpose": "x"})
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match="is not a model file"):
        load_model(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"there is no model file .*away\.safetensors"):
        load_model(tmp_path / "away.safetensors")


def test_another_ending_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"ends in \.safetensors or \.keras, got model\.pt"):
        save_model(tmp_path / "model.pt", {}, {})


def test_shipped_models_are_found_by_name(tmp_path, monkeypatch):
    monkeypatch.setenv("PARTICLELAB_HOME", str(tmp_path))
    folder = tmp_path / "data" / "models" / "soot"
    path = save_model(folder / "default.safetensors", {"a": np.zeros(1)}, {})
    (folder / "holes.keras").touch()
    assert find_model("soot", "default") == path
    assert find_model("soot", "holes") == folder / "holes.keras"
    for other in ("here/mine.safetensors", "here/mine.keras"):
        assert str(find_model("soot", other)) == other
    assert set(shipped_models("soot")) == {"default", "holes"}
    words = r"no model 'best' ships for soot; there are: default, holes; a path must end in \.safetensors or \.keras"
    with pytest.raises(ValueError, match=words):
        find_model("soot", "best")


def test_a_keras_model_is_built_once_for_each_state_of_its_file(tmp_path, network):
    path = save_model(tmp_path / "m.keras", network, {"purpose": "x"})
    first, again = (load_trained("toys", path, _keras) for _ in range(2))
    assert first is again and first[1] == {"purpose": "x"}
    np.testing.assert_array_equal(first[0].get_weights()[0], network.get_weights()[0])


def _keras(path, model, card):
    return model, card


def test_a_model_that_is_trained_anew_is_another_one(tmp_path, monkeypatch):
    monkeypatch.setenv("PARTICLELAB_HOME", str(tmp_path))
    assert shipped_models("toys") == {}
    made, digests = [], []
    for weight in (1.0, 1.0, 2.0):
        path = save_model(tmp_path / "data/models/toys/default.safetensors", {"a": np.array(weight)}, {})
        os.utime(path, ns=(0, int(weight)))
        made.append(load_trained("toys", "default", _weight))
        digests.append(shipped_models("toys"))
    assert made == [1.0, 1.0, 2.0]
    assert digests[0] == digests[1] != digests[2] and set(digests[2]) == {"default"}


def _weight(path, tensors, card):
    return tensors["a"].item()
