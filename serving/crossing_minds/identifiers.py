"""Ids of a database as its programs write them (§5): read from paths and bodies, written to answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from contracts.id_types import IdType, id_type
from serving.crossing_minds.errors import wrong_id, wrong_type
from store.control import DatabaseRecord

ME = "~me"
NOUNS = {"user_id": "user", "item_id": "item", "session_id": "session"}


@dataclass(frozen=True, slots=True)
class Ids:
    """Id type of each noun. ``read`` gives canonical text, ``write`` what an answer holds for it."""

    user: IdType
    item: IdType
    session: IdType

    @classmethod
    def of(cls, record: DatabaseRecord) -> Ids:
        """The types of a database."""
        return cls(id_type(record.user_id_type), id_type(record.item_id_type), id_type(record.session_id_type))

    def type_of(self, noun: str) -> IdType:
        """The type of ``user``, ``item`` or ``session``."""
        found: IdType = getattr(self, noun)
        return found

    def read(self, noun: str, value: Any, field: str = "") -> str:
        """Canonical text of an id from a path, query or body. Raises WrongData INCORRECT_*_ID_TYPE."""
        kind = self.type_of(noun)
        text = kind.canonical(value)
        if text is None:
            raise wrong_id(noun, field or f"{noun}_id", value, kind.word)
        return text

    def read_all(self, noun: str, values: Any, field: str) -> list[str]:
        """The same of a JSON list. Raises WrongData."""
        if not isinstance(values, list):
            raise wrong_type(field, "must be a list")
        return self.read_each(noun, values, field + "[{}]")

    def read_each(self, noun: str, values: list[Any], where: str) -> list[str]:
        """The same of many; ``where`` names the field of a place, with ``{}`` for its number. Raises WrongData."""
        kind = self.type_of(noun)
        texts = [kind.canonical(value) for value in values]
        if None in texts:
            at = texts.index(None)
            raise wrong_id(noun, where.format(at), values[at], kind.word)
        return texts  # type: ignore[return-value]

    def write(self, noun: str, text: str) -> int | str:
        """What an answer holds for a canonical text."""
        return self.type_of(noun).answer(text)

    def write_all(self, noun: str, texts: list[str]) -> list[Any]:
        """The same of many."""
        return list(map(int, texts)) if self.type_of(noun).numeric else texts
