"""The run's catalogue with the journal's values: columns are patched when they are used, a write at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from scenarios.catalogue import Catalogue
from scenarios.columns import Column, Words, dtype_of
from scenarios.spec import Problem, PropertyType
from scenarios.value_types import fit
from serving.changes import Changes
from serving.run_side import RunSide


class ItemColumns:
    """Follows the items that were written. ``gone``: rows of deleted items; ``touched``: properties of which the run's
    column is not the whole truth any more.
    """

    def __init__(self, run: RunSide, changes: Changes) -> None:
        self.gone: set[int] = set()
        self.touched: set[str] = set()
        self._run = run
        self._changes = changes
        self._base = run.catalogue()
        self._patched: dict[str, Column] = {}
        self._pending: dict[str, dict[int, Any]] = {}
        self._rows: dict[int, set[str]] = {}
        self._dropped: set[str] = set()
        self._given: dict[str, dict[int, Any]] = {}
        self._followed = 0
        self._state: tuple[Any, ...] = ()
        self._current = self._base

    def follow(self) -> None:
        """Take in what was written since the last call; costs as much as there was."""
        items = self._changes.items
        if self._followed == len(items.changed) and self._dropped == items.dropped:
            return
        self._harvest()
        for name in items.dropped - self._dropped:
            self._dropped.add(name)
            self.touched.add(name)
            self._patched[name] = empty(name, self._type(name), self._base.size)
            self._pending.pop(name, None)
        fresh = items.changed[self._followed :]
        self._followed = len(items.changed)
        copied: set[str] = set()
        for item_id in dict.fromkeys(fresh):
            row = self._run.item_row(item_id)
            if row < 0:
                continue
            written = items.rows[item_id]
            (self.gone.add if written.deleted else self.gone.discard)(row)
            values = items.values(item_id, lambda row=row: self._run.item_values(row))  # type: ignore[misc]
            names = self._rows.setdefault(row, set())
            names.update(written.values)
            if written.cleared:
                names.update(self._base.columns)
            for name in names:
                if name not in copied:  # an older catalogue may still read the older one
                    copied.add(name)
                    self._pending[name] = dict(self._pending.get(name, {}))
                self._pending[name][row] = values.get(name)
            self.touched |= names

    def catalogue(self, types: Mapping[str, PropertyType]) -> Catalogue:
        """The catalogue as of now; ``types`` are the effective ones."""
        self.follow()
        state = (self._followed, len(self._dropped), types)
        if self._state and self._state[:2] == state[:2] and self._state[2] is types:
            return self._current
        if not self._followed and not self._dropped and types.keys() <= self._base.columns.keys():
            self._current = self._base
        else:
            self._current = self._renew(types)
        self._state = state
        return self._current

    def _harvest(self) -> None:
        """Keep the columns that somebody used, so that they are patched with what comes after only."""
        used = self._current.columns
        if self._current is not self._base and isinstance(used, dict):
            for name, column in used.items():
                if name in self._given and self._pending.get(name) is self._given[name]:
                    self._patched[name] = column
                    del self._pending[name]

    def _renew(self, types: Mapping[str, PropertyType]) -> Catalogue:
        columns = {
            name: self._patched.get(name) or empty(name, kind, self._base.size)
            for name, kind in types.items()
            if name in self._patched or name not in self._base.columns
        }
        for name, column in self._patched.items():
            columns.setdefault(name, column)
        self._patched.update(columns)
        known_names = columns.keys() | self._base.columns.keys()
        self._given = {name: self._pending[name] for name in self._pending if name in known_names}
        overrides = {
            name: self._fitting(values, columns.get(name) or self._base.columns[name], types.get(name))
            for name, values in self._given.items()
        }
        return self._base.patched(overrides, sorted(self.gone), columns)

    def _fitting(self, values: dict[int, Any], column: Column, declared: PropertyType | None) -> Mapping[int, Any]:
        """Values that a column can hold: what was checked against another type than the column's may not fit."""
        if declared == column.type:
            return values
        kept = {row: fit(value, column.type) for row, value in values.items()}
        return {row: None if isinstance(value, Problem) else value for row, value in kept.items()}

    def _type(self, name: str) -> PropertyType:
        column = self._base.columns.get(name)
        return column.type if column is not None else PropertyType("unicode255")


def empty(name: str, kind: PropertyType, size: int) -> Column:
    """A column of which no item has a value."""
    return Column(
        name, kind, size, np.empty(0, np.int32), np.empty(0, dtype_of(kind)), np.zeros(size, np.uint8),
        Words([]) if kind.family in ("string", "text") else None,
    )
