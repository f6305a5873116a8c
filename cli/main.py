"""The ``nightloom`` command: one lazily imported function per command, errors in plain words, exit codes that scripts can read."""

from __future__ import annotations

import os
import sys

# Set before any library starts threads or looks for the network.
for _name, _value in {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "GX_ANALYTICS_ENABLED": "false",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "100",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_READ_BATCH_SIZE": "100",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "0.5",
}.items():
    os.environ.setdefault(_name, _value)

from cyclopts import App  # noqa: E402 - after the environment

from contracts.errors import NightloomError, StorageError  # noqa: E402

# name, where it is, what it does: a new command is one new row and one new file.
COMMANDS: tuple[tuple[str, str, str], ...] = (
    ("demo", "cli.demo:demo", "Make a sample, run the night on it, ask the endpoint, and stop."),
    ("init", "cli.init:init", "Make the folders of a workspace and a settings file to start from."),
    ("sample", "cli.sample:sample", "Write generated drops of any size."),
    ("drop", "cli.drop:drop", "Put files into the inbox, safely."),
    ("check", "cli.check:check", "Check all definitions and report every problem at once."),
    ("run", "cli.run:run", "Run the night once, in this process."),
    ("backfill", "cli.backfill:backfill", "Make the runs of past dates."),
    ("status", "cli.status:status", "Show what is served, what ran last, what waits and why."),
    ("runs", "cli.runs:app", "List, show, verify and remove kept runs."),
    ("rollback", "cli.rollback:rollback", "Serve an older run again."),
    ("explain", "cli.explain:app", "Explain a profile's list and churn score."),
    ("quarantine", "cli.quarantine:app", "List, show and replay rows that were held back."),
    ("report", "cli.report:report", "Show where the nightly report is, and its figures."),
    ("serve", "cli.serve:serve", "Start the lookup endpoint."),
    ("reference", "cli.reference:reference", "Print the published tables, column by column, as Markdown."),
    ("keys", "cli.keys:app", "Create, list and revoke keys of the endpoint."),
)

app = App(name="nightloom", help="Batch-first personalization and retention: ingest, train, precompute, publish, serve.", version="0.1.0")
for _command, _where, _what in COMMANDS:
    app.command(_where, name=_command, help=_what)


def main() -> None:
    """Entry point. Exit codes: 0 done, 1 failed, 2 asked wrongly, 3 blocked by a check, 4 busy, 5 not found, 6 storage."""
    try:
        app()
    except NightloomError as error:
        print(f"nightloom: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print("nightloom: interrupted", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(141)
    except OSError as error:
        print(f"nightloom: the system refused: {error}\n  try: check free space and permissions there", file=sys.stderr)
        sys.exit(StorageError.exit_code)


if __name__ == "__main__":
    main()
