"""What was checked before its transaction must still hold in it: another process may have written meanwhile."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from sqlalchemy import Connection, func, select

from serving.commit import Within
from serving.octy.accounts import Account
from serving.octy.errors import OctyError
from store.journal import Accepted
from store.journal.schema import writes as table

TRIES = 5
T = TypeVar("T")


class Stale(Exception):
    """Somebody else wrote in between; look again."""


def unchanged(account: Account, entity: str) -> Within:
    """Fails with Stale where writes of an entity were stored after this call and before the transaction's own."""
    seen = account.seq()

    def within(connection: Connection, accepted: Sequence[Accepted]) -> None:
        first = min(one.seq for one in accepted)
        between = select(func.count()).select_from(table).where(
            table.c.seq > seen, table.c.seq < first, table.c.entity == entity
        )
        if connection.scalar(between):
            raise Stale

    return within


async def settled(account: Account, attempt: Callable[[], Awaitable[T]]) -> T:
    """What ``attempt`` answers, in its turn, again when it was overtaken."""
    async with account.turn:
        for _ in range(TRIES):
            try:
                return await attempt()
            except Stale:
                continue
    raise OctyError(503, "too many others write at the same time; nothing was stored")
