"""Brings the files of scenarios and agents among the definitions into the journal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from store import definition_apply
from store.scenario_files import Changes

if TYPE_CHECKING:
    from flows.desk import Desk


def apply_files(desk: Desk) -> Changes:
    """Put what changed in the files since they were last applied, and delete what came from files that are gone; what
    will not work as written is reported.

    Raises DefinitionError with every problem, files and lines named; nothing is changed then.
    """
    found = definition_apply.apply_files(desk.layout, desk.definitions, desk.journal)
    for name, texts in found.warnings.items():
        for text in texts:
            desk.progress.step("scenario files", 0, 0, f"{name}: {text}")
    return found
