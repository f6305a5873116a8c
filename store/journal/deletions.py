"""How often profiles of a customer were deleted (retention contract, section 2.5): an id is never given twice."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, insert, select, update

from store.journal.schema import profile_deletions as table

CHUNK = 500


def counted(connection: Connection, customers: Sequence[str]) -> dict[str, int]:
    """Deletions by customer_id; customers without any are left out."""
    found: dict[str, int] = {}
    for start in range(0, len(customers), CHUNK):
        mine = table.c.customer_id.in_(list(customers[start : start + CHUNK]))
        found.update({row.customer_id: int(row.deletions) for row in connection.execute(select(table).where(mine))})
    return found


def add(connection: Connection, customers: Sequence[str]) -> None:
    """Count one more deletion of each, inside a write transaction."""
    known = counted(connection, customers)
    for customer_id in dict.fromkeys(customers):
        if customer_id in known:
            changed = update(table).where(table.c.customer_id == customer_id)
            connection.execute(changed.values(deletions=known[customer_id] + 1))
        else:
            connection.execute(insert(table).values(customer_id=customer_id, deletions=1))
