"""``nightloom sample`` as a person types it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path


def _nightloom(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cli.main", "sample", *arguments], capture_output=True, text=True, check=False
    )


def test_options_reach_the_generator_and_the_report_is_json(tmp_path: Path) -> None:
    asked = [
        "--profiles",
        "50",
        "--seed",
        "3",
        "--items",
        "30",
        "--days",
        "45",
        "--end",
        "2024-03-01",
        "--format",
        "csv",
        "--dirty",
        "0.02",
        "--json",
    ]
    done = _nightloom("--out", str(tmp_path / "shop"), *asked)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["profiles"], report["items"], report["first_day"], report["end"]) == (
        50,
        30,
        "2024-01-16",
        "2024-03-01",
    )
    paths = [file["path"] for file in report["files"]]
    assert paths == [
        "profiles/profiles.csv",
        "items/items.csv",
        "events/events-2024-01.csv",
        "events/events-2024-02.csv.gz",
    ]
    assert all((tmp_path / "shop" / path).stat().st_size for path in paths)
    assert report["planted_rows"] == sum(report["by_rule"].values()) > 0


def test_the_report_for_people_names_files_and_damage(tmp_path: Path) -> None:
    done = _nightloom("--out", str(tmp_path), "--profiles", "20", "--days", "20")
    assert done.returncode == 0, done.stderr
    assert "profiles/profiles.csv" in done.stdout
    assert "bad_timestamp" in done.stdout


def test_an_impossible_wish_says_what_to_try(tmp_path: Path) -> None:
    done = _nightloom("--out", str(tmp_path), "--profiles", "0")
    assert done.returncode == 2
    assert "try: --profiles between 1" in done.stderr
