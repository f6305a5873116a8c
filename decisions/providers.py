"""Sources of targeting rules and providers of features: one row each. A source is a text read from the visitor, or
nothing; a provider makes a feature of one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

from decisions.visitor import Visitor

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList
    from ua_parser import Parser

LONGEST = 1024  # characters of a user agent or referrer that are read
FEATURE_LENGTH = 50
OUTSIDE = re.compile(r"[^0-9A-Za-z_.:-]")
FEATURE = "feature:"
UTM = ("utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content")
TERM_PARAMETERS = ("q", "p", "query", "text")
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_PARTS = ("time-night", "time-morning", "time-afternoon", "time-evening")  # six hours each, from midnight
MOBILE_SYSTEMS = frozenset({"Android", "iOS", "Windows Phone", "BlackBerry OS", "KaiOS", "Firefox OS", "Symbian OS"})


@dataclass(frozen=True, slots=True)
class UserAgent:
    """What a user agent tells; families are those of uap-core, None where it knows none."""

    browser: str | None
    system: str | None
    mobile: bool
    bot: bool


@lru_cache(maxsize=1)
def _parser() -> Parser:
    from ua_parser import Parser
    from ua_parser.loaders import load_lazy_builtins
    from ua_parser.re2 import Resolver

    return Parser(Resolver(load_lazy_builtins()))


@lru_cache(maxsize=1)
def _suffixes() -> PublicSuffixList:
    from publicsuffixlist import PublicSuffixList

    return PublicSuffixList()


def warm() -> None:
    """Load the parsers (about 0.15 s), so that no request waits for them."""
    read_user_agent("Mozilla/5.0")
    registrable_domain("https://example.com/")


@lru_cache(maxsize=2048)
def read_user_agent(text: str) -> UserAgent:
    """Browser, system and kind of device; ``mobile`` is a phone or a tablet."""
    parsed = _parser().parse(text[:LONGEST])
    system = parsed.os.family if parsed.os else None
    return UserAgent(
        parsed.user_agent.family if parsed.user_agent else None,
        system,
        mobile="Mobi" in text[:LONGEST] or system in MOBILE_SYSTEMS,
        bot=parsed.device is not None and parsed.device.family == "Spider",
    )


def registrable_domain(url: str) -> str | None:
    """``example.co.uk`` of ``https://www.example.co.uk/a?b``; None for addresses, single names and other than pages."""
    try:
        parts = urlsplit(url[:LONGEST])
        host = (parts.hostname or "").rstrip(".") if parts.scheme in ("http", "https") else ""
        host = host.encode("idna").decode("ascii").lower()
    except (ValueError, UnicodeError):
        return None
    return None if not host or _is_address(host) else _suffixes().privatesuffix(host)


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def search_terms(url: str) -> str | None:
    """The words searched for on the page that the visitor came from; the first of ``q``, ``p``, ``query``, ``text``."""
    try:
        found = dict(reversed(parse_qsl(urlsplit(url[:LONGEST]).query)))
    except ValueError:
        return None
    return next((found[name] for name in TERM_PARAMETERS if found.get(name, "").strip()), None)


def _agent(pick: Callable[[UserAgent], str | bool | None]) -> Callable[[Visitor], str | None]:
    def source(visitor: Visitor) -> str | None:
        if not visitor.user_agent:
            return None
        value = pick(read_user_agent(visitor.user_agent[:LONGEST]))
        return ("true" if value else "false") if isinstance(value, bool) else value
    return source


def _local(visitor: Visitor) -> datetime:
    return visitor.at.replace(tzinfo=UTC).astimezone(visitor.zone)


def _parameter(name: str) -> Callable[[Visitor], str | None]:
    return lambda visitor: visitor.parameters.get(name) or None


def _nothing(_visitor: Visitor) -> str | None:
    return None


SOURCES: Mapping[str, Callable[[Visitor], str | None]] = {
    "uaBrowser": _agent(lambda told: told.browser),
    "uaOs": _agent(lambda told: told.system),
    "uaMobile": _agent(lambda told: told.mobile),
    "uaBot": _agent(lambda told: told.bot),
    "refDomain": lambda visitor: registrable_domain(visitor.referrer),
    "refTerms": lambda visitor: search_terms(visitor.referrer),
    "timeDay": lambda visitor: DAYS[_local(visitor).weekday()],
    "timeHour": lambda visitor: str(_local(visitor).hour),
    # Places need a geographic database, which this version does not read: these never have a value.
    "geoCountry": _nothing,
    "geoRegion": _nothing,
    "geoCity": _nothing,
    **{name: _parameter(name) for name in UTM},
}


def source_value(visitor: Visitor, source: str) -> str | None:
    """The text of a source, None when it has no value. Read once a visitor. ``source`` is known, or ``feature:…``."""
    if source.startswith(FEATURE):
        return _feature(visitor.features, source.removeprefix(FEATURE))
    if source not in visitor.found:
        visitor.found[source] = SOURCES[source](visitor)
    return visitor.found[source]


def _feature(features: Mapping[str, float], code: str) -> str | None:
    """The number of a feature; of ``plan:gold`` also the value ``gold`` by its prefix ``plan``."""
    if code in features:
        return f"{features[code]:.15g}"
    prefix = f"{code}:"
    return next((one.removeprefix(prefix) for one in features if one.startswith(prefix)), None)


def known_source(source: str) -> bool:
    """Whether rules may ask for it."""
    return source in SOURCES or (source.startswith(FEATURE) and len(source) > len(FEATURE))


@dataclass(frozen=True, slots=True)
class Provider:
    """A feature made of what is known of a visitor: ``of`` gives the token, None when there is nothing to tell."""

    code: str
    name: str
    tag: str
    of: Callable[[Visitor], str | None]


def token(prefix: str, value: str | None) -> str | None:
    """``prefix:value`` within the rule of features: other characters become ``_``, 50 characters stay."""
    return None if value is None else OUTSIDE.sub("_", f"{prefix}:{value}")[:FEATURE_LENGTH]


def _told(code: str, source: str) -> Callable[[Visitor], str | None]:
    return lambda visitor: token(code, source_value(visitor, source))


PROVIDERS: Mapping[str, Provider] = {one.code: one for one in (
    Provider("c-ua-bn", "Browser", "User-Agent", _told("c-ua-bn", "uaBrowser")),
    Provider("c-ref-dom", "Referring domain", "Referrer", _told("c-ref-dom", "refDomain")),
    Provider("c-time-ldp", "Part of the day", "Time", lambda visitor: DAY_PARTS[_local(visitor).hour // 6]),
    Provider("c-geo-co", "Country (needs a geographic database)", "Geo", _told("c-geo-co", "geoCountry")),
    *(Provider(name, name.replace("utm_", "Campaign tag: "), "Referrer", _told(name, name)) for name in UTM),
)}
