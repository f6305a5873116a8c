"""The page on the Crossing Minds dialect names every role, task and setting, and its links lead somewhere."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

from contracts.settings import Serving
from serving.crossing_minds.tasks import NAMES
from store.control import ROLES

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = (DOCS / "crossing_minds.md").read_text(encoding="utf-8")
SETTINGS = (DOCS / "settings.md").read_text(encoding="utf-8")


def test_roles_and_tasks_are_named() -> None:
    for word in (*ROLES, *NAMES):
        assert word in PAGE


def test_its_settings_exist_and_are_on_the_page_of_settings() -> None:
    named = set(re.findall(r"`serving\.(\w+)`", PAGE))
    assert named == {"crossing_minds_path", "crossing_minds_hosts", "cors_origins", "rate_limit"}
    assert named <= {field.name for field in dataclasses.fields(Serving)}
    assert all(f"`{name}`" in SETTINGS for name in named)


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", PAGE):
        assert (DOCS / target).exists(), target
