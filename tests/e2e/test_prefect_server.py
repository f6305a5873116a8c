"""A standing installation: Prefect's server, `prefect deploy --all`, a process worker, and the nightly deployment
run by it.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from store.definitions import load_settings
from store.journal import Journal
from store.layout import Layout

HOME = Path(__file__).resolve().parents[2]
PREFECT = str(Path(sys.executable).with_name("prefect"))


@contextmanager
def background(
    arguments: list[str], environment: dict[str, str], folder: Path, log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("ab") as output:
        process = subprocess.Popen(
            arguments, env=environment, cwd=folder, stdout=output, stderr=output, start_new_session=True
        )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_for(what: str, check: Any, seconds: float, log: Path) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = check()
        if found:
            return found
        time.sleep(0.5)
    pytest.fail(f"{what} did not happen within {seconds} s:\n{log.read_text()[-4000:]}")


@pytest.mark.server
@pytest.mark.slow
def test_the_nightly_deployment_runs_and_leaves_artifacts(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    shutil.copy(HOME / "prefect.yaml", home)
    shutil.copytree(HOME / "flows", home / "flows")
    shutil.copytree(HOME / "definitions", home / "definitions")
    layout = Layout(home)
    layout.create()
    for entity in ("profiles", "items", "events"):
        for path in (HOME / "data" / "sample" / entity).iterdir():
            arrived = layout.inbox / entity / path.name
            shutil.copy(path, arrived)
            os.utime(arrived, (0, 0))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    api = f"http://127.0.0.1:{port}/api"
    environment = {
        **os.environ,
        "PREFECT_HOME": str(tmp_path / "prefect"),
        "PREFECT_API_URL": api,
        "NIGHTLOOM_HOME": str(home),
        "DO_NOT_TRACK": "1",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_LOGGING_LEVEL": "INFO",
        "GIT_CEILING_DIRECTORIES": str(tmp_path),
    }
    log = tmp_path / "log"
    log.touch()

    def prefect(*arguments: str) -> str:
        done = subprocess.run(
            [PREFECT, "--no-prompt", *arguments], env=environment, cwd=home, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def healthy() -> bool:
        try:
            return httpx.get(f"{api}/health").status_code == 200
        except httpx.TransportError:
            return False

    with background([PREFECT, "server", "start", "--port", str(port)], environment, home, log):
        wait_for("Prefect's server", healthy, 120, log)
        prefect("work-pool", "create", "nightloom", "--type", "process")
        prefect("deploy", "--all")
        deployments = {d["name"]: d for d in httpx.post(f"{api}/deployments/filter", json={}).json()}
        assert set(deployments) == {"nightly", "ingest", "backfill"}
        assert deployments["nightly"]["schedules"][0]["schedule"]["cron"] == "0 2 * * *"
        assert deployments["ingest"]["schedules"][0]["schedule"]["interval"] == 900

        def scheduled() -> list[Any]:
            flows = {
                "deployments": {"id": {"any_": [deployments["nightly"]["id"]]}},
                "flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}},
            }
            return list(httpx.post(f"{api}/flow_runs/filter", json=flows).json())

        # The scheduler dies silently with a newer SQLAlchemy: a scheduled run must really appear.
        wait_for("a scheduled run", scheduled, 90, log)
        for deployment in deployments.values():
            httpx.post(f"{api}/deployments/{deployment['id']}/pause_deployment").raise_for_status()
        run = httpx.post(
            f"{api}/deployments/{deployments['nightly']['id']}/create_flow_run", json={"state": {"type": "SCHEDULED"}}
        ).json()
        with background([PREFECT, "worker", "start", "--pool", "nightloom"], environment, home, log):

            def ended() -> str:
                kind = httpx.get(f"{api}/flow_runs/{run['id']}").json()["state"]["type"]
                return kind if kind in {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"} else ""

            assert wait_for("the night", ended, 300, log) == "COMPLETED", log.read_text()[-6000:]
        artifacts = {a["key"]: a for a in httpx.post(f"{api}/artifacts/filter", json={}).json()}
        tasks = {t["name"].rsplit("-", 1)[0] for t in httpx.post(f"{api}/task_runs/filter", json={}).json()}
    assert {"nightloom-run", "nightloom-stages", "nightloom-files", "nightloom-training", "nightloom-report"} <= set(
        artifacts
    )
    assert {"ingest", "build", "check", "precompute", "publish"} <= tasks
    with Journal.open(layout, load_settings(layout)) as journal:
        pointer = journal.pointer()
    assert pointer is not None
    assert pointer.run_id in artifacts["nightloom-run"]["data"]
    assert (layout.run(pointer.run_id) / "reports" / "index.html").is_file()
