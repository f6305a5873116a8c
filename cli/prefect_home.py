"""Prefect without a standing server: its embedded one, on a home of our own that is migrated once."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from datetime import datetime
from typing import Any

from contracts.errors import NightloomError, StorageError
from store import definitions
from store.layout import Layout


def in_plain_words(record: logging.LogRecord) -> bool:
    """A log filter: an error that says itself what is wrong and what to try needs no traceback."""
    if record.exc_info and isinstance(record.exc_info[1], NightloomError):
        record.exc_info, record.exc_text = None, None
    return True


def prepare(layout: Layout) -> None:
    """Point Prefect at ``data/prefect`` and migrate its database the first time (about ten seconds)."""
    home = layout.prefect_home
    home.mkdir(parents=True, exist_ok=True)
    os.environ["PREFECT_HOME"] = str(home)
    os.environ.setdefault("PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW", "ignore")
    os.environ.setdefault("PREFECT_SERVER_UI_ENABLED", "false")
    marker = home / ".migrated"
    if "PREFECT_API_URL" in os.environ or marker.exists():
        if marker.exists():
            os.environ.setdefault("PREFECT_SERVER_DATABASE_MIGRATE_ON_START", "false")
        return
    sys.stderr.write("preparing Prefect's database (once, about ten seconds)\n")
    arguments = [sys.executable, "-m", "prefect", "server", "database", "upgrade", "-y"]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)  # noqa: S603 - our own interpreter
    if done.returncode:
        said = done.stderr.strip()[-500:]
        raise StorageError(f"Prefect's database could not be prepared: {said}", hint="nightloom run --no-prefect")
    marker.touch()
    os.environ.setdefault("PREFECT_SERVER_DATABASE_MIGRATE_ON_START", "false")


def run_flow(layout: Layout, *, as_of: datetime | None, force: bool) -> Any:
    """Run the nightly flow in this process and return its outcome."""
    definitions.load(layout)  # faults in them are told before anything starts
    prepare(layout)
    os.environ["NIGHTLOOM_HOME"] = str(layout.home)
    from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

    from flows.nightly import nightly

    for name in ("prefect.flow_runs", "prefect.task_runs"):
        logging.getLogger(name).addFilter(in_plain_words)
    # The heartbeat thread sleeps in whole seconds, which the end of the flow would wait for.
    with temporary_settings(updates={PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
        return nightly(as_of=as_of, workspace=layout.workspace, force=force)
