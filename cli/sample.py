"""``nightloom sample``: write generated drops of any size."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from cli.terminal import TerminalProgress, show_facts, show_json, show_table

if TYPE_CHECKING:
    from store.sample import SampleReport


def sample(
    *,
    out: Path,
    profiles: int = 2000,
    seed: int = 0,
    items: int = 0,
    days: int = 546,
    end: datetime = datetime(2026, 7, 1),
    events_per_profile: float = 30.0,
    dirty: float = 0.01,
    format: Literal["parquet", "csv", "jsonl"] = "parquet",
    threads: int = 2,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Write generated drops of any size: profiles, items, events, and the list of the lines damaged on purpose.

    Parameters
    ----------
    out
        Folder to write to; made if missing.
    profiles
        Profiles to make, up to millions.
    seed
        Another seed makes another shop; the same one makes the same bytes.
    items
        Items to make; 0 for a fifth of the profiles (at least 120, at most 20,000).
    days
        Length of the period.
    end
        First day after the period.
    events_per_profile
        Mean events of a profile in 18 months.
    dirty
        Share of damaged lines in the files that carry them; 0 for none.
    format
        Format of the monthly event files.
    threads
        Threads to use; the result is the same.
    json
        Print the report as JSON.
    """
    from store.sample import write_sample

    report = write_sample(
        out,
        profiles,
        seed,
        items=items,
        days=days,
        end=end.date(),
        events_per_profile=events_per_profile,
        dirty=dirty,
        format=format,
        threads=threads,
        progress=TerminalProgress(),
    )
    if json:
        show_json(report.as_dict())
    else:
        show_report(report)


def show_report(report: SampleReport) -> None:
    """Files written, and the damaged rows by file and rule."""
    show_table(
        "Written files",
        ("file", "good rows", "bytes"),
        [(file.path, f"{file.rows:,}", f"{file.bytes:,}") for file in report.files],
        right=("good rows", "bytes"),
    )
    if report.planted:
        show_table(
            "Damaged on purpose",
            ("file", "rule", "rows"),
            [(planted.file, planted.rule, planted.rows) for planted in report.planted],
            right=("rows",),
        )
    show_facts(
        {
            "folder": report.out,
            "period": f"{report.first_day} to {report.end} (UTC, end not included)",
            "profiles": f"{report.profiles:,}",
            "items": f"{report.items:,}",
            "events": f"{report.events:,} (+ {report.redelivered:,} delivered twice)",
            "damaged": f"{report.planted_rows:,} rows",
        }
    )
