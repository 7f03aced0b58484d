"""Model files: what is written comes back, and what is no model is refused by name."""

import os

import numpy as np
import pytest

from particlelab.learning.models import find_model, load_model, load_trained, save_model, shipped_models


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


def test_a_view_of_weights_is_written_as_it_is_seen(tmp_path):
    array = np.arange(12.0).reshape(3, 4)
    path = save_model(tmp_path / "m.safetensors", {"turned": array.T}, {})
    np.testing.assert_array_equal(load_model(path)[0]["turned"], array.T)


@pytest.mark.parametrize("content", [b"", b"no model", bytes(64)])
def test_a_file_that_is_no_model_is_named(tmp_path, content):
    path = tmp_path / "broken.safetensors"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"broken\.safetensors is not a model file"):
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
    with pytest.raises(ValueError, match=r"ends in \.safetensors, got model\.pt"):
        save_model(tmp_path / "model.pt", {}, {})


def test_shipped_models_are_found_by_name(tmp_path, monkeypatch):
    monkeypatch.setenv("PARTICLELAB_HOME", str(tmp_path))
    path = save_model(tmp_path / "data" / "models" / "soot" / "default.safetensors", {"a": np.zeros(1)}, {})
    assert find_model("soot", "default") == path
    assert find_model("soot", "here/mine.safetensors").name == "mine.safetensors"
    with pytest.raises(ValueError, match="no model 'best' ships for soot; there are: default"):
        find_model("soot", "best")


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
