"""What a person sees: progress, tables and JSON in the terminal."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from cli.table import as_text, lay_out


def show_json(value: Any) -> None:
    """Print one JSON document; dates as ISO 8601."""
    import orjson

    sys.stdout.write(
        orjson.dumps(value, default=str, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS).decode() + "\n"
    )


def terminal_width() -> int:
    """Cells of a line: ``$COLUMNS``, the terminal's width, or 0 (no bound) where the output is a pipe or a file."""
    if os.environ.get("COLUMNS", "").isdigit() or sys.stdout.isatty():
        return shutil.get_terminal_size((100, 24)).columns
    return 0


def show_table(
    title: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    right: Collection[str] = (),
    *,
    spare: Sequence[str] = (),
    whole: Collection[str] = (),
    limit: int = 0,
) -> None:
    """Print a table, or ``title: none`` without rows; of more than ``limit`` rows (0: all) the first ones and how many
    follow.

    ``right``, ``spare`` and ``whole`` name columns: see ``cli.table.lay_out``.
    """
    if not rows:
        sys.stdout.write(f"{title}: none\n")
        return
    shown = rows[:limit] if limit else rows
    header, *lines = lay_out(columns, shown, terminal_width(), right=right, spare=spare, whole=whole)
    sys.stdout.write("\n".join([_bold(title), _bold(header), *lines]) + "\n")
    if len(rows) > len(shown):
        sys.stdout.write(f"… and {len(rows) - len(shown):,} more (--json has all)\n")


def _bold(text: str) -> str:
    return f"\x1b[1m{text}\x1b[0m" if sys.stdout.isatty() and "NO_COLOR" not in os.environ else text


def show_facts(facts: Mapping[str, Any]) -> None:
    """Print names and values, one a line."""
    width = max((len(name) for name in facts), default=0)
    for name, value in facts.items():
        sys.stdout.write(f"{name:<{width}}  {as_text(value, number=True)}\n")


class TerminalProgress:
    """Progress in one line that is rewritten on a terminal, and a line a stage (at most one a second) when piped.

    Writes to stderr.
    """

    def __init__(self) -> None:
        self._live = sys.stderr.isatty()
        self._last = ("", 0.0)
        self._started = time.monotonic()

    def step(self, name: str, done: int, total: int, detail: str = "") -> None:
        now = time.monotonic()
        finished = total > 0 and done >= total
        if name == self._last[0] and not finished and now - self._last[1] < (0.1 if self._live else 2.0):
            return
        share = f" {done}/{total}" if total else (f" {done}" if done else "")
        line = f"[{now - self._started:6.1f}s] {name}{share}{'  ' + detail if detail else ''}"
        if self._live:
            sys.stderr.write(f"\r\x1b[2K{line}" + ("\n" if finished else ""))
        else:
            sys.stderr.write(line + "\n")
        sys.stderr.flush()
        self._last = (name, now)
