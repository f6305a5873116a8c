"""Brings the scenario files among the definitions into the journal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from store.scenario_files import Changes, apply

if TYPE_CHECKING:
    from flows.desk import Desk


def apply_files(desk: Desk) -> Changes:
    """Put what changed in the files since they were last applied, and delete what came from files that are gone.

    Raises DefinitionError with every problem, files and lines named; nothing is changed then.
    """
    written = desk.definitions
    with desk.journal.writing() as connection:
        return apply(
            connection, written.scenarios, desk.journal.clock(), written.exact_types("items"),
            written.property_names("items"), written.property_names("profiles"),
        )
