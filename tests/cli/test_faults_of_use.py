"""What a person gets wrong is answered in plain words on standard error, with what to try and an exit code."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from flows.desk import open_desk
from tests.cli.conftest import REPOSITORY, Answer, Shop


def refused(answer: Answer, code: int, *words: str) -> None:
    assert answer.code == code, answer
    assert answer.out == "" and answer.err.startswith("nightloom: ") and "Traceback" not in answer.err
    assert "try: " in answer.err
    for word in words:
        assert word in answer.err


@pytest.mark.parametrize(("arguments", "words"), [
    (["bogus"], ["bogus", "nightloom --help"]),
    (["stats"], ["status"]),
    (["run", "--bogus"], ["--bogus", "nightloom run --help"]),
    (["run", "--as-of", "yesterday"], ["--as-of", "yesterday"]),
    (["runs", "shw"], ["shw", "nightloom runs --help"]),
    (["drop"], ["nightloom drop --help"]),
    (["keys", "create", "--role", "boss"], ["boss", "read", "write", "admin"]),
    (["serve", "--port", "99999"], ["99999", "65535"]),
    (["serve", "--workers", "-1"], ["--workers"]),
    (["explain", "profile", "c10017", "--amt", "-1"], ["--amt"]),
    (["quarantine", "show", "1", "--limit", "-1"], ["--limit"]),
    (["quarantine", "replay", "--file", "x.csv"], ["--load"]),
    (["sample", "--profiles", "0", "--out", "x"], ["--profiles"]),
    (["status", "--workspace", "../../x"], ["../../x"]),
    (["run", "--no-prefect", "--workspace", "inbox"], ["reserved"]),
    (["init", "--workspace", "prefect"], ["reserved"]),
    (["init", "--workspace", "a b"], ["a b"]),
])
def test_asked_wrongly(shop: Shop, arguments: list[str], words: list[str]) -> None:
    refused(shop(*arguments), 2, *words)


@pytest.mark.parametrize("arguments", [
    ["runs", "show", "r-never"],
    ["runs", "verify", "../../default"],
    ["runs", "compare", "r-never", "r-neither"],
    ["runs", "remove", "r-never"],
    ["rollback", "r-never"],
    ["explain", "profile", "nobody"],
    ["quarantine", "show", "999"],
    ["keys", "revoke", "nothing"],
    ["status", "--workspace", "never-made"],
    ["drop", "no-such-file.csv", "--into", "profiles"],
])
def test_not_found(shop: Shop, arguments: list[str]) -> None:
    refused(shop(*arguments), 5)


@pytest.mark.parametrize("arguments", [
    ["rollback"], ["report"], ["explain", "profile", "c10017"], ["runs", "show"], ["runs", "verify"],
])
def test_before_the_first_night(fresh: Shop, arguments: list[str]) -> None:
    refused(fresh(*arguments), 5, "no run is published yet", "nightloom run")


def test_empty_lists_say_so(fresh: Shop) -> None:
    assert fresh.good("runs").out == "Runs: none\n"
    assert fresh.good("keys", "list").out == "Keys: none\n"
    assert fresh.good("quarantine").out == "nothing is held back\n"
    assert fresh.good("runs", "--json").json == fresh.good("quarantine", "--json").json == []


def test_no_installation(tmp_path: Path) -> None:
    refused(Shop(tmp_path)("status"), 2, "definitions/", f"nightloom init {tmp_path}")
    refused(Shop(tmp_path)("status", NIGHTLOOM_HOME=""), 2, "definitions/", "nightloom init")
    refused(Shop(tmp_path)("run", "--no-prefect", NIGHTLOOM_HOME=str(tmp_path / "nowhere")), 2, "nowhere")
    assert list(tmp_path.iterdir()) == []


def test_the_installation_is_found_upwards(shop: Shop) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cli.main", "check"],
        cwd=shop.home / "data/inbox/events",
        capture_output=True,
        text=True,
        env={name: value for name, value in os.environ.items() if name != "NIGHTLOOM_HOME"}
        | {"PYTHONPATH": str(REPOSITORY)},
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_while_another_night_runs(own: Shop, first_run: str) -> None:
    with open_desk(own.home) as desk, desk.journal.lease("pipeline", "the other night", 60):
        for command in (("run", "--no-prefect"), ("rollback",), ("runs", "remove", first_run)):
            refused(own(*command), 4, "the other night", "wait for it")
        assert "the other night" in own.good("status", "--json").json["running"]


@pytest.mark.slow
def test_prefect_logs_a_fault_without_a_traceback_too(own: Shop) -> None:
    with open_desk(own.home) as desk, desk.journal.lease("pipeline", "the other night", 120):
        answer = own.apart("run")
    assert answer.code == 4 and "Traceback" not in answer.err
    assert "nightloom: the other night holds" in answer.err


def test_storage_that_refuses(own: Shop) -> None:
    journal = own.home / "data/default/journal.sqlite"
    for path in journal.parent.glob("journal.sqlite*"):
        path.unlink()
    journal.write_bytes(b"this is no database" * 1000)
    refused(own("status"), 6)
    refused(own.apart("run", "--no-prefect"), 6)


def test_a_check_that_blocks(own: Shop) -> None:
    before = own.good("status", "--json").json["serving"]
    (own.home / "definitions/features.yaml").write_text("version: 1\ntable: {min_rows: 1000, severity: block}\n")
    answer = own("run", "--no-prefect")
    assert answer.code == 3 and "Traceback" not in answer.err and "try: " in answer.err and "300" in answer.err
    state = own.good("status", "--json").json
    assert state["serving"] == before and state["last_run"]["status"] == "failed"


def test_a_reader_that_has_enough_is_no_fault(shop: Shop) -> None:
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {sys.executable} -m cli.main reference | head -1; echo ${{PIPESTATUS[0]}}"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        env={**os.environ, "NIGHTLOOM_HOME": str(shop.home)},
        check=False,
    )
    assert done.stderr == "" and done.stdout.splitlines()[0] == "# Tables"
    assert done.stdout.splitlines()[1] in ("0", "141")


HEAVY = (
    "duckdb",
    "pandas",
    "sklearn",
    "prefect",
    "great_expectations",
    "lifelines",
    "numpy",
    "polars",
    "sqlalchemy",
    "fastapi",
    "yaml",
)


def test_help_is_light() -> None:
    ask = "import sys, cli.main\ntry: cli.main.app(['--help'])\nexcept SystemExit: pass\n"
    program = f"{ask}print([m for m in sys.argv[1:] if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", program, *HEAVY], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
    assert "backfill" in done.stdout


@pytest.mark.parametrize("command", [
    "demo", "init", "sample", "drop", "check", "run", "backfill", "status", "runs", "rollback", "explain", "quarantine",
    "report", "serve", "reference", "keys", "apply", "get",
])
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    from cli.main import app

    app([command, "--help"], result_action="return_value")
    said = capsys.readouterr().out
    assert f"Usage: nightloom {command}" in said
