"""The error tree.

Every error says what is wrong, where, and what to try; foreign errors are mapped to these at one border each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class NightloomError(Exception):
    """Root of all errors a person may meet. ``exit_code`` is what the command line returns for it."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  try: {self.hint}" if self.hint else self.message


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault in a definition: ``where`` is a file with a line, or a file with a JSON path."""

    where: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        tail = f" (try: {self.hint})" if self.hint else ""
        return f"{self.where}: {self.message}{tail}"


class DefinitionError(NightloomError):
    """Definitions or settings are wrong. Carries every problem found, not only the first."""

    exit_code = 2

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        lines = "\n".join(f"  - {problem}" for problem in self.problems)
        super().__init__(
            f"{len(self.problems)} problem(s) in the definitions:\n{lines}", hint="correct them, then `nightloom check`"
        )


class UsageError(NightloomError):
    """A command or call was asked something it cannot do."""

    exit_code = 2


class DropRefused(NightloomError):
    """A delivered file cannot be read as a whole; nothing of it was loaded."""

    def __init__(self, message: str, *, rule: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.rule = rule


class RunBlocked(NightloomError):
    """A check of severity ``block`` failed: the run stops and the published one keeps serving."""

    exit_code = 3


class VerificationFailed(NightloomError):
    """A staged run is not what its manifest says; it was not promoted."""

    exit_code = 3


class LeaseHeld(NightloomError):
    """Another process is running the pipeline of this workspace."""

    exit_code = 4


class NotFound(NightloomError):
    """A run, profile, item, key or load with that name does not exist."""

    exit_code = 5


class NotReady(NightloomError):
    """No run is published yet."""

    exit_code = 5


class StorageError(NightloomError):
    """The disk or a database refused: full, unreadable, locked or corrupt."""

    exit_code = 6
