"""Data of the benchmark protocols, from files of any layout to what ``models.benchmark`` compares models on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from contracts.errors import UsageError
from models.benchmark.protocols import StrongData, TimeData, strong_split
from models.interactions import Interactions
from models.items import Items
from models.lesson import Lesson
from models.split import Split, time_split
from transforms import benchmark_events as events
from transforms import interactions as source

HIDDEN = 0.2
"""Share of a profile's training items that teach the second stage where a split comes with the data."""


def time_data(con: duckdb.DuckDBPyConnection) -> TimeData:
    """Splits at the 90 % quantile of event time, and at that of what came before it."""
    n_profiles, n_items = events.sizes(con)
    cut, earlier = events.cuts(con)
    after, between = source.read_window(con, cut), source.read_window(con, earlier, cut)
    train = Interactions.from_columns(n_profiles, n_items, **events.past(con, cut)).dated(source.day_of(cut))
    ours = time_split(train, after["profile_index"], after["item_index"])
    all_time = Interactions.from_columns(n_profiles, n_items, **events.past(con, cut, forever=True))
    past = Interactions.from_columns(n_profiles, n_items, **events.past(con, earlier)).dated(source.day_of(earlier))
    items = Items(*source.read_item_text(con), events.prices(con, cut))
    return TimeData(
        ours,
        replace(ours, train=all_time),
        replace(ours, train=replace(train, strength=train.weight)),
        time_split(past, between["profile_index"], between["item_index"]),
        items,
    )


FOLDS, ENOUGH = 10, 300
"""Into how many folds profiles are dealt, and how many profiles of one fold tell models apart."""


def strong_data(con: duckdb.DuckDBPyConnection, folds: int = 0, seed: int = 0) -> Iterator[StrongData]:
    """Profiles in ``folds``, each of which is tested in turn while the one before it validates. 1: a tenth is tested,
    once; 0: so where a tenth is ``ENOUGH``, and else each of ten folds.
    """
    if folds == 2 or folds < 0:
        raise UsageError(f"{folds} folds leave nothing to learn from", hint="--folds 0, 1, or 3 and more")
    found = events.pairs(con)
    items, sizes = Items(*source.read_item_text(con)), events.sizes(con)
    dealt = folds if folds > 1 else FOLDS

    def fold(number: int) -> StrongData:
        return strong_split(
            *sizes, found["profile_index"], found["item_index"], items, folds=dealt, fold=number, seed=seed
        )

    first = fold(0)
    yield first
    if folds > 1 or (folds == 0 and len(first.test.subjects) < ENOUGH):
        yield from map(fold, range(1, dealt))


def given_data(folder: Path) -> tuple[Interactions, Split, Lesson]:
    """The split of ``train.txt``, ``valid.txt`` (if there is one) and ``test.txt``: lines of a profile's number and the
    numbers of its items. Raises ``UsageError`` when a line has anything else.
    """
    paths = [path for path in sorted(folder.glob("*.txt")) if path.stem in {"train", "valid", "test"}]
    parts = {path.stem: _lines(path) for path in paths}
    if not {"train", "test"} <= parts.keys():
        raise UsageError(f"{folder} has no train.txt and test.txt", hint="give a file of events, or such a folder")
    test = parts.pop("test")
    # What literature tunes on is training data once the model is chosen.
    row, column = (np.concatenate([one[axis] for one in parts.values()]) for axis in (0, 1))
    n_profiles = int(max(row.max(), test[0].max())) + 1
    n_items = int(max(column.max(), test[1].max())) + 1
    row, column = np.divmod(np.unique(row * n_items + column), n_items)
    train = _interactions(n_profiles, n_items, row, column)
    hidden = np.random.default_rng(0).random(len(row)) < HIDDEN
    past = _interactions(n_profiles, n_items, row[~hidden], column[~hidden])
    lesson = Lesson(time_split(past, row[hidden], column[hidden]), "new")
    return train, time_split(train, *test, most_subjects=n_profiles), lesson


def _interactions(n_profiles: int, n_items: int, row: NDArray[Any], column: NDArray[Any]) -> Interactions:
    return Interactions.from_columns(n_profiles, n_items, row, column, np.ones(len(row)))


def _lines(path: Path) -> tuple[NDArray[Any], NDArray[Any]]:
    """Profile and item of every pair in a file of adjacency lists."""
    with duckdb.connect() as con:
        try:
            found = con.execute(
                "SELECT words[1]::BIGINT AS profile, unnest(words[2:])::BIGINT AS item FROM ("
                "SELECT string_split(trim(line), ' ') AS words FROM read_csv($path, header = false, delim = '\\x01', "
                "quote = '', columns = {'line': 'VARCHAR'}, max_line_size = 100000000) WHERE trim(line) <> '')",
                {"path": str(path)},
            ).fetchnumpy()
        except duckdb.ConversionException as error:
            raise UsageError(f"{path.name} is not made of numbers: {error}", hint="profile item item …") from error
    return np.ma.getdata(found["profile"]), np.ma.getdata(found["item"])
