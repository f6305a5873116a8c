"""Which rules a run materializes: none, every stored case, and every case merged with each leaf of the default."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from scenarios.graph import Graph
from scenarios.merge import merge
from scenarios.plan import plan
from scenarios.spec import Case, Definition, PropertyType, RecoType, Rules

RECO_TYPES: tuple[RecoType, ...] = ("profile_to_items", "item_to_items")
"""What is materialized."""
MERGED = "+"
"""Between a case and the default's leaf in the name of what both give; no scenario has it in its name."""


@dataclass(frozen=True, slots=True)
class RowSet:
    """One set of rules to materialize. ``rules`` are bound and in canonical order, ``algorithm`` the recommender whose
    lists they start from (None: nothing is published).

    ``name`` is its own; ``tables`` are the names that a lookup may use: ``<reco_type>`` or ``<reco_type>.<case>``.
    ``scenarios`` are the cases in it.
    """

    reco_type: RecoType
    digest: str
    rules: Rules
    name: str
    tables: tuple[str, ...]
    scenarios: tuple[str, ...]
    algorithm: str | None = None


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Rules that are not materialized, and why; a lookup evaluates them."""

    reco_type: RecoType
    name: str
    scenarios: tuple[str, ...]
    reason: str


def choose_algorithm(rules: Rules, published: Sequence[str]) -> str | None:
    """The first recommender of ``published`` (in order of preference) that the rules allow; None where rules allow any
    and nothing is published. Raises LookupError when none is allowed.
    """
    allowed = rules.algorithms
    found = next((name for name in published if allowed is None or name in allowed), None)
    if found is None and allowed is not None:
        raise LookupError(f"no list of {', '.join(allowed)} is published")
    return found


def row_sets(
    reco_type: RecoType, graph: Graph, types: Mapping[str, PropertyType], published: Sequence[str], most: int
) -> tuple[list[RowSet], list[LeftOut]]:
    """What to materialize for a reco type, each digest once, and what not.

    ``types`` of item properties by lower-case name; ``published``: recommenders with lists, in order of preference. At
    most ``most`` sets of rules: first that of no scenario, then those of the default's leaves, then by name of the
    case.
    """
    made: dict[str, RowSet] = {}
    left_out: list[LeftOut] = []
    for name, tables, scenarios, rules in _wanted(reco_type, graph):
        found = plan(rules, types)
        algorithm, reason = None, ""
        try:
            algorithm = choose_algorithm(found.rules, published)
        except LookupError as error:
            reason = str(error)
        if found.problems:
            reason = str(found.problems[0])
        elif found.momentary:
            reason = "a value is known only at the request"
        elif not reason and found.digest not in made and len(made) >= most:
            reason = f"beyond the most sets of rules of one reco type ({most})"
        if reason:
            left_out.append(LeftOut(reco_type, name, scenarios, reason))
        elif found.digest not in made:
            made[found.digest] = RowSet(reco_type, found.digest, found.rules, name, tables, scenarios, algorithm)
        else:
            known = made[found.digest]
            used = tuple(sorted({*known.scenarios, *scenarios}))
            made[found.digest] = replace(known, tables=(*known.tables, *tables), scenarios=used)
    return list(made.values()), left_out


def _wanted(
    reco_type: RecoType, graph: Graph
) -> Iterator[tuple[str, tuple[str, ...], tuple[str, ...], Rules]]:
    """Name, table names, cases and merged rules of all candidates, the most wanted first."""
    default = graph.default(reco_type)
    below = graph.leaves(reco_type, default) if default else ()
    others = tuple(case for case in graph.cases(reco_type) if case not in below)
    yield reco_type, (reco_type,), (), Rules()
    for case in below:
        yield f"{reco_type}.{case.name}", (f"{reco_type}.{case.name}",), (case.name,), _rules(case)
    for case in (*others, *below):
        table = f"{reco_type}.{case.name}"
        if case in others:
            yield table, (table,), (case.name,), _rules(case)
        for leaf in below:
            yield f"{table}{MERGED}{leaf.name}", (), (case.name, leaf.name), merge(None, _rules(case), _rules(leaf))


def _rules(case: Definition) -> Rules:
    assert isinstance(case.scenario, Case)
    return case.scenario.rules
