"""The page on delivering data names every column and rule that the generated sample uses; its examples are readable."""

from __future__ import annotations

import csv
import dataclasses
import json
import re
from pathlib import Path

import yaml

from contracts.definitions import EntityMapping, Source
from transforms.sources import parse_source

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")
SAMPLE = ROOT / "data" / "sample"


def _documented() -> set[str]:
    return set(re.findall(r"`([a-z_>*]+)`", PAGE))


def test_every_planted_rule_is_explained() -> None:
    with (SAMPLE / "planted.csv").open(newline="") as file:
        rules = {row["rule"] for row in csv.DictReader(file)}
    assert len(rules) >= 9
    assert rules <= _documented()


def test_every_plain_column_of_the_sample_is_documented() -> None:
    with (SAMPLE / "profiles/profiles.csv").open(newline="") as file:
        columns = {re.sub(">>.*", ">>*", name) for name in next(csv.reader(file))}
    assert columns <= _documented()


def test_examples_are_what_they_look_like() -> None:
    for block in re.findall(r"```csv\n(.*?)```", PAGE, flags=re.DOTALL):
        header, *rows = list(csv.reader(block.strip().splitlines()))
        assert rows
        assert all(len(row) == len(header) for row in rows)
    for block in re.findall(r"```json\n(.*?)```", PAGE, flags=re.DOTALL):
        for line in block.strip().splitlines():
            item = json.loads(line)
            assert isinstance(item["item_price"], int)


def test_the_mapping_parses_and_every_key_is_explained() -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", PAGE, flags=re.DOTALL)
    parsed = parse_source(yaml.safe_load(example), "docs/data.md")
    assert parsed.problems == ()
    assert parsed.source is not None
    assert set(parsed.source.event_types) == {"charged", "returned"}
    keys = {field.name for kind in (Source, EntityMapping) for field in dataclasses.fields(kind)} - {
        "where", "entity", "value_types"  # value_types are written among the types
    }
    assert keys <= _documented()


def test_links_lead_somewhere() -> None:
    for page in (ROOT / "docs" / "data.md", ROOT / "data" / "README.md"):
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), target
