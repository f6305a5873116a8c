"""What the runtime routes share: what a call says of its session and visitor, and the cookie of a new session."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from decisions import codes
from decisions.codes import agent_code, session_id
from decisions.visitor import Visitor, user_agent
from serving.conductrics.call import Call, Headers
from serving.conductrics.errors import bad_request
from serving.conductrics.parameters import COOKIE, Parameters
from serving.conductrics.turns import Done

AHEAD = 300.0
"""Seconds that the time of a call may be ahead of the clock."""


@dataclass(frozen=True, slots=True)
class Who:
    """The session of a call; ``new``: nobody named one, so it was made up."""

    session: str
    new: bool


def who(parameters: Parameters) -> Who:
    """The session that a call names, else a new one. Raises BadCall."""
    given = parameters.session()
    return Who(session_id(given), new=False) if given else Who(secrets.token_hex(16), new=True)


def context(call: Call, parameters: Parameters, agent: str) -> dict[str, Any]:
    """What every call of an agent says, beside its session. Raises BadCall."""
    segment = parameters.get("segment")
    return {
        "agent": agent_code(agent),
        "segment": "" if segment in ("", codes.NO_SEGMENT) else codes.code("segment", segment),
        "features": tuple(codes.split_features(parameters.get("features"))),
        "ts": _time(parameters.get("ts"), call.at),
        "visitor": lambda at: visitor(call, parameters, at),
    }


def visitor(call: Call, parameters: Parameters, at: datetime) -> Visitor:
    """What targeting rules may ask for."""
    headers = call.headers
    return Visitor(
        at, zone_of(call.owner.settings.decisions.timezone),
        user_agent(parameters.get("ua"), _header(headers, b"user-agent")),
        parameters.get("referer") or _header(headers, b"referer"), parameters.all(),
        codes.features(codes.split_features(parameters.get("features"))),
    )


def zone_of(name: str) -> tzinfo:
    """A time zone of the settings."""
    return UTC if name == "UTC" else ZoneInfo(name)


def cookie(call: Call, session: Who, done: Done) -> Headers:
    """The header that makes a browser keep a session that was made up."""
    if not session.new or not done.cookies:
        return ()
    secure = "; Secure; SameSite=None" if call.secure else ""
    return ((b"set-cookie", f"{COOKIE}={session.session}; Path=/{secure}".encode()),)


def _time(text: str, now: float) -> float | None:
    if not text:
        return None
    at = codes.finite("ts", text)
    if not 0 <= at <= now + AHEAD:
        raise bad_request(f"ts {text[:30]} is no time in seconds since 1970 up to {AHEAD:g} seconds from now")
    return at


def _header(headers: Mapping[bytes, bytes], name: bytes) -> str:
    return headers.get(name, b"").decode("latin-1")
