"""The documentation names every setting with its default, every command and every table."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from cli.main import COMMANDS
from cli.reference import tables_page
from contracts.settings import Settings

DOCS = Path(__file__).resolve().parents[2] / "docs"


def _rows(section: str) -> dict[str, str]:
    """Documented settings of one section, with their defaults as written."""
    text = (DOCS / "settings.md").read_text(encoding="utf-8")
    part = text.split(f"## [{section}]")[1].split("\n## ")[0] if section else text.split("\n## ")[0]
    return dict(re.findall(r"^\| `(\w+)` \| (.+?) \|", part, flags=re.MULTILINE))


def _written(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case "":
            return "empty"
        case ():
            return "[]"
        case tuple():
            return "`[" + ", ".join(f'"{part}"' if isinstance(part, str) else str(part) for part in value) + "]`"
        case dict():
            return "`{ " + ", ".join(f"{key} = {part}" for key, part in value.items()) + " }`"
        case str():
            return f"`{value}`"
        case _:
            return str(value)


@pytest.mark.parametrize(
    "section",
    [
        "", "pipeline", "ingest", "recommendations", "churn", "rfm", "identification", "scenarios", "experiments",
        "serving", "webhooks", "live_segments", "decisions",
    ],
)
def test_every_setting_is_documented_with_its_default(section: str) -> None:
    settings = Settings()
    holder = getattr(settings, section) if section else settings
    expected = {
        field.name: _written(getattr(holder, field.name))
        for field in dataclasses.fields(holder)
        if not dataclasses.is_dataclass(getattr(holder, field.name))
    }
    assert _rows(section) == expected | ({"workspace": "`default`"} if not section else {})


def test_the_tables_page_is_what_the_program_prints() -> None:
    assert (DOCS / "tables.md").read_text(encoding="utf-8") == tables_page(), (
        "run: nightloom reference > docs/tables.md"
    )


def test_every_command_is_documented() -> None:
    text = (DOCS / "commands.md").read_text(encoding="utf-8")
    missing = [name for name, _, _ in COMMANDS if f"`nightloom {name}" not in text]
    assert missing == []


def test_every_metric_and_route_is_documented() -> None:
    text = (DOCS / "endpoint.md").read_text(encoding="utf-8")
    source = (DOCS.parent / "serving" / "metrics.py").read_text(encoding="utf-8")
    metrics = set(re.findall(r'"(nightloom_\w+)"', source))
    assert metrics
    assert sorted(name for name in metrics if f"`{name}`" not in text) == []
    routes = set(
        re.findall(
            r'@app\.(?:get|post)\("(/[^"{]*)', (DOCS.parent / "serving" / "routes.py").read_text(encoding="utf-8")
        )
    )
    assert len(routes) > 10
    assert sorted(route for route in routes if route not in text) == []
