"""Fitted models on disk: one ``.npy`` file for each array and a ``card.json`` with their digests. Never pickle."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contracts.errors import StorageError, VerificationFailed
from models.recommenders.recommender import Recommender
from models.registry import describe, restore
from store import disk

CARD = "card.json"
VOCABULARY = ("item_ids", "item_id_ends")


def save_arrays(folder: Path, card: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> None:
    """Write ``arrays`` and then ``card`` with their SHA-256 digests under ``files``. Equal inputs give equal bytes."""
    with disk.storage_errors(f"write the model in {folder.name}"):
        folder.mkdir(parents=True, exist_ok=True)
        digests = {}
        for name, array in sorted(arrays.items()):
            path = folder / f"{name}.npy"
            np.save(path, np.ascontiguousarray(array), allow_pickle=False)
            disk.sync_file(path)
            digests[name] = disk.digest(path)
        text = json.dumps(card | {"files": digests}, sort_keys=True, indent=1, allow_nan=False)
        disk.write_whole(folder / CARD, text.encode() + b"\n")


def load_arrays(folder: Path, *, verify: bool = True) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Card and memory-mapped arrays of ``folder``.

    Raises ``StorageError`` when files are missing or unreadable, ``VerificationFailed`` when a digest differs.
    """
    try:
        card: dict[str, Any] = json.loads((folder / CARD).read_bytes())
        arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False) for name in card["files"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StorageError(f"cannot read the model in {folder}: {error}", hint="nightloom runs verify") from error
    if verify:
        for name, expected in card["files"].items():
            if disk.digest(folder / f"{name}.npy") != expected:
                raise VerificationFailed(
                    f"{folder / name}.npy is not what its card says", hint="roll back to another run"
                )
    return card, arrays


def save_recommender(folder: Path, model: Recommender, item_ids: list[str], about: dict[str, Any]) -> None:
    """Save a fitted recommender with the ids of its items (by item index) and further card entries ``about``."""
    encoded = [item_id.encode() for item_id in item_ids]
    vocabulary = (np.frombuffer(b"".join(encoded), np.uint8), np.cumsum([len(one) for one in encoded], dtype=np.int64))
    save_arrays(folder, about | describe(model), model.to_arrays() | dict(zip(VOCABULARY, vocabulary, strict=True)))


def load_recommender(folder: Path) -> tuple[Recommender, list[str], dict[str, Any]]:
    """The recommender saved in ``folder``, the ids of its items by item index, and its card."""
    card, arrays = load_arrays(folder)
    text, ends = (arrays.pop(name) for name in VOCABULARY)
    blob = text.tobytes()
    starts = np.concatenate([[0], ends[:-1]]) if len(ends) else ends
    item_ids = [blob[start:end].decode() for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]
    return restore(card, arrays), item_ids, card


def carry_model(source: Path, target: Path) -> None:
    """Copy a saved model unchanged into another run."""
    with disk.storage_errors(f"carry the model of {source.name} forward"):
        shutil.copytree(source, target, dirs_exist_ok=True)
        for path in target.iterdir():
            disk.sync_file(path)
