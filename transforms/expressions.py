"""Checks the SQL expressions of a source mapping: one scalar expression over columns and known pure functions,
nothing that reaches further.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import duckdb

from contracts.definitions import EntityMapping, Source

_NODES = {
    "CONSTANT",
    "COLUMN_REF",
    "FUNCTION",
    "COMPARISON",
    "CONJUNCTION",
    "CAST",
    "CASE",
    "OPERATOR",
    "BETWEEN",
    "LAMBDA",
    "LAMBDA_REF",
    "COLLATE",
}
_OWN = (None, "", "main", "system", "pg_catalog")
# Pure functions of their arguments. What reads files, settings, clocks, secrets, or rolls dice is not here.
FUNCTIONS = frozenset(
    [
        "+",
        "-",
        "*",
        "/",
        "//",
        "%",
        "^",
        "**",
        "||",
        "~~",
        "!~~",
        "~~*",
        "!~~*",
        "~~~",
        "&",
        "|",
        "~",
        "<<",
        ">>",
        "@",
        "!",
        "->>",
        "->",
        "@>",
        "<@",
        "&&",
        "^@",
        "abs",
        "acos",
        "asin",
        "atan",
        "atan2",
        "ceil",
        "ceiling",
        "cos",
        "cot",
        "degrees",
        "exp",
        "floor",
        "gcd",
        "greatest",
        "isfinite",
        "isinf",
        "isnan",
        "lcm",
        "least",
        "ln",
        "log",
        "log10",
        "log2",
        "mod",
        "pi",
        "pow",
        "power",
        "radians",
        "round",
        "sign",
        "sin",
        "sqrt",
        "tan",
        "trunc",
        "even",
        "factorial",
        "ascii",
        "bar",
        "base64",
        "chr",
        "concat",
        "concat_ws",
        "contains",
        "ends_with",
        "format",
        "greatest",
        "instr",
        "lcase",
        "left",
        "length",
        "len",
        "lower",
        "lpad",
        "ltrim",
        "md5",
        "nfc_normalize",
        "ord",
        "ordinality",
        "position",
        "prefix",
        "printf",
        "regexp_extract",
        "regexp_extract_all",
        "regexp_full_match",
        "regexp_matches",
        "regexp_replace",
        "regexp_split_to_array",
        "repeat",
        "replace",
        "reverse",
        "right",
        "rpad",
        "rtrim",
        "sha256",
        "split",
        "split_part",
        "starts_with",
        "string_split",
        "string_split_regex",
        "strip_accents",
        "strlen",
        "strpos",
        "str_split",
        "substr",
        "substring",
        "suffix",
        "translate",
        "trim",
        "ucase",
        "unicode",
        "upper",
        "levenshtein",
        "jaccard",
        "damerau_levenshtein",
        "date_add",
        "date_diff",
        "datediff",
        "date_part",
        "datepart",
        "date_sub",
        "date_trunc",
        "datetrunc",
        "day",
        "dayname",
        "dayofmonth",
        "dayofweek",
        "dayofyear",
        "epoch",
        "epoch_ms",
        "epoch_ns",
        "epoch_us",
        "extract",
        "hour",
        "isodow",
        "isoyear",
        "last_day",
        "make_date",
        "make_time",
        "make_timestamp",
        "millisecond",
        "minute",
        "month",
        "monthname",
        "quarter",
        "second",
        "strftime",
        "strptime",
        "to_days",
        "to_hours",
        "to_milliseconds",
        "to_minutes",
        "to_months",
        "to_seconds",
        "to_timestamp",
        "to_weeks",
        "to_years",
        "try_strptime",
        "week",
        "weekday",
        "weekofyear",
        "year",
        "timezone",
        "time_bucket",
        "array_contains",
        "array_extract",
        "array_length",
        "array_slice",
        "array_to_string",
        "element_at",
        "list_aggregate",
        "list_append",
        "list_apply",
        "list_concat",
        "list_contains",
        "list_distinct",
        "list_extract",
        "list_filter",
        "list_has",
        "list_position",
        "list_reverse",
        "list_slice",
        "list_sort",
        "list_sum",
        "list_min",
        "list_max",
        "list_transform",
        "list_unique",
        "list_value",
        "list_zip",
        "flatten",
        "map",
        "map_extract",
        "map_from_entries",
        "map_keys",
        "map_values",
        "struct_extract",
        "struct_pack",
        "row",
        "array_filter",
        "array_transform",
        "list_element",
        "array_distinct",
        "json_array_length",
        "json_extract",
        "json_extract_string",
        "json_extract_path",
        "json_extract_path_text",
        "json_type",
        "json_valid",
        "json_keys",
        "coalesce",
        "ifnull",
        "if",
        "nullif",
        "error_free",
        "hash",
        "cast",
        "try",
        "typeof",
        "not_like",
        "like_escape",
        "not_like_escape",
        "ilike_escape",
        "constant_or_null",
    ]
)


def problem(sql: str) -> str:
    """What is wrong with an expression, or nothing."""
    try:
        tree = _tree(sql)
    except duckdb.Error as error:
        return str(error).splitlines()[0]
    if tree is None:
        return "must be one SQL expression, without statements or subqueries"
    for node in _nodes(tree):
        kind = node.get("class")
        if kind not in _NODES:
            return f"{str(kind).lower().replace('_', ' ')} is not allowed in a mapping"
        if kind == "FUNCTION":
            name = str(node.get("function_name", "")).lower()
            if name not in FUNCTIONS or node.get("schema") not in _OWN or node.get("catalog") not in _OWN:
                return f"function {name} is not allowed in a mapping"
    return ""


def columns(sql: str) -> set[str]:
    """Names of the file's columns that an expression uses. Only for expressions without a problem."""
    tree = _tree(sql)
    bound = {str(name) for node in _nodes(tree) if node.get("class") == "LAMBDA" for name in _parameters(node)}
    return {
        str(node["column_names"][0]) for node in _nodes(tree)
        if node.get("class") == "COLUMN_REF" and node.get("column_names") and node["column_names"][0] not in bound
    }


def of_mapping(mapping: EntityMapping) -> Iterator[tuple[str, str]]:
    """Every expression of a mapping with its path in the document."""
    for target, sql in mapping.columns:
        yield f"columns.{target}", sql
    if mapping.where:
        yield "where", mapping.where
    if mapping.updated_at:
        yield "updated_at", mapping.updated_at
    for name, rules in (("skip", mapping.skip), ("quarantine", mapping.quarantine)):
        for at, rule in enumerate(rules):
            yield f"{name}[{at}].when", rule.when


def used_columns(source: Source) -> set[str]:
    """All columns of the file that a source mapping uses."""
    return {name for mapping in source.entities for _, sql in of_mapping(mapping) for name in columns(sql)}


_CACHE: dict[str, Any] = {}


def _tree(sql: str) -> Any:
    """Syntax tree of one expression, None when it is anything else."""
    if sql not in _CACHE:
        with duckdb.connect() as con:
            row = con.execute("SELECT json_serialize_sql($sql::VARCHAR)", {"sql": f"SELECT ({sql}\n) AS v"}).fetchone()
        assert row is not None
        document = json.loads(row[0])
        if document.get("error"):
            raise duckdb.ParserException(str(document.get("error_message")))
        _CACHE[sql] = _only_expression(document["statements"])
    return _CACHE[sql]


def _only_expression(statements: list[dict[str, Any]]) -> Any:
    if len(statements) != 1:
        return None
    node = statements[0]["node"]
    plain = (
        node.get("type") == "SELECT_NODE"
        and len(node["select_list"]) == 1
        and (node.get("from_table") or {}).get("type") == "EMPTY"
        and not node.get("where_clause")
        and not node.get("group_expressions")
        and not node.get("having")
        and not node.get("qualify")
        and not node.get("modifiers")
        and not (node.get("cte_map") or {}).get("map")
        and not node.get("sample")
        and node["select_list"][0].get("alias") == "v"
    )
    return node["select_list"][0] if plain else None


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    if isinstance(tree, dict):
        if "class" in tree:
            yield tree
        for value in tree.values():
            yield from _nodes(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from _nodes(value)


def _parameters(node: dict[str, Any]) -> Iterator[str]:
    for inner in _nodes(node.get("lhs")):
        if inner.get("class") == "COLUMN_REF":
            yield from inner["column_names"]


def constants(sql: str) -> Iterator[str]:
    """The text constants that an expression can give: itself, or the branches of its CASE."""
    yield from _given(_tree(sql))


def _given(node: Any) -> Iterator[str]:
    if not isinstance(node, dict):
        return
    if node.get("class") == "CONSTANT":
        value = node.get("value", {}).get("value")
        if isinstance(value, str):
            yield value
    elif node.get("class") == "CASE":
        for check in node.get("case_checks", []):
            yield from _given(check.get("then_expr"))
        yield from _given(node.get("else_expr"))
