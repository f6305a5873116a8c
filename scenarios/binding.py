"""Rules bound to declared property types: typed literals, and every problem at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from scenarios.operators import as_id, bind
from scenarios.spec import Diversity, Filter, Problem, PropertyType, Rules


def bind_rules(
    rules: Rules, types: Mapping[str, PropertyType], *, item_ids: Callable[[Any], str | None] = as_id
) -> tuple[Rules, list[Problem], list[str]]:
    """The rules with typed literals, problems (rules that cannot be evaluated), and warnings.

    ``types``: item properties by lower-case name. A problem's ``where`` is ``filters[0]``, ``reranking[1]`` or
    ``case_sequence.sequence[0].filters[2]``. An exclusion by an undeclared property drops nothing: it is
    left out, with a warning.
    """
    problems: list[Problem] = []

    def filters(given: tuple[Filter, ...], where: str) -> tuple[Filter, ...]:
        found = [
            bind(one, types, where=f"{where}filters[{place}]", item_ids=item_ids) for place, one in enumerate(given)
        ]
        problems.extend(one for one in found if isinstance(one, Problem))
        return tuple(one for one in found if isinstance(one, Filter))

    def reranking(given: tuple[Diversity, ...], where: str) -> None:
        found = (bind_rerank(one, types, f"{where}reranking[{place}]") for place, one in enumerate(given))
        problems.extend(one for one in found if isinstance(one, Problem))

    bound = filters(rules.filters, "")
    reranking(rules.reranking, "")
    blocks = []
    for place, block in enumerate(rules.sequence or ()):
        where = f"case_sequence.sequence[{place}]."
        blocks.append(replace(block, filters=filters(block.filters, where)))
        reranking(block.reranking, where)
    known = tuple(one for one in rules.exclude_properties if one.property in types)
    warnings = [missing(one.property) for one in rules.exclude_properties if one.property not in types]
    return (
        replace(
            rules, filters=bound, exclude_properties=known, sequence=None if rules.sequence is None else tuple(blocks)
        ),
        problems, list(dict.fromkeys(warnings)),
    )


def bind_rerank(
    rule: Diversity, types: Mapping[str, PropertyType], where: str = "reranking"
) -> Diversity | Problem:
    """The reranking, or why the property cannot be reranked by."""
    declared = types.get(rule.property)
    if declared is None:
        said, hint = f"there is no item property `{rule.property}`", "declare it, or see GET items-properties/"
        return Problem("property_not_found", where, said, hint, rule.property)
    if declared.family == "text":
        said = f"diversity is not made for `{rule.property}` of type text"
        return Problem("wrong_op_use", where, said, key=rule.property)
    return rule


def missing(name: str) -> str:
    """The warning about a rule that names a property which is not declared."""
    return f"Missing property `{name}`"
