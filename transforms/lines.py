"""On which line a record of a text file starts, and which lines have broken quotes.

Works on the bytes of the file, in bounded pieces.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Positions = NDArray[np.int64]

_PIECE = 1 << 24
# How far an opened quote may reach before it counts as never closed.
_REACH_LINES = 2000
_REACH_BYTES = 1 << 22


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a text file separates and quotes its fields. An empty ``quote`` means that nothing is quoted (JSON lines)."""

    delimiter: str
    quote: str = '"'
    escape: str = '"'


@dataclass(frozen=True, slots=True)
class Records:
    """Record starts of one file: ``starts`` are byte offsets and ``lines`` their line numbers from 1, header included,
    blank lines left out.

    ``broken`` are the line numbers on which a quote is opened and never properly closed.
    """

    starts: Positions
    lines: Positions
    broken: Positions
    line_starts: Positions


def find_records(data: Bytes, dialect: Dialect, columns: int, *, keep_blank: bool = False) -> Records:
    """Scan the bytes of a file. ``columns`` is the number of fields a good record has; ``keep_blank`` counts blank
    lines as records.

    Only lines whose quotes do not pair up plainly are looked at one by one.
    """
    line_starts, line_ends = _lines(data)
    numbers = np.arange(line_starts.size, dtype=np.int64)
    continued = np.zeros(line_starts.size, dtype=bool)
    broken: list[int] = []
    if dialect.quote:
        suspects = _suspects(data, dialect, line_starts)
        if suspects.size:
            broken = _walk(data, dialect, columns, (line_starts, line_ends), suspects, continued)
    keep = ~continued
    if not keep_blank:
        keep &= ~_blank(data, line_starts, line_ends)
    kept = numbers[keep]
    return Records(line_starts[kept], kept + 1, np.array(broken, dtype=np.int64) + 1, line_starts)


def _find(data: Bytes, byte: int) -> Positions:
    parts = [np.flatnonzero(data[at : at + _PIECE] == byte) + at for at in range(0, data.size, _PIECE)]
    return np.concatenate(parts).astype(np.int64) if parts else np.zeros(0, dtype=np.int64)


def _lines(data: Bytes) -> tuple[Positions, Positions]:
    """First byte of each line, and the byte after its last one (the line break not counted)."""
    breaks = _find(data, 10)
    if breaks.size == 0:
        breaks = _find(data, 13)
    starts = np.concatenate([np.zeros(1, dtype=np.int64), breaks + 1])
    ends = np.concatenate([breaks, np.array([data.size], dtype=np.int64)])
    if starts[-1] >= data.size:
        starts, ends = starts[:-1], ends[:-1]
    return starts, ends


def _blank(data: Bytes, starts: Positions, ends: Positions) -> NDArray[np.bool_]:
    blank = starts == ends
    single = np.flatnonzero(ends - starts == 1)
    blank[single] = data[starts[single]] == 13
    return np.asarray(blank)


def _suspects(data: Bytes, dialect: Dialect, line_starts: Positions) -> Positions:
    """Lines with an odd number of quotes, or with a quote that neither opens, closes nor doubles."""
    quotes = _find(data, ord(dialect.quote))
    if quotes.size == 0:
        return np.zeros(0, dtype=np.int64)
    line_of = np.searchsorted(line_starts, quotes, side="right") - 1
    odd = np.bincount(line_of, minlength=line_starts.size) % 2 == 1
    edges = np.zeros(256, dtype=bool)
    edges[[ord(dialect.delimiter), ord(dialect.quote), 10, 13]] = True
    before = edges[data[np.maximum(quotes - 1, 0)]] | (quotes == 0)
    after = edges[data[np.minimum(quotes + 1, data.size - 1)]] | (quotes == data.size - 1)
    odd[line_of[~(before | after)]] = True
    # A quote with an edge on both sides closes an empty field or opens one: only the walk can tell.
    both = (
        before
        & after
        & (data[np.maximum(quotes - 1, 0)] != ord(dialect.quote))
        & (data[np.minimum(quotes + 1, data.size - 1)] != ord(dialect.quote))
    )
    odd[line_of[both]] = True
    if dialect.escape not in ("", dialect.quote):
        escapes = _find(data, ord(dialect.escape))
        odd[np.searchsorted(line_starts, escapes, side="right") - 1] = True
    return np.flatnonzero(odd).astype(np.int64)


def _walk(
    data: Bytes,
    dialect: Dialect,
    columns: int,
    lines: tuple[Positions, Positions],
    suspects: Positions,
    continued: NDArray[np.bool_],
) -> list[int]:
    """Follow the quotes over the suspect lines; marks the lines that continue a record, returns the broken ones."""
    starts, ends = lines
    shape = _Shape(dialect)
    broken: list[int] = []
    after = -1
    for position, first in enumerate(suspects.tolist()):
        if first <= after:
            continue
        state, _ = shape.read(data[starts[first] : ends[first]].tobytes())
        if state == "whole":
            continue
        last = -1
        if state == "open":
            last = _closing(data, shape, columns, lines, first, suspects[position + 1 : position + 1 + _REACH_LINES])
        if last < 0:
            broken.append(first)
            continue
        continued[first + 1 : last + 1] = True
        after = last
    return broken


def _closing(
    data: Bytes, shape: _Shape, columns: int, lines: tuple[Positions, Positions], first: int, candidates: Positions
) -> int:
    """The line on which the record opened on line ``first`` ends, or -1 when its quote is never properly closed."""
    starts, ends = lines
    for last in candidates.tolist():
        if ends[last] - starts[first] > _REACH_BYTES:
            return -1
        state, found = shape.read(data[starts[first] : ends[last]].tobytes())
        if state == "broken":
            return -1
        if state == "whole":
            inner = range(first + 1, last)
            swallowed = found != columns and all(
                shape.read(data[starts[line] : ends[line]].tobytes()) == ("whole", columns) for line in inner
            )
            return -1 if swallowed and last > first + 1 else last
    return -1


class _Shape:
    """Reads one record's bytes: whole, open (ends inside quotes) or broken, with its number of fields."""

    def __init__(self, dialect: Dialect) -> None:
        quote, delimiter = re.escape(dialect.quote.encode()), re.escape(dialect.delimiter.encode())
        if dialect.escape and dialect.escape != dialect.quote:
            escape = re.escape(dialect.escape.encode())
            inside = b"(?:[^%b%b]|%b.)*" % (quote, escape, escape)
        else:
            inside = b"(?:[^%b]|%b%b)*" % (quote, quote, quote)
        self._field = re.compile(
            b"(?:%b%b%b|[^%b%b][^%b]*|)(?=%b|\\Z)" % (quote, inside, quote, quote, delimiter, delimiter, delimiter),
            re.DOTALL,
        )
        self._open = re.compile(b"%b%b\\Z" % (quote, inside), re.DOTALL)

    def read(self, record: bytes) -> tuple[str, int]:
        record = record.removesuffix(b"\r").removeprefix(b"\xef\xbb\xbf")
        at, fields = 0, 0
        while True:
            field = self._field.match(record, at)
            if field is None:
                return ("open" if self._open.match(record, at) else "broken"), fields
            fields += 1
            at = field.end() + 1
            if at > len(record):
                return "whole", fields


def mended(data: Bytes, records: Records) -> list[Bytes]:
    """The file's bytes, in pieces, with every broken line emptied and every CR LF between lines made LF.

    Line numbers stay.
    """
    starts = records.line_starts
    pieces: list[Bytes] = []
    broken = set((records.broken - 1).tolist())
    ends = np.concatenate([starts[1:], np.array([data.size], dtype=np.int64)])
    at = 0
    for line in sorted(broken):
        pieces.append(_plain_breaks(data[at : starts[line]]))
        pieces.append(np.frombuffer(b"\n", dtype=np.uint8))
        at = int(ends[line])
    pieces.append(_plain_breaks(data[at:]))
    return pieces


def _plain_breaks(piece: Bytes) -> Bytes:
    returns = np.flatnonzero(piece == 13)
    returns = returns[returns + 1 < piece.size]
    returns = returns[piece[returns + 1] == 10]
    return np.asarray(np.delete(piece, returns)) if returns.size else piece
