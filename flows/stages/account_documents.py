"""Documents that were dropped: each entry is applied to the account of the retention dialect, or held back and told
(retention contract, sections 10 and 17).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import duckdb

from contracts.settings import Settings
from flows.stages.deliveries import next_load
from store import event_type_documents, inbox, warehouse
from store.account_apply import Applied, apply_text
from store.disk import digest
from store.inbox import Claimed, Drop
from store.journal import Journal
from store.layout import Layout

FOLDER = "documents/"
WHO = "ingest"


def take_documents(layout: Layout, settings: Settings, journal: Journal, now: datetime) -> list[Applied]:
    """Apply every complete file of the inbox's ``documents/``, by name; what became of its entries."""
    drops, _ = inbox.discover(layout, settings.ingest.settle_seconds)
    files: list[Claimed | Drop] = [*inbox.interrupted(layout), *drops]
    found = sorted((one for one in files if one.name.startswith(FOLDER)), key=lambda one: one.name)
    applied: list[Applied] = []
    for one in found:
        claimed = one if isinstance(one, Claimed) else inbox.claim(layout, one)
        if claimed is None:
            continue
        content_hash = digest(claimed.path)
        text = claimed.path.read_bytes().decode("utf-8", "replace")
        entries = apply_text(journal, settings, text, claimed.name, WHO)
        with warehouse.open_warehouse(layout, settings.pipeline) as con, warehouse.transaction(con):
            _record(con, claimed.name, content_hash, entries, now)
        inbox.archive(layout, claimed, content_hash)
        applied += entries
    return applied


def with_event_types(settings: Settings, journal: Journal) -> Settings:
    """The settings, with the account's own event types among those that files may hold."""
    with journal.reading() as connection:
        names = tuple(str(one["event_type"]) for one in event_type_documents.listed(connection))
    types = tuple(dict.fromkeys((*settings.ingest.event_types, *names)))
    return replace(settings, ingest=replace(settings.ingest, event_types=types))


def _record(
    con: duckdb.DuckDBPyConnection, name: str, content_hash: str, entries: list[Applied], now: datetime
) -> None:
    refused = [one for one in entries if one.refusal]
    load_id, good = next_load(con), sum(bool(one.change) and one.change != "unchanged" for one in entries)
    same = len(entries) - len(refused) - good
    con.execute(
        "INSERT INTO file_loads VALUES ($load, 'documents', 'documents', $file, $hash, 'loaded', $entries, $good, "
        "$same, 0, $refused, '', $now, NULL)",
        {
            "load": load_id, "file": name, "hash": content_hash, "entries": len(entries), "good": good, "same": same,
            "refused": len(refused), "now": now,
        },
    )
    for one in refused:
        # There is nothing to replay: a document is dropped again when it is repaired.
        con.execute(
            "INSERT INTO quarantine VALUES ($load, 'documents', $file, $hash, 1, '', $value, 'bad_value', $reason, "
            "NULL, $now, $now)",
            {
                "load": load_id, "file": name, "hash": content_hash, "value": one.name,
                "reason": f"{one.where}: {one.refusal}", "now": now,
            },
        )
