"""How long work tells a person where it is. Whoever computes calls ``Progress.step``; whoever shows decides how."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Receiver of progress: the terminal, Prefect, a log, or nothing."""

    def step(self, name: str, done: int, total: int, detail: str = "") -> None:
        """``done`` of ``total`` parts of the work called ``name`` are finished; ``total`` 0 means unknown."""
        ...


class Silent:
    """A progress that nobody watches."""

    def step(self, name: str, done: int, total: int, detail: str = "") -> None:
        """Say nothing."""
