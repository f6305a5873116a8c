"""The whole tree is installed, and passes its linter and its type checker, as configured in ``pyproject.toml``."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("tool", [["ruff", "check", "."], ["mypy"]], ids=["ruff", "mypy"])
def test_the_tree_is_clean(tool: list[str]) -> None:
    done = subprocess.run([sys.executable, "-m", *tool], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_package_is_installed() -> None:
    settings = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["setuptools"]
    listed = set(settings["packages"])
    roots = {name.partition(".")[0] for name in listed}
    found = {
        ".".join(path.parent.relative_to(REPOSITORY).parts)
        for root in roots for kind in ("*.py", "*.sql") for path in (REPOSITORY / root).rglob(kind)
    }
    assert found == listed
