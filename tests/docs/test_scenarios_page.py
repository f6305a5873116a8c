"""The scenarios page: its examples are good, its operators are those of the program."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from scenarios.operators import OPERATORS
from scenarios.parse import parse

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "scenarios.md").read_text(encoding="utf-8")


def test_examples_are_good() -> None:
    examples = re.findall(r"```yaml\n(.*?)```", PAGE, flags=re.DOTALL)
    kinds = []
    for text in examples:
        definition, problems = parse("profile_to_items", "x", yaml.safe_load(text))
        assert definition is not None, problems
        kinds.append(definition.scenario_type)
    assert kinds == ["case", "ab_test", "condition", "alias"]


def test_every_operator_is_told() -> None:
    rows = [line.split("|")[1] for line in PAGE.splitlines() if line.startswith("| `")]
    assert {word for row in rows for word in re.findall(r"`(\w+)`", row)} == set(OPERATORS)
