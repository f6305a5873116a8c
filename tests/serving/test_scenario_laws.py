"""The laws of materialization (section 13 of the contract) over generated shops, histories, scenarios and journals.

A case is one lookup in one state. Making a shop is dear, so ten lookups are made in each, with writes between them.
"""

from __future__ import annotations

import os
from dataclasses import fields, replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import NightloomError
from scenarios.graph import Graph
from scenarios.merge import NO_RULES
from scenarios.spec import Case, Definition
from serving.declared import Documents
from serving.present import Present
from serving.scenario_lookup import recommend
from serving.wishes import Granted, Wish
from tests.scenarios.strategies import gentle_rules
from tests.serving.world import ITEM, NAMES, PEOPLE, STRANGER, P, World, worlds, writes

CASES = int(os.environ.get("NIGHTLOOM_LAW_CASES", "2000"))
ROUNDS = 10
law = settings(max_examples=CASES // ROUNDS, deadline=None)


def asked(wish: Wish, **changes: Any) -> Wish:
    """The same wish, or nearly: a lookup may fill its wish in, so everybody gets one of their own."""
    return Wish(**{**{one.name: getattr(wish, one.name) for one in fields(wish)}, **changes})


def answer(moment: Present, wish: Wish, graph: Graph | None = None, **changes: Any) -> Any:
    """What a client sees but for where it came from; an error by its words."""
    try:
        found = recommend(moment, asked(wish, **changes), graph=graph)
    except NightloomError as error:
        return type(error).__name__, str(error)
    return seen(found)


def seen(found: Granted) -> Any:
    return found.items, found.more, found.cold, found.warnings, found.evaluated


@st.composite
def wishes(draw: st.DrawFn, world: World, about: str = STRANGER) -> Wish:
    """A lookup; ``about``: somebody who is asked for more often than others."""
    reco_type = draw(st.sampled_from([P, P, ITEM]))
    item = f"i{draw(st.integers(0, world.run.size))}"
    person = draw(st.sampled_from([*PEOPLE, about, about, STRANGER]))
    return Wish(
        reco_type, scenario=draw(st.none() | st.sampled_from(NAMES)), skip_default=draw(st.booleans()),
        rules=replace(draw(gentle_rules()), sequence=None) if draw(st.integers(0, 4)) == 0 else NO_RULES,
        offset=draw(st.sampled_from([0, 0, 1, 3])), user_id=person if reco_type == P else None,
        item_id=item if reco_type == ITEM else None,
    )


@law
@given(worlds())
def test_materialized_is_evaluated(world: World) -> None:
    moment, cases = world.moment(), 0
    for reco_type in (P, ITEM):
        for name in (None, *NAMES):
            for subject in PEOPLE if reco_type == P else world.run.items:
                wish = Wish(
                    reco_type, scenario=name, user_id=subject if reco_type == P else None,
                    item_id=subject if reco_type == ITEM else None,
                )
                assert answer(moment, wish) == answer(moment, wish, rows=False)
                cases += 1
    assert cases >= ROUNDS


@law
@given(st.data())
def test_rows_are_invisible_whatever_the_journal_holds(data: st.DataObject) -> None:
    world, about = data.draw(worlds()), STRANGER
    for number in range(ROUNDS):
        for write in data.draw(writes(world.run.size)) if number % 3 == 2 else ():
            world.write(*write)
            about = write[2] if write[2] in PEOPLE else about
        wish = data.draw(wishes(world, about))
        assert answer(world.moment(), wish) == answer(world.moment(), wish, rows=False)


@law
@given(st.data())
def test_pages_put_together_are_one_list(data: st.DataObject) -> None:
    world = data.draw(worlds())
    for write in data.draw(writes(world.run.size)):
        world.write(*write)
    for _ in range(ROUNDS):
        wish = data.draw(wishes(world))
        size = data.draw(st.integers(1, 3))
        whole = answer(world.moment(), with_amount(wish, 64), offset=0)
        if isinstance(whole[0], str):
            continue  # refused, and so is every page
        pages: list[int] = []
        for start in range(0, 64, size):
            items, more, *_ = answer(world.moment(), with_amount(wish, size), offset=start)
            pages += items
            if not more:
                break
        assert pages == whole[0]
        assert not whole[1]


def with_amount(wish: Wish, amount: int) -> Wish:
    return asked(wish, rules=replace(wish.rules, amount=amount))


@law
@given(st.data())
def test_a_preview_is_what_storing_would_give_and_writes_nothing(data: st.DataObject) -> None:
    world = data.draw(worlds())
    stored, listed_rules = world.documents, data.draw(gentle_rules())
    for _ in range(ROUNDS):
        wish = data.draw(wishes(world))
        world.documents = stored
        before = state(world, wish)
        listed = Definition(
            str(wish.reco_type), data.draw(st.sampled_from(NAMES)), Case(listed_rules, {"listed": True})
        )
        shadowed = stored.graph.shadowed([listed])
        previewed = answer(world.moment(), wish, shadowed, rows=False)
        assert state(world, wish) == before
        world.documents = Documents(graph=shadowed)
        assert answer(world.moment(), wish) == previewed


def state(world: World, wish: Wish) -> Any:
    return answer(world.moment(), wish), world.documents, world.changes.items.changed[:], world.seq
