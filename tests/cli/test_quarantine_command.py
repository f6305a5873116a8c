"""``nightloom quarantine`` from the terminal: list, show, export, repair, replay."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import pytest

from cli import quarantine
from contracts.settings import Ingest, Settings
from flows.stages.ingest import ingest
from store.layout import Layout


def test_list_show_export_replay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "definitions").mkdir()
    monkeypatch.setenv("NIGHTLOOM_HOME", str(tmp_path))
    layout = Layout(tmp_path)
    layout.create()
    (layout.inbox / "profiles" / "p.csv").write_text("customer_id;profile_data>>age\nc-1;30\nc,2;31\nc-3\n")
    ingest(layout, Settings(ingest=Ingest(settle_seconds=0.0)), (), datetime(2026, 1, 1))
    quarantine.list_(json=True)
    listed = json.loads(capsys.readouterr().out)
    assert [(one["rule"], one["rows"]) for one in listed] == [("bad_identifier", 1), ("column_count", 1)]
    quarantine.show(listed[0]["load_id"], json=True)
    assert [(one["line"], one["value"]) for one in json.loads(capsys.readouterr().out)] == [(3, "c,2"), (4, None)]
    export = tmp_path / "fix.csv"
    quarantine.show(listed[0]["load_id"], export=export)
    assert export.read_text() == "customer_id;profile_data>>age\nc,2;31\nc-3\n"
    export.write_text("customer_id;profile_data>>age\nc-2;31\nc-3;\n")
    capsys.readouterr()
    quarantine.replay(load=listed[0]["load_id"], file=export, json=True)
    report = json.loads(capsys.readouterr().out)
    assert (report["loads"][0]["rows_loaded"], report["resolved"], report["still_open"]) == (2, 2, 0)
    quarantine.list_()
    assert "nothing is held back" in capsys.readouterr().out
