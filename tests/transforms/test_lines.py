"""Records of a CSV file start where Python's own reader says, whatever the quotes, breaks and blank lines."""

from __future__ import annotations

import csv
import io

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.lines import Dialect, find_records, mended

CELL = st.text(alphabet='ab," \n;é', max_size=5)
ROWS = st.lists(st.lists(CELL, min_size=3, max_size=3).filter(any), min_size=1, max_size=12)


@settings(max_examples=300, deadline=None)
@given(
    rows=ROWS,
    terminator=st.sampled_from(["\n", "\r\n"]),
    blanks=st.lists(st.booleans(), min_size=12, max_size=12),
    end=st.booleans(),
)
def test_records_start_where_they_were_written(
    rows: list[list[str]], terminator: str, blanks: list[bool], end: bool
) -> None:
    text, expected = "", []
    for row, blank in zip(rows, blanks, strict=False):
        if blank:
            text += terminator
        expected.append((len(text.encode()), 1 + text.count("\n")))
        out = io.StringIO(newline="")
        csv.writer(out, lineterminator="\n").writerow(row)
        text += out.getvalue().removesuffix("\n") + terminator
    if not end:
        text = text.removesuffix(terminator)
    records = find_records(np.frombuffer(text.encode(), dtype=np.uint8), Dialect(","), 3)
    assert list(zip(records.starts.tolist(), records.lines.tolist(), strict=True)) == expected
    assert records.broken.size == 0


def test_a_quote_in_the_middle_of_a_bare_cell_is_a_character() -> None:
    data = b'a,b\n1,6" x\n2,"c\nd"\n3,e"\n4,"f"\n'
    records = find_records(np.frombuffer(data, dtype=np.uint8), Dialect(","), 2)
    assert records.lines.tolist() == [1, 2, 3, 5, 6]


def test_an_open_quote_breaks_its_line_only() -> None:
    data = b'a,b\n1,"x\n2,y\n3,"z"\n4,"p\nq"\n5,"x"y\n6,w\n'
    records = find_records(np.frombuffer(data, dtype=np.uint8), Dialect(","), 2)
    assert records.broken.tolist() == [2, 7]
    assert records.lines.tolist() == [1, 2, 3, 4, 5, 7, 8]
    assert (
        b"".join(piece.tobytes() for piece in mended(np.frombuffer(data, dtype=np.uint8), records))
        == b'a,b\n\n2,y\n3,"z"\n4,"p\nq"\n\n6,w\n'
    )
