"""Control documents of an account, as they are now; each write is one transaction."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import Connection

from serving.octy.accounts import Account
from store.journal import documents

ACCOUNT, ALGORITHM, EVENT_TYPE = "octy_account", "octy_algorithm", "event_type"
T = TypeVar("T")


async def read(account: Account, kind: str) -> dict[str, dict[str, Any]]:
    """Bodies of all documents of a kind, by name."""

    def work() -> dict[str, dict[str, Any]]:
        with account.journal.reading() as connection:
            return bodies(connection, kind)

    return await asyncio.to_thread(work)


def bodies(connection: Connection, kind: str) -> dict[str, dict[str, Any]]:
    """Bodies of all documents of a kind, by name."""
    return {one.name: json.loads(one.body) for one in documents.listed(connection, kind)}


async def within(account: Account, work: Callable[[Connection], T]) -> T:
    """What ``work`` does in one write transaction, durable when this returns."""

    def run() -> T:
        with account.journal.writing() as connection:
            return work(connection)

    return await asyncio.to_thread(run)


def put(connection: Connection, account: Account, kind: str, name: str, body: dict[str, Any], who: str) -> None:
    """Store a document inside a write transaction."""
    text = json.dumps(body, sort_keys=True, ensure_ascii=False)
    documents.put(connection, kind, name, text, who, account.journal.clock())
