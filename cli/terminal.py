"""What a person sees: progress, tables and JSON in the terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console


def console() -> Console:
    """The terminal, or plain text when the output is piped."""
    from rich.console import Console

    # A pipe or a log has no width of its own: lines there are as wide as the tables need.
    return Console(highlight=False, width=None if sys.stdout.isatty() else 160)


def show_json(value: Any) -> None:
    """Print one JSON document; dates as ISO 8601."""
    import orjson

    sys.stdout.write(orjson.dumps(value, default=str, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS).decode() + "\n")


def show_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], right: Sequence[str] = ()) -> None:
    """Print a table; columns named in ``right`` are aligned to the right."""
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left", header_style="bold", box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text("" if cell is None else str(cell)) for cell in row))
    console().print(table)


def show_facts(facts: Mapping[str, Any]) -> None:
    """Print names and values, one a line."""
    width = max((len(name) for name in facts), default=0)
    for name, value in facts.items():
        sys.stdout.write(f"{name:<{width}}  {value}\n")


class TerminalProgress:
    """Progress in one line that is rewritten on a terminal, and a line a stage (at most one a second) when piped. Writes to stderr."""

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
