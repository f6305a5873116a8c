"""What the recommenders publish."""

from __future__ import annotations

from contracts.tables.table import ITEM, PROFILE, Table, table

TABLES: tuple[Table, ...] = (
    table(
        "recommendation_lists",
        "one profile with its list, best first",
        "profile_id",
        PROFILE,
        ("profile_index", "INTEGER", "position in the arrays"),
        ("model", "VARCHAR", "model that ordered the list"),
        ("cold", "BOOLEAN", "true when the profile had no interaction and the list is popularity"),
        ("item_ids", "VARCHAR[]", "items, best first"),
        ("scores", "FLOAT[]", "score of each item, falling"),
    ),
    table(
        "item_neighbour_lists",
        "one item with the items most like it, best first",
        "item_id",
        ITEM,
        ("item_index", "INTEGER", "position in the arrays"),
        ("model", "VARCHAR", "model that ordered the list"),
        ("item_ids", "VARCHAR[]", "neighbours, best first"),
        ("scores", "FLOAT[]", "similarity of each, falling"),
    ),
)
