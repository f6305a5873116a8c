"""Tables fit the terminal without cutting what matters."""

from __future__ import annotations

from datetime import datetime

from hypothesis import given
from hypothesis import strategies as st

from cli.table import as_text, cells, lay_out, shorten

COLUMNS = ("file", "rule", "rows", "what to do")
ROWS = [
    (
        "events/a-long-name-of-a-file-2026-06.csv.gz",
        "bad_type",
        1234567,
        "seconds is a number; write one, or leave the cell empty",
    ),
    ("profiles/profiles.csv", "missing_required", 5, "customer_id is missing; fill it in"),
]


def test_without_a_bound_nothing_is_folded_or_shortened() -> None:
    lines = lay_out(COLUMNS, ROWS, right=("rows",))
    assert len(lines) == 3
    assert "events/a-long-name-of-a-file-2026-06.csv.gz" in lines[1] and "1,234,567" in lines[1]
    assert lines[1].index("1,234,567") + len("1,234,567") == lines[0].index("rows") + len("rows")


def test_a_narrow_table_folds_sentences_at_words_and_shortens_names_in_the_middle() -> None:
    lines = lay_out(COLUMNS, ROWS, 80, right=("rows",), whole=("rule",))
    assert max(map(cells, lines)) <= 80
    text = "\n".join(lines)
    assert "events/" in text and ".csv.gz" in text and "…" in text
    assert "missing_required" in text and "1,234,567" in text
    words = {word for row in ROWS for word in str(row[3]).split()}
    assert words <= set(text.split())


def test_spare_columns_go_before_anything_is_shortened() -> None:
    lines = lay_out(COLUMNS, ROWS, 100, right=("rows",), spare=("what to do",))
    assert "what to do" not in lines[0] and "events/a-long-name-of-a-file-2026-06.csv.gz" in lines[1]
    assert lay_out(COLUMNS, ROWS, 300, spare=("what to do",)) == lay_out(COLUMNS, ROWS)


def test_values_read_as_a_person_would_write_them() -> None:
    assert as_text(None) == as_text(False) == ""
    assert as_text(True) == "yes"
    assert as_text(12345, number=True) == "12,345" and as_text(12345) == "12345"
    assert as_text(datetime(2026, 5, 1, 2, 3, 4, 567)) == "2026-05-01 02:03:04"


def test_data_cannot_steer_the_terminal_or_break_a_row() -> None:
    lines = lay_out(("value",), [("red\x1b[31m\nnext\tcell\u202e",)])
    assert lines[1] == "red\\x1b[31m\\nnext\\tcell\\u202e"


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Mn", "Me", "Cf"])), st.integers(1, 30))
def test_a_shortened_text_fits_and_keeps_its_ends(text: str, width: int) -> None:
    short = shorten(text, width)
    assert cells(short) <= max(width, 1)
    if cells(text) <= width:
        assert short == text
    else:
        head, _, tail = short.partition("…")
        assert text.startswith(head) and text.endswith(tail)


@given(
    st.lists(st.tuples(st.text("ab cé日"), st.integers(), st.text("xyz/ .")), min_size=1, max_size=5),
    st.integers(60, 200),
)
def test_a_table_of_one_column_of_numbers_fits(rows: list[tuple[str, int, str]], width: int) -> None:
    lines = lay_out(("one", "number", "other"), rows, width, right=("number",))
    numbers = max(len(f"{row[1]:,}") for row in rows)
    if numbers < 20:
        assert max(map(cells, lines)) <= width
    assert len(lines) > len(rows)
