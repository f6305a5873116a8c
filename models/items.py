"""What is known of the items besides who wanted them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Items:
    """One entry for each item, by item index.

    ``words``: free text (name, description). ``tokens``: exact features such as ``category=mugs`` or ``colour=red``.
    """

    words: Sequence[str]
    tokens: Sequence[Sequence[str]]

    def __post_init__(self) -> None:
        if len(self.words) != len(self.tokens):
            raise ValueError("words and tokens must have one entry for each item")

    def __len__(self) -> int:
        return len(self.words)
