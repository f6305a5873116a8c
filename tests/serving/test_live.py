"""One run and its overlay, never mixed: swaps under load, a broken run, several processes."""

from __future__ import annotations

import shutil
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import orjson

from serving.live import Live
from serving.lookup import for_profile
from store.journal import Journal, Write
from store.snapshot import Snapshot
from tests.serving.conftest import WIDTH, Serve, Workspace

PROFILE = "c-3"


def charged(item: int, profile: str = PROFILE) -> Write:
    body = {"event_type": "charged", "profile_id": profile, "item_id": f"i-{item:07d}", "properties": {}}
    return Write("events", profile, "create", orjson.dumps(body).decode())


def listed(answer: dict[str, Any]) -> list[int]:
    return [int(item["item_id"][2:]) for item in answer["items"]]


def wait_for(client: httpx.Client, run_id: str) -> dict[str, Any]:
    give_up = time.monotonic() + 10
    while time.monotonic() < give_up:
        answer: dict[str, Any] = client.get(f"/v1/recommendations/profiles/{PROFILE}").json()
        if answer["run_id"] == run_id:
            return answer
        time.sleep(0.01)
    raise AssertionError(f"{run_id} was never served")


def test_answers_under_swaps_are_wholly_of_one_run(serve: Serve, workspace: Workspace) -> None:
    """Run r1 has the item excluded by its overlay, in r2 the write is below the watermark: a mixture would show."""
    row = Snapshot.open(workspace.layout, "r1").pack.profile_row(PROFILE)
    first = Snapshot.open(workspace.layout, "r1").pack.lists.row(row)
    workspace.add_run("r2", seed=2, promote=False)
    second = Snapshot.open(workspace.layout, "r2").pack.lists.row(row)
    shared = (
        next(item for item in first if item in second and item >= 0) if set(first) & set(second) - {-1} else first[0]
    )
    workspace.journal.append([charged(shared)])
    expected = {
        "r1": [item for item in first if item not in (-1, shared)][:4],
        "r2": [item for item in second if item != -1][:4],
    }
    seen: dict[str, int] = {"r1": 0, "r2": 0}
    faults: list[Any] = []
    stop = threading.Event()

    with serve() as client:

        def ask() -> None:
            with httpx.Client(base_url=client.base_url, headers=client.headers) as mine:
                while not stop.is_set():
                    answer = mine.get(f"/v1/recommendations/profiles/{PROFILE}?amt=4")
                    told = answer.json()
                    if (
                        answer.status_code != 200
                        or listed(told)[: len(expected[told["run_id"]])] != expected[told["run_id"]]
                    ):
                        faults.append(told)
                        return
                    seen[told["run_id"]] += 1

        readers = [threading.Thread(target=ask) for _ in range(3)]
        for reader in readers:
            reader.start()
        for number in range(16):
            run_id, watermark, kind = ("r2", 1, "promote") if number % 2 == 0 else ("r1", 0, "rollback")
            workspace.journal.promote(run_id, watermark, "test", kind)
            wait_for(client, run_id)
            time.sleep(0.02)
        stop.set()
        for reader in readers:
            reader.join()
    assert not faults, faults[0]
    assert min(seen.values()) > 5


def test_writes_of_another_process_count_from_the_next_lookup_on(serve: Serve, workspace: Workspace) -> None:
    with serve() as client:
        for _ in range(5):
            before = listed(client.get(f"/v1/recommendations/profiles/{PROFILE}").json())
            workspace.journal.append([charged(before[0])])
            assert before[0] not in listed(client.get(f"/v1/recommendations/profiles/{PROFILE}").json())


def test_a_kept_answer_is_not_given_after_a_write_and_memory_is_bounded(
    serve: Serve, workspace: Workspace, monkeypatch: Any
) -> None:
    monkeypatch.setattr("serving.live.KEPT_BYTES", 3000)
    with serve() as client:
        path = f"/v1/recommendations/profiles/{PROFILE}?amt=3"
        first = client.get(path)
        assert client.get(path).content.split(b'"items"')[1] == first.content.split(b'"items"')[1]
        workspace.journal.append([charged(listed(first.json())[1])])
        after = listed(client.get(path).json())
        assert listed(first.json())[1] not in after and len(after) == 3
        lists = {
            number: listed(client.get(f"/v1/recommendations/profiles/c-{number}?amt=2").json()) for number in range(60)
        }
        for number, before in lists.items():
            assert listed(client.get(f"/v1/recommendations/profiles/c-{number}?amt=2").json()) == before


def test_writes_made_while_a_run_is_loaded_are_not_lost(workspace: Workspace, monkeypatch: Any) -> None:
    with Journal.open(workspace.layout, workspace.settings) as journal:
        live = Live(workspace.layout, workspace.settings, journal)
        live.open_now()
        opened = Snapshot.open
        held, go = threading.Event(), threading.Event()

        def slow(layout: Any, run_id: str) -> Snapshot:
            snapshot = opened(layout, run_id)
            held.set()
            go.wait(10)
            return snapshot

        monkeypatch.setattr(Snapshot, "open", slow)
        workspace.add_run("r2", seed=2)
        assert live.view() is not None and held.wait(10)
        workspace.journal.append([charged(5)])
        view = live.view()
        assert (
            view is not None and view.snapshot.run_id == "r1" and 5 in view.overlay.seen(view.pack.profile_row(PROFILE))
        )
        go.set()
        give_up = time.monotonic() + 10
        while view.snapshot.run_id != "r2" and time.monotonic() < give_up:
            workspace.journal.append([charged(6)])
            view = live.view()
            assert view is not None
            row = view.pack.profile_row(PROFILE)
            assert not {5, 6} & set(for_profile(view, row, PROFILE, 70, []).items), view.snapshot.run_id
        assert view.snapshot.run_id == "r2" and live.swaps == 2


def test_a_run_that_cannot_be_opened_leaves_the_old_one_serving(serve: Serve, workspace: Workspace) -> None:
    with serve() as client:
        assert wait_for(client, "r1")
        workspace.add_run("r2", seed=2, promote=False)
        pack = workspace.layout.run("r2") / "pack" / "pack.json"
        kept = pack.read_bytes()
        pack.unlink()
        workspace.journal.promote("r2", 0, "test")
        give_up = time.monotonic() + 10
        while client.get("/ready").json()["problem"] is None and time.monotonic() < give_up:
            time.sleep(0.01)
        ready = client.get("/ready")
        assert ready.status_code == 200 and "r2" in ready.json()["problem"] and ready.json()["run_id"] == "r1"
        before = listed(client.get(f"/v1/recommendations/profiles/{PROFILE}").json())
        workspace.journal.append([charged(before[0])])
        assert before[0] not in listed(client.get(f"/v1/recommendations/profiles/{PROFILE}").json())
        pack.write_bytes(kept)
        wait_for(client, "r2")
        assert client.get("/ready").json()["problem"] is None


def test_a_served_run_may_be_removed(serve: Serve, workspace: Workspace) -> None:
    with serve() as client:
        before = wait_for(client, "r1")
        shutil.rmtree(workspace.layout.run("r1"))
        after = client.get(f"/v1/recommendations/profiles/{PROFILE}").json()
        assert listed(after) == listed(before)
        workspace.add_run("r2", seed=2)
        assert len(wait_for(client, "r2")["items"]) == WIDTH


def test_started_without_its_run_it_recovers_when_one_is_published(
    serve: Serve, workspace: Workspace, tmp_path: Path
) -> None:
    workspace.layout.run("r1").rename(tmp_path / "elsewhere")
    with serve() as client:
        answer = client.get("/ready")
        assert answer.status_code == 503 and "r1" in answer.json()["problem"]
        assert client.get(f"/v1/recommendations/profiles/{PROFILE}").status_code == 503
        workspace.add_run("r2", seed=2)
        wait_for(client, "r2")
