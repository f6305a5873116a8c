"""Source mappings: parsed to frozen values, every problem at once, and no expression that reaches beyond its row."""

from __future__ import annotations

import pytest
import yaml

from transforms import expressions
from transforms.sources import parse_source

GOOD = """
name: shop
match: [shop/*.csv, old/*.parquet]
read: {types: {price: DOUBLE}}
entities:
  - entity: items
    columns:
      item_id: sku
      item_name: trim(title)
      item_price: round(price * 100)::BIGINT
      properties.tags: "string_split(tags, '|')"
    defaults: {item_category: toys}
    skip:
      - {rule: untitled, when: title IS NULL}
  - entity: events
    columns:
      event_type: "CASE WHEN price < 0 THEN 'returned' ELSE 'charged' END"
      customer_id: buyer
      item_id: sku
      created_at: sold
    create_profiles: true
"""


def test_a_good_mapping() -> None:
    parsed = parse_source(yaml.safe_load(GOOD), "shop.yaml")
    assert parsed.problems == ()
    source = parsed.source
    assert source is not None
    assert source.event_types == ("returned", "charged")
    assert source.entities[0].defaults == (("item_category", "toys"),)
    assert source.entities[1].create_profiles
    assert expressions.used_columns(source) == {"sku", "title", "price", "tags", "buyer", "sold"}


def test_every_problem_is_reported_with_its_place() -> None:
    document = yaml.safe_load("""
name: events
match: []
reed: {}
read: {types: {a: NOTATYPE}, delimiter: ";;"}
entities:
  - entity: item
  - entity: items
    columns: {item_id: "read_text('x')", name: a, item_name: "(SELECT 1)", profile_data.x: b}
    updated_at: "a +"
    skip: [{rule: r, when: a}, {rule: r, when: b}, {when: c}]
    on_repeat: never
    types: {x: texts}
  - entity: events
    columns: {event_type: "'x'"}
""")
    parsed = parse_source(document, "shop.yaml")
    assert parsed.source is None
    places = {problem.where.removeprefix("shop.yaml: ") for problem in parsed.problems}
    assert places >= {
        "name",
        "match",
        "reed",
        "read.types.a",
        "read.delimiter",
        "entities[0].entity",
        "entities[1].columns.item_id",
        "entities[1].columns.name",
        "entities[1].columns.item_name",
        "entities[1].columns.profile_data.x",
        "entities[1].updated_at",
        "entities[1].skip",
        "entities[1].skip[2].rule",
        "entities[1].on_repeat",
        "entities[1].types.x",
        "entities[2].columns",
    }


def test_exact_types_say_also_how_deliveries_hold_them() -> None:
    document = yaml.safe_load(GOOD)
    document["entities"][0]["types"] = {
        "properties.title": "text", "year": "int16", "tags": "unicode64[]", "new": "bool", "weight": "float",
        "kept": "string[]",
    }
    source = parse_source(document, "shop.yaml").source
    assert source is not None
    assert dict(source.entities[0].types) == {
        "title": "string", "year": "number", "tags": "string[]", "new": "boolean", "weight": "number",
        "kept": "string[]",
    }
    assert dict(source.entities[0].value_types) == {
        "title": "text", "year": "int16", "tags": "unicode64[]", "new": "bool", "weight": "float",
    }


@pytest.mark.parametrize("kind", ["int7", "unicode0", "unicode256", "bytes65", "text[", "int16[][]", "", 16])
def test_other_words_are_no_types(kind: object) -> None:
    document = yaml.safe_load(GOOD)
    document["entities"][0]["types"] = {"year": kind}
    assert [problem.where for problem in parse_source(document, "shop.yaml").problems] == [
        "shop.yaml: entities[0].types.year"
    ]


@pytest.mark.parametrize("sql", [
    "(SELECT 1)", "1) FROM read_csv('x'), (SELECT 1", "read_text('/etc/passwd')", "getenv('HOME')", "sum(a)",
    "a; DROP TABLE x", "*", "$1", "row_number() OVER ()", "now()", "random()", "current_setting('x')", "nextval('s')",
    "a FROM t", "exists(SELECT 1)", "a IN (SELECT 1)", "parse_path(a)", "COLUMNS('a')", "query('SELECT 1')", "",
    "a AS b",
])  # fmt: skip
def test_expressions_that_reach_further_are_refused(sql: str) -> None:
    assert expressions.problem(sql)


@pytest.mark.parametrize("sql", [
    "a", "\"Customer ID\"", "a IS NULL OR b LIKE 'x%'", "round(a * 100)::BIGINT",
    "CASE WHEN a THEN 'x' ELSE lower(b) END", "a IN (1, 2)",
    "list_transform(string_split(a, '|'), lambda x: trim(x))", "strptime(a, '%d/%m/%Y')", "a BETWEEN 1 AND 2", "a[1]",
    "a -- comment", "regexp_replace(a, '[^0-9]', '', 'g')", "coalesce(a, b, 'c')", "a AT TIME ZONE 'UTC'",
    "date_trunc('second', a)", "try_cast(a AS INTEGER)",
])  # fmt: skip
def test_plain_expressions_pass(sql: str) -> None:
    assert expressions.problem(sql) == ""
