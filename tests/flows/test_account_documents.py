"""Documents that are dropped configure the account; what is refused is told in the quarantine."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from contracts.settings import Ingest, Settings
from flows.stages.account_documents import take_documents
from flows.stages.ingest import ingest
from store import warehouse
from store.journal import Journal
from store.layout import Layout

SETTINGS = Settings(ingest=Ingest(settle_seconds=0.0))
NOW = datetime(2024, 6, 1)
TEXT = """
kind: eventTypes
eventTypeDefinitions:
  - {eventType: login, eventProperties: [device]}
  - {eventType: "not allowed", eventProperties: []}
"""


def test_dropped_documents_are_applied_and_refusals_told(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    folder = layout.inbox / "documents"
    folder.mkdir(parents=True)
    (folder / "types.yaml").write_text(TEXT)
    (folder / "odd.yaml").write_bytes(b"\xff\xfe: [")
    with Journal.open(layout, SETTINGS) as journal:
        assert [bool(one.change) for one in take_documents(layout, SETTINGS, journal, NOW)] == [False, True, False]
        assert [one.name for one in journal.documents("event_type")] == ["login"]
        assert take_documents(layout, SETTINGS, journal, NOW) == []
    assert ingest(layout, SETTINGS, (), NOW).loads == ()
    with warehouse.open_warehouse(layout, SETTINGS.pipeline) as con:
        told = con.execute("SELECT file, rule, reason FROM quarantine ORDER BY file").fetchall()
        loads = con.execute("SELECT file, rows_in, rows_loaded, rows_quarantined FROM file_loads ORDER BY 1").fetchall()
    assert [one[:2] for one in told] == [("documents/odd.yaml", "bad_value"), ("documents/types.yaml", "bad_value")]
    assert "event_type must hold none of" in told[1][2]
    assert loads == [("documents/odd.yaml", 1, 0, 1), ("documents/types.yaml", 2, 1, 1)]
