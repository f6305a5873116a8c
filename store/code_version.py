"""The version of the code that makes a run, as part of the run's identity."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

PACKAGES = ("contracts", "scenarios", "transforms", "models", "store", "flows")


@cache
def code_version() -> str:
    """First 16 hex digits of a SHA-256 over the sources of every package that decides a run's contents."""
    home = Path(__file__).resolve().parent.parent
    digest = hashlib.sha256()
    for package in PACKAGES:
        for path in sorted((home / package).rglob("*")):
            if path.suffix in {".py", ".sql", ".html"}:
                digest.update(path.relative_to(home).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]
