"""Recommendations and the churn report of a run, with what was configured and written since."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import httpx
import numpy as np
import pytest

from benchmarks.synthetic_run import write_run
from contracts.settings import Settings
from serving.app import Endpoint
from store.journal import Journal, Write, documents, jobs
from store.layout import Layout
from store.pack.account import write_account
from store.pack.build import build_pack
from store.pack.read import ServingPack
from tests.serving.octy.conftest import Shop, failure, good, pair_of
from tests.serving.served import Clock, serving

URL = "/v1/retention/recommendations"
REPORT = {
    "training_job_id": "", "report_as_of": "2024-06-01T00:00:00", "current_churn_percentage": 12.3,
    "churn_direction_indication": "negative", "churn_percentage_difference": -1.2,
    "features_of_importance": [{"feature_name": "age", "feature_importance": 0.41}], "model_accuracy": 0.87,
    "brier": 0.1, "calibration_error": 0.02, "churn_definition": "inactivity", "horizon_days": 30,
    "profiles_scored": 40, "class_counts": {"0": 30, "1": 10},
}


# Profiles 5 and 6 were left out of the training of recommendations, 7 of the other.
EXCLUDED = (
    "SELECT unnest(['rec', 'churn']) AS algorithm, profile_id, 'missing_profile_feature' AS reason, "
    "['age', 'city'] AS missing_keys FROM profiles WHERE profile_index = 5 UNION ALL "
    "SELECT 'rec', profile_id, 'check', NULL FROM profiles WHERE profile_index = 6 UNION ALL "
    "SELECT 'churn', profile_id, 'status', NULL FROM profiles WHERE profile_index = 7"
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """An account whose run has both algorithms' jobs."""
    settings, layout, clock = Settings(), Layout(tmp_path_factory.mktemp("trained")), Clock()
    layout.create()
    with Journal.open(layout, settings) as journal:
        run = write_run(layout, "r1", 40, 30, 10, 1, settings)
        with duckdb.connect() as con:
            con.read_parquet(str(run / "tables" / "profiles.parquet")).create_view("profiles")
            con.execute(f"COPY ({EXCLUDED}) TO '{run / 'tables' / 'training_exclusions'}.parquet'")
        build_pack(run, settings, run / "scratch")
        told = {}
        journal.record_run("r1", "building")
        with journal.writing() as connection:
            for name in ("recommendations", "churn-prediction"):
                at = datetime(2024, 6, 1)
                job_id = jobs.start(connection, name, "r1", at, at)
                jobs.finish(connection, job_id, "Completed", datetime(2024, 6, 2, 10, 9, 15))
                told[name] = {"training_job_id": job_id, "as_of": at.isoformat(), "metrics": {"auc": 0.87}}
        report = {**REPORT, "training_job_id": told["churn-prediction"]["training_job_id"]}
        write_account(layout.run("r1") / "pack", told, report, {})
        journal.promote("r1", 0, "test")
        made = Shop(layout, settings, journal, pair_of(journal), clock)
        with serving(Endpoint(layout, settings, clock=clock)) as made.url:
            yield made


@pytest.fixture
def client(trained: Shop) -> Iterator[httpx.Client]:
    configure(trained)
    with trained.client() as made:
        yield made


def configure(shop: Shop, **more: Any) -> None:
    body = {"profile_features": [], "recommend_interacted_items": True, "item_id_stop_list": [], **more}
    with shop.journal.writing() as connection:
        documents.put(connection, "octy_algorithm", "rec", json.dumps(body), "test", shop.journal.clock())


def pack_of(shop: Shop) -> ServingPack:
    return ServingPack(Path(shop.layout.run("r1") / "pack"))


def candidates(pack: ServingPack, row: int) -> list[str]:
    """What the run lists for a profile, best first, ties by id."""
    scores = np.asarray(pack.lists.scores[row], float)
    found = [
        (-score, json.loads(bytes(pack.items[item]))["item_id"])
        for item, score in zip(pack.lists.row(row), scores, strict=True) if item >= 0 and pack.eligible[item]
    ]
    return [item_id for _, item_id in sorted(found)]


def ids(entry: dict[str, Any]) -> list[str]:
    return [one["item_id"] for one in entry["recommendations"]]


def test_lists_are_those_of_the_run_in_the_order_asked(client: httpx.Client, trained: Shop) -> None:
    pack = pack_of(trained)
    asked = [str(pack.profile_ids[row], "utf-8") if isinstance(pack.profile_ids[row], bytes) else pack.profile_ids[row]
             for row in (3, 1)]
    body = good(client.post(URL, json={"profile_ids": [asked[0], "nobody", asked[1]]}))
    first, unknown, second = body["recommendations"]
    assert [first["profile_id"], second["profile_id"]] == asked
    assert (first["error"], unknown["error"]) == (None, "unknown profile")
    assert unknown["recommendations"] == []
    assert ids(first) == candidates(pack, 3)[:10] and ids(second) == candidates(pack, 1)[:10]
    assert all(isinstance(one["score"], float) for one in first["recommendations"])
    assert body["model_meta_data"] == {
        "training_job_id": jobs.job_id("r1", "recommendations"), "model_accuracy_score": 0.87,
        "recommender_event_type": "charged", "model_created_at": "Sun, 02 Jun 2024 10:09:15 GMT",
    }


def test_the_stop_list_acts_at_once(client: httpx.Client, trained: Shop) -> None:
    pack = pack_of(trained)
    asked = pack.profile_ids[0]
    asked = asked.decode() if isinstance(asked, bytes) else asked
    before = candidates(pack, 0)
    configure(trained, item_id_stop_list=before[:2])
    (entry,) = good(client.post(URL, json={"profile_ids": [asked]}))["recommendations"]
    assert ids(entry) == before[2:12]
    configure(trained, item_id_stop_list=before)
    (entry,) = good(client.post(URL, json={"profile_ids": [asked]}))["recommendations"]
    assert entry == {"profile_id": asked, "recommendations": [], "error": "not enough items"}


def test_what_was_charged_since_is_left_out_unless_it_may_come_again(client: httpx.Client, trained: Shop) -> None:
    pack = pack_of(trained)
    asked = pack.profile_ids[2]
    asked = asked.decode() if isinstance(asked, bytes) else asked
    bought = candidates(pack, 2)[0]
    event = {
        "event_id": "e1", "event_type": "charged", "profile_id": asked, "customer_id": asked, "item_id": bought,
        "created_at": "2026-01-01 00:00:00", "properties": {"item_id": bought, "payment_method": "visa"},
    }
    trained.journal.append([Write("events", asked, "create", json.dumps(event), "e1")])
    (entry,) = good(client.post(URL, json={"profile_ids": [asked]}))["recommendations"]
    assert bought in ids(entry)
    configure(trained, recommend_interacted_items=False)
    (entry,) = good(client.post(URL, json={"profile_ids": [asked]}))["recommendations"]
    assert entry["error"] is None and bought not in ids(entry)


def test_a_missing_feature_is_named(client: httpx.Client, trained: Shop) -> None:
    asked = pack_of(trained).profile_ids[4]
    asked = asked.decode() if isinstance(asked, bytes) else asked
    configure(trained, profile_features=["no_such_key"])
    (entry,) = good(client.post(URL, json={"profile_ids": [asked]}))["recommendations"]
    assert entry["recommendations"] == []
    assert entry["error"] == "profile not in the last training set: no_such_key missing"


def test_whoever_was_left_out_of_the_training_has_no_list(client: httpx.Client, trained: Shop) -> None:
    ids_of = pack_of(trained).profile_ids
    asked = [bytes(ids_of[row]).decode() for row in (5, 6, 7)]
    lacking, checked, other = good(client.post(URL, json={"profile_ids": asked}))["recommendations"]
    assert (lacking["recommendations"], lacking["error"]) == (
        [], "profile not in the last training set: age, city missing"
    )
    assert (checked["recommendations"], checked["error"]) == ([], "profile not in the last training set")
    assert other["error"] is None and other["recommendations"]


@pytest.mark.parametrize("body", [{}, {"profile_ids": []}, {"profile_ids": "p"}, {"profile_ids": [1]},
                                  {"profile_ids": ["p"] * 101}], ids=str)
def test_a_body_that_does_not_fit(client: httpx.Client, body: dict[str, Any]) -> None:
    failure(client.post(URL, json=body), 422)


def test_without_a_job_there_is_nothing(fresh: Shop) -> None:
    with fresh.client() as client:
        failure(client.post(URL, json={"profile_ids": ["p"]}), 400)
        failure(client.get("/v1/retention/churn_prediction/report"), 400)


def test_the_churn_report(client: httpx.Client) -> None:
    report = good(client.get("/v1/retention/churn_prediction/report"))["churn_prediction_report"]
    assert report["training_job_data"] == {
        "training_job_id": jobs.job_id("r1", "churn-prediction"), "model_accuracy": 0.87,
        "training_job_date": "Sun, 02 Jun 2024 10:09:15 GMT", "brier": 0.1, "calibration_error": 0.02,
    }
    assert report["churn_data"] == {
        name: REPORT[name] for name in (
            "current_churn_percentage", "churn_direction_indication", "churn_percentage_difference",
            "features_of_importance", "churn_definition", "horizon_days", "profiles_scored", "class_counts",
        )
    }
