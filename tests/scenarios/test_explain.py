"""The cost of each rule is told in items."""

from __future__ import annotations

import numpy as np

from scenarios.catalogue import Catalogue
from scenarios.columns import Column
from scenarios.explain import costs
from scenarios.history import History
from scenarios.spec import Diversity, Filter, PropertyType, Rules


def test_every_rule_says_what_it_takes_away() -> None:
    year = Column.of("year", PropertyType("int16"), [2000, 2020, 2001, 2021, None, 2022])
    brand = Column.of("brand", PropertyType("unicode64"), ["a", "a", "a", "b", "b", "b"])
    order = np.arange(6, dtype=np.int32)
    catalogue = Catalogue(6, order, np.ones(6, np.uint8), {"year": year, "brand": brand}, lambda _: -1)
    history = History(np.array([0, 1]), np.array([1], np.int32), np.zeros(1, np.uint16), ("charged",))
    rules = Rules(
        filters=(Filter("year", "gte", 2010),), reranking=(Diversity("brand", 1.0),), exclude_types=("charged",)
    )
    told = {cost.rule.partition(" ")[0]: cost for cost in costs(catalogue, rules, order[None], history, places=1)}
    assert (told["filters"].dropped, told["filters"].left) == (3, 3)
    assert (told["exclude_items_with_interaction_types"].dropped, told["filters"].changed) == (1, 1)
    assert told["reranking"].dropped == 0
    assert "2010" in told["filters"].rule
    assert len(told) == 3
