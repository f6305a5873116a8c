"""Twenty kinds of planted defects: all found where they are, none invented, the rest loaded, and a repair ends where
a clean load ends.
"""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from contracts.settings import Ingest, Settings
from flows.stages import quarantine
from flows.stages.ingest import ingest
from store.layout import Layout
from store.warehouse import open_warehouse, warehouse_digest

NOW = datetime(2026, 1, 1)
SETTINGS = Settings(ingest=Ingest(settle_seconds=0.0, event_types=("view",)))
ROWS = 6000
HEADER = [
    "event_type",
    "customer_id",
    "created_at",
    "event_properties>>item_id",
    "event_properties>>payment_method",
    "event_properties>>seconds",
    "event_properties>>member",
    "event_properties>>channel",
    "event_properties>>note",
]
ITEM, SECONDS, MEMBER, CHANNEL = HEADER[3], HEADER[5], HEADER[6], HEADER[7]

Row = list[str]
# Each defect: how it changes a good row, and the (column, rule) it breaks; text defects change the written line
# instead.
CELL_DEFECTS: dict[str, tuple[Callable[[Row], Row], tuple[str, str]]] = {
    "no type": (lambda r: ["", *r[1:]], ("event_type", "missing_required")),
    "null type": (lambda r: [" null ", *r[1:]], ("event_type", "missing_required")),
    "unknown type": (lambda r: ["teleported", *r[1:]], ("event_type", "unknown_event_type")),
    "case of type": (lambda r: ["View", *r[1:]], ("event_type", "unknown_event_type")),
    "no customer": (lambda r: [r[0], "n/a", *r[2:]], ("customer_id", "missing_required")),
    "comma in customer": (lambda r: [r[0], "c,1", *r[2:]], ("customer_id", "bad_identifier")),
    "long customer": (lambda r: [r[0], "c" * 300, *r[2:]], ("customer_id", "bad_identifier")),
    "line break in customer": (lambda r: [r[0], "c\n1", *r[2:]], ("customer_id", "bad_identifier")),
    "unknown customer": (lambda r: [r[0], "ghost", *r[2:]], ("customer_id", "unknown_profile")),
    "no such day": (lambda r: [*r[:2], "2024-02-30 10:00:00", *r[3:]], ("created_at", "bad_timestamp")),
    "words for a time": (lambda r: [*r[:2], "yesterday", *r[3:]], ("created_at", "bad_timestamp")),
    "another order of the date": (lambda r: [*r[:2], "01/05/2024 10:00", *r[3:]], ("created_at", "bad_timestamp")),
    "far future": (lambda r: [*r[:2], "2199-01-01 00:00:00", *r[3:]], ("created_at", "future_timestamp")),
    "charged without item": (lambda r: ["charged", *r[1:3], "--", "visa", "", "", "", ""], (ITEM, "missing_property")),
    "complaint without channel": (
        lambda r: ["complaint", *r[1:3], "", "", "", "", "", "x"],
        (CHANNEL, "missing_property"),
    ),
    "word for a number": (lambda r: ["view", *r[1:3], "sku-1", "", "soon", "true", "", ""], (SECONDS, "bad_type")),
    "decimal comma": (lambda r: ["view", *r[1:3], "sku-1", "", "3,5", "true", "", ""], (SECONDS, "bad_type")),
    "word for a boolean": (lambda r: ["view", *r[1:3], "sku-1", "", "3", "maybe", "", ""], (MEMBER, "bad_type")),
}
LINE_DEFECTS: dict[str, Callable[[str], str]] = {
    "a cell too few": lambda line: line.rsplit(",", 1)[0],
    "a cell too many": lambda line: line + ",more",
    "an open quote": lambda line: '"' + line,
    "text after a quote": lambda line: '"' + line.split(",", 1)[0] + '"x,' + line.split(",", 1)[1],
}


def good_row(rng: random.Random) -> Row:
    """A row without a fault; a note may hold line breaks, quotes and commas."""
    kind = rng.choice(["view", "view", "view", "charged", "complaint"])
    customer = f"c-{rng.randrange(200)}"
    when = f"2024-{rng.randrange(1, 13):02}-{rng.randrange(1, 28):02} {rng.randrange(24):02}:{rng.randrange(60):02}:00"
    note = rng.choice(["", "", "plain", "two\nlines", 'say ""hi""', "a, b", "three\n\nlines, \"q\"", '6" nails'])
    if kind == "view":
        return [
            kind,
            customer,
            when,
            f"sku-{rng.randrange(50)}",
            "",
            str(rng.randrange(900)),
            rng.choice(["true", "false"]),
            "",
            note,
        ]
    if kind == "charged":
        return [kind, customer, when, f"sku-{rng.randrange(50)}", rng.choice(["visa", ""]), "", "", "", note]
    return [kind, customer, when, "", "", "", "", "mail", note]


def line_of(row: Row, terminator: str) -> str:
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\n").writerow(row)
    return out.getvalue().removesuffix("\n") + terminator


def make_file(
    seed: int, terminator: str, blank_lines: bool
) -> tuple[bytes, bytes, set[tuple[int, str, str]], list[int]]:
    """The damaged file, the same file repaired, what must be found (line, column, rule), and which records are
    damaged.
    """
    rng = random.Random(seed)
    kinds = [*CELL_DEFECTS, *LINE_DEFECTS]
    planted = {
        at: kinds[at_kind % len(kinds)] for at_kind, at in enumerate(sorted(rng.sample(range(ROWS), ROWS // 50)))
    }
    damaged, repaired, expected, line = [line_of(HEADER, terminator)], [line_of(HEADER, terminator)], set(), 2
    for at in range(ROWS):
        if blank_lines and rng.random() < 0.01:
            damaged.append(terminator)
            line += 1
        row = good_row(rng)
        repaired.append(line_of(row, terminator))
        kind = planted.get(at)
        if kind in CELL_DEFECTS:
            change, (column, rule) = CELL_DEFECTS[kind]
            text = line_of(change(row), terminator)
            expected.add((line, column, rule))
        elif kind in LINE_DEFECTS:
            row = [*row[:8], "note"]
            repaired[-1] = line_of(row, terminator)
            text = LINE_DEFECTS[kind](line_of(row, "")) + terminator
            expected.add((line, "", "column_count"))
        else:
            text = repaired[-1]
        damaged.append(text)
        line += text.count("\n")
    return "".join(damaged).encode(), "".join(repaired).encode(), expected, sorted(planted)


def workspace(home: Path) -> Layout:
    layout = Layout(home)
    layout.create()
    customers = "customer_id\n" + "".join(f"c-{n}\n" for n in range(200))
    (layout.inbox / "profiles" / "all.csv").write_text(customers)
    return layout


def digest_of(layout: Layout) -> str:
    with open_warehouse(layout, SETTINGS.pipeline) as con:
        return warehouse_digest(con)


@pytest.mark.parametrize(("seed", "terminator", "blank"), [(1, "\n", False), (2, "\r\n", False), (3, "\n", True)])
def test_defects_are_found_where_they_are_and_repair_ends_clean(
    tmp_path: Path, seed: int, terminator: str, blank: bool
) -> None:
    assert len(CELL_DEFECTS) + len(LINE_DEFECTS) >= 20
    damaged, repaired, expected, planted = make_file(seed, terminator, blank)
    layout = workspace(tmp_path / "dirty")
    (layout.inbox / "events" / "e.csv").write_bytes(damaged)
    report = ingest(layout, SETTINGS, (), NOW)
    load = next(load for load in report.loads if load.entity == "events")
    held = quarantine.show_held(layout, SETTINGS, load.load_id, limit=0)
    found = {(row.line, row.column_name, row.rule) for row in held}
    assert found - expected == set(), "invented"
    assert expected - found == set(), "missed"
    assert load.rows_in == ROWS
    assert load.rows_quarantined == len({line for line, _, _ in expected})
    assert load.rows_loaded == ROWS - load.rows_quarantined
    assert all(row.reason and row.raw for row in held)

    clean = workspace(tmp_path / "clean")
    (clean.inbox / "events" / "e.csv").write_bytes(repaired)
    assert ingest(clean, SETTINGS, (), NOW).rows_quarantined == 0

    # Repair the export: put the good rows in place of the damaged ones.
    export = tmp_path / "export.csv"
    records = quarantine.export_held(layout, SETTINGS, (), load.load_id, export)
    assert records == load.rows_quarantined
    good = list(csv.reader(io.StringIO(repaired.decode(), newline="")))
    with export.open("w", newline="") as file:
        csv.writer(file).writerows([HEADER, *(good[ordinal + 1] for ordinal in planted)])
    replayed = quarantine.replay(layout, SETTINGS, (), datetime(2026, 1, 5), load_id=load.load_id, file=export)
    assert [(one.rows_in, one.rows_loaded, one.rows_quarantined) for one in replayed.loads] == [(records, records, 0)]
    assert replayed.still_open == 0
    assert digest_of(layout) == digest_of(clean)
    again = quarantine.replay(layout, SETTINGS, (), datetime(2026, 1, 6), load_id=load.load_id, file=export)
    assert again.loads == ()
    assert digest_of(layout) == digest_of(clean)
