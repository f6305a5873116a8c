"""What the scenario language finds wrong, as the errors of this dialect."""

from __future__ import annotations

from collections.abc import Sequence

from contracts.errors import NightloomError
from scenarios.resolve import MissingScenario, ScenarioLoop
from scenarios.spec import Problem
from serving.crossing_minds.errors import ApiError, NotFoundError, WrongData, wrong_op, wrong_parameter, wrong_type
from serving.scenario_bases import BadRules, MissingInput, NoTable


def of_problem(problem: Problem) -> ApiError:
    """The error of one rule that cannot be evaluated."""
    if problem.fault == "property_not_found":
        return NotFoundError("ITEM_PROPERTY_NOT_FOUND", "item-property", problem.key)
    if problem.fault == "scenario_not_found":
        return NotFoundError("SCENARIO_NOT_FOUND", "scenario", problem.key)
    said = f"{problem.message} ({problem.hint})" if problem.hint else problem.message
    makers = {"wrong_op_use": wrong_op, "wrong_parameter": wrong_parameter}
    return makers.get(problem.fault, wrong_type)(problem.where, said)


def of_definition(problems: Sequence[Problem]) -> ApiError:
    """The one error of a scenario that may not be stored: a missing reference is a 404, every rule is a wrong type.

    All problems are told, each under its place.
    """
    first = problems[0]
    if first.fault == "scenario_not_found":
        return of_problem(first)
    query: dict[str, list[str]] = {}
    for problem in problems:
        query.setdefault(problem.where, []).append(problem.message)
    name = "WRONG_PARAMETER" if first.fault == "wrong_parameter" else "WRONG_DATA_TYPE"
    return WrongData(name, str(first), query)


def of_lookup(error: NightloomError) -> ApiError:
    """The error of a lookup that could not be answered. Raises what is not a lookup's."""
    if isinstance(error, BadRules):
        return of_problem(error.problems[0])
    if isinstance(error, MissingScenario):
        return NotFoundError("SCENARIO_NOT_FOUND", "scenario", error.key)
    if isinstance(error, ScenarioLoop):
        return wrong_type("scenario", str(error))
    if isinstance(error, MissingInput):
        return wrong_parameter(error.name, str(error))
    if isinstance(error, NoTable):
        return NotFoundError("TABLE_IS_EMPTY" if error.empty else "TABLE_NOT_FOUND", "table", error.table)
    raise error
