"""The ``nightloom`` command: one lazily imported function per command, errors in plain words, exit codes that
scripts can read.
"""

from __future__ import annotations

import os
import sys
from typing import NoReturn

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

from cyclopts import App, CycloptsError, UnusedCliTokensError  # noqa: E402 - after the environment

from contracts.errors import NightloomError, UsageError  # noqa: E402

# name, where it is, what it does: a new command is one new row and one new file.
COMMANDS: tuple[tuple[str, str, str], ...] = (
    ("demo", "cli.demo:demo", "Make a sample, run the night on it, ask the endpoint, and stop."),
    ("init", "cli.init:init", "Make the folders of a workspace and a settings file to start from."),
    ("sample", "cli.sample:sample", "Write generated drops of any size."),
    ("drop", "cli.drop:drop", "Put files into the inbox, safely."),
    ("check", "cli.check:check", "Check all definitions and report every problem at once."),
    ("apply", "cli.apply:apply", "Put scenario files, or an account's documents, into force now."),
    ("get", "cli.get_account:app", "Show what is stored: scenarios, configurations, records."),
    ("delete", "cli.delete:app", "Delete event types, segments and templates."),
    ("upload", "cli.upload:upload", "Load a file of profiles, items or events now."),
    ("redeliver", "cli.redeliver:redeliver", "Queue a notification again."),
    ("account", "cli.account:account", "Set or show the account's configuration."),
    ("config", "cli.config:app", "Set or show the configurations of the algorithms."),
    ("run", "cli.run:run", "Run the night once, in this process."),
    ("backfill", "cli.backfill:backfill", "Make the runs of past dates."),
    ("status", "cli.status:status", "Show what is served, what ran last, what waits and why."),
    ("runs", "cli.runs:app", "List, show, verify and remove kept runs."),
    ("agents", "cli.agents:app", "Show what agents serve; roll one back, release it, clear a version."),
    ("rollback", "cli.rollback:rollback", "Serve an older run again."),
    ("explain", "cli.explain:app", "Explain a profile's list and churn score."),
    ("quarantine", "cli.quarantine:app", "List, show and replay rows that were held back."),
    ("report", "cli.report:report", "Show where the nightly report is, and its figures."),
    ("serve", "cli.serve:serve", "Start the lookup endpoint."),
    ("bench", "cli.bench:bench", "Compare recommenders with what others would pick, on your data."),
    ("reference", "cli.reference:reference", "Print the published tables, column by column, as Markdown."),
    ("keys", "cli.keys:app", "Create, list and revoke keys of the endpoint."),
    ("databases", "cli.databases:app", "Make, list and delete databases of the Crossing Minds dialect."),
    ("accounts", "cli.accounts:app", "Make, list and delete accounts of the Crossing Minds dialect."),
)

app = App(
    name="nightloom", version="0.1.0",
    help="Batch-first personalization and retention: ingest, train, precompute, publish, serve.",
)
for _command, _where, _what in COMMANDS:
    app.command(_where, name=_command, help=_what)


def main() -> None:
    """Entry point. Exit codes: 0 done, 1 failed, 2 asked wrongly, 3 blocked, 4 busy, 5 not found, 6 storage."""
    try:
        app(sys.argv[1:], exit_on_error=False, print_error=False)
        sys.stdout.flush()
    except NightloomError as error:
        _end(str(error), error.exit_code)
    except CycloptsError as error:
        _end(_in_words(error), UsageError.exit_code)
    except KeyboardInterrupt:
        _end("interrupted", 130)
    except BrokenPipeError:
        # Whoever read the output has had enough; nothing may be flushed into the closed pipe at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except Exception as error:
        from store.faults import as_storage_error

        refused = as_storage_error("disk or database refused", error)
        if refused is None:
            raise
        _end(str(refused), refused.exit_code)


def _in_words(error: CycloptsError) -> str:
    """What was asked wrongly, and where the command's options are told."""
    said = (
        f"nothing takes {' '.join(error.unused_tokens or ())!r}"
        if isinstance(error, UnusedCliTokensError)
        else str(error)
    )
    said = said if said.endswith("...") else said.removesuffix(".")
    return f"{said}\n  try: {' '.join(('nightloom', *(error.command_chain or ()), '--help'))}"


def _end(message: str, code: int) -> NoReturn:
    print(f"nightloom: {message}", file=sys.stderr)
    sys.exit(code)


if __name__ == "__main__":
    main()
