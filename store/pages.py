"""Renders the report's pages. Everything that comes from data is escaped; only plots of our own making are not."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from store import disk


def write_page(template: str, path: Path, values: Mapping[str, Any]) -> Path:
    """Render ``templates/<template>`` with ``values`` to ``path``, which becomes whole or stays as it was."""
    html = _environment().get_template(template).render(**values)
    with disk.storage_errors("write the report"):
        path.parent.mkdir(parents=True, exist_ok=True)
        disk.write_whole(path, html.encode("utf-8"))
    return path


def trusted(svg: str) -> Any:
    """Mark a plot made by ``store.plots`` as markup: its text was escaped when it was compiled."""
    from markupsafe import Markup

    return Markup(svg)  # noqa: S704


@cache
def _environment() -> Any:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("store", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "count": count,
        "decimal": decimal,
        "percent": percent,
        "seconds": seconds,
        "moment": moment,
        "signed": signed,
    }
    return environment


def count(value: float | None) -> str:
    """A whole number with thin groups: 1 234 567."""
    return "–" if value is None else f"{round(value):,}".replace(",", "\u202f")


def decimal(value: float | None, digits: int = 4) -> str:
    """A number with a fixed number of digits after the point."""
    return "–" if value is None else f"{value:.{digits}f}"


def percent(value: float | None, digits: int = 1) -> str:
    """A share as a percentage."""
    return "–" if value is None else f"{100 * value:.{digits}f} %"


def signed(value: float | None) -> str:
    """A change of a count, with its sign."""
    return "–" if value is None else "±0" if value == 0 else f"{'+' if value > 0 else '−'}{count(abs(value))}"


def seconds(value: float) -> str:
    """A duration in words of its size: 0.04 s, 12.3 s, 3 min 05 s."""
    if value < 60:
        return f"{value:.2f} s" if value < 10 else f"{value:.1f} s"
    return f"{int(value) // 60} min {int(value) % 60:02d} s"


def moment(value: datetime | str | None) -> str:
    """A time in UTC, to the second."""
    if value is None:
        return "–"
    return value if isinstance(value, str) else value.replace(microsecond=0).isoformat(sep=" ")
