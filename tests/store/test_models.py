from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from contracts.errors import StorageError, VerificationFailed
from store.models import load_arrays, save_arrays

ARRAYS = {"weights": np.arange(6, dtype=np.float32).reshape(2, 3), "empty": np.zeros((0, 4), np.int32)}


def test_round_trip_and_equal_bytes(tmp_path: Path) -> None:
    save_arrays(tmp_path / "one", {"name": "x", "params": {"a": 1}}, ARRAYS)
    save_arrays(tmp_path / "two", {"params": {"a": 1}, "name": "x"}, dict(reversed(ARRAYS.items())))
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()
    card, arrays = load_arrays(tmp_path / "one")
    assert card["params"] == {"a": 1}
    assert {name: array.tolist() for name, array in arrays.items()} == {
        name: array.tolist() for name, array in ARRAYS.items()
    }
    assert arrays["weights"].dtype == np.float32


def test_objects_are_never_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="pickle"):
        save_arrays(tmp_path, {}, {"x": np.array([{}], dtype=object)})


def test_pickled_arrays_are_never_read(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.array([{}], dtype=object), allow_pickle=True)
    (tmp_path / "card.json").write_text(json.dumps({"files": {"x": "whatever"}}))
    with pytest.raises(StorageError):
        load_arrays(tmp_path)


def test_damage_is_noticed(tmp_path: Path) -> None:
    save_arrays(tmp_path, {}, ARRAYS)
    path = tmp_path / "weights.npy"
    path.write_bytes(path.read_bytes()[:-1] + b"\x01")
    with pytest.raises(VerificationFailed):
        load_arrays(tmp_path)
    path.unlink()
    with pytest.raises(StorageError):
        load_arrays(tmp_path)
    with pytest.raises(StorageError):
        load_arrays(tmp_path / "nowhere")
