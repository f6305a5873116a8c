"""Previews (§10.4): a lookup under scenarios that are listed in the request and stored nowhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from contracts.errors import NightloomError
from scenarios.check import check
from scenarios.parse import parse
from scenarios.spec import RECO_TYPES, Definition, Problem
from serving.crossing_minds import schemas as s
from serving.crossing_minds import wish as w
from serving.crossing_minds.call import Answer, Call
from serving.crossing_minds.fields import an_object, objects, text
from serving.crossing_minds.problems import of_definition, of_lookup
from serving.crossing_minds.recommendations import GENERIC, ITEMS, generic, items_answer
from serving.crossing_minds.router import Route
from serving.crossing_minds.scenarios import current, known
from serving.scenario_lookup import recommend

LISTED = "preview_scenarios_params"


async def preview(call: Call) -> Answer:
    """Evaluate as if the listed scenarios were stored; nothing is written and no row is read."""
    given = call.body
    listed = definitions(given)
    control = await current(call)
    facts = known(call, control)
    found = check(listed, facts, preview=True)
    if found.problems:
        raise of_definition(found.problems)
    moment = await call.database.moment()
    wish = generic(call, given)
    wish.rows = False
    wish.offset, digest = w.page(call, given, wish, moment.run_id)
    try:
        granted = recommend(moment, wish, call.database.ids.item.canonical, control.graph.shadowed(listed))
    except NightloomError as error:
        raise of_lookup(error) from error
    granted.warnings = list(dict.fromkeys(
        [*granted.warnings, *(text for texts in found.warnings.values() for text in texts)]
    ))
    return items_answer(call, moment, wish, granted, digest)


def definitions(given: Mapping[str, Any]) -> list[Definition]:
    """The listed scenarios; of equal reco type and name the last counts. Every problem is told at once."""
    found: dict[tuple[str, str], Definition] = {}
    problems: list[Problem] = []
    for at, row in enumerate(objects({LISTED: given.get(LISTED) or []}, LISTED)):
        where = f"{LISTED}[{at}]"
        reco_type, name = text(row.get("reco_type"), f"{where}.reco_type"), text(row.get("name"), f"{where}.name")
        document = an_object(row.get("scenario"), f"{where}.scenario")
        definition, faults = parse(reco_type, name, document, f"{where}.scenario")
        problems.extend(faults)
        if definition is not None:
            found[reco_type, name] = definition
    if problems:
        raise of_definition(problems)
    return list(found.values())


_ROW = s.obj({"reco_type": s.words(*RECO_TYPES), "name": s.string(), "scenario": s.OBJECT})

ROUTES: tuple[Route, ...] = (
    Route(
        "POST", "scenarios/preview/", "RMBVF", preview, "A lookup under scenarios that are not stored",
        body=s.obj({**GENERIC, LISTED: s.array(_ROW)}, optional=(*GENERIC, LISTED)), answer=ITEMS, ready=True,
        errors=(503,),
    ),
)
