"""Reads ``settings.toml`` of a workspace: unknown names and values that make no sense are problems, told together."""

from __future__ import annotations

import dataclasses
import difflib
import ipaddress
import tomllib
from collections.abc import Iterator
from typing import Any, get_type_hints
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from contracts.errors import DefinitionError, Problem, StorageError
from contracts.settings import Settings
from store.layout import Layout, name_fault


def load_settings(layout: Layout) -> Settings:
    """Read only ``settings.toml``; defaults when there is none.

    Raises ``DefinitionError``, or ``StorageError`` when it cannot be read.
    """
    problems: list[Problem] = []
    try:
        settings = read_settings(layout, problems)
    except OSError as error:
        raise StorageError(f"cannot read the definitions: {error}", hint="look at permissions and mount") from error
    if settings is None:
        raise DefinitionError(problems)
    return settings


def read_settings(layout: Layout, problems: list[Problem]) -> Settings | None:
    """The settings, or None after adding to ``problems`` what is wrong with them."""
    path = layout.definitions / "settings.toml"
    before = len(problems)
    raw: dict[str, Any] = {}
    unfit = name_fault(layout.workspace)
    if unfit:
        problems.append(Problem("workspace", unfit, "letters, digits, - and _"))
    if path.exists():
        try:
            raw = tomllib.loads(path.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            problems.append(Problem(path.name, str(error), "see the settings page of the documentation"))
    problems.extend(_unknown(raw, Settings, path.name))
    if len(problems) > before:
        return None
    from pydantic import TypeAdapter, ValidationError

    try:
        settings = TypeAdapter(Settings).validate_python({**raw, "workspace": layout.workspace})
    except ValidationError as error:
        for fault in error.errors():
            where = ".".join(str(part) for part in fault["loc"])
            problems.append(Problem(f"{path.name}: {where}", f"{fault['msg']} (found {fault['input']!r})"))
        return None
    problems.extend(_out_of_range(settings, path.name))
    return settings if len(problems) == before else None


def _unknown(raw: dict[str, Any], cls: type, where: str) -> Iterator[Problem]:
    """Keys that no setting has, with the nearest name that one has."""
    hints = get_type_hints(cls)
    for key, value in raw.items():
        if key not in hints or key == "workspace":
            near = difflib.get_close_matches(key, hints, n=1)
            yield Problem(
                where,
                f"unknown setting {key!r}",
                f"did you mean {near[0]!r}?" if near else f"known: {', '.join(sorted(hints))}",
            )
        elif dataclasses.is_dataclass(hints[key]) and isinstance(value, dict):
            yield from _unknown(value, hints[key], f"{where}: {key}")


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return False
    return True


def _is_zone(name: str) -> bool:
    if name == "UTC":
        return True
    try:
        ZoneInfo(name)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        return False
    return True


def _out_of_range(settings: Settings, where: str) -> Iterator[Problem]:
    """Values of the right type that make no sense."""
    pipeline, ranking, churn = settings.pipeline, settings.recommendations, settings.churn
    checks = (
        (pipeline.threads >= 1, "pipeline.threads", "must be at least 1"),
        (pipeline.keep_runs >= 2, "pipeline.keep_runs", "must be at least 2, or there is nothing to roll back to"),
        (pipeline.lease_seconds >= 10, "pipeline.lease_seconds", "must be at least 10"),
        (ranking.half_life_days > 0, "recommendations.half_life_days", "must be above 0"),
        (ranking.popularity_half_life_days > 0, "recommendations.popularity_half_life_days", "must be above 0"),
        (0 < ranking.validation_share < 0.5, "recommendations.validation_share", "must lie between 0 and 0.5"),
        (1 <= ranking.candidates <= 1000, "recommendations.candidates", "must lie in 1..1000"),
        (
            all(weight > 0 for weight in ranking.event_weights.values()),
            "recommendations.event_weights",
            "weights must be above 0",
        ),
        (0 <= churn.horizon_days <= 365, "churn.horizon_days", "must be 0 (inferred) or 1..365"),
        (
            0 < churn.thresholds[0] < churn.thresholds[1] < churn.thresholds[2] < 1,
            "churn.thresholds",
            "must rise strictly within (0, 1)",
        ),
        (
            list(churn.curve_days) == sorted(set(churn.curve_days)) and min(churn.curve_days, default=0) > 0,
            "churn.curve_days",
            "must be rising days above 0",
        ),
        (1 <= settings.rfm.window_days <= 3650, "rfm.window_days", "must lie in 1..3650"),
        (settings.rfm.min_profiles >= 1, "rfm.min_profiles", "must be at least 1"),
        (settings.identification.max_group >= 2, "identification.max_group", "must be at least 2"),
        (0 <= settings.scenarios.max_rows <= 1000, "scenarios.max_rows", "must lie in 0..1000"),
        (settings.scenarios.evaluated_profiles >= 0, "scenarios.evaluated_profiles", "must be at least 0"),
        (1 <= settings.experiments.window_days <= 365, "experiments.window_days", "must lie in 1..365"),
        (0 < settings.experiments.level <= 0.5, "experiments.level", "must lie above 0, at most 0.5"),
        (settings.experiments.planned_subjects >= 1, "experiments.planned_subjects", "must be at least 1"),
        (0 < settings.serving.port < 65536, "serving.port", "must lie in 1..65535"),
        (
            settings.serving.crossing_minds_path.startswith("/") and len(settings.serving.crossing_minds_path) > 1,
            "serving.crossing_minds_path",
            "must be a path below /, like /crossing-minds",
        ),
        (
            settings.serving.conductrics_path.startswith("/") and len(settings.serving.conductrics_path) > 1,
            "serving.conductrics_path",
            "must be a path below /, like /conductrics",
        ),
        (_is_zone(settings.decisions.timezone), "decisions.timezone", "must be a time zone, like Europe/Berlin"),
        (settings.serving.rate_limit >= 0, "serving.rate_limit", "must be 0 (no limit) or more"),
        (settings.live_segments.max_event_age > 0, "live_segments.max_event_age", "must be above 0 hours"),
        (settings.live_segments.tag_ttl_days >= 0, "live_segments.tag_ttl_days", "must be 0 (never) or more"),
        *(
            (_is_network(text), "webhooks.allow_networks", f"{text!r} is no network, write one like 10.0.0.0/8")
            for text in settings.webhooks.allow_networks
        ),
    )
    for holds, name, message in checks:
        if not holds:
            yield Problem(f"{where}: {name}", message)
