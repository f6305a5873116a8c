"""The vectorized evaluation equals the contract read item by item, for one subject and for many at once."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from scenarios.catalogue import Catalogue
from scenarios.columns import Column
from scenarios.evaluate import FEW, evaluate
from scenarios.history import History
from scenarios.spec import Block, Diversity, Filter, PropertyType, Rules
from tests.scenarios import naive
from tests.scenarios.strategies import KINDS, TYPES, VALUES, filters, rules, shops, subjects

CASES = int(os.environ.get("NIGHTLOOM_LAW_CASES", "2000"))


def catalogue_of(shop: naive.Shop) -> Catalogue:
    size = len(shop.items)
    columns = {
        name: Column.of(name, kind, [item.get(name) for item in shop.items]) for name, kind in shop.types.items()
    }
    popular = [item for item in shop.popular if shop.alive[item]]
    return Catalogue(
        size, np.array(popular, np.int32), np.array(shop.alive, np.uint8), columns,
        lambda text: row_of(text, size), padded(shop.neighbours, 3),
    )


def row_of(text: str, size: int) -> int:
    row = int(text[1:])
    return row if row < size else -1


def padded(lists: list[list[int]], width: int) -> np.ndarray[Any, Any]:
    return np.array([[*some, *[-1] * (width - len(some))] for some in lists], np.int32).reshape(len(lists), width)


def history_of(histories: list[list[tuple[int, str]]]) -> History:
    offsets = np.cumsum([0, *map(len, histories)]).astype(np.int64)
    pairs = [pair for some in histories for pair in some]
    return History(
        offsets, np.array([item for item, _ in pairs], np.int32),
        np.array([KINDS.index(kind) for _, kind in pairs], np.uint16), KINDS,
    )


@settings(max_examples=CASES, deadline=None)
@given(st.data())
def test_evaluation_is_what_the_contract_says(data: st.DataObject) -> None:
    shop = data.draw(shops())
    size = len(shop.items)
    rule = data.draw(rules())
    base, history = data.draw(subjects(size))
    own = data.draw(st.none() | st.integers(0, size - 1))
    depth = data.draw(st.sampled_from([3, 8, 256]))
    positions = data.draw(st.integers(0, 20))
    expected = naive.evaluate(shop, rule, base, history, own, depth)
    found = evaluate(
        catalogue_of(shop), rule, padded([base], size), history_of([history]),
        self_items=None if own is None else np.array([own], np.int32), positions=positions, depth=depth,
    )
    assert found.lengths.tolist() == [len(expected)]
    assert [item for item in found.items[0].tolist() if item >= 0] == expected[:positions]
    assert found.items.shape == (1, positions)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_many_subjects_at_once_are_each_alone(data: st.DataObject) -> None:
    shop, rule = data.draw(shops()), data.draw(rules())
    size = len(shop.items)
    some = [data.draw(subjects(size)) for _ in range(3)]
    everybody = [some[number % 3] for number in range(FEW + 3)]
    catalogue = catalogue_of(shop)
    together = evaluate(
        catalogue, rule, padded([base for base, _ in everybody], size), history_of([met for _, met in everybody])
    )
    for number, (base, met) in enumerate(everybody[:3]):
        alone = evaluate(catalogue, rule, padded([base], size), history_of([met]))
        for same in range(number, len(everybody), 3):
            assert together.items[same].tolist() == alone.items[0].tolist()
            assert together.lengths[same] == alone.lengths[0]


@settings(max_examples=CASES, deadline=None)
@given(shops(), filters())
def test_a_mask_is_the_filter_item_by_item(shop: naive.Shop, rule: Filter) -> None:
    mask = catalogue_of(shop).mask(rule)
    assert mask.tolist() == [naive.passes(shop, item, rule) for item in range(len(shop.items))]


@settings(max_examples=CASES // 4, deadline=None)
@given(st.data())
def test_a_patched_catalogue_is_one_made_with_the_new_values(data: st.DataObject) -> None:
    shop, rule = data.draw(shops()), data.draw(rules())
    size = len(shop.items)
    before = catalogue_of(shop)
    before.allowed(rule.filters)  # masks that must not survive a change of their property
    changes: dict[str, dict[int, Any]] = {}
    for name in data.draw(st.lists(st.sampled_from(sorted(TYPES)), unique=True)):
        changes[name] = data.draw(st.dictionaries(st.integers(0, size - 1), st.none() | VALUES[name], max_size=3))
    gone = data.draw(st.lists(st.integers(0, size - 1), max_size=2, unique=True))
    items = [dict(item) for item in shop.items]
    for name, rows in changes.items():
        for row, value in rows.items():
            items[row][name] = value
    alive = [alive and row not in gone for row, alive in enumerate(shop.alive)]
    after = naive.Shop(shop.types, items, shop.popular, alive, shop.neighbours)
    base, history = data.draw(subjects(size))
    patched = evaluate(before.patched(changes, gone), rule, padded([base], size), history_of([history]))
    found = patched.items[0][patched.items[0] >= 0].tolist()
    assert found == naive.evaluate(after, rule, base, history, None, 256)[:64]


GENRES = [["drama"], ["drama"], ["comedy"], ["drama", "war"], None]


def worked_example(rule: Diversity, positions: int = 5) -> str:
    column = Column.of("genres", PropertyType("unicode64", repeated=True), GENRES)
    order = np.arange(5, dtype=np.int32)
    catalogue = Catalogue(5, order, np.ones(5, np.uint8), {"genres": column}, lambda _: -1)
    found = evaluate(catalogue, Rules(reranking=(rule,)), order[None], History.none(1), positions=positions)
    return " ".join("ABCDE"[item] for item in found.items[0])


def test_the_worked_example_of_diversity() -> None:
    assert worked_example(Diversity("genres", 0.5)) == "A C B E D"
    assert worked_example(Diversity("genres", 0.5, 1, 1, 1.0)) == "A C B D E"
    assert worked_example(Diversity("genres", 0.5), positions=3) == "A C B"


def test_each_filter_of_a_list_is_judged_alone() -> None:
    sizes = Column.of("sizes", PropertyType("int8", repeated=True), [[3, 12]])
    catalogue = Catalogue(1, np.zeros(1, np.int32), np.ones(1, np.uint8), {"sizes": sizes}, lambda _: -1)
    assert catalogue.allowed((Filter("sizes", "gt", 10), Filter("sizes", "lt", 5))).tolist() == [1]


def test_a_sequence_puts_its_blocks_one_after_the_other() -> None:
    year = Column.of("year", PropertyType("int16"), [2000, 2020, 2001, 2021, 2002])
    order = np.arange(5, dtype=np.int32)
    catalogue = Catalogue(5, order, np.ones(5, np.uint8), {"year": year}, lambda _: -1)
    blocks = (Block(amount=2, filters=(Filter("year", "gte", 2010),)), Block(amount=2))
    found = evaluate(catalogue, Rules(sequence=blocks), order[None], History.none(1), positions=10)
    assert found.items[0].tolist() == [1, 3, 0, 2, *[-1] * 6]
    assert found.lengths.tolist() == [4]
