"""The workbench: one scratch DuckDB in which a run's tables are derived, with the warehouse attached read-only as
``warehouse``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from contracts.errors import StorageError
from contracts.settings import Settings
from store.layout import Layout


@contextmanager
def open_workbench(layout: Layout, settings: Settings, run_id: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """Yield a connection on a scratch file; the file is removed afterwards.

    Spills under the workspace's scratch folder.
    """
    scratch = layout.scratch / f"{run_id}.duckdb"
    _remove(scratch)
    config: dict[str, str | bool | int | float | list[str]] = {
        "threads": settings.pipeline.threads,
        "memory_limit": settings.pipeline.memory_limit,
        "temp_directory": str(layout.scratch / f"{run_id}.spill"),
        "preserve_insertion_order": True,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }
    try:
        con = duckdb.connect(str(scratch), config=config)
    except duckdb.Error as error:
        raise StorageError(
            f"cannot open the workbench: {error}", hint="free disk space, or check the permissions of the data folder"
        ) from error
    try:
        con.execute("SET TimeZone = 'UTC'")
        con.execute(f"ATTACH '{str(layout.warehouse).replace(chr(39), chr(39) * 2)}' AS warehouse (READ_ONLY)")
        yield con
    except duckdb.IOException as error:
        raise StorageError(str(error), hint="free disk space, or check the permissions of the data folder") from error
    finally:
        con.close()
        _remove(scratch)


def _remove(scratch: Path) -> None:
    for path in (scratch, scratch.with_name(scratch.name + ".wal")):
        path.unlink(missing_ok=True)
