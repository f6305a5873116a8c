"""The messages of the retention contract, section 5.1: its three examples, and the form for older receivers."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from contracts.settings import Settings
from store.journal import Journal, outbox
from store.journal.outbox import Message
from store.layout import Layout
from store.webhooks import messages

AT = datetime(2022, 6, 28, 10, 9, 15)
JOB: dict[str, Any] = {
    "algorithm": "recommendations", "job_status": "Completed", "message": "free text",
    "training_job_id": "training_job_1a", "run_id": "r-0001", "started_at": "Tue, 28 Jun 2022 10:00:00 GMT",
    "finished_at": "Tue, 28 Jun 2022 10:09:15 GMT",
    "row_counts": {"profiles": 1200, "items": 300, "events": 54000, "training_rows": 1180}, "metrics": {"auc": 0.87},
    "failure_reason": None, "excluded_profiles": {"total": 20, "by_reason": {"missing_profile_feature": 20}, "sample": [
        {"profile_id": "profile_2b", "reason": "missing_profile_feature", "missing_keys": ["age"]}
    ]},
}
PARENT = {
    "parent_profile_id": "profile_1", "parent_customer_id": "c1", "authenticated_id_key": "shop_id",
    "authenticated_id_value": "77", "merged_profiles": [{"profile_id": "profile_2", "customer_id": "c2"}],
}


def sent(tmp_path: Path, *queued: Message) -> list[dict[str, Any]]:
    """What receivers get."""
    with Journal.open(Layout(tmp_path), Settings()) as journal:
        with journal.writing() as connection:
            outbox.enqueue(connection, queued)
        with journal.reading() as connection:
            return [json.loads(one.message) for one in outbox.listed(connection)]


def test_a_completed_job(tmp_path: Path) -> None:
    assert sent(tmp_path, messages.training_ended(JOB, AT)) == [{
        "subject": "Octy training job has successfully completed.", "date_time": "Tue, 28 Jun 2022 10:09:15 GMT",
        "body": JOB,
    }]


def test_a_failed_job_as_text(tmp_path: Path) -> None:
    job = {**JOB, "job_status": "Failed", "failure_reason": {"code": "gate_rejected", "message": "auc"}}
    assert sent(tmp_path, messages.training_ended(job, AT, "text")) == [{
        "subject": "Octy training job has failed.", "date_time": "Tue, 28 Jun 2022 10:09:15 GMT", "body": "free text",
        "training_job": {name: value for name, value in job.items() if name != "message"},
    }]


def test_a_live_tag(tmp_path: Path) -> None:
    assert sent(tmp_path, messages.tag_created("profile_1a", "segment_9", "cart_abandon", AT)) == [{
        "subject": "Live segment tag created", "date_time": "Tue, 28 Jun 2022 10:09:15 GMT",
        "body": {"profile_id": "profile_1a", "segment": {"segment_id": "segment_9", "segment_tag": "cart_abandon"}},
    }]


def test_merged_profiles_hundred_parents_a_message(tmp_path: Path) -> None:
    (one,) = messages.identified([PARENT], "r-1", AT)
    assert sent(tmp_path, one) == [{
        "subject": "Profile identification service output", "date_time": "Tue, 28 Jun 2022 10:09:15 GMT",
        "body": {"profiles": [PARENT]},
    }]
    several = messages.identified([{**PARENT, "parent_profile_id": f"p{at}"} for at in range(201)], "r-1", AT)
    assert [len(sent(tmp_path / str(at), one)[0]["body"]["profiles"]) for at, one in enumerate(several)] == [
        100, 100, 1
    ]
