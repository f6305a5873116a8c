"""Cells by the retention contract, section 10.3 and 10.4."""

from __future__ import annotations

from datetime import datetime

import duckdb
import pytest

from transforms import cells


def one(sql: str, **values: object) -> object:
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        row = con.execute(f"SELECT {sql} FROM (SELECT $x AS x)", values).fetchone()
        assert row is not None
        return row[0]


@pytest.mark.parametrize(
    "text", ["", " ", "\t", "null", "NULL", "n/a", " N/A ", "--", "none", "None", "NaN", "nan", None]
)
def test_missing_tokens(text: str | None) -> None:
    assert one(cells.present("x"), x=text) is None


@pytest.mark.parametrize(
    ("text", "kept"),
    [(" a b ", "a b"), ("\tx\t", "x"), ("Null", "Null"), ("nothing", "nothing"), ("0", "0"), ("!", "!")],
)
def test_present_cells_are_trimmed(text: str, kept: str) -> None:
    assert one(cells.present("x"), x=text) == kept


@pytest.mark.parametrize(
    ("text", "yes"),
    [
        ("-3", True),
        ("012", False),
        ("0", True),
        ("2.50", True),
        ("1e3", False),
        (".5", False),
        ("5.", False),
        ("+1", False),
        ("", False),
        ("9007199254740992", True),
        ("9007199254740993", False),
        ("-9007199254740993", False),
        ("1" * 60, False),
        ("0.1234567890123456789", True),
    ],
)
def test_number_grammar(text: str, yes: bool) -> None:
    assert one(cells.is_number("x"), x=text) is yes


@pytest.mark.parametrize(
    ("text", "canonical"), [("2.0", "2"), ("2.50", "2.5"), ("-0", "0"), ("-0.0", "0"), ("28", "28"), ("0.1", "0.1")]
)
def test_canonical_numbers(text: str, canonical: str) -> None:
    assert one(cells.canonical_number("x"), x=text) == canonical


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-05-01 10:00:07", datetime(2024, 5, 1, 10, 0, 7)),
        ("2024-05-01T10:00:07", datetime(2024, 5, 1, 10, 0, 7)),
        ("2024-05-01 10:00", datetime(2024, 5, 1, 10, 0)),
        ("2024-05-01T10:00:07.987654", datetime(2024, 5, 1, 10, 0, 7)),
        ("2024-05-01T10:00:07.5Z", datetime(2024, 5, 1, 10, 0, 7)),
        ("2024-05-01 10:00:07+02:00", datetime(2024, 5, 1, 8, 0, 7)),
        ("2024-05-01 10:00:07 +0230", datetime(2024, 5, 1, 7, 30, 7)),
        ("2024-05-01T10:00+02", datetime(2024, 5, 1, 8, 0)),
        ("2024-05-01T10:00-02:00", datetime(2024, 5, 1, 12, 0)),
        ("2024-05-01T10:00Z", datetime(2024, 5, 1, 10, 0)),
        ("2024-02-30 10:00:00", None),
        ("2024-05-01", None),
        ("2024-05-01 25:00:00", None),
        ("01/05/2024 10:00:00", None),
        ("yesterday", None),
    ],
)
def test_times(text: str, expected: datetime | None) -> None:
    assert one(cells.time("x"), x=text) == expected


@pytest.mark.parametrize(
    ("text", "yes"), [("a" * 255, True), ("a" * 256, False), ("a,b", False), ("a\nb", False), ("a'b.c", True)]
)
def test_identifiers(text: str, yes: bool) -> None:
    assert one(cells.is_identifier("x"), x=text) is yes


def test_profile_ids_are_minted_from_the_customer_id() -> None:
    import hashlib

    assert one(cells.profile_id_of("x"), x="c-1") == "profile_" + hashlib.sha256(b"c-1\n0").hexdigest()[:32]
