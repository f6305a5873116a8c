"""One writing of effective rules, so that equal meanings have equal digests."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any

from scenarios.spec import Block, Diversity, Filter, Nested, PropertyExclusion, Rules


def normal(rules: Rules) -> Rules:
    """The same rules in canonical order, without repeats that change nothing; rerankings are summed in this order.

    ``amount`` is kept as it is.
    """
    return replace(
        rules,
        filters=_filters(rules.filters),
        reranking=tuple(sorted(rules.reranking, key=rerank_text)),
        exclude_rated=bool(rules.exclude_rated),
        exclude_types=tuple(sorted(set(rules.exclude_types))),
        exclude_properties=_exclusions(rules.exclude_properties),
        sequence=None if rules.sequence is None else tuple(map(_block, rules.sequence)),
        algorithms=None if rules.algorithms is None else tuple(sorted(set(rules.algorithms))),
    )


def text(rules: Rules) -> str:
    """Canonical JSON of effective rules that are bound: without ``amt``, table and caching, which change no list."""
    ordered = normal(rules)
    preselected = ordered.preselection is not None and ordered.preselection.method == "knn"
    return _json({
        "algorithms": ordered.algorithms,
        "candidates_preselection": "knn" if preselected else None,
        "case_sequence": None if ordered.sequence is None else [
            {"amt": b.amount, "filters": _as_json(b.filters), "reranking": list(map(_rerank, b.reranking))}
            for b in ordered.sequence
        ],
        "exclude_items_with_interaction_types": ordered.exclude_types,
        "exclude_props_of_items_with_interaction_types": [
            {"interaction_types": one.interaction_types, "property_name": one.property}
            for one in ordered.exclude_properties
        ],
        "exclude_rated_items": ordered.exclude_rated,
        "filters": _as_json(ordered.filters),
        "reranking": list(map(_rerank, ordered.reranking)),
    })


def digest(rules: Rules) -> str:
    """The rules digest: SHA-256 of the canonical JSON, in hex."""
    return hashlib.sha256(text(rules).encode()).hexdigest()


def rerank_text(rule: Diversity) -> str:
    """Canonical JSON of one reranking; rules are summed in the order of these texts."""
    return _json(_rerank(rule))


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _block(block: Block) -> Block:
    reranking = tuple(sorted(block.reranking, key=rerank_text))
    return Block(block.amount, _filters(block.filters), reranking)


def _filters(filters: tuple[Filter, ...]) -> tuple[Filter, ...]:
    """Sorted by text, each once; lists of ``in`` and ``notin`` as sorted sets."""
    by_text = {_json(_filter(rule)): rule for rule in map(_ordered, filters)}
    return tuple(by_text[key] for key in sorted(by_text))


def _ordered(rule: Filter) -> Filter:
    value = _sorted(rule.value) if isinstance(rule.value, tuple) else rule.value
    return replace(rule, value=value, value_set=None if rule.value_set is None else _sorted(rule.value_set))


def _sorted(values: tuple[Any, ...]) -> tuple[Any, ...]:
    by_text = {_json(value): value for value in map(_plain, values)}
    return tuple(by_text[key] for key in sorted(by_text))


def _plain(value: Any) -> Any:
    """Minus zero is zero."""
    return value + 0.0 if isinstance(value, float) else value


def _as_json(filters: tuple[Filter, ...]) -> list[dict[str, Any]]:
    return [_filter(rule) for rule in filters]


def _filter(rule: Filter) -> dict[str, Any]:
    written: dict[str, Any] = {"op": rule.op, "property_name": rule.property.lower()}
    if rule.value_set is not None:
        return {**written, "values": rule.value_set}
    if isinstance(rule.value, Nested):
        nested = rule.value
        return {**written, "nested": [nested.kind, nested.name, nested.rounding_amount, nested.rounding_method]}
    return {**written, "value": _plain(rule.value)}


def _rerank(rule: Diversity) -> dict[str, Any]:
    return {
        "activation_period": rule.activation_period, "default_malus": rule.default_malus + 0.0,
        "max_activation_count": rule.max_activation_count, "op": "diversity", "property_name": rule.property.lower(),
        "weight": float(rule.weight),
    }


def _exclusions(exclusions: tuple[PropertyExclusion, ...]) -> tuple[PropertyExclusion, ...]:
    """One entry a property, with the types of all its entries: that drops the same items."""
    types: dict[str, set[str]] = {}
    for one in exclusions:
        types.setdefault(one.property.lower(), set()).update(one.interaction_types)
    return tuple(PropertyExclusion(name, tuple(sorted(types[name]))) for name in sorted(types) if types[name])
