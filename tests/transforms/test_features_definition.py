"""``definitions/features.yaml``: what it means, and that every fault of it is told at once."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from contracts.features import DriftRule, FeatureRule, FeatureSpec, TableRule
from transforms.features_definition import parse_features

SHIPPED = Path(__file__).resolve().parents[2] / "definitions" / "features.yaml"


def test_the_shipped_definitions_parse():
    parsed = parse_features(yaml.safe_load(SHIPPED.read_text(encoding="utf-8")), SHIPPED.name)
    assert parsed.problems == ()
    assert parsed.spec is not None
    assert {rule.name for rule in parsed.spec.features} == {"recency_days", "tenure_days", "events"}


@pytest.mark.parametrize("document", [None, {}, {"features": None}, {"version": 1, "table": {}}])
def test_an_empty_document_gives_the_defaults(document):
    assert parse_features(document, "f").spec == FeatureSpec()


def test_every_key_arrives():
    document = yaml.safe_load(
        """
        version: 1
        learned: false
        table: {min_rows: 1, max_rows: 10, max_drop: 0.25, severity: block}
        drift: {psi: 0.1, missing: 0.2, mean: 0.3, rows: 0.4}
        features:
          profile_data>>age: {type: integer, required: true, min: 0, max: 120, mostly: 0.99, severity: quarantine}
          profile_data>>email: {type: string, unique: true, regex: '@', max_missing: 0.5}
          platform_info>>os: {in: [ios, android], severity: block}
        """
    )
    assert parse_features(document, "f").spec == FeatureSpec(
        features=(
            FeatureRule(
                "profile_data>>age",
                "integer",
                required=True,
                minimum=0.0,
                maximum=120.0,
                mostly=0.99,
                severity="quarantine",
            ),
            FeatureRule("profile_data>>email", "string", unique=True, regex="@", max_missing=0.5),
            FeatureRule("platform_info>>os", values=("ios", "android"), severity="block"),
        ),
        table=TableRule(1, 10, 0.25, "block"),
        drift=DriftRule(0.1, 0.2, 0.3, 0.4),
        learned=False,
    )


def test_all_problems_are_told_at_once_with_their_place():
    document = {
        "fetures": {},
        "table": {"min_rows": 5, "max_rows": 2},
        "features": {
            "a": {"tpye": "string", "min": 3, "max": 2, "severity": "blok", "mostly": 2},
            "b": {"in": [1, "x"], "required": True, "max_missing": 0.1},
            "c": {"regex": "(", "type": "number"},
            "profile_data>>": {"type": "text"},
            "d": [],
            7: {},
        },
    }
    parsed = parse_features(document, "features.yaml")
    told = [str(problem) for problem in parsed.problems]
    assert parsed.spec is None
    assert len(told) == len(set(told)) == 14
    for part in (
        "features.yaml:fetures: is not known (try: features)",
        "min_rows 5 is above max_rows 2",
        "features['a'].tpye: is not known (try: type)",
        "min 3 is above max 2",
        "'blok' is none of warn, quarantine, block (try: block)",
        "features['a'].mostly: must be between 0 and 1",
        "mixes kinds of values",
        "required allows nothing to be missing",
        "features['c'].regex: is no regular expression",
        "regex needs a string, not type number",
        "features['profile_data>>']: is no feature name",
        "'text' is none of",
        "features['d']: must be a mapping",
        "key 7 must be text",
    ):
        assert any(part in line for line in told), part


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "features",
                        "table",
                        "drift",
                        "version",
                        "learned",
                        "min",
                        "max",
                        "in",
                        "type",
                        "regex",
                        "mostly",
                        "severity",
                        "x",
                    ]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
def test_any_document_gives_a_spec_or_problems(document):
    parsed = parse_features(document, "f")
    assert (parsed.spec is None) == bool(parsed.problems)
