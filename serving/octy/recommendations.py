"""Recommendations (12): the run's candidates, looked at again with what was configured and written since."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from serving import records
from serving.effective import Effective
from serving.live import View
from serving.octy import documents, published
from serving.octy.accounts import Account
from serving.octy.call import Call
from serving.octy.envelope import Answer, success
from serving.octy.errors import bad_request, misfit
from serving.octy.formats import rfc1123
from serving.octy.published import Served
from serving.octy.router import Route

MOST_PROFILES = 100
LISTED = 10
CHARGED, REC = "charged", "rec"
UNTRAINED = "profile not in the last training set"


@dataclass(frozen=True, slots=True)
class Terms:
    """What lists go by: the stop list and flag in force now, the features that the model was trained with.
    ``known_before``: whoever came later was not in the training set, None where the run trained itself.
    """

    stopped: frozenset[str]
    interacted: bool
    features: tuple[str, ...]
    known_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class Book:
    """What lists are made of, as of one moment: to be used before anything else is waited for."""

    job: Served
    view: View
    state: Effective
    terms: Terms

    def entry(self, asked: str) -> dict[str, Any]:
        """A profile's entry in an answer, under the id as asked."""
        found, error = _listed(self.view, self.state, self.terms, asked)
        return {"profile_id": asked, "recommendations": found, "error": error}

    def first_name(self, asked: str) -> str:
        """Name of the item recommended first to a profile, empty where none is."""
        found, _ = _listed(self.view, self.state, self.terms, asked)
        record = records.item(self.state, found[0]["item_id"]) if found else None
        return "" if record is None else str(record.values.get("item_name") or "")


async def book(account: Account) -> Book | None:
    """The account's recommendations as of now, None before the first completed job."""
    job = await published.served(account, published.RECOMMENDATIONS)
    if job is None:
        return None
    now = (await documents.read(account, documents.ALGORITHM)).get(REC, {})
    trained = job.configuration or now
    terms = Terms(
        frozenset(now.get("item_id_stop_list", ())), bool(now.get("recommend_interacted_items", False)),
        tuple(trained.get("profile_features", ())), job.carried_from,
    )
    view = account.view
    return None if view is None else Book(job, view, account.state(), terms)


async def create(call: Call) -> Answer:
    """A list for each profile asked for, in the order asked; one profile's fault is its own."""
    asked = _asked(call.body)
    found = await book(call.account)
    if found is None:
        raise bad_request("no recommendations training job has completed")
    return success({
        "recommendations": [found.entry(one) for one in asked],
        "model_meta_data": {
            "training_job_id": found.job.training_job_id, "model_accuracy_score": _accuracy(found.job.metrics),
            "recommender_event_type": CHARGED, "model_created_at": rfc1123(found.job.at),
        },
    }, count=len(asked))


def _asked(body: Mapping[str, Any]) -> list[str]:
    given = body.get("profile_ids")
    if not isinstance(given, list) or not all(isinstance(one, str) for one in given):
        raise misfit("profile_ids", "must be a list of strings")
    if not 1 <= len(given) <= MOST_PROFILES:
        raise misfit("profile_ids", f"must hold 1 to {MOST_PROFILES} ids")
    return given


def _listed(view: View, state: Effective, terms: Terms, asked: str) -> tuple[list[dict[str, Any]], str | None]:
    """A profile's list, or why there is none."""
    known = records.profile(state, asked)
    if known is None:
        return [], "unknown profile"
    row = state.profile_row(state.key(asked))
    if row < 0 or (terms.known_before is not None and known.created_at >= terms.known_before):
        return [], UNTRAINED
    fault = _excluded(state, terms, row)
    if fault:
        return [], fault
    found = _candidates(view, state, terms, asked, row)
    return found, None if found else "not enough items"


def _excluded(state: Effective, terms: Terms, row: int) -> str:
    """Why the model was not trained with a profile, or nothing: what the run recorded, and for lists that came from an
    earlier run, what its configuration says.
    """
    of_run = state.run.profile_record(row)
    missing = {name for name in terms.features if _missing(of_run, name)}
    recorded = [] if terms.known_before is not None else [
        one for one in state.run.customer_record(row).get("exclusions", ()) if one["algorithm"] == REC
    ]
    missing.update(name for one in recorded for name in one["missing_keys"])
    if missing:
        return f"{UNTRAINED}: {', '.join(sorted(missing))} missing"
    return UNTRAINED if recorded or of_run.get("status") != "active" else ""


def _candidates(view: View, state: Effective, terms: Terms, asked: str, row: int) -> list[dict[str, Any]]:
    pack = view.pack
    met = set() if terms.interacted else {
        one.item_id for one in state.interactions(asked) if one.event_type == CHARGED
    }
    scores = np.asarray(pack.lists.scores[row], np.float64).tolist()
    found = []
    for item_row, score in zip(pack.lists.row(row), scores, strict=False):
        if item_row < 0 or not pack.eligible[item_row] or item_row in view.overlay.gone:
            continue
        item_id = state.run.items[item_row]
        if item_id in terms.stopped or item_id in met or not np.isfinite(score):
            continue
        record = records.item(state, item_id)
        if record is not None and record.status == "active":
            found.append({"item_id": item_id, "score": score})
    return sorted(found, key=lambda one: (-one["score"], one["item_id"]))[:LISTED]


def _missing(of_run: Mapping[str, Any], name: str) -> bool:
    """A key without a value in either map; clients send the text ``null`` for blanks."""
    maps = (of_run.get("profile_data") or {}, of_run.get("platform_info") or {})
    return all(values.get(name) in (None, "", "null") for values in maps)


def _accuracy(metrics: Mapping[str, Any]) -> float:
    found = metrics.get("auc", metrics.get("model_accuracy"))
    return float(found) if isinstance(found, int | float) else 0.0


ROUTES = (Route("POST", "/v1/retention/recommendations", create, "Items for profiles"),)
