"""Which half of an A/B test a subject is in."""

from __future__ import annotations

import hashlib
from typing import Literal


def group(test_id: str, subject: str) -> Literal["A", "B"]:
    """A or B by the highest bit of the first byte of SHA-256(test id, one zero byte, subject), both in UTF-8.

    ``subject``: canonical text of a user or session id. Equal everywhere and always for equal texts.
    """
    first = hashlib.sha256(test_id.encode() + b"\0" + subject.encode()).digest()[0]
    return "B" if first & 0x80 else "A"
