"""Clean inputs of the sizes that the benchmarks use, made once and kept.

    python -m benchmarks.data 10000 100000 1000000 --into build/benchmarks

A size is a number of profiles; every size has the same items and the same events per profile, so that what grows is
known. The files have no damaged lines. A folder whose ``made.json`` names the same wishes is used again.
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from store.sample import Format, SampleReport, write_sample

SIZES = (10_000, 100_000, 1_000_000)
ITEMS = 20_000
EVENTS_PER_PROFILE = 100.0


@dataclass(frozen=True, slots=True)
class Wishes:
    """What an input is made of. ``format`` is that of the monthly event files."""

    profiles: int
    items: int = ITEMS
    events_per_profile: float = EVENTS_PER_PROFILE
    seed: int = 0
    format: Format = "parquet"

    @property
    def folder(self) -> str:
        return f"{self.profiles}-{self.items}-{self.events_per_profile:g}-{self.seed}-{self.format}"


def inputs(into: Path, wishes: Wishes) -> Path:
    """Folder below ``into`` with ``profiles/``, ``items/`` and ``events/``; made when it is not there yet."""
    folder = into / wishes.folder
    note = folder / "made.json"
    if note.exists() and json.loads(note.read_text())["wishes"] == asdict(wishes):
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    started = time.perf_counter()
    report = write_sample(
        folder,
        wishes.profiles,
        wishes.seed,
        items=wishes.items,
        events_per_profile=wishes.events_per_profile,
        dirty=0,
        format=wishes.format,
    )
    note.write_text(
        json.dumps({"wishes": asdict(wishes), "seconds": time.perf_counter() - started, **facts(report)}, indent=2)
    )
    return folder


def facts(report: SampleReport) -> dict[str, int]:
    """Rows and bytes of an input."""
    return {
        "profiles": report.profiles,
        "items": report.items,
        "events": report.events,
        "bytes": sum(file.bytes for file in report.files),
    }


def drops(folder: Path) -> list[tuple[str, Path]]:
    """The files of an input with the inbox folder each belongs to, in the order in which they are delivered."""
    return [
        (entity, path) for entity in ("profiles", "items", "events") for path in sorted((folder / entity).iterdir())
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("profiles", type=int, nargs="*", default=list(SIZES))
    parser.add_argument("--into", type=Path, required=True)
    parser.add_argument("--items", type=int, default=ITEMS)
    parser.add_argument("--events-per-profile", type=float, default=EVENTS_PER_PROFILE)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--format", choices=("parquet", "csv", "jsonl"), default="parquet")
    asked = parser.parse_args()
    for profiles in asked.profiles:
        folder = inputs(asked.into, Wishes(profiles, asked.items, asked.events_per_profile, asked.seed, asked.format))
        made = json.loads((folder / "made.json").read_text())
        print(
            f"{folder}: {made['profiles']:,} profiles, {made['items']:,} items, {made['events']:,} events, "
            f"{made['bytes'] / 1e6:,.0f} MB, made in {made['seconds']:.0f} s"
        )


if __name__ == "__main__":
    main()
