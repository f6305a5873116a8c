"""Properties of all items as flat arrays, one column a property: a filter is one comparison over a catalogue."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from scenarios.spec import PropertyType, Scalar
from scenarios.value_types import tokens

Value = Scalar | Sequence[Scalar] | None
SEPARATOR = -1
"""Stands before the tokens of each text of a list, because a search must find all its words in one of them."""


class Vocabulary(Protocol):
    """Distinct strings by code."""

    def __len__(self) -> int: ...

    def __getitem__(self, code: int) -> str: ...

    def find(self, text: str) -> int:
        """Code of a string, -1 when no item has it."""
        ...


class Words:
    """A vocabulary in memory. Codes follow the order of the UTF-8 bytes."""

    def __init__(self, distinct: Sequence[str]) -> None:
        self._words = sorted(distinct, key=str.encode)
        self._bytes = [word.encode() for word in self._words]

    def __len__(self) -> int:
        return len(self._words)

    def __getitem__(self, code: int) -> str:
        return self._words[code]

    def find(self, text: str) -> int:
        sought = text.encode()
        at = bisect_left(self._bytes, sought)
        return at if at < len(self._bytes) and self._bytes[at] == sought else -1


class Extended:
    """A vocabulary with strings that came after it was made; their codes follow in order of arrival."""

    def __init__(self, before: Vocabulary, further: Sequence[str]) -> None:
        self._before = before
        self._further = list(further)
        self._code = {word: len(before) + at for at, word in enumerate(self._further)}

    def __len__(self) -> int:
        return len(self._before) + len(self._further)

    def __getitem__(self, code: int) -> str:
        return self._before[code] if code < len(self._before) else self._further[code - len(self._before)]

    def find(self, text: str) -> int:
        code = self._before.find(text)
        return code if code >= 0 else self._code.get(text, -1)


class Column:
    """Values of one property over ``size`` items.

    ``rows`` int32, rising: the item of each value. ``values``: int64, uint64 or float64 numbers (bool as 0 and 1), or
    int32 codes into ``vocabulary`` (strings; for full text its tokens, and in a list ``SEPARATOR`` before each text's).
    ``filled`` uint8 (size,): whether the item has
    a value that is not the empty string. An item without a value is in no row; a list gives one row an element.
    """

    def __init__(
        self, name: str, type: PropertyType, size: int, rows: NDArray[np.int32], values: NDArray[Any],
        filled: NDArray[np.uint8], vocabulary: Vocabulary | None = None,
    ) -> None:
        self.name = name
        self.type = type
        self.size = size
        self.rows = rows
        self.values = values
        self.filled = filled
        self.vocabulary = vocabulary

    @cached_property
    def dense(self) -> bool:
        """Whether every item has exactly one value, so that values stand at their items' rows."""
        return len(self.rows) == self.size and bool((self.rows == np.arange(self.size)).all())

    @classmethod
    def of(cls, name: str, type: PropertyType, values: Sequence[Value]) -> Column:
        """A column in memory from one value (or list) an item; None and empty lists are missing."""
        empty = cls(
            name, type, len(values), np.empty(0, np.int32), np.empty(0, dtype_of(type)),
            np.zeros(len(values), np.uint8), Words([]) if type.family in ("string", "text") else None,
        )
        return empty.patched({row: value for row, value in enumerate(values) if value is not None}, sort=True)

    def patched(self, overrides: Mapping[int, Value], *, sort: bool = False) -> Column:
        """The column with other values for some items; None takes an item's value away. ``sort``: order the words."""
        if not overrides:
            return self
        elements = {row: _elements(value) for row, value in sorted(overrides.items())}
        spelled: dict[int, list[Any]] = {
            row: self._tokens(parts) if self.type.family == "text" else parts for row, parts in elements.items()
        }
        vocabulary, added = self._encode([part for parts in spelled.values() for part in parts], sort)
        counts = np.fromiter(map(len, spelled.values()), np.int64, len(spelled))
        touched = np.fromiter(spelled, np.int32, len(spelled))
        kept = ~np.isin(self.rows, touched)
        rows = np.concatenate([self.rows[kept], np.repeat(touched, counts)])
        values = np.concatenate([self.values[kept], added])
        order = np.argsort(rows, kind="stable")
        filled = self.filled.copy()
        filled[touched] = [any(part != "" for part in parts) for parts in elements.values()]
        return Column(self.name, self.type, self.size, rows[order], values[order], filled, vocabulary)

    def _tokens(self, texts: Sequence[Scalar]) -> list[str | None]:
        """Tokens of one item's texts; None stands for the separator."""
        start: list[None] = [None] if self.type.repeated else []
        return [word for text in texts for word in (*start, *tokens(str(text)))]

    def _encode(self, parts: list[Any], sort: bool) -> tuple[Vocabulary | None, NDArray[Any]]:
        if self.vocabulary is None:
            return None, np.array(parts, self.values.dtype)
        words = [None if part is None else str(part) for part in parts]
        new = [word for word in dict.fromkeys(words) if word is not None and self.vocabulary.find(word) < 0]
        vocabulary: Vocabulary = self.vocabulary
        if new:
            vocabulary = Words(new) if sort else Extended(self.vocabulary, new)
        codes = [SEPARATOR if word is None else vocabulary.find(word) for word in words]
        return vocabulary, np.array(codes, np.int32)

    @cached_property
    def distinct(self) -> tuple[NDArray[np.int64], NDArray[np.int32], int]:
        """Each item's distinct values as codes: offsets int64 (size + 1,), codes int32, and how many codes there are.

        Numbers get codes by their order. A value that a list repeats counts once.
        """
        place = self.rows.astype(np.int64)
        if self.vocabulary is not None:
            real = self.values != SEPARATOR
            place, codes, amount = place[real], self.values[real].astype(np.int64), len(self.vocabulary)
        else:
            known, codes = np.unique(self.values, return_inverse=True)
            amount = len(known)
        pairs = np.unique(place * max(amount, 1) + codes)
        rows, found = np.divmod(pairs, max(amount, 1))
        offsets = np.zeros(self.size + 1, np.int64)
        np.cumsum(np.bincount(rows, minlength=self.size), out=offsets[1:])
        return offsets, found.astype(np.int32), amount

    def of_item(self, row: int) -> list[Scalar]:
        """Values of one item in the order they stand; tokens for full text."""
        start, end = np.searchsorted(self.rows, [row, row + 1])
        found = self.values[start:end].tolist()
        if self.vocabulary is not None:
            return [self.vocabulary[code] for code in found if code != SEPARATOR]
        return [bool(value) for value in found] if self.type.family == "bool" else found


def dtype_of(type: PropertyType) -> np.dtype[Any]:
    """How values of a type are held."""
    family = type.family
    if family == "int":
        return np.dtype(np.uint64 if type.value_type.startswith("uint") else np.int64)
    if family == "float":
        return np.dtype(np.float64)
    return np.dtype(np.int64 if family == "bool" else np.int32)


def _elements(value: Value) -> list[Scalar]:
    if value is None:
        return []
    if isinstance(value, str | int | float | bool):
        return [value]
    return list(value)
