"""A small shop whose first night has been run; every test works on a copy of its own."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from flows.desk import open_desk
from flows.night import Order, Outcome, night
from store.layout import Layout

REPOSITORY = Path(__file__).resolve().parents[2]
SETTINGS = """
[pipeline]
as_of = "last_event"
seed = {seed}
keep_runs = {keep}
[ingest]
settle_seconds = 0.0
event_types = ["view", "returned"]
[recommendations]
factors = 8
[churn]
amount_property = "amount"
snapshots = 2
"""


def write_settings(home: Path, seed: int = 0, keep: int = 7) -> None:
    (home / "definitions").mkdir(parents=True, exist_ok=True)
    (home / "definitions" / "settings.toml").write_text(SETTINGS.format(seed=seed, keep=keep), encoding="utf-8")


def drop_sample(layout: Layout, entities: tuple[str, ...] = ("profiles", "items", "events")) -> None:
    for entity in entities:
        for path in sorted((REPOSITORY / "data" / "sample" / entity).iterdir()):
            shutil.copy(path, layout.inbox / entity / path.name)


def run_night(home: Path, order: Order = Order()) -> Outcome:  # noqa: B008 - frozen
    with open_desk(home) as desk:
        return night(desk, order)


@pytest.fixture(scope="session")
def first_night(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Outcome]:
    """Home and outcome of the first night; not to be changed by a test."""
    home = tmp_path_factory.mktemp("shop")
    write_settings(home)
    layout = Layout(home)
    layout.create()
    drop_sample(layout)
    return home, run_night(home)


@pytest.fixture
def shop(first_night: tuple[Path, Outcome], tmp_path: Path) -> Path:
    """A copy of the shop after its first night."""
    home = tmp_path / "home"
    shutil.copytree(first_night[0], home)
    return home


@pytest.fixture
def nightly() -> Callable[..., Outcome]:
    return run_night
