"""Configurations of the two algorithms (4)."""

from __future__ import annotations

from typing import Any

from serving.octy import documents
from serving.octy.call import Call
from serving.octy.envelope import Answer, success
from serving.octy.router import Route
from store.account_bodies import ALGORITHMS, algorithm_body


async def get(call: Call) -> Answer:
    """Both configurations, ``{}`` for one that was never set."""
    return _answer(await documents.read(call.account, documents.ALGORITHM), 200)


async def put(call: Call) -> Answer:
    """Replace one configuration."""
    name = call.body.get("algorithm_name")
    found = algorithm_body(name, call.body.get("configurations"))
    account = call.account

    def work(connection: Any) -> dict[str, dict[str, Any]]:
        documents.put(connection, account, documents.ALGORITHM, str(name), found, call.who)
        return documents.bodies(connection, documents.ALGORITHM)

    return _answer(await documents.within(account, work), 202)


def _answer(stored: dict[str, dict[str, Any]], status: int) -> Answer:
    return success({"configurations": [
        {"algorithm_name": name, "configurations": _shown(stored.get(name, {}))} for name in ALGORITHMS
    ]}, status=status)


def _shown(stored: dict[str, Any]) -> dict[str, Any]:
    """As clients read it: the stop list's entries are objects."""
    if "item_id_stop_list" not in stored:
        return stored
    return {**stored, "item_id_stop_list": [{"item_id": one} for one in stored["item_id_stop_list"]]}


ROUTES = (
    Route("GET", "/v1/configurations/retention/algorithms", get, "Configurations of both algorithms"),
    Route("POST", "/v1/configurations/retention/algorithms/set", put, "Replace the configuration of one algorithm"),
)
