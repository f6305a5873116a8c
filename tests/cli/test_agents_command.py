"""``nightloom agents`` on a run's policies, which the endpoint follows at once."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import duckdb
import pytest

from contracts.manifest import Identity
from flows.stages.publish import insert_rows
from store import analytics, runs
from store.definitions import load_settings
from store.exports import export_table
from store.journal import Journal
from store.layout import Layout
from store.pack.policies import PolicyBook
from store.pack.policy_tables import write_policies
from store.policy_documents import read_pins
from tests.cli.conftest import Shop

AT = datetime(2026, 3, 1)
TABLES = ("policies", "policy_archive", "policy_features", "policy_versions", "decision_reports", "agent_flags")


@pytest.fixture
def site(tmp_path: Path) -> Shop:
    """A workspace whose run has two versions of one agent."""
    (tmp_path / "definitions").mkdir()
    layout = Layout(tmp_path)
    layout.create()
    identity = Identity("default", AT.isoformat(), 0, "w", "d", "c", 0)
    folder = runs.stage(layout, runs.run_id_of(identity))
    rows = {
        "policy_versions": [
            {"agent": "home", "version": name, "state": state, "valid_from": AT.replace(day=day), "pinned": False,
             "trained_by_run": folder.name, "reason": ""}
            for name, state, day in (("new", "serving", 3), ("bad", "held", 2), ("old", "earlier", 1))
        ],
        "decision_reports": [{"agent": "home", "version": "new", "new_version": "new", "published": True,
                              "reason": "", "exposures": 5, "report": {}}],
        "agent_flags": [{"agent": "home", "flag": "G1", "version": "old", "since": AT, "detail": "p"}],
    }
    with duckdb.connect() as con:
        tables = []
        for name in TABLES:
            insert_rows(con, name, rows.get(name, ()))
            tables.append(export_table(con, name, folder))
    write_policies(folder)
    manifest = runs.write_manifest(folder, folder.name, AT, identity, tables, {}, {})
    runs.settle(layout, folder)
    with Journal.open(layout, load_settings(layout)) as journal:
        journal.record_run(folder.name, "building", as_of=AT, watermark=0)
        with journal.lease("pipeline", "test", 60) as lease:
            journal.promote(folder.name, 0, "test", lease=lease)
    analytics.refresh(layout, folder.name, [manifest])
    return Shop(tmp_path)


def _served(site: Shop) -> str:
    layout = Layout(site.home)
    with Journal.open(layout, load_settings(layout)) as journal:
        pointer = journal.pointer()
        assert pointer is not None
        with journal.reading() as connection:
            pins = read_pins(connection)
    return PolicyBook(layout.run(pointer.run_id) / "pack").with_pins(pins).version("home")


def test_agents_and_their_versions_are_listed(site: Shop) -> None:
    (home,) = site("agents", "list", "--json").json
    assert (home["agent"], home["version"], home["published"], home["flags"]) == ("home", "new", True, "G1")
    assert "home" in site("agents").out
    assert [(one["version"], one["state"]) for one in site("agents", "versions", "home", "--json").json] == [
        ("new", "serving"), ("bad", "held"), ("old", "earlier")
    ]
    assert site("agents", "versions", "nobody").code == 5


def test_an_agent_is_rolled_back_and_released(site: Shop) -> None:
    assert _served(site) == "new"
    assert site("agents", "rollback", "home", "old", "--json").json == {
        "agent": "home", "serving": "old", "published": "new"
    }
    assert _served(site) == "old"
    assert site("agents", "rollback", "home", "0").code == 0
    assert _served(site) == "0"
    assert site("agents", "release", "home", "--json").json == {"agent": "home", "released": True}
    assert _served(site) == "new"
    assert site("agents", "release", "home").code == 2


def test_what_was_held_back_is_not_served(site: Shop) -> None:
    for version in ("bad", "never"):
        refused = site("agents", "rollback", "home", version)
        assert refused.code == 5 and version in refused.err
    assert _served(site) == "new"


def test_only_a_flagged_version_is_cleared(site: Shop) -> None:
    assert site("agents", "clear", "home", "new").code == 5
    assert site("agents", "clear", "home", "old", "--json").json == {"agent": "home", "cleared": "old"}
