"""Scenario files and the night: applied at its start, part of the run's identity."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.errors import DefinitionError
from flows.night import Outcome
from store import runs
from store.definitions import load_settings
from store.journal import Journal
from store.layout import Layout
from tests.flows.conftest import run_night

CASE = "scenario_type: case\ncase: {amt: 5, exclude_rated_items: true}\n"


def write(home: Path, name: str, text: str) -> None:
    path = home / "definitions" / "scenarios" / "profile_to_items" / f"{name}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def digest(home: Path, outcome: Outcome) -> str:
    return runs.read_manifest(Layout(home).run(outcome.run_id)).identity.documents_digest


def test_a_changed_scenario_makes_a_new_run(shop: Path, first_night: tuple[Path, Outcome]) -> None:
    assert not run_night(shop).made
    write(shop, "front", CASE)
    made = run_night(shop)
    assert made.made and made.run_id != first_night[1].run_id
    assert digest(shop, made) not in ("", digest(shop, first_night[1]))
    lap = next(lap for lap in made.laps if lap.stage == "scenario files")
    assert lap.rows == 1
    again = run_night(shop)
    assert not again.made and again.run_id == made.run_id


def test_a_fault_across_files_stops_the_night_before_anything(shop: Path, first_night: tuple[Path, Outcome]) -> None:
    write(shop, "front", "scenario_type: alias\nalias: {scenario_name: nowhere}\n")
    with pytest.raises(DefinitionError, match=r"profile_to_items/front\.yaml:2 \$\.alias: there is no scenario"):
        run_night(shop)
    layout = Layout(shop)
    with Journal.open(layout, load_settings(layout)) as journal:
        pointer = journal.pointer()
    assert pointer is not None and pointer.run_id == first_night[1].run_id
