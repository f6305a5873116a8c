"""What a run publishes, table by table and column by column.

Documentation, views and verification are all made from this.
"""

from __future__ import annotations

from contracts.tables import decisions, entities, lists, night, retention, scenarios
from contracts.tables.table import Table

TABLES: tuple[Table, ...] = (
    *entities.TABLES, *lists.TABLES, *retention.TABLES, *scenarios.TABLES, *night.TABLES, *decisions.TABLES,
)
TABLE_BY_NAME: dict[str, Table] = {table.name: table for table in TABLES}
