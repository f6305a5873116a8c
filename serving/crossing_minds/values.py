"""Rows of items and users as clients send and read them (§8.1): checked values by property, inline or as ``_m2m``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scenarios.spec import Problem
from scenarios.value_types import fit
from serving.crossing_minds.errors import DuplicatedError, WrongData, shortened, wrong_type
from serving.crossing_minds.fields import objects
from serving.crossing_minds.identifiers import Ids
from serving.declared import Noun, Property

Rows = list[tuple[str, dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Words:
    """The words of one noun: ``item`` or ``user``. ``entity``: what the journal calls it."""

    noun: Noun
    entity: str

    @property
    def id(self) -> str:
        """Member of an id."""
        return f"{self.noun}_id"

    @property
    def many(self) -> str:
        """Member of a list of rows."""
        return f"{self.noun}s"

    @property
    def ids(self) -> str:
        """Member of a list of ids."""
        return f"{self.noun}s_id"

    @property
    def property_type(self) -> str:
        """What errors call a property."""
        return f"{self.noun}-property"

    def name(self, word: str) -> str:
        """An error's name, as in ITEM_NOT_FOUND."""
        return f"{self.noun.upper()}_{word}"


ITEMS = Words("item", "items")
USERS = Words("user", "profiles")


def read_rows(words: Words, body: Mapping[str, Any], ids: Ids, known: Mapping[str, Property]) -> Rows:
    """Ids (canonical text) and values of a bulk request. Names are as declared; null stands for missing.

    Raises WrongData for a wrong id, an undeclared property or a value that does not fit, DuplicatedError for an id that
    is there twice. Nothing of the body is changed.
    """
    given = objects(dict(body), words.many)
    canonical = ids.type_of(words.noun).canonical
    rows: Rows = []
    seen: set[str] = set()
    for at, row in enumerate(given):
        key = canonical(row.get(words.id))
        if key is None:
            key = ids.read(words.noun, row.get(words.id), f"{words.many}[{at}].{words.id}")
        if key in seen:
            raise DuplicatedError(f"DUPLICATED_{words.noun.upper()}_ID", words.noun, ids.write(words.noun, key))
        seen.add(key)
        rows.append((key, read_values(words, row, known, f"{words.many}[{at}]")))
    further = body.get(f"{words.many}_m2m")
    if further is not None:
        _add_lists(words, further, rows, known)
    return rows


def read_values(words: Words, row: Mapping[str, Any], known: Mapping[str, Property], where: str) -> dict[str, Any]:
    """Values of one row, its id left aside."""
    values: dict[str, Any] = {}
    for name, value in row.items():
        if name == words.id:
            continue
        found = known.get(name) or known.get(name.lower())
        if found is None:
            raise unknown_property(words, name, known, f"{where}.{shortened(name)}")
        kept = fit(value, found.type, f"{where}.{name}")
        if isinstance(kept, Problem):
            raise wrong_type(kept.where, kept.message)
        values[found.name] = kept
    return values


def unknown_property(words: Words, name: str, known: Mapping[str, Property], where: str) -> WrongData:
    """What data hears that names a property nobody declared."""
    names = ", ".join(one.name for one in known.values()) or "none yet"
    return wrong_type(where, f"there is no {words.noun} property `{shortened(name)}`; declared are: {shortened(names)}")


def _add_lists(words: Words, given: Any, rows: Rows, known: Mapping[str, Property]) -> None:
    """Add the values that come apart from their rows; a list is the union, inline values first."""
    field, index = f"{words.many}_m2m", f"{words.noun}_index"
    for place, one in enumerate(_objects(given, field)):
        name = one.get("name")
        found = known.get(name.lower()) if isinstance(name, str) else None
        if found is None:
            raise unknown_property(words, str(name), known, f"{field}[{place}].name")
        if not found.type.repeated:
            raise wrong_type(f"{field}[{place}].name", f"`{found.name}` holds one value, not a list")
        lists: dict[int, list[Any]] = {}
        for at, entry in enumerate(_objects(one.get("array"), f"{field}[{place}].array")):
            row = entry.get(index)
            if not isinstance(row, int) or isinstance(row, bool) or not 0 <= row < len(rows):
                where = f"{field}[{place}].array[{at}].{index}"
                raise wrong_type(where, f"must be the place of a row, below {len(rows)}")
            lists.setdefault(row, []).append(entry.get("value_id"))
        for row, values in lists.items():
            kept = fit(values, found.type, f"{field}[{place}].array")
            if isinstance(kept, Problem):
                raise wrong_type(kept.where, kept.message)
            inline = rows[row][1].get(found.name) or []
            rows[row][1][found.name] = [*inline, *(value for value in dict.fromkeys(kept) if value not in inline)]


def _objects(given: Any, field: str) -> Sequence[dict[str, Any]]:
    return objects({"": given}, "") if isinstance(given, list) else objects({field: given}, field)


def shown(
    words: Words, key: str, values: Mapping[str, Any], ids: Ids, known: Mapping[str, Property],
    wanted: frozenset[str] | None,
) -> dict[str, Any]:
    """One row of an answer: its id and the values of the ``wanted`` properties (None: all); missing ones are absent."""
    row: dict[str, Any] = {words.id: ids.write(words.noun, key)}
    for name, found in known.items():
        value = values.get(name) if wanted is None or name in wanted else None
        if value is not None:
            row[found.name] = value
    return row
