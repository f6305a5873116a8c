"""What the lists of a run were made from, so that the next run makes anew only those whose inputs or model changed.

Kept in ``pack/list_inputs``: a digest of everything that all lists share, and a key of each profile's own
inputs. Lists are copied only where making them again would give the same bits.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from contracts.errors import NightloomError
from flows.stages.shards import Block
from models.ranking import Floats, Ints
from models.recommenders.carried import Carried
from models.recommenders.recommender import Recommender
from models.registry import describe
from store.code_version import code_version
from store.exports import open_table
from store.models import load_arrays, save_arrays

FOLDER = Path("pack") / "list_inputs"
SEEDS = (np.uint64(0x9E37_79B9_7F4A_7C15), np.uint64(0xD1B5_4A32_D192_ED03))
FIRST, SECOND, EXCLUDED = np.uint64(0xBF58_476D_1CE4_E5B9), np.uint64(0x94D0_49BB_1331_11EB), np.uint64(2**63)

Keys = NDArray[np.uint64]


@dataclass(frozen=True, slots=True, eq=False)
class EarlierLists:
    """Of each profile the row of its list in an earlier run, -1 where it must be made anew; and that run's arrays.

    ``reason`` says in words what is copied, or why nothing is.
    """

    rows: NDArray[np.int64]
    items: Ints
    scores: Floats
    reason: str


def shared_digest(model: Recommender, item_ids: list[str], allowed: NDArray[np.bool_], order: Ints, width: int) -> str:
    """SHA-256 of what all lists depend on: model, code, items and their numbers, popularity, length."""
    inner = model.inner if isinstance(model, Carried) else model
    card = describe(inner) | {"notes": None, "code": code_version(), "width": width, "items": item_ids}
    digest = hashlib.sha256(json.dumps(card, sort_keys=True, default=str).encode())
    arrays = dict(sorted(inner.to_arrays().items())) | {"allowed": allowed, "popular": order, "ties": model.order_}
    if isinstance(model, Carried) and not np.array_equal(model.mapping_, np.arange(model.n_items_)):
        arrays["numbering"] = model.mapping_
    for name, array in arrays.items():
        digest.update(f"{name} {array.dtype} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def input_keys(block: Block) -> Keys:
    """128 bits (b, 2) for each row: sums, modulo 2^64, of mixtures of all that is known of each pair."""
    history = block.history
    facts = (history.strength.data, history.weight, history.recent_weight, history.events, history.last_age,
             history.first_age)
    found = np.empty((history.shape[0], len(SEEDS)), np.uint64)
    for number, seed in enumerate(SEEDS):
        mixed = _mix(history.strength.indices.astype(np.uint64) ^ seed)
        for fact in facts:
            mixed = _mix(mixed ^ np.ascontiguousarray(fact, dtype=np.float32).view(np.uint32))
        found[:, number] = _sums(mixed, history.strength.indptr)
        if block.exclude is not None:
            barred = _mix(block.exclude.indices.astype(np.uint64) ^ seed ^ EXCLUDED)
            found[:, number] += _sums(barred, block.exclude.indptr)
    return found


def _mix(values: Keys) -> Keys:
    """Each value spread over all 64 bits (the finalizer of SplitMix64, G. Steele et al., OOPSLA 2014)."""
    values = (values ^ (values >> np.uint64(30))) * FIRST
    values = (values ^ (values >> np.uint64(27))) * SECOND
    return values ^ (values >> np.uint64(31))


def _sums(values: Keys, ends: NDArray[Any]) -> Keys:
    total = np.concatenate([np.zeros(1, np.uint64), np.cumsum(values, dtype=np.uint64)])
    found: Keys = total[ends[1:]] - total[ends[:-1]]
    return found


def remember(folder: Path, shared: str, keys: Keys) -> None:
    """Keep what the lists of the run in ``folder`` were made from."""
    save_arrays(folder / FOLDER, {"name": FOLDER.name, "shared": shared}, {"keys": keys})


def find_earlier(
    con: duckdb.DuckDBPyConnection, previous: Path | None, shared: str, keys: Keys, row_wise: bool
) -> EarlierLists:
    """What may be copied from the run in ``previous``. A list costs hundreds of times what comparing and copying it
    does, so each that may be is.

    Scores that come from a product of matrices can depend, in the last bit, on the rows that are multiplied at once;
    without ``row_wise`` lists are therefore copied only where every profile is as it was, and at its place.
    """
    rows = np.full(len(keys), -1, np.int64)
    nothing = np.empty((0, 0), np.int32), np.empty((0, 0), np.float32)
    if previous is None or not (previous / FOLDER).is_dir():
        return EarlierLists(rows, *nothing, "no earlier lists to compare with")
    try:
        card, arrays = load_arrays(previous / FOLDER)
        if card["shared"] != shared:
            return EarlierLists(rows, *nothing, "the model, the items, or what may be listed changed")
        found = open_table(con, previous, "recommendation_lists", "earlier_lists")
        items, scores = (
            np.load(previous / "pack" / f"lists_{what}.npy", mmap_mode="r", allow_pickle=False)
            for what in ("items", "scores")
        )
    except (NightloomError, OSError, KeyError, ValueError) as error:
        return EarlierLists(rows, *nothing, f"the earlier lists cannot be read: {error}")
    if not found:
        return EarlierLists(rows, *nothing, "no earlier lists to compare with")
    places = con.execute(
        "SELECT p.profile_index AS now, l.profile_index AS before FROM earlier_lists AS l "
        "JOIN profiles AS p ON p.profile_id = l.profile_id"
    ).fetchnumpy()
    now, before = (np.ma.getdata(places[name]).astype(np.int64) for name in ("now", "before"))
    same = (arrays["keys"][before] == keys[now]).all(axis=1)
    rows[now[same]] = before[same]
    if not row_wise and not (len(arrays["keys"]) == len(keys) and (rows == np.arange(len(keys))).all()):
        rows[:] = -1
        return EarlierLists(rows, *nothing, "some profile changed, and all are scored by one product of matrices")
    return EarlierLists(rows, items, scores, f"{int(same.sum())} of {len(keys)} profiles are as they were")
