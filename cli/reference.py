"""``nightloom reference``: the published tables, column by column, as Markdown (``docs/tables.md`` is its output)."""

from __future__ import annotations

from collections.abc import Sequence

from contracts.published import TABLES
from store.analytics import CHANGES, DELIVERIES, DELIVERIES_KEPT, DERIVED, JOB_TIMES

_INTRO = """\
# Tables

`data/<workspace>/analytics.duckdb` is a small file of views over the published Parquet, replaced as a whole at every
publish. Open it read-only:

```sql
ATTACH 'data/default/analytics.duckdb' AS nightloom (READ_ONLY);
SELECT rank, item_id, score FROM nightloom.recommendations WHERE profile_id = 'profile_…' ORDER BY rank;
```

Schema `main` is the run that is served, schema `history` every kept run; all views begin with `run_id` and `as_of`
(UTC). The comments below are in
the file itself too (`duckdb_views()`, `duckdb_columns()`). This page is the output of `nightloom reference`.
"""


def reference() -> None:
    """Print the published tables and views as Markdown."""
    print(tables_page(), end="")


def tables_page() -> str:
    """Markdown of every published table with its grain, key and columns, and of the views made from them."""
    parts = [_INTRO]
    for table in TABLES:
        rows = [(column.name, column.type, column.doc) for column in table.columns]
        if table.name == "training_jobs":
            rows += [(name, kind, f"{doc}; in the view alone, from the journal") for name, kind, doc in JOB_TIMES]
        keys = ", ".join(f"`{key}`" for key in table.key)
        parts.append(_section(table.name, f"{table.grain}. Key: {keys}", rows))
    kept = f"one notification, as of the last publish; the latest {DELIVERIES_KEPT:,} of the journal"
    parts.append(_section("webhook_deliveries", f"{kept}. Key: `delivery_id`", DELIVERIES))
    parts.append("\n## Views\n\n| view | grain |\n|---|---|\n")
    views = {**DERIVED, **CHANGES, "runs": ("one kept run", "")}
    parts.extend(f"| `{name}` | {grain} |\n" for name, (grain, _) in sorted(views.items()))
    return "".join(parts)


def _section(name: str, grain: str, columns: Sequence[tuple[str, str, str]]) -> str:
    rows = "".join(f"| `{column}` | {kind} | {doc} |\n" for column, kind, doc in columns)
    return f"\n## {name}\n\nGrain: {grain}.\n\n| column | type | meaning |\n|---|---|---|\n{rows}"
