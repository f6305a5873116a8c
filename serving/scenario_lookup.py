"""A list under scenarios: walk the graphs, merge the rules, read a row where one is right, else evaluate.

Rows are never needed for an answer: they are what evaluation gave at night, and evaluation is the same function.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from scenarios import base_list
from scenarios.binding import bind_rules
from scenarios.graph import Graph
from scenarios.history import History
from scenarios.operators import as_id
from scenarios.plan import Plan, plan
from scenarios.sources import Sources, gather, gather_generic
from scenarios.spec import PROFILE_TYPES, SESSION_TYPES, PropertyType, Rules, Scalar
from serving.moment import Moment, Person
from serving.scenario_bases import BadRules, Base, Bases, NoTable, needed, undeclared
from serving.wishes import DEFAULT_AMOUNT, DEFAULT_VALUES, MOST, Granted, Wish

if TYPE_CHECKING:
    from scenarios.explain import Cost

Items = NDArray[np.int32]
KEPT_PLANS = 4096
ROW_TYPES = ("profile_to_items", "item_to_items")


def recommend(
    moment: Moment, wish: Wish, item_ids: Callable[[Any], str | None] = as_id, graph: Graph | None = None
) -> Granted:
    """Answer one wish from one moment.

    ``item_ids`` gives the canonical text of an item's id in a filter. ``graph``: instead of the stored scenarios.
    Raises BadRules, MissingInput, NoTable, MissingScenario and ScenarioLoop.
    """
    return _Lookup(moment, wish, item_ids, graph or moment.graph).granted()


def examine(
    moment: Moment, wish: Wish, item_ids: Callable[[Any], str | None] = as_id
) -> tuple[Granted, list[Cost]]:
    """The answer to a wish and, for reco types that evaluate rules, what each rule costs this subject. As slow as
    it needs to be: for people, not for programs. Raises as ``recommend``.
    """
    lookup = _Lookup(moment, wish, item_ids, moment.graph)
    return lookup.granted(), lookup.costs()


def warm() -> None:
    """Load the compiled kernel, which takes most of a second, before the first lookup that is evaluated needs it."""
    import scenarios.evaluate  # noqa: F401


class _Lookup:
    """One request at work; also the context that conditions, A/B tests and nested values ask."""

    def __init__(
        self, moment: Moment, wish: Wish, item_ids: Callable[[Any], str | None], graph: Graph
    ) -> None:
        self.moment = moment
        self.graph = graph
        self.wish = wish
        self.item_ids = item_ids
        self._person: Person | None = None

    # The context of conditions and nested values

    @property
    def subject(self) -> str | None:
        return self.wish.user_id or self.wish.session_id

    @property
    def now(self) -> float:
        return self.wish.now

    @property
    def item_id(self) -> str | None:
        return self.wish.item_id

    def count(self, function: str) -> int | None:
        person = self.somebody()
        if person is None:
            return None
        return person.n_ratings if function == "n_ratings" else person.n_interactions

    def user_values(self, name: str) -> tuple[Scalar, ...] | None:
        if self.wish.user_properties is not None:
            return self.wish.user_properties.get(name)
        person = self.somebody() if self.wish.user_id is not None else None
        return None if person is None else person.values(name)

    def item_values(self, name: str) -> tuple[Scalar, ...] | None:
        return None if self.wish.item_id is None else self.moment.item_values(self.wish.item_id, name)

    def item_type(self, name: str) -> PropertyType | None:
        return self.moment.item_types.get(name)

    def parameter(self, name: str) -> Any:
        return self.wish.parameters.get(name)

    def somebody(self) -> Person | None:
        """The profile or session that the request is for, None without one."""
        if self._person is None:
            wish = self.wish
            if wish.reco_type in SESSION_TYPES or wish.met or (wish.session_id and wish.user_id is None):
                self._person = self.moment.session(wish.session_id, wish.met)
            elif wish.user_id is not None:
                self._person = self.moment.person(wish.user_id)
        return self._person

    # The answer

    def granted(self) -> Granted:
        """Walk, merge, and make the list."""
        sources = self._sources()
        if sources.generic_runtime or sources.generic_default:
            self.wish.reco_type = sources.reco_type
            self._person = None
        made = self._plan(sources)
        answer = Granted(
            reco_type=sources.reco_type, evaluated=sources.evaluated_scenarios, max_age=made.rules.max_age,
            splits=sources.splits,
        )
        if sources.reco_type.startswith("precomputed_"):
            answer.warnings = list(sources.warnings)
            self._precomputed(sources.reco_type, made.rules.table, answer)
            return answer
        answer.warnings = list(dict.fromkeys((*sources.warnings, *made.warnings)))
        if self._named_property(answer, made):
            return answer
        amount = _amount(made.rules)
        if not self._from_row(sources.reco_type, made, amount, answer):
            self._evaluated(sources.reco_type, made, amount, answer)
        return answer

    def _sources(self) -> Sources:
        wish, graph = self.wish, self.graph
        if wish.reco_type is None:
            return gather_generic(graph, wish.scenario, wish.skip_default, self)
        return gather(graph, wish.reco_type, wish.scenario, wish.skip_default, self)

    def _plan(self, sources: Sources) -> Plan:
        """The plan of the request's rules over its scenarios'. Those that no nested value is in are kept: many requests
        come to the same cases.
        """
        types, plans = self.moment.item_types, self.moment.plans
        cases = tuple(stage.case for stage in (sources.runtime, sources.default) if stage is not None)
        key = (*map(id, cases), sources.runtime is None, id(types), self.wish.rules)
        known = plans.get(key)
        if known is not None:
            return known[0]
        own, problems, _ = bind_rules(self.wish.rules, types, item_ids=self.item_ids)
        made = plan(sources.rules(own), types, self, item_ids=self.item_ids)
        if problems or made.problems:
            raise BadRules(problems or made.problems)
        if not made.momentary:
            if len(plans) >= KEPT_PLANS:
                plans.clear()
            plans[key] = made, types, cases  # whose ids are in the key: nothing else can get them meanwhile
        return made

    def _from_row(self, reco_type: str, made: Plan, amount: int, answer: Granted) -> bool:
        """Read the slice from a materialized row, if there is one and nothing was written that it would not show."""
        if reco_type not in ROW_TYPES or not self.wish.rows or made.momentary:
            return False
        rows = self.moment.pack.materialized.get((reco_type, made.digest))
        if rows is None or not self.moment.rows_hold(made):
            return False
        if reco_type == "item_to_items":
            subject = self.moment.item_row(needed(self.wish, "item_id"))
        else:
            needed(self.wish, "user_id")
            person = self.somebody()
            assert person is not None
            # Without a list of its own but with something met it starts from that; the row holds popular items.
            cold = person.row >= 0 and bool(self.moment.pack.lists_cold[person.row])
            if person.touched or (cold and person.seeds):
                return False
            subject = person.row
        if subject < 0:
            return False
        part = rows.part(subject, self.wish.offset, amount)
        if part is None:
            return False
        answer.items = part
        answer.more = amount > 0 and rows.length(subject) > self.wish.offset + amount
        answer.source = "row"
        answer.rows = rows
        answer.cold = self._cold_row(reco_type, subject)
        return True

    def _cold_row(self, reco_type: str, subject: int) -> bool:
        pack = self.moment.pack
        if reco_type == "item_to_items":
            return bool(pack.neighbours.items[subject, 0] < 0)
        return bool(pack.lists_cold[subject])

    def _evaluated(self, reco_type: str, made: Plan, amount: int, answer: Granted) -> None:
        end = self.wish.offset + amount
        base, items, length = self._list(reco_type, made, end)
        answer.cold = base.cold
        answer.items = items[self.wish.offset : end].tolist()
        answer.more = amount > 0 and length > end

    def costs(self) -> list[Cost]:
        """What each rule of the answer costs."""
        from scenarios.explain import costs

        sources = self._sources()
        made = self._plan(sources)
        if sources.reco_type.startswith("precomputed_") or self.wish.property is not None:
            return []
        base, history, own = self._inputs(sources.reco_type, made)
        return costs(
            self._catalogue(), made.rules, base.items[None, :], history, self_items=own, places=_amount(made.rules),
            backfill=base.backfill,
        )

    def _inputs(self, reco_type: str, made: Plan) -> tuple[Base, History, Items | None]:
        """Base list and history of the subject, and the item that an item's list is for."""
        base = Bases(self.moment, self.wish, self.somebody()).of(reco_type, made.rules)
        person = self.somebody() if reco_type in (*PROFILE_TYPES, *SESSION_TYPES) else None
        own = None
        if reco_type == "item_to_items":
            own = np.array([self.moment.item_row(needed(self.wish, "item_id"))], np.int32)
        return base, History.none(1) if person is None else person.history, own

    def _list(self, reco_type: str, made: Plan, positions: int) -> tuple[Base, Items, int]:
        """The base list, the first positions of the list under the rules, and its full length."""
        from scenarios.evaluate import evaluate

        base, history, own = self._inputs(reco_type, made)
        made_lists = evaluate(
            self._catalogue(), made.rules, base.items[None, :], history, self_items=own, positions=positions,
            backfill=base.backfill,
        )
        length = int(made_lists.lengths[0])
        return base, made_lists.items[0, : min(positions, length)], length

    def _catalogue(self) -> Any:
        catalogue = self.moment.catalogue()
        if not self.wish.context_items:
            return catalogue
        rows = [row for row in map(self.moment.item_row, self.wish.context_items) if row >= 0]
        return catalogue.patched({}, rows)

    def _named_property(self, answer: Granted, made: Plan) -> bool:
        """Values of a property instead of items, for the reco types that list those."""
        name = self.wish.property
        if name is None:
            return False
        if name not in self.moment.item_types:
            raise BadRules([undeclared(name)])
        rules = replace(made.rules, reranking=(), sequence=None)
        from scenarios.evaluate import DEPTH

        base, survivors, _ = self._list(answer.reco_type, replace(made, rules=rules), DEPTH)
        column = self.moment.catalogue().columns.get(name)
        values = [] if column is None else base_list.values_of(column, survivors)
        amount = DEFAULT_VALUES if made.rules.amount is None else made.rules.amount
        answer.values, answer.cold = values[:amount], base.cold
        return True

    def _precomputed(self, reco_type: str, table: str | None, answer: Granted) -> None:
        """Items of a table of the run as published; only deleted ones are dropped."""
        wanted = reco_type.removeprefix("precomputed_")
        name = table or wanted
        pack = self.moment.pack
        rows = pack.tables.get(name)
        if rows is None or rows.index.reco_type != wanted:
            raise NoTable(name)
        if not len(rows.lengths) or not rows.lengths.any():
            raise NoTable(name, empty=True)
        if wanted == "item_to_items":
            subject = self.moment.item_row(needed(self.wish, "item_id"))
        else:
            subject = self.moment.person(needed(self.wish, "user_id")).row
        answer.source = "row"
        answer.cold = subject < 0 or not rows.length(subject)
        if subject >= 0:
            alive = self.moment.catalogue().alive
            held = rows.part(subject, 0, min(rows.length(subject), rows.depth)) or []
            answer.items = [item for item in held if alive[item]]


def _amount(rules: Rules) -> int:
    """How many items: what a source says, else what the blocks of a sequence add up to, else the default."""
    if rules.amount is not None:
        return rules.amount
    if rules.sequence is None:
        return DEFAULT_AMOUNT
    return min(MOST, sum(MOST if block.amount is None else block.amount for block in rules.sequence))
