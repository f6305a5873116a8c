"""Nights of an account that configures: what starts, what does not and why, jobs with their webhooks, and what is
carried forward.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from flows.desk import open_desk
from flows.night import Order, Outcome
from flows.stages import recommend
from models.churn import select
from models.selection import Selection
from store.journal import Write, jobs, outbox
from store.layout import Layout
from store.pack.read import ServingPack

Nightly = Callable[..., Outcome]
SEGMENT = {
    "segment_name": "buyers", "segment_type": "past", "segment_sub_type": 1, "segment_timeframe": 365,
    "event_sequence": [
        {"event_type": "charged", "exp_timeframe": 0, "action_inaction": "action", "event_properties": None}
    ],
}


def configure(home: Path, **documents: dict[str, Any]) -> None:
    """Documents by kind and name, ``kind__name``."""
    with open_desk(home) as desk:
        for name, body in documents.items():
            kind, _, own = name.partition("__")
            desk.journal.put_document(kind, own or "account", json.dumps(body), "test")


def told(home: Path) -> list[tuple[str, dict[str, Any]]]:
    with open_desk(home) as desk, desk.journal.reading() as connection:
        return [(one.subject, json.loads(one.message)["body"]) for one in outbox.listed(connection)]


def job_list(home: Path) -> list[jobs.Job]:
    with open_desk(home) as desk, desk.journal.reading() as connection:
        return jobs.listed(connection)


def rows(home: Path, query: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(Layout(home).analytics), read_only=True) as con:
        return con.execute(query).fetchall()


def test_an_account_with_one_algorithm(
    shop: Path, first_night: tuple[Path, Outcome], nightly: Nightly, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = first_night[1]
    keys = rows(shop, "SELECT key, count(*) FROM (SELECT unnest(json_keys(profile_data)) AS key FROM profiles) "
                      "GROUP BY key ORDER BY 2, 1")
    rarest = str(keys[0][0])
    listed = str(rows(shop, "SELECT item_ids[1] FROM recommendation_lists ORDER BY profile_id LIMIT 1")[0][0])
    configure(
        shop,
        octy_account={"contact_name": "a", "authenticated_id_key": None},
        octy_algorithm__churn={"profile_features": [rarest]},
        segment__segment_1=SEGMENT,
    )
    outcome = nightly(shop)
    assert rows(shop, "SELECT algorithm, reason FROM training_skips ORDER BY 1") == [
        ("recommendations", "not_configured")
    ]
    assert {row["algorithm"]: row["status"] for row in outcome.records.jobs} == {
        "churn-prediction": "Completed", "rfm-analysis": "Completed"
    }
    # Rule 2: whoever lacks the key is left out, with the key, and has no score.
    lacking = {one for (one,) in rows(
        shop, f"SELECT profile_id FROM profiles WHERE coalesce(profile_data->>'$.{rarest}', "
              f"platform_info->>'$.{rarest}', 'null') = 'null'"
    )}
    named = dict(rows(shop, "SELECT profile_id, missing_keys FROM training_exclusions WHERE algorithm = 'churn' "
                            "AND reason = 'missing_profile_feature'"))
    assert set(named) == lacking
    assert all(value == [rarest] for value in named.values())
    assert not lacking & {one for (one,) in rows(shop, "SELECT profile_id FROM churn")}
    # The report, its job and its date, in the table and in the pack.
    (report,) = rows(shop, "SELECT training_job_id, report_as_of, current_churn_percentage, profiles_scored "
                           "FROM churn_report")
    assert report[:2] == (jobs.job_id(outcome.run_id, "churn-prediction"), outcome.as_of)
    facts = ServingPack(Layout(shop).run(outcome.run_id) / "pack").account
    assert facts["churn_report"]["current_churn_percentage"] == report[2]
    # What did not start goes on serving what was published before.
    assert facts["jobs"]["recommendations"]["training_job_id"] != jobs.job_id(outcome.run_id, "recommendations")
    assert 0 < facts["jobs"]["churn-prediction"]["metrics"]["auc"] <= 1
    # The segment: all enter, and the views agree with what events say.
    assert rows(shop, "SELECT profile_id FROM segment_members ORDER BY 1") == rows(
        shop, "SELECT DISTINCT profile_id FROM events WHERE event_type = 'charged' "
              "AND created_at >= as_of - INTERVAL 365 DAY ORDER BY 1"
    )
    assert {change for (change,) in rows(shop, "SELECT DISTINCT change FROM segment_changes")} == {"enter"}
    assert facts["segment_counts"] == {"segment_1": rows(shop, "SELECT count(*) FROM segment_members")[0][0]}
    # Journal and outbox: one record and one message a job, told with the publishing transaction.
    found = {job.algorithm: job for job in job_list(shop)}
    assert {name: job.status for name, job in found.items()} == {
        "churn-prediction": "Completed", "rfm-analysis": "Completed"
    }
    record = found["churn-prediction"].record()
    assert record["excluded_profiles"]["by_reason"]["missing_profile_feature"] == len(lacking)
    assert record["configuration"]["algorithm"] == {"profile_features": [rarest]}
    assert {gate["name"] for gate in record["gates"]} >= {"finite", "distinct_scores", "shared_importance"}
    # What analysts see of it: times and notifications are the journal's, the rest is the run's.
    times = rows(shop, "SELECT training_job_id, started_at, finished_at FROM training_jobs ORDER BY 1")
    assert times == sorted((job.training_job_id, job.started_at, job.finished_at) for job in found.values())
    assert rows(shop, "SELECT started_at FROM history.training_jobs WHERE run_id <> (SELECT run_id FROM runs WHERE "
                      "current)") == [(None,)] * len(first.records.jobs)
    assert rows(shop, "SELECT segment_name, segment_type, profile_count FROM segments") == [
        ("buyers", "past", facts["segment_counts"]["segment_1"])
    ]
    assert rows(shop, "SELECT profile_id FROM rfm ORDER BY 1") == rows(
        shop, "SELECT profile_id FROM segment_members ORDER BY 1"
    )
    seen = rows(shop, "SELECT message->>'$.body.training_job_id', status FROM webhook_deliveries ORDER BY 1")
    assert seen == [(identity, "pending") for identity, _, _ in times]
    assert rows(shop, "SELECT (SELECT count(*) FROM profile_merges), (SELECT count(*) FROM suspect_groups)") == [(0, 0)]
    messages = told(shop)
    assert sorted(body["algorithm"] for _, body in messages) == ["churn-prediction", "rfm-analysis"]
    assert {subject for subject, _ in messages} == {"Octy training job has successfully completed."}

    # The night after: rec is configured with a stop list, and churn is rejected by a gate.
    configure(shop, octy_algorithm__rec={
        "profile_features": [], "recommend_interacted_items": False, "item_id_stop_list": [listed]
    })
    scores = rows(shop, "SELECT profile_id, churn_score, expected_days_to_churn FROM churn ORDER BY 1")
    monkeypatch.setattr(
        select, "choose",
        lambda *_, **__: select.Choice(None, "", notes={"hazard": "refused"}),
    )
    second = nightly(shop)
    assert second.made
    assert rows(shop, "SELECT profile_id, churn_score, expected_days_to_churn FROM churn ORDER BY 1") == scores
    assert rows(shop, "SELECT training_job_id, report_as_of FROM churn_report") == [report[:2]]
    assert rows(shop, "SELECT count(*) FROM recommendations WHERE item_id = '" + listed + "'") == [(0,)]
    status = dict(rows(shop, "SELECT algorithm, status FROM training_jobs"))
    assert status == {"recommendations": "Completed", "churn-prediction": "Failed", "rfm-analysis": "Completed"}
    assert rows(shop, "SELECT count(*) FROM training_skips") == [(0,)]
    facts = ServingPack(Layout(shop).run(second.run_id) / "pack").account
    assert facts["jobs"]["churn-prediction"]["training_job_id"] == report[0]
    assert 0 <= facts["jobs"]["recommendations"]["metrics"]["auc"] <= 1
    failed = [body for subject, body in told(shop) if subject == "Octy training job has failed."]
    assert [(body["algorithm"], body["failure_reason"]["code"]) for body in failed] == [
        ("churn-prediction", "internal_error")
    ]
    assert rows(shop, "SELECT count(*) FROM segment_changes") == [(0,)]


def test_a_recommender_that_is_rejected_leaves_the_last_lists(
    shop: Path, nightly: Nightly, monkeypatch: pytest.MonkeyPatch
) -> None:
    lists = "SELECT profile_id, model, cold, item_ids, scores FROM recommendation_lists ORDER BY 1"
    configure(shop, octy_algorithm__rec={"profile_features": [], "recommend_interacted_items": True})
    first = nightly(shop)
    before, (item, profile) = rows(shop, lists), rows(
        shop, "SELECT item_ids[1], profile_id FROM recommendation_lists ORDER BY profile_id LIMIT 1"
    )[0]
    with open_desk(shop) as desk:
        body = {"event_id": "event_1", "event_type": "charged", "profile_id": profile, "item_id": item,
                "created_at": "2026-06-01 00:00:00", "properties": {}}
        desk.journal.append([Write("events", profile, "create", json.dumps(body), "event_1")])
    monkeypatch.setattr(recommend, "choose", lambda *_: Selection(None, {}))
    second = nightly(shop)
    assert second.made
    assert rows(shop, "SELECT status, trained_by_run, serving_job_id, serving_as_of FROM training_jobs "
                      "WHERE algorithm = 'recommendations'") == [
        ("Failed", first.run_id, jobs.job_id(first.run_id, "recommendations"), first.as_of)
    ]
    assert rows(shop, lists) == before
    facts = ServingPack(Layout(shop).run(second.run_id) / "pack").account
    assert facts["jobs"]["recommendations"]["training_job_id"] == jobs.job_id(first.run_id, "recommendations")


def test_what_a_dead_night_left_is_interrupted(shop: Path, nightly: Nightly) -> None:
    configure(shop, octy_algorithm__rec={"profile_features": []})
    with open_desk(shop) as desk, desk.journal.writing() as connection:
        jobs.start(connection, "churn-prediction", "r-dead", datetime(2024, 1, 1), datetime(2024, 1, 1))
    nightly(shop, Order(serve=False))
    (job,) = job_list(shop)
    assert (job.status, job.body["failure_reason"]["code"]) == ("Failed", "interrupted")
    assert [subject for subject, _ in told(shop)] == ["Octy training job has failed."]


def test_without_configurations_nothing_is_written(shop: Path) -> None:
    assert job_list(shop) == []
    assert rows(shop, "SELECT count(*) FROM training_skips") == [(0,)]
    assert rows(shop, "SELECT algorithm FROM training_jobs ORDER BY 1") == [
        ("churn-prediction",), ("recommendations",)
    ]
    assert rows(shop, "SELECT count(*) FROM churn_report") == [(1,)]
    assert rows(shop, "SELECT count(*) > 0 FROM rfm") == [(True,)]


def test_profiles_of_one_person_become_one(shop: Path, nightly: Nightly) -> None:
    configure(shop, octy_account={"authenticated_id_key": "shop_id"})
    carriers = {"m-1": {"shop_id": 77, "age": 30}, "m-2": {"shop_id": "77"}, "m-3": {"shop_id": 78}}
    with open_desk(shop) as desk:
        desk.journal.append([
            Write("profiles", name, "put", json.dumps({"customer_id": name, "properties": values}))
            for name, values in carriers.items()
        ])
    outcome = nightly(shop)
    (merge,) = rows(shop, "SELECT child, child_customer_id, parent, key, value, merged_by FROM profile_merges")
    assert merge[1:2] + merge[3:] == ("m-2", "shop_id", "77", outcome.run_id)
    assert rows(shop, "SELECT count(*) FROM profiles WHERE customer_id IN ('m-1', 'm-2', 'm-3')") == [(2,)]
    pack = ServingPack(Layout(shop).run(outcome.run_id) / "pack")
    found = pack.merged("m-2")
    assert found is not None
    assert found["parent"] == merge[2]
    assert [one["customer_id"] for one in pack.customer(pack.profile_row("m-1"))["children"]] == ["m-2"]
    (body,) = [body for subject, body in told(shop) if subject == "Profile identification service output"]
    assert body == {"profiles": [{
        "parent_profile_id": merge[2], "parent_customer_id": "m-1", "authenticated_id_key": "shop_id",
        "authenticated_id_value": "77", "merged_profiles": [{"profile_id": merge[0], "customer_id": "m-2"}],
    }]}
    # It holds for good, is told once, and is no reason for another run.
    assert not nightly(shop).made
    nightly(shop, Order(force=True))
    assert rows(shop, "SELECT child, child_customer_id, parent, key, value, merged_by FROM profile_merges") == [merge]
    assert sum(subject == "Profile identification service output" for subject, _ in told(shop)) == 1
