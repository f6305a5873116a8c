"""Lists that a later run carries forward: whoever came after the job that made them has none (6, 12)."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

from benchmarks.synthetic_run import write_run
from contracts.settings import Settings
from serving.app import Endpoint
from store.journal import Journal, jobs
from store.layout import Layout
from store.pack.account import write_account
from store.pack.read import ServingPack
from tests.serving.octy.conftest import Shop, good, pair_of
from tests.serving.served import Clock, serving


def asked(home: Path, own: bool, as_of: datetime) -> dict[str, tuple[int, str | None]]:
    """How many items each profile gets, and the error, of a run that serves a job of its own or of an earlier run."""
    settings, layout, clock = Settings(), Layout(home), Clock()
    layout.create()
    with Journal.open(layout, settings) as journal:
        run = write_run(layout, "r2", 40, 30, 10, 1, settings)
        with journal.writing() as connection:
            job_id = jobs.start(connection, "recommendations", "r2" if own else "r1", as_of, as_of)
            jobs.finish(connection, job_id, "Completed", as_of)
        told = {"training_job_id": job_id, "as_of": as_of.isoformat(), "metrics": {"auc": 0.9}}
        write_account(run / "pack", {"recommendations": told}, None, {})
        journal.record_run("r2", "building")
        journal.promote("r2", 0, "test")
        pack = ServingPack(run / "pack")
        ids = [str(json.loads(bytes(one))["profile_id"]) for one in pack.profiles][:40]
        shop = Shop(layout, settings, journal, pair_of(journal), clock)
        with serving(Endpoint(layout, settings, clock=clock)) as shop.url, shop.client() as client:
            answer = good(client.post("/v1/retention/recommendations", json={"profile_ids": ids}))
        assert answer["model_meta_data"]["training_job_id"] == job_id
        return {
            one["profile_id"]: (len(one["recommendations"]), one["error"]) for one in answer["recommendations"]
        }


def test_whoever_came_after_the_job_was_not_in_its_training_set(tmp_path: Path) -> None:
    own = asked(tmp_path / "own", True, datetime(1990, 1, 1))
    assert any(listed for listed, _ in own.values())
    before = asked(tmp_path / "before", False, datetime.max - timedelta(days=1))
    assert before == own
    after = asked(tmp_path / "after", False, datetime(1990, 1, 1))
    assert set(after.values()) == {(0, "profile not in the last training set")}
