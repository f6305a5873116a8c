"""What the endpoint reads of policies is what the run's tables say."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from flows.stages.publish import insert_rows
from store.exports import export_table
from store.pack.policies import PolicyBook
from store.pack.policy_tables import write_policies

AT = datetime(2026, 1, 2)


def _rows(version: str, segment: str, pattern: str, weights: dict[str, float]) -> list[dict[str, Any]]:
    return [
        {"owner": "o", "agent": "home", "point": "p", "decision_set": "d", "segment": segment, "pattern": pattern,
         "arm": f"d:{arm}", "arm_order": at, "is_default": at == 0, "weight": weight, "mature": True,
         "version": version, "valid_from": AT, "trained_by_run": "r-1"}
        for at, (arm, weight) in enumerate(weights.items())
    ]


@pytest.fixture
def book(tmp_path: Path) -> PolicyBook:
    (tmp_path / "pack").mkdir()
    served = [
        *_rows("v2", "*", "*", {"b": 0.1, "a": 0.9}), *_rows("v2", "gold", "*", {"b": 0.25, "a": 0.75}),
        *_rows("v2", "gold", "", {"b": 1 / 3, "a": 2 / 3}), *_rows("v2", "gold", "age~1|vip", {"b": 1.0, "a": 0.0}),
    ]
    archive = [*_rows("v1", "*", "*", {"b": 0.5, "a": 0.5}), *_rows("v3", "*", "*", {"b": 0.0, "a": 1.0})]
    versions = [
        {"agent": "home", "version": version, "state": state, "valid_from": AT.replace(day=day), "pinned": False}
        for version, state, day in (("v1", "earlier", 1), ("v2", "serving", 2), ("v3", "held", 3))
    ]
    features = [
        {"agent": "home", "version": "v2", "point": "p", "indicator": "age~1", "feature": "age", "numeric": True,
         "cuts": [20.0, 40.0]},
        {"agent": "home", "version": "v2", "point": "p", "indicator": "vip", "feature": "vip", "numeric": False,
         "cuts": []},
    ]
    with duckdb.connect() as con:
        for name, rows in (("policies", served), ("policy_archive", archive), ("policy_versions", versions),
                           ("policy_features", features)):
            insert_rows(con, name, rows)
            export_table(con, name, tmp_path)
    write_policies(tmp_path)
    return PolicyBook(tmp_path / "pack")


def test_the_first_row_set_that_exists_serves(book: PolicyBook) -> None:
    assert book.find("home", "p", "d", "gold", "age~1|vip") == ("pattern", {"d:b": 1.0, "d:a": 0.0})
    assert book.find("home", "p", "d", "gold", "") == ("pattern", {"d:b": 1 / 3, "d:a": 2 / 3})
    assert book.find("home", "p", "d", "gold", "other") == ("segment", {"d:b": 0.25, "d:a": 0.75})
    assert book.find("home", "p", "d", "(none)", "") == ("agent", {"d:b": 0.1, "d:a": 0.9})
    assert book.find("home", "p", "e", "gold", "") is None
    assert book.find("away", "p", "d", "gold", "") is None


def test_arms_keep_their_stored_order(book: PolicyBook) -> None:
    found = book.find("home", "p", "d", "gold", "")
    assert found is not None and list(found[1]) == ["d:b", "d:a"]


def test_a_pin_serves_an_earlier_version_and_never_one_that_was_held(book: PolicyBook) -> None:
    assert book.version("home") == "v2"
    assert book.versions("home") == ("v2", "v1", "0")
    back = book.with_pins({"home": "v1"})
    assert back.version("home") == "v1"
    assert back.find("home", "p", "d", "gold", "") == ("agent", {"d:b": 0.5, "d:a": 0.5})
    assert back.indicators("home", "p").pattern({"vip": 1.0}) == ""
    assert book.with_pins({"home": "v3"}).version("home") == "v2"
    uniform = book.with_pins({"home": "0"})
    assert (uniform.version("home"), uniform.find("home", "p", "d", "gold", "")) == ("0", None)


def test_features_become_the_pattern_of_the_version(book: PolicyBook) -> None:
    encoding = book.indicators("home", "p")
    assert encoding.pattern({"vip": 1.0, "age": 40.0, "new": 1.0}) == "age~1|vip"
    assert encoding.pattern({"vip": 1.0, "age": 20.0}) == "vip"
    assert encoding.pattern({"age": 41.0}) == ""
    assert book.indicators("home", "q").pattern({"vip": 1.0}) == ""


def test_a_run_without_policies_serves_version_0(tmp_path: Path) -> None:
    (tmp_path / "pack").mkdir()
    write_policies(tmp_path)
    book = PolicyBook(tmp_path / "pack")
    assert book.missing
    assert (book.version("home"), book.find("home", "p", "d", "s", "")) == ("0", None)
