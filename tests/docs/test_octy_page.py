"""The page on the retention dialect names every path, setting and table; its files load and its code works."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from cli.reference import tables_page
from contracts.settings import Settings
from flows.stages.account_documents import with_event_types
from flows.stages.ingest import ingest_paths
from serving.octy.routes import ROUTES
from store.account_apply import apply_text
from store.journal import Journal
from store.layout import Layout
from store.webhooks.attempt import signature

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = (DOCS / "octy.md").read_text(encoding="utf-8")


def block(kind: str) -> str:
    (found,) = re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL)
    return str(found)


@pytest.fixture
def account(tmp_path: Path) -> Iterator[tuple[Layout, Journal]]:
    layout = Layout(tmp_path)
    layout.create()
    with Journal.open(layout, Settings()) as journal:
        yield layout, journal


def test_every_path_is_named() -> None:
    named = set(re.findall(r"`(GET|POST) (/v1/[\w/]+)`", PAGE))
    assert named == {(route.verb, route.path) for route in ROUTES}


def test_its_settings_tables_and_links_exist() -> None:
    settings = Settings()
    named = re.findall(r"`(serving|webhooks)\.(\w+)", PAGE)
    assert len(named) >= 5
    for section, name in named:
        assert hasattr(getattr(settings, section), name), name
    tables = tables_page()
    analysts = PAGE.split("## For analysts")[1]
    for name in re.findall(r"`(\w+)`", analysts):
        assert f"## {name}\n" in tables or f"| `{name}` |" in tables, name
    for target in re.findall(r"\]\(([^)#]+)\)", PAGE):
        assert (DOCS / target).exists(), target


def test_its_documents_and_files_load(account: tuple[Layout, Journal], tmp_path: Path) -> None:
    layout, journal = account
    applied = apply_text(journal, Settings(), block("yaml"), "account.yaml", "test")
    assert [one.refusal for one in applied if one.refusal] == []
    assert [one.kind for one in applied] == [
        "accountConfigurations", "algorithmConfigurations", "algorithmConfigurations", "eventTypes", "segments",
        "segments", "templates",
    ]
    settings = with_event_types(Settings(), journal)
    for resource in ("profiles", "items", "events"):
        path = tmp_path / f"{resource}.csv"
        path.write_text(block(f"csv {resource}"))
        report = ingest_paths(layout, settings, (), resource, [path], datetime(2024, 6, 1))
        assert [(load.rows_loaded, load.rows_quarantined) for load in report.loads] == [(2, 0)]


def test_its_check_of_a_signature_holds() -> None:
    known: dict[str, object] = {}
    exec(block("python"), known)
    is_ours = known["is_ours"]
    assert callable(is_ours)
    header = signature(b"{}", ["new", "old"])
    assert is_ours(b"{}", header, "new") and is_ours(b"{}", header, "old")
    assert not is_ours(b"{} ", header, "new") and not is_ours(b"{}", header, "other")
