"""SQL of a JSON value's canonical text (retention contract, section 2.5), as ``contracts.canonical_text`` gives it."""

from __future__ import annotations


def canonical(map: str, pointer: str) -> str:
    """SQL of the canonical text of the value that ``pointer`` finds in the JSON ``map``; null for none, a null, or what
    is no scalar. Both are SQL expressions.
    """
    text = f"json_extract_string({map}, {pointer})"
    number = f"try_cast({text} AS DOUBLE)"
    return (
        f"CASE json_type({map}, {pointer}) WHEN 'VARCHAR' THEN {text} WHEN 'BOOLEAN' THEN {text} "
        f"WHEN 'BIGINT' THEN {text} WHEN 'UBIGINT' THEN {text} "
        f"WHEN 'DOUBLE' THEN CASE WHEN {number} = trunc({number}) AND abs({number}) < 1e15 "
        f"THEN {number}::BIGINT::VARCHAR ELSE {number}::VARCHAR END END"
    )
