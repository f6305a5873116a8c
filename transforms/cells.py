"""SQL of single cells: what is missing, what is a number, a boolean or a time, and the canonical text of each
(retention contract 10.3, 10.4).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from transforms.quoting import text_literal

MISSING: Final = ("", "null", "NULL", "n/a", "N/A", "--", "none", "None", "NaN", "nan")
MAX_INTEGER: Final = 2**53
_NUMBER = r"-?(0|[1-9][0-9]*)(\.[0-9]+)?"
_TIME = r"\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}(:\d{2}(\.\d+)?)?( ?(Z|[+-]\d{2}(:?\d{2})?))?"
_TRUE, _FALSE = ("true", "True", "TRUE"), ("false", "False", "FALSE")
_SHORT_TRUE, _SHORT_FALSE = ("t", "T", "1"), ("f", "F", "0")


def literal(value: str | int | float | bool) -> str:
    """A constant, for SQL."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    return text_literal(value)


def one_of(text: str, values: Sequence[str]) -> str:
    """True where a text is one of the constants, NULL where it is NULL.

    In groups, because five or more constants in one IN become a hash join, which costs more and is never skipped.
    """
    groups = [values[at : at + 4] for at in range(0, len(values), 4)]
    tests = [f"{text} IN ({', '.join(literal(value) for value in group)})" for group in groups]
    return f"({' OR '.join(tests)})" if tests else f"({text} IN (NULL))"


def present(text: str) -> str:
    """The cell without white space around it, NULL when it is missing.

    Written so that a clean cell costs little: nothing stands here twice, because what does is computed for every row.
    """
    ragged = f"{text} < '!' OR suffix({text}, ' ') OR suffix({text}, chr(9))"
    blank = rf"\s*({'|'.join(MISSING)})\s*"
    return (
        f"CASE WHEN strlen({text}) <= 4 AND {one_of(text, MISSING)} THEN NULL WHEN {ragged} THEN "
        f"CASE WHEN regexp_full_match({text}, {literal(blank)}) THEN NULL ELSE trim({text}, ' ' || chr(9) || chr(10) "
        "|| chr(13)) END "
        f"ELSE {text} END"
    )


def is_number(text: str) -> str:
    """True for the contract's number grammar, integers up to 2^53; NULL where the cell is."""
    exact = f"coalesce(abs(TRY_CAST({text} AS HUGEINT)) <= {MAX_INTEGER}, false)"
    small = f"strlen({text}) < 16 OR contains({text}, '.') OR {exact}"
    return f"(regexp_full_match({text}, {literal(_NUMBER)}) AND ({small}))"


def is_boolean(text: str, *, short: bool) -> str:
    """True for the word forms; ``short`` admits t, f, 1 and 0 also."""
    forms = (*_TRUE, *_FALSE, *((*_SHORT_TRUE, *_SHORT_FALSE) if short else ()))
    return one_of(text, forms)


def boolean(text: str) -> str:
    """BOOLEAN of a cell for which ``is_boolean(short=True)`` holds, else NULL."""
    yes, no = one_of(text, (*_TRUE, *_SHORT_TRUE)), one_of(text, (*_FALSE, *_SHORT_FALSE))
    return f"CASE WHEN {yes} THEN true WHEN {no} THEN false END"


def number_text(number: str) -> str:
    """Shortest decimal text of a DOUBLE: 2.0 is '2'."""
    whole = f"{number} = trunc({number}) AND abs({number}) <= {MAX_INTEGER}"
    return f"CASE WHEN {whole} THEN CAST(CAST({number} AS BIGINT) AS VARCHAR) ELSE CAST({number} AS VARCHAR) END"


def canonical_number(text: str) -> str:
    """Canonical text of a cell for which ``is_number`` holds."""
    double = number_text(f"TRY_CAST({text} AS DOUBLE)")
    return f"CASE WHEN contains({text}, '.') THEN {double} WHEN {text} = '-0' THEN '0' ELSE {text} END"


def time(text: str) -> str:
    """UTC TIMESTAMP without fractions of a text, NULL when it is none.

    An offset is converted, seconds may be missing.
    """
    # Offsets are only understood when written +hh:mm after the seconds.
    parts = rf"regexp_replace(replace({text}, 'T', ' '), '^(\S+ \d\d:\d\d)( ?[Z+-]|$)', '\1:00\2')"
    parts = rf"regexp_replace(replace({parts}, 'Z', '+00'), ' ?([+-]\d\d):?(\d\d)?$', '\1:\2')"
    parts = rf"regexp_replace({parts}, '([+-]\d\d):$', '\1:00')"
    return (
        f"CASE WHEN strlen({text}) = 19 AND {text}[17] = ':' THEN TRY_CAST({text} AS TIMESTAMP) "
        f"WHEN regexp_full_match({text}, {literal(_TIME)}) "
        f"THEN date_trunc('second', CASE WHEN regexp_matches({text}, '(Z|[+-]\\d\\d(:?\\d\\d)?)$') "
        f"AND strlen({text}) > 16 "
        f"THEN TRY_CAST({parts} AS TIMESTAMPTZ) AT TIME ZONE 'UTC' ELSE TRY_CAST({text} AS TIMESTAMP) END) END"
    )


def json_text(text: str) -> str:
    """A text as a JSON string."""
    return f"CAST(to_json({text}) AS VARCHAR)"


def is_identifier(text: str) -> str:
    """True for 1-255 characters without a comma or control characters."""
    return f"(length({text}) BETWEEN 1 AND 255 AND NOT regexp_matches({text}, '[,\\x00-\\x1f\\x7f]'))"


def minted(prefix: str, text: str) -> str:
    """A minted id: the prefix and the head of the SHA-256 of ``text``."""
    return f"{literal(prefix)} || left(sha256({text}), 32)"


def profile_id_of(customer_id: str, deletions: str = "'0'") -> str:
    """The id of a customer's profile; ``deletions``: SQL of how many of them were deleted before."""
    return minted("profile_", f"{customer_id} || chr(10) || {deletions}")
