"""Shops, histories and rules for property tests."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from scenarios.spec import Block, Diversity, Filter, Preselection, PropertyExclusion, PropertyType, Rules
from tests.scenarios.naive import Shop

KINDS = ("view", "buy", "rating")
TYPES = {
    "year": PropertyType("int16"),
    "price": PropertyType("float64"),
    "brand": PropertyType("unicode64"),
    "sold": PropertyType("bool"),
    "title": PropertyType("text"),
    "notes": PropertyType("text", repeated=True),
    "genres": PropertyType("unicode64", repeated=True),
    "sizes": PropertyType("int8", repeated=True),
}
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "year": st.integers(0, 4),
    "price": st.sampled_from([0.5, 1.0, 2.5]),
    "brand": st.sampled_from(["", "a", "b", "ä", "B"]),
    "sold": st.booleans(),
    "title": st.sampled_from(["", "Die Straße", "the Road", "road to THE sea", "!?"]),
    "notes": st.lists(st.sampled_from(["the road", "sea", "", "to the sea"]), max_size=2),
    "genres": st.lists(st.sampled_from(["x", "y", "z"]), max_size=3),
    "sizes": st.lists(st.integers(0, 3), max_size=2),
}
ORDERED = ("lt", "lte", "gt", "gte")
EQUAL = ("eq", "neq")


@st.composite
def shops(draw: st.DrawFn, least: int = 1) -> Shop:
    size = draw(st.integers(least, 8))
    items = [
        {name: draw(values | st.none()) for name, values in VALUES.items()} for _ in range(size)
    ]
    neighbours = [draw(st.lists(st.integers(0, size - 1), max_size=3, unique=True)) for _ in range(size)]
    alive = [draw(st.integers(0, 9)) < 9 for _ in range(size)]
    return Shop(TYPES, items, draw(st.permutations(range(size))), alive, neighbours)


def _value(name: str) -> st.SearchStrategy[Any]:
    scalar = VALUES[name] if not TYPES[name].repeated else VALUES[name].map(lambda found: found[0] if found else 0)
    if name == "genres":
        return st.sampled_from(["x", "y", "none"])
    return st.integers(0, 3) if name == "sizes" else scalar


@st.composite
def filters(draw: st.DrawFn) -> Filter:
    name = draw(st.sampled_from([*TYPES, "item_id", "undeclared"]))
    if name == "undeclared":
        return Filter(name, draw(st.sampled_from(["empty", "notempty"])))
    if name == "item_id":
        return Filter(name, draw(st.sampled_from(EQUAL)), f"i{draw(st.integers(0, 15))}")
    family = TYPES[name].family
    ops = ["empty", "notempty"]
    if family == "text":
        ops.append("ftsearch")
    elif family != "float":
        ops += [*EQUAL, "in", "notin"]
    if family in ("int", "float"):
        ops += ORDERED
    op = draw(st.sampled_from(ops))
    if op in ("empty", "notempty"):
        return Filter(name, op)  # type: ignore[arg-type]
    if op == "ftsearch":
        return Filter(name, op, draw(st.sampled_from(["strasse", "road", "The ROAD", "sea road", "nothing"])))  # type: ignore[arg-type]
    if op in ("in", "notin"):
        return Filter(name, op, tuple(draw(st.lists(_value(name), max_size=3))))  # type: ignore[arg-type]
    if draw(st.integers(0, 4)) == 0:
        return Filter(name, op, None, tuple(draw(st.lists(_value(name), max_size=3))))  # type: ignore[arg-type]
    return Filter(name, op, draw(_value(name)))  # type: ignore[arg-type]


diversities = st.builds(
    Diversity,
    st.sampled_from(["genres", "brand", "year", "sizes", "undeclared"]),
    st.sampled_from([0.1, 0.5, 1.0, 1.5]),
    st.none() | st.integers(1, 3),
    st.none() | st.integers(1, 3),
    st.sampled_from([0.0, 0.3, 1.0]),
)
rerankings = st.lists(diversities, max_size=2, unique_by=lambda rule: rule.property).map(tuple)
kinds = st.lists(st.sampled_from([*KINDS, "never"]), max_size=2).map(tuple)


def rules(sequences: bool = True) -> st.SearchStrategy[Rules]:
    block = st.builds(Block, st.none() | st.integers(0, 4), st.lists(filters(), max_size=1).map(tuple), rerankings)
    return st.builds(
        Rules,
        filters=st.lists(filters(), max_size=3).map(tuple),
        reranking=rerankings,
        exclude_rated=st.none() | st.booleans(),
        exclude_types=kinds,
        exclude_properties=st.lists(
            st.builds(PropertyExclusion, st.sampled_from(["genres", "brand", "year", "undeclared"]), kinds), max_size=2
        ).map(tuple),
        sequence=(st.none() | st.lists(block, min_size=1, max_size=2).map(tuple)) if sequences else st.none(),
        preselection=st.none() | st.just(Preselection("knn")) | st.just(Preselection("other")),
    )


@st.composite
def subjects(draw: st.DrawFn, size: int) -> tuple[list[int], list[tuple[int, str]]]:
    """A base list and a history."""
    rows = st.integers(0, size - 1)
    base = draw(st.lists(rows, max_size=size, unique=True))
    return base, draw(st.lists(st.tuples(rows, st.sampled_from(KINDS)), max_size=4, unique=True))


def _gentle_filter(name: str) -> st.SearchStrategy[Filter]:
    """A filter that most items pass."""
    if TYPES[name].family in ("int", "float"):
        ops = st.sampled_from(["gte", "lt"] if not TYPES[name].repeated else ["notempty", "empty"])
        return ops.flatmap(
            lambda op: st.just(Filter(name, op)) if op.endswith("empty")
            else st.just(Filter(name, op, 1 if op == "gte" else 3))
        )
    if TYPES[name].family == "text":
        return st.just(Filter(name, "notempty"))
    return _value(name).map(lambda value: Filter(name, "neq", value))


@st.composite
def gentle_rules(draw: st.DrawFn) -> Rules:
    """Rules of all kinds, few at a time, so that lists are not empty."""
    named = st.sampled_from(sorted(TYPES))
    some = [draw(named.flatmap(_gentle_filter)) for _ in range(draw(st.sampled_from([0, 1, 0, 2])))]
    kind = draw(st.sampled_from([1, 0, 2, 1, 3, 4, 5]))
    known = diversities.filter(lambda rule: rule.property != "undeclared")
    return Rules(
        filters=tuple(some),
        reranking=(draw(known),) if draw(st.integers(0, 2)) == 2 else (),
        exclude_rated=draw(st.sampled_from([True, True, False])) if kind == 1 else None,
        exclude_types=(draw(st.sampled_from(KINDS)),) if kind == 2 else (),
        exclude_properties=(PropertyExclusion("brand", (draw(st.sampled_from(KINDS)),)),) if kind == 3 else (),
        sequence=(Block(2, (draw(named.flatmap(_gentle_filter)),)), Block(None)) if kind == 4 else None,
        preselection=Preselection("knn") if kind == 5 else None,
    )
