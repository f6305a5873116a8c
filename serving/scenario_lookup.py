"""A list under scenarios: walk the graphs, merge the rules, read a row where one is right, else evaluate.

Rows are never needed for an answer: they are what evaluation gave at night, and evaluation is the same function.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contracts.errors import NightloomError
from scenarios import base_list
from scenarios.binding import bind_rules
from scenarios.graph import Graph
from scenarios.history import History
from scenarios.operators import as_id
from scenarios.plan import Plan, plan
from scenarios.sources import Sources, gather, gather_generic
from scenarios.spec import PROFILE_TYPES, SESSION_TYPES, Problem, PropertyType, Rules, Scalar
from serving.moment import Moment, Person
from serving.wishes import DEFAULT_AMOUNT, DEFAULT_VALUES, MOST, Granted, Wish

Items = NDArray[np.int32]
KEPT_PLANS = 4096
ROW_TYPES = ("profile_to_items", "item_to_items")


class BadRules(NightloomError):
    """Rules that cannot be evaluated; ``problems`` says which, and why."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(str(problems[0]), hint=problems[0].hint)


class MissingInput(NightloomError):
    """The reco type needs an id or a list that the request lacks; ``name`` is the parameter."""

    def __init__(self, name: str, reco_type: str) -> None:
        self.name = name
        super().__init__(f"{reco_type} needs {name}")


class NoTable(NightloomError):
    """The run has no table of this name (for this kind of subject), or it is empty."""

    def __init__(self, table: str, *, empty: bool = False) -> None:
        self.table = table
        self.empty = empty
        super().__init__(f"the table {table!r} " + ("has no rows" if empty else "is not in the current run"))


def recommend(
    moment: Moment, wish: Wish, item_ids: Callable[[Any], str | None] = as_id, graph: Graph | None = None
) -> Granted:
    """Answer one wish from one moment.

    ``item_ids`` gives the canonical text of an item's id in a filter. ``graph``: instead of the stored scenarios.
    Raises BadRules, MissingInput, NoTable,
    MissingScenario and ScenarioLoop.
    """
    return _Lookup(moment, wish, item_ids, graph or moment.graph).granted()


def warm() -> None:
    """Load the compiled kernel, which takes most of a second, before the first lookup that is evaluated needs it."""
    import scenarios.evaluate  # noqa: F401


@dataclass(slots=True)
class _Base:
    """Where a list starts from: the subject's items best first, whether popular items follow, whether it is cold."""

    items: Items
    backfill: bool = True
    cold: bool = False


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
            subject = self.moment.item_row(self._needed("item_id"))
        else:
            self._needed("user_id")
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

    def _list(self, reco_type: str, made: Plan, positions: int) -> tuple[_Base, Items, int]:
        """The base list, the first positions of the list under the rules, and its full length."""
        from scenarios.evaluate import evaluate

        base = self._base(reco_type, made.rules)
        person = self.somebody() if reco_type in (*PROFILE_TYPES, *SESSION_TYPES) else None
        history = person.history if person is not None else History.none(1)
        own = None
        if reco_type == "item_to_items":
            own = np.array([self.moment.item_row(self._needed("item_id"))], np.int32)
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

    def _base(self, reco_type: str, rules: Rules) -> _Base:
        """The subject's base list by reco type."""
        if reco_type == "item_to_items":
            return self._of_item(rules)
        if reco_type == "item_properties_to_items":
            return self._of_properties()
        if reco_type == "profiles_group_to_items":
            return self._of_group(rules)
        if reco_type in SESSION_TYPES:
            person = self.somebody()
            assert person is not None
            base = self._of_seeds(person)
        elif reco_type in PROFILE_TYPES:
            base = self._of_profile(self.moment.person(self._needed("user_id")), rules)
        else:
            raise MissingInput("another route", reco_type)
        if reco_type.endswith("_w_ctx_items"):
            return self._with_context(base)
        return base

    def _of_item(self, rules: Rules) -> _Base:
        row = self.moment.item_row(self._needed("item_id"))
        if row < 0:
            return _Base(np.empty(0, np.int32), backfill=False, cold=True)
        listed = self._published("item_to_items", rules)[row]
        return _Base(listed, cold=bool(not len(listed) or listed[0] < 0))

    def _of_profile(self, person: Person, rules: Rules) -> _Base:
        listed = self._published("profile_to_items", rules)
        if person.row >= 0 and not self.moment.pack.lists_cold[person.row]:
            return _Base(listed[person.row])
        return self._of_seeds(person)

    def _of_seeds(self, person: Person) -> _Base:
        """The blend of the newest items' neighbours; nothing met: popular items only."""
        if not person.seeds:
            return _Base(np.empty(0, np.int32), cold=True)
        rows, weights = base_list.newest_distinct(*zip(*person.seeds, strict=True))
        pack = self.moment.pack
        found = base_list.blend(pack.neighbours.items, rows, base_list.session_weights(weights))
        return _Base(base_list.ordered(*found, pack.popularity_rank)[0], cold=True)

    def _with_context(self, base: _Base) -> _Base:
        pack = self.moment.pack
        rows = [row for row in map(self.moment.item_row, self.wish.context_items) if row >= 0]
        listed = base.items[base.items >= 0]
        found = base_list.with_context(listed, pack.neighbours.items, rows)
        return _Base(base_list.ordered(*found, pack.popularity_rank)[0], cold=base.cold)

    def _of_group(self, rules: Rules) -> _Base:
        if not self.wish.members:
            raise MissingInput("users", "profiles_group_to_items")
        bases = [self._of_profile(self.moment.person(user_id), rules) for user_id in self.wish.members]
        lists = [base.items[base.items >= 0] for base in bases]
        found = base_list.of_group(lists, self.wish.consensus)
        ranked = base_list.ordered(*found, self.moment.pack.popularity_rank)[0]
        return _Base(ranked, cold=all(base.cold for base in bases))

    def _of_properties(self) -> _Base:
        catalogue, wanted = self.moment.catalogue(), {}
        if not self.wish.item_properties:
            raise MissingInput("item_properties", "item_properties_to_items")
        for name, value in self.wish.item_properties.items():
            if name not in self.moment.item_types:
                raise BadRules([_undeclared(name)])
            if catalogue.columns.get(name) is not None:
                wanted[name] = value
        columns = {name: catalogue.columns[name] for name in wanted}
        scores = base_list.of_properties(columns, wanted, catalogue.size)
        scores *= len(wanted) / len(self.wish.item_properties)
        rows = np.flatnonzero(scores > 0).astype(np.int32)
        ranked = base_list.ordered(rows, scores[rows], self.moment.pack.popularity_rank)[0]
        return _Base(ranked, backfill=False, cold=False)

    def _published(self, reco_type: str, rules: Rules) -> Items:
        """Lists of the recommender that the rules allow, the most preferred first; by default the run's own choice."""
        if rules.algorithms is None:
            return self.moment.pack.base(reco_type)
        for known in self.moment.pack.algorithms(reco_type):
            if known in rules.algorithms:
                return self.moment.pack.base(reco_type, known)
        published = ", ".join(self.moment.pack.algorithms(reco_type)) or "none"
        message = f"none of the algorithms {' | '.join(rules.algorithms)} is published; the run has {published}"
        raise BadRules([Problem("wrong_data_type", "algorithms", message)])

    def _named_property(self, answer: Granted, made: Plan) -> bool:
        """Values of a property instead of items, for the reco types that list those."""
        name = self.wish.property
        if name is None:
            return False
        if name not in self.moment.item_types:
            raise BadRules([_undeclared(name)])
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
            subject = self.moment.item_row(self._needed("item_id"))
        else:
            subject = self.moment.person(self._needed("user_id")).row
        answer.source = "row"
        answer.cold = subject < 0 or not rows.length(subject)
        if subject >= 0:
            alive = self.moment.catalogue().alive
            held = rows.part(subject, 0, min(rows.length(subject), rows.depth)) or []
            answer.items = [item for item in held if alive[item]]

    def _needed(self, name: str) -> str:
        """An id that the reco type cannot do without."""
        value: str | None = getattr(self.wish, name)
        if value is None:
            raise MissingInput(name, str(self.wish.reco_type))
        return value


def _amount(rules: Rules) -> int:
    """How many items: what a source says, else what the blocks of a sequence add up to, else the default."""
    if rules.amount is not None:
        return rules.amount
    if rules.sequence is None:
        return DEFAULT_AMOUNT
    return min(MOST, sum(MOST if block.amount is None else block.amount for block in rules.sequence))


def _undeclared(name: str) -> Problem:
    hint = "declare it, or see GET items-properties/"
    return Problem("property_not_found", "property", f"there is no item property `{name}`", hint, name)
