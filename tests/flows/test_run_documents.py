"""The documents of a run: read once, digested, and what is known of property types put in order."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.settings import Settings
from flows.stages.documents import RunDocuments, read_documents
from scenarios.spec import PropertyType
from store.journal import Journal
from store.layout import Layout


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    layout = Layout(tmp_path)
    layout.create()
    with Journal.open(layout, Settings()) as journal:
        yield journal


def put(journal: Journal, kind: str, name: str, body: object) -> None:
    journal.put_document(kind, name, json.dumps(body), "tester")


def test_a_workspace_without_documents(journal: Journal) -> None:
    assert read_documents(journal) == RunDocuments()


def test_documents_and_their_digest(journal: Journal) -> None:
    case = {"scenario_type": "case", "case": {"algorithms": "als|content"}}
    put(journal, "scenario", "profile_to_items/one", case)
    put(journal, "scenario_default", "profile_to_items", {"name": "one"})
    put(journal, "item_property", "year", {"property_name": "Year", "value_type": "int16", "repeated": False})
    found = read_documents(journal)
    assert found.algorithms == {"als", "content"} and found.unreadable == ()
    assert found.graph.default("profile_to_items") == "one"
    assert found.types == {"year": PropertyType("int16")}
    put(journal, "scenario", "profile_to_items/one", case)
    assert read_documents(journal).digest == found.digest  # put again, nothing changed
    journal.delete_document("scenario_default", "profile_to_items", "tester")
    assert read_documents(journal).digest != found.digest


def test_what_cannot_be_read_is_left_out_and_said(journal: Journal) -> None:
    put(journal, "scenario", "profile_to_items/old", {"scenario_type": "case", "case": {"of_a_later_version": 1}})
    put(journal, "item_property", "size", {"property_name": "size", "value_type": "int128", "repeated": False})
    found = read_documents(journal)
    assert not found.graph.definitions and not found.types
    assert len(found.unreadable) == 2 and any("profile_to_items/old" in text for text in found.unreadable)


def test_definitions_stand_above_mappings_and_these_above_what_was_delivered() -> None:
    documents = RunDocuments(types={"year": PropertyType("int16")})
    types = documents.declared_types({"year": "int64", "title": "text", "tags": "unicode[]"}, {"Tags": "string[]"})
    assert types.exact == {
        "year": PropertyType("int16"), "title": PropertyType("text"), "tags": PropertyType("unicode255", True),
    }
    assert types.registered == {"tags": "string[]"}
