"""Tables as lines of text that fit a terminal: no word is cut, and what a person copies stays whole."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

GAP = 2
NAME_WIDTH = 16
TEXT_WIDTH = 30
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def as_text(value: Any, *, number: bool = False) -> str:
    """A cell's value for a person: numbers with thousands separators, times to the second, control characters made
    visible.
    """
    if value is None or value is False:
        return ""
    if value is True:
        return "yes"
    if number and isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    return _CONTROL.sub(lambda found: found.group().encode("unicode_escape").decode(), str(value))


def shorten(text: str, width: int) -> str:
    """``text`` within ``width`` cells, its middle left out: the start and the end of a path or name say most."""
    if cells(text) <= width:
        return text
    tail = (width - 1) // 2
    head = width - 1 - tail
    while cells(text[:head]) + 1 + cells(text[-tail:] if tail else "") > width and (head or tail):
        head, tail = max(0, head - 1), max(0, tail - 1)
    return f"{text[:head]}…{text[-tail:] if tail else ''}"


def cells(text: str) -> int:
    """How many cells of a terminal a text takes."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def lay_out(
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    width: int = 0,
    *,
    right: Collection[str] = (),
    spare: Sequence[str] = (),
    whole: Collection[str] = (),
) -> list[str]:
    """Lines of a table with its header first, at most ``width`` cells wide where that can be (0: as wide as it needs).

    A table that is too wide leaves out the ``spare`` columns, the first named first; then folds sentences at words;
    then shortens names in the middle. ``right`` columns (numbers) and ``whole`` ones (what is copied) are never
    shortened.
    """
    table = [[as_text(cell, number=name in right) for name, cell in zip(columns, row, strict=True)] for row in rows]
    shown = list(range(len(columns)))
    natural = [max(map(cells, (name, *(row[place] for row in table)))) for place, name in enumerate(columns)]
    for name in spare:
        if _total(natural, shown) > width > 0:
            shown.remove(columns.index(name))
    widths = list(natural)
    if width > 0:
        soft = [place for place in shown if columns[place] not in right and columns[place] not in whole]
        sentences = [place for place in soft if natural[place] > TEXT_WIDTH and any(" " in row[place] for row in table)]
        names = [place for place in soft if place not in sentences]
        for group, least in ((sentences, TEXT_WIDTH), (names, NAME_WIDTH), (sentences, NAME_WIDTH)):
            _shrink(widths, group, _total(widths, shown) - width, least, columns)
    lines = [_line([columns[place] for place in shown], shown, widths, columns, right)]
    for row in table:
        parts = [_fold(row[place], widths[place]) for place in shown]
        for level in range(max(map(len, parts))):
            level_cells = [part[level] if level < len(part) else "" for part in parts]
            lines.append(_line(level_cells, shown, widths, columns, right))
    return lines


def _total(widths: Sequence[int], shown: Sequence[int]) -> int:
    return sum(widths[place] for place in shown) + GAP * (len(shown) - 1)


def _shrink(widths: list[int], group: Sequence[int], excess: int, least: int, columns: Sequence[str]) -> None:
    """Take ``excess`` cells off the columns of a group, always from the widest, none below ``least`` or its own
    header.
    """
    while excess > 0:
        open_ = [place for place in group if widths[place] > max(least, cells(columns[place]))]
        if not open_:
            return
        widths[max(open_, key=widths.__getitem__)] -= 1
        excess -= 1


def _fold(text: str, width: int) -> list[str]:
    if cells(text) <= width:
        return [text]
    if " " not in text:
        return [shorten(text, width)]
    folded = textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)
    return [shorten(line, width) for line in folded]


def _line(
    parts: Sequence[str], shown: Sequence[int], widths: Sequence[int], columns: Sequence[str], right: Collection[str]
) -> str:
    padded = []
    for place, part in zip(shown, parts, strict=True):
        blank = " " * max(0, widths[place] - cells(part))
        padded.append(blank + part if columns[place] in right else part + blank)
    return (" " * GAP).join(padded).rstrip()
