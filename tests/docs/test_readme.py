"""The commands of the README work as they stand there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from cli.main import COMMANDS

REPOSITORY = Path(__file__).resolve().parents[2]
SAMPLE = REPOSITORY / "data" / "sample"
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")


def commands_under(heading: str) -> list[str]:
    """Lines of the first shell block below a heading."""
    block = README.split(f"## {heading}\n")[1].split("```sh\n")[1].split("```")[0]
    return [line.split("  #")[0].strip() for line in block.splitlines() if line.strip()]


@pytest.mark.slow
def test_your_own_data(tmp_path: Path) -> None:
    lines = commands_under("Your own data")
    assert lines[0].startswith("nightloom init ~/shop") and lines[-1] == "nightloom run"
    shop = tmp_path / "shop"
    shop.mkdir()
    shutil.copy(SAMPLE / "profiles/profiles.csv", shop)
    shutil.copy(SAMPLE / "items/items.jsonl", shop)
    for month in ("01", "02", "03"):
        duckdb.execute(
            f"COPY (SELECT * FROM '{SAMPLE}/events/events-2026-{month}.parquet' WHERE event_type = 'charged') "
            f"TO '{shop}/events-2024-{month}.parquet'"
        )
    script = "\n".join(["set -eu", *lines[:-1], f"{lines[-1]} --no-prefect", "nightloom status"])
    environment = {
        "HOME": str(tmp_path), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "dropped data/inbox/events/events-2024-02.parquet" in done.stdout
    assert re.search(r"^published: r-\d{8}T\d{6}-\w+", done.stdout, re.MULTILINE)
    assert re.search(r"^serving +r-\d{8}T\d{6}-\w+", done.stdout, re.MULTILINE)


@pytest.mark.parametrize(
    "page", ["README.md", *sorted(f"docs/{path.name}" for path in (REPOSITORY / "docs").glob("*.md"))]
)
def test_commands_that_pages_name_exist(page: str) -> None:
    known = {name for name, _, _ in COMMANDS}
    named = set(re.findall(r"(?:^|`)nightloom ([a-z]+)", (REPOSITORY / page).read_text(encoding="utf-8"), re.MULTILINE))
    assert named <= known


def test_files_that_the_readme_links_exist() -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", README):
        assert (REPOSITORY / target).exists(), target


def test_make_targets_that_the_readme_names_exist() -> None:
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^make (\w+)", README, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
