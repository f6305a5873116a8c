"""``nightloom reference``: the published tables, column by column, as Markdown (``docs/tables.md`` is its output)."""

from __future__ import annotations

from contracts.published import TABLES
from store.analytics import CHANGES, DERIVED

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
        rows = "".join(f"| `{column.name}` | {column.type} | {column.doc} |\n" for column in table.columns)
        parts.append(
            f"\n## {table.name}\n\nGrain: {table.grain}. Key: {', '.join(f'`{key}`' for key in table.key)}.\n\n"
            f"| column | type | meaning |\n|---|---|---|\n{rows}"
        )
    parts.append("\n## Views\n\n| view | grain |\n|---|---|\n")
    views = {**DERIVED, **CHANGES, "runs": ("one kept run", "")}
    parts.extend(f"| `{name}` | {grain} |\n" for name, (grain, _) in sorted(views.items()))
    return "".join(parts)
