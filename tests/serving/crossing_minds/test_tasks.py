"""Task routes over a real pipeline: a trigger makes a run that is then served (§14)."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.progress import Silent
from contracts.settings import Settings
from serving.app import Endpoint
from store.journal import Journal
from store.journal.lease import is_dead
from store.layout import Layout
from store.sample import write_sample
from tests.serving.crossing_minds.conftest import House, build
from tests.serving.served import Clock, serving

COMMAND = (sys.executable, "-m", "cli.main", "run", "--json", "--no-prefect")
SETTINGS = '[ingest]\nsettle_seconds = 0.0\n[pipeline]\nas_of = "last_event"\n'


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A house whose second database has drops in its inbox, and whose tasks really run."""
    home: Path = tmp_path_factory.mktemp("tasks")
    clock = Clock()
    made = build(home, clock, Settings())
    second = Layout(home, "second")
    second.create()
    second.definitions.mkdir(parents=True)
    (second.definitions / "settings.toml").write_text(SETTINGS)
    write_sample(home / "sample", profiles=150, seed=3, progress=Silent())
    for entity in ("profiles", "items", "events"):
        for path in sorted((home / "sample" / entity).iterdir()):
            path.replace(second.inbox / entity / path.name)
    with made.control, serving(Endpoint(made.layout, made.settings, run_command=COMMAND)) as made.url:
        yield made


@pytest.mark.slow
def test_a_trigger_runs_the_pipeline(shop: House) -> None:
    with shop.client("backend", db_id=shop.second) as client:
        assert client.get("/databases/current/status/").json() == {"status": "pending"}
        assert client.get("/pretrained-ml/trained-models/").json() == {"trained_models": []}
        asked = time.time()
        first = client.post("/tasks/ml_model_retrain/", json={"payload": {"any": 1}}).json()["task_id"]
        (row,) = client.get("/tasks/ml_model_retrain/recents/").json()["tasks"]
        assert row["task_id"] == first and row["name"] == "ml_model_retrain"
        assert isinstance(row["start_time"], float) and abs(row["start_time"] - asked) < 5
        again = client.post("/tasks/ml_model_retrain/")
        assert (again.status_code, again.json()["error_code"]) == (400, 42)
        assert again.json()["error_data"] == {"name": "TASK_ALREADY_RUNNING", "type": "task", "key": "ml_model_retrain"}
        second = client.post("/tasks/ml_new_items/").json()["task_id"]
        (waiting,) = client.get("/tasks/ml_new_items/recents/").json()["tasks"]
        assert (waiting["task_id"], waiting["status"]) == (second, "REQUEST_SENT")
        seen = set()
        give_up = time.monotonic() + 120
        while time.monotonic() < give_up:
            lists = [client.get(f"/tasks/{name}/recents/").json() for name in ("ml_model_retrain", "ml_new_items")]
            told = [one["tasks"][0] for one in lists]
            seen |= {row["status"] for row in told}
            if all(row["status"] in ("COMPLETED", "FAILED") for row in told):
                break
            time.sleep(0.05)
        assert [row["status"] for row in told] == ["COMPLETED", "COMPLETED"], told
        assert seen == {"REQUEST_SENT", "RUNNING", "COMPLETED"}
        assert told[0]["progress"].startswith("published r-")
        give_up = time.monotonic() + 10
        while client.get("/databases/current/status/").json() != {"status": "ready"} and time.monotonic() < give_up:
            time.sleep(0.05)
        assert client.get("/databases/current/status/").json() == {"status": "ready"}
        listed = client.get("/tasks/ml_model_retrain/recents/").json()["tasks"]
        assert len(listed) == 1, "the run is the task's; it is not listed again as a scheduled one"
        models = client.get("/pretrained-ml/trained-models/").json()["trained_models"]
        assert models and all(set(model) == {"id", "trained_timestamp", "algorithm"} for model in models)
        assert len({model["algorithm"] for model in models}) == len(models)


def test_scheduled_runs_stand_among_the_retrainings(shop: House) -> None:
    with Journal.open(shop.layout, shop.settings) as journal, shop.client("demo_viewer") as client:
        rows = client.get("/tasks/ml_model_retrain/recents/").json()["tasks"]
        assert [(row["task_id"], row["status"]) for row in rows] == [("r1", "COMPLETED")]
        journal.record_run("r-late", "building")
        rows = client.get("/tasks/ml_model_retrain/recents/").json()["tasks"]
        assert (rows[0]["task_id"], rows[0]["status"], rows[0]["progress"]) == ("r-late", "FAILED", "interrupted")
        with journal.lease("pipeline", "a night"):
            rows = client.get("/tasks/ml_model_retrain/recents/").json()["tasks"]
            assert (rows[0]["task_id"], rows[0]["status"]) == ("r-late", "RUNNING")
            with shop.client("backend") as writer:
                refused = writer.post("/tasks/ml_model_retrain/")
                assert refused.json()["error_data"]["name"] == "TASK_ALREADY_RUNNING"
        journal.record_run("r-late", "failed", message="StorageError: the disk is full")
        rows = client.get("/tasks/ml_model_retrain/recents/").json()["tasks"]
        assert (rows[0]["status"], rows[0]["progress"]) == ("FAILED", "StorageError: the disk is full")
        assert client.get("/tasks/ml_new_users/recents/").json() == {"has_next": False, "next_page": 2, "tasks": []}
        pages = [client.get(f"/tasks/ml_model_retrain/recents/?amt=1&page={page}").json() for page in (1, 2, 3)]
        assert [page["has_next"] for page in pages] == [True, False, False]
        assert [row["task_id"] for page in pages for row in page["tasks"]] == ["r-late", "r1"]


def test_other_names_are_no_tasks(shop: House) -> None:
    with shop.client("backend") as client:
        for answer in (client.post("/tasks/anything/"), client.get("/tasks/anything/recents/")):
            assert (answer.status_code, answer.json()["error_data"]["name"]) == (400, "WRONG_DATA_TYPE")
        for query in ("amt=0", "amt=65", "page=0", "page=x"):
            answer = client.get(f"/tasks/ml_model_retrain/recents/?{query}")
            assert (answer.status_code, answer.json()["error_data"]["name"]) == (400, "WRONG_PARAMETER")


def test_a_database_is_deleted_while_its_pipeline_runs(shop: House) -> None:
    new = {"name": "short-lived", "item_id_type": "uint32", "user_id_type": "uuid"}
    with shop.client("root") as client:
        made = client.post("/databases/", json=new).json()["id"]
    folder = Layout(shop.layout.home, shop.control.directory().databases[made].workspace).root
    with shop.client("root", db_id=made) as client:
        first = client.post("/tasks/ml_model_retrain/").json()["task_id"]
        second = client.post("/tasks/ml_new_users/").json()["task_id"]
        give_up = time.monotonic() + 20
        while shop.control.tasks(made)[1].child is None and time.monotonic() < give_up:
            time.sleep(0.01)
        assert client.delete("/databases/current/").status_code == 204
    states = {task.task_id: task for task in shop.control.tasks(made)}
    assert states[first].status == states[second].status == "CANCELLED"
    child = states[first].child
    assert child is not None and is_dead(child) and not folder.exists()
