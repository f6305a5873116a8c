"""The page on checks names every key, rule, severity and default; its example is readable."""

import re
from pathlib import Path
from typing import get_args

import duckdb
import pytest
import yaml

from contracts.features import DriftRule, FeatureRule, FeatureSpec, FeatureType, Severity, TableRule
from transforms import features_definition
from transforms.feature_snapshot import Property, describe
from transforms.learned import Learned
from transforms.suite import build_suite

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "checks.md").read_text(encoding="utf-8")
KEYS = (*features_definition._TABLE, *features_definition._DRIFT, *features_definition._FEATURE, "learned: false")


@pytest.mark.parametrize("word", [*KEYS, *get_args(FeatureType), *get_args(Severity)])
def test_every_word_is_explained(word):
    assert f"`{word}`" in PAGE


def test_every_rule_of_a_suite_is_explained():
    with duckdb.connect() as con:
        con.execute("CREATE TABLE profile_features AS SELECT 'p' AS profile_id, 1 AS events, 1.0::DOUBLE AS amount")
        features = describe(con, "profile_features", (Property("profile_data", "plan", "string"),))
    rules = (
        FeatureRule("events", type="number", unique=True, max_missing=0.1, values=(1.0,)),
        FeatureRule("profile_data>>plan", regex="x"),
        FeatureRule("nowhere"),
    )
    learned = Learned(10, {"amount": (0.0, 1.0)}, {"profile_data>>plan": ("a",)})
    made = build_suite(features, FeatureSpec(rules, TableRule(min_rows=1)), learned).checks
    shown = {check.rule for check in made} - {"row_count", "range", "in", "regex"}
    assert {"row_drop", "finite", "exists", "schema", "learned_range", "unique", "max_missing"} <= shown
    assert not [rule for rule in shown if f"`{rule}`" not in PAGE]


def test_the_example_is_readable():
    example = re.search(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert example is not None
    parsed = features_definition.parse_features(yaml.safe_load(example[1]), "checks.md")
    assert parsed.problems == ()


def test_the_defaults_are_as_stated():
    rule = DriftRule()
    for key, value in (("psi", rule.psi), ("missing", rule.missing), ("mean", rule.mean), ("rows", rule.rows)):
        assert f"`{key}`: {value:g} |" in PAGE
    assert f"{TableRule().max_drop:g} if not given" in PAGE
