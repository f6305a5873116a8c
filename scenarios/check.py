"""Checks across definitions: references, circles, fixed A/B tests, rules against declared types; and warnings about
what is accepted but will not work as written.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from scenarios.binding import bind_rules, missing
from scenarios.case_fields import CASE_FIELDS, GROUPS
from scenarios.graph import Graph, Key
from scenarios.operators import ITEM_ID_NAME, bind
from scenarios.resolve import references
from scenarios.rule_objects import NO_EFFECT_OPTIONS
from scenarios.spec import AbTest, Case, Condition, Definition, Filter, Nested, Problem, PropertyType, RecoType

Types = Mapping[str, PropertyType]
Place = Callable[[Definition, str], str]
"""Where a part of a definition stands, from its JSON path (``$.alias``)."""

WITH_ITEM = frozenset({"item_to_items", "precomputed_item_to_items", "generic_input_to_items"})
"""Reco types whose request has a context item."""
WITHOUT_COUNTS = frozenset(
    {"item_to_items", "precomputed_item_to_items", "item_properties_to_items", "profiles_group_to_items"}
)
"""Reco types whose request has no user or session that ratings are counted of."""


@dataclass(frozen=True, slots=True)
class Known:
    """What definitions are held against: declared types by lower-case name, names of trained recommenders (None: not
    known), and the scenarios that are stored. ``item_names``, ``user_names``: properties that are there, but of a type
    that is not known yet.
    """

    item_types: Types
    user_types: Types
    algorithms: Collection[str] | None = None
    stored: Graph = field(default_factory=Graph)
    item_names: Collection[str] = ()
    user_names: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Findings:
    """Problems (nothing may be stored) and, by definition, warnings (it may, but will not work as written)."""

    problems: tuple[Problem, ...]
    warnings: Mapping[Key, tuple[str, ...]]


def _in_document(_definition: Definition, path: str) -> str:
    return path


def check(
    definitions: Iterable[Definition], known: Known, *, preview: bool = False, place: Place = _in_document
) -> Findings:
    """Check definitions that are about to be put, together, over what is stored.

    ``preview``: they only shadow what is stored, so what they refer to may be missing (a warning) and an A/B test may
    be replaced.
    """
    listed = {(one.reco_type, one.name): one for one in definitions}
    graph = known.stored.shadowed(listed.values())
    problems: list[Problem] = []
    warnings: dict[Key, tuple[str, ...]] = {}
    for key, definition in listed.items():
        faults, remarks = _rules(definition, known)
        if preview:
            remarks += [_missing_scenario(one) for one in _dangling(definition, graph)]
        else:
            faults += [*_fixed(definition, known.stored), *_dangling(definition, graph)]
        problems.extend(replace(one, where=place(definition, one.where)) for one in faults)
        if remarks:
            warnings[key] = tuple(dict.fromkeys(remarks))
    problems.extend(_circles(listed.values(), graph, place))
    return Findings(tuple(problems), warnings)


def warnings_of(definition: Definition, known: Known) -> tuple[str, ...]:
    """Warnings of a stored scenario when it is read: as when it was put, and references that have gone since."""
    faults, remarks = _rules(definition, known)
    gone = [_missing_scenario(one) for one in _dangling(definition, known.stored)]
    return tuple(dict.fromkeys([*remarks, *(one.message for one in faults), *gone]))


def _missing_scenario(problem: Problem) -> str:
    return f"Missing scenario `{problem.key}`"


def _fixed(definition: Definition, stored: Graph) -> list[Problem]:
    before = stored.lookup(definition.reco_type, definition.name)
    if before is None or not isinstance(before.scenario, AbTest):
        return []
    said = f"A/B test `{definition.name}` exists and cannot be changed"
    hint = "delete it first, or put a scenario of another name"
    return [Problem("wrong_data_type", "$.scenario_type", said, hint, definition.name)]


def _dangling(definition: Definition, graph: Graph) -> list[Problem]:
    """One problem for every reference to what does not exist."""
    body = f"$.{definition.scenario_type}"
    return [
        Problem("scenario_not_found", body, f"there is no scenario `{name}` of {reco_type}", "put it first", name)
        for reco_type, name in references(definition)
        if graph.lookup(reco_type, name) is None
    ]


def _circles(listed: Iterable[Definition], graph: Graph, place: Place) -> Iterator[Problem]:
    """One problem for every circle that can be reached from these, however they are connected."""
    done: set[Key] = set()
    for start in listed:
        for loop in _loops_from((start.reco_type, start.name), graph, done):
            names = [name for _kind, name in loop]
            shown = " -> ".join([*names, names[0]])
            where = place(start, f"$.{start.scenario_type}")
            yield Problem("wrong_data_type", where, f"scenarios go in a circle: {shown}", key=names[0])


def _loops_from(start: Key, graph: Graph, done: set[Key]) -> Iterator[tuple[Key, ...]]:
    """Depth first with a stack of its own: chains may be longer than Python's recursion goes."""
    if start in done:
        return
    path: dict[Key, None] = {start: None}
    waiting = [iter(_onward(start, graph))]
    while waiting:
        following = next(waiting[-1], None)
        if following is None:
            waiting.pop()
            done.add(path.popitem()[0])
        elif following in path:
            way = list(path)
            yield tuple(way[way.index(following):])
        elif following not in done:
            path[following] = None
            waiting.append(iter(_onward(following, graph)))


def _onward(key: Key, graph: Graph) -> tuple[Key, ...]:
    definition = graph.lookup(*key)
    return references(definition) if definition is not None else ()


def _rules(definition: Definition, known: Known) -> tuple[list[Problem], list[str]]:
    faults: list[Problem] = []
    remarks: list[str] = []
    match definition.scenario:
        case Case() as case:
            faults, remarks = _case(definition.reco_type, case, known)
        case Condition() as condition:
            faults, remarks = _condition(definition.reco_type, condition, known.item_types)
    there = {*map(missing, known.item_names), *map(_missing_of_user, known.user_names)}
    return faults, [text for text in remarks if text not in there]


def _missing_of_user(name: str) -> str:
    return f"Missing user property `{name}`"


def _case(reco_type: RecoType, case: Case, known: Known) -> tuple[list[Problem], list[str]]:
    _bound, found, remarks = bind_rules(case.rules, known.item_types)
    problems: list[Problem] = []
    for one in found:
        if one.fault == "property_not_found":
            remarks.append(missing(one.key))
        else:
            problems.append(replace(one, fault="wrong_data_type", where=f"$.case.{one.where}"))
    lists = (case.rules.filters, *(block.filters for block in case.rules.sequence or ()))
    for rule in (rule for filters in lists for rule in filters):
        remarks += _nested(reco_type, rule, known)
    trained = known.algorithms
    if trained is not None:
        unknown = (name for name in case.rules.algorithms or () if name not in trained)
        remarks += [f"Algorithm `{name}` is not trained" for name in unknown]
    chosen = case.rules.preselection
    if chosen is not None and chosen.method != "knn":
        remarks.append(f"Preselection by method `{chosen.method}` has no effect")
    return problems, remarks + _without_effect(reco_type, case)


def _nested(reco_type: RecoType, rule: Filter, known: Known) -> list[str]:
    nested = rule.value
    if not isinstance(nested, Nested) or nested.kind == "timestamp_now":
        return []
    if nested.kind == "user_property":
        return [] if nested.name in known.user_types else [_missing_of_user(nested.name)]
    if reco_type not in WITH_ITEM:
        return [f"Nested value {nested.kind} has no context item on {reco_type}"]
    declared = nested.kind == "item_id" or nested.name == ITEM_ID_NAME or nested.name in known.item_types
    return [] if declared else [missing(nested.name)]


def _without_effect(reco_type: RecoType, case: Case) -> list[str]:
    """Fields that change nothing on this reco type, and options that change nothing anywhere."""
    group = GROUPS[reco_type]
    remarks = [
        f"Field `{name}` has no effect on {reco_type}"
        for name, value in case.raw.items()
        if value is not None and name in CASE_FIELDS and group not in CASE_FIELDS[name].effect
    ]
    for rule in case.raw.get("reranking") or ():
        options = rule.get("options") or {}
        remarks += [f"Option `{name}` of reranking has no effect" for name in NO_EFFECT_OPTIONS if name in options]
    return remarks


def _condition(reco_type: RecoType, condition: Condition, types: Types) -> tuple[list[Problem], list[str]]:
    if condition.condition_type == "user_function":
        return [], [f"{reco_type} has no {condition.operand} to compare"] if reco_type in WITHOUT_COUNTS else []
    if condition.condition_type == "runtime_param":
        return [], []
    name = condition.operand
    remarks = [] if reco_type in WITH_ITEM else [f"{reco_type} has no context item for property `{name}`"]
    if name == ITEM_ID_NAME and condition.op == "notempty":
        return [], remarks
    found = bind(Filter(name, condition.op, condition.value), types, where="$.condition.if")
    if not isinstance(found, Problem):
        return [], remarks
    if found.fault == "property_not_found":
        return [], [*remarks, missing(name)]
    return [replace(found, fault="wrong_data_type")], remarks
