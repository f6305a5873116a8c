"""Configurations of the two algorithms (4)."""

from __future__ import annotations

from typing import Any

from serving.octy import documents
from serving.octy.call import Call
from serving.octy.envelope import Answer, success
from serving.octy.errors import misfit
from serving.octy.formats import flag, texts
from serving.octy.router import Route

NAMES = ("rec", "churn")
CHARGED = "charged"


async def get(call: Call) -> Answer:
    """Both configurations, ``{}`` for one that was never set."""
    return _answer(await documents.read(call.account, documents.ALGORITHM), 200)


async def put(call: Call) -> Answer:
    """Replace one configuration."""
    name, found = checked(call.body)
    account = call.account

    def work(connection: Any) -> dict[str, dict[str, Any]]:
        documents.put(connection, account, documents.ALGORITHM, name, found, call.who)
        return documents.bodies(connection, documents.ALGORITHM)

    return _answer(await documents.within(account, work), 202)


def checked(body: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Name and configuration of a request, as stored. Raises OctyError (422)."""
    name, given = body.get("algorithm_name"), body.get("configurations")
    if name not in NAMES:
        raise misfit("algorithm_name", "must be rec or churn")
    if not isinstance(given, dict):
        raise misfit("configurations", "must be an object")
    features = texts(given.get("profile_features"), "configurations.profile_features")
    if CHARGED in features:
        raise misfit("configurations.profile_features", f"must not name {CHARGED}")
    found: dict[str, Any] = {"profile_features": list(dict.fromkeys(features))}
    if name == "rec":
        where = "configurations.recommend_interacted_items"
        found["recommend_interacted_items"] = flag(given.get("recommend_interacted_items"), where)
        stopped = texts(given.get("item_id_stop_list"), "configurations.item_id_stop_list")
        found["item_id_stop_list"] = list(dict.fromkeys(stopped))
    return str(name), found


def _answer(stored: dict[str, dict[str, Any]], status: int) -> Answer:
    return success({"configurations": [
        {"algorithm_name": name, "configurations": _shown(stored.get(name, {}))} for name in NAMES
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
