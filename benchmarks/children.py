"""Runs work in a child process that may be killed, or that the system refuses room on disk, and says how it ended."""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

PRELOADED = ["great_expectations", "implicit", "lifelines", "sklearn.linear_model", "flows.night", "cli.main", "pytest"]
FAULT = 70
"""Exit code of a child whose work raised what nobody caught."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a child ended: its exit code, or the signal that killed it (else 0), and what it printed."""

    code: int
    signal: int
    output: str


def in_child(work: Callable[[], object]) -> Ended:
    """Do ``work`` in a fresh child and wait. An error that gets through is exit code ``FAULT`` and a traceback in the
    output.

    ``work`` must be importable by name (``functools.partial`` gives it arguments). Children are forked from a
    process that has loaded what a night needs and run none of it: what a night starts (threads of DuckDB, of
    the plots' engine) does not survive a fork.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    reading, writing = context.Pipe(duplex=False)
    child = context.Process(target=_child, args=(work, writing))
    child.start()
    writing.close()
    parts = []
    while part := os.read(reading.fileno(), 1 << 16):
        parts.append(part)
    reading.close()
    child.join()
    code = child.exitcode or 0
    return Ended(max(code, 0), max(-code, 0), b"".join(parts).decode("utf-8", "replace"))


def _child(work: Callable[[], object], output: Connection) -> None:
    code = FAULT
    try:
        for number in (1, 2):
            os.dup2(output.fileno(), number)
        output.close()
        sys.stdout = os.fdopen(1, "w", closefd=False)
        sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
        code = _ended(work)
        sys.stdout.flush()
    finally:
        os._exit(code)


def _ended(work: Callable[[], object]) -> int:
    try:
        work()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        return FAULT
    return 0


def command(home: Path, *arguments: str) -> None:
    """The ``nightloom`` command, in this process; raises SystemExit where it ends with another code than 0."""
    from cli.main import main

    os.environ["NIGHTLOOM_HOME"] = str(home)
    sys.argv = ["nightloom", *arguments]
    main()


def limit_files(size: int) -> None:
    """Let no file of this process grow beyond ``size`` bytes: more is refused as on a full disk (EFBIG)."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def die() -> None:
    """End this process as a power cut would."""
    os.kill(os.getpid(), signal.SIGKILL)
