"""A small shop whose nights were run by the commands themselves; what changes it works on a copy."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from cli.main import main

REPOSITORY = Path(__file__).resolve().parents[2]
SAMPLE = REPOSITORY / "data" / "sample"


@dataclass(frozen=True)
class Answer:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class Shop:
    """An installation, and ``nightloom`` as a person types it there."""

    home: Path

    def __call__(self, *arguments: object, columns: int = 0, **environment: str) -> Answer:
        """Run a command in this process, as its entry point does."""
        out, err, code = io.StringIO(), io.StringIO(), 0
        with (
            mock.patch.dict(os.environ, self._environment(columns, environment), clear=True),
            mock.patch.object(sys, "argv", ["nightloom", *map(str, arguments)]),
            contextlib.chdir(self.home), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err),
        ):
            try:
                main()
            except SystemExit as ended:
                code = int(ended.code or 0)
        return Answer(code, out.getvalue(), err.getvalue())

    def apart(self, *arguments: object, **environment: str) -> Answer:
        """Run a command in a process of its own."""
        done = subprocess.run(
            [sys.executable, "-m", "cli.main", *map(str, arguments)], capture_output=True, text=True, check=False,
            env=self._environment(0, environment), cwd=self.home, timeout=240,
        )
        return Answer(done.returncode, done.stdout, done.stderr)

    def _environment(self, columns: int, environment: dict[str, str]) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NIGHTLOOM_WORKSPACE")}
        kept |= {"NIGHTLOOM_HOME": str(self.home), "PYTHONPATH": str(REPOSITORY), **environment}
        return kept | ({"COLUMNS": str(columns)} if columns else {})

    def good(self, *arguments: object, columns: int = 0, **environment: str) -> Answer:
        """The same, and it must succeed."""
        answer = self(*arguments, columns=columns, **environment)
        assert answer.code == 0, answer
        return answer

    def copy(self, target: Path) -> Shop:
        shutil.copytree(self.home, target)
        return Shop(target)


def make_shop(home: Path) -> Shop:
    """The repository's definitions, without the wait for files to settle."""
    shutil.copytree(REPOSITORY / "definitions", home / "definitions")
    settings = home / "definitions" / "settings.toml"
    text = settings.read_text(encoding="utf-8")
    settings.write_text(text.replace("[ingest]\n", "[ingest]\nsettle_seconds = 0.0\n"), encoding="utf-8")
    return Shop(home)


@pytest.fixture(scope="session")
def nights(tmp_path_factory: pytest.TempPathFactory) -> tuple[Shop, list[Answer]]:
    """A shop after two nights, and what they said: the second one is served, the first one was before.

    Not to be changed.
    """
    shop = make_shop(tmp_path_factory.mktemp("cli") / "shop")
    for entity in ("profiles", "items", "events"):
        shop.good("drop", *sorted((SAMPLE / entity).iterdir()), "--into", entity)
    first = shop.apart("run", "--no-prefect", "--json")
    assert first.code == 0, first
    second = shop.good("run", "--no-prefect", "--as-of", "2026-06-01T02:00:00+02:00", columns=100)
    return shop, [first, second]


@pytest.fixture(scope="session")
def shop(nights: tuple[Shop, list[Answer]]) -> Shop:
    return nights[0]


@pytest.fixture(scope="session")
def first_run(nights: tuple[Shop, list[Answer]]) -> str:
    return str(nights[1][0].json["run_id"])


@pytest.fixture
def own(shop: Shop, tmp_path: Path) -> Shop:
    """A copy of the shop."""
    return shop.copy(tmp_path / "own")


@pytest.fixture
def fresh(tmp_path: Path) -> Shop:
    """A shop before its first night."""
    return make_shop(tmp_path / "fresh")
