"""Targeting rules: sources, operators, what they derive, and every fault of a rule."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from decisions.fixed import FixedTarget, fixed_choices
from decisions.providers import PROVIDERS, read_user_agent, registrable_domain, search_terms, source_value
from decisions.targeting import OPERATORS, Rule, derive, parse_rule
from decisions.visitor import Visitor, user_agent

CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36"
)
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.0 "
    "Mobile/15E148 Safari/604.1"
)
GOOGLEBOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
SATURDAY_NOON = datetime(2026, 11, 21, 12, 30)


def visitor(**given: Any) -> Visitor:
    return Visitor(**{"at": SATURDAY_NOON, "zone": UTC, **given})


def rule(when: list[Any], **given: Any) -> Rule:
    found, faults = parse_rule({"code": "r", "when": when, "apply": {"feature": "met"}, **given})
    assert faults == [] and found is not None
    return found


def met(condition: list[str], **given: Any) -> bool:
    return derive([rule([condition])], visitor(**given))[0] == ("met",)


@pytest.mark.parametrize(("agent", "browser", "system", "mobile", "bot"), [
    (CHROME, "Chrome", "Windows", False, False),
    (IPHONE, "Mobile Safari", "iOS", True, False),
    (GOOGLEBOT, "Googlebot", None, False, True),
    ("Mozilla/5.0 (Linux; Android 13; Pixel 7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Mobile "
     "Safari/537.36", "Chrome Mobile", "Android", True, False),
    ("nothing known", None, None, False, False),
])
def test_user_agents(agent: str, browser: str | None, system: str | None, mobile: bool, bot: bool) -> None:
    found = read_user_agent(agent)
    assert (found.browser, found.system, found.mobile, found.bot) == (browser, system, mobile, bot)
    assert source_value(visitor(user_agent=agent), "uaMobile") == ("true" if mobile else "false")


def test_a_programs_own_name_is_not_the_visitors() -> None:
    assert user_agent("", "python-requests/2.31") == ""
    assert user_agent("", CHROME) == CHROME
    assert user_agent("", "Opera/9.80 (Windows NT 6.1)") == "Opera/9.80 (Windows NT 6.1)"
    assert user_agent("sent by hand", CHROME) == "sent by hand"


@pytest.mark.parametrize(("url", "domain"), [
    ("https://www.shop.example.co.uk/a?b=c", "example.co.uk"), ("http://EXAMPLE.com:8080", "example.com"),
    ("https://example.com./x", "example.com"), ("https://bücher.example.de/", "example.de"),
    ("https://www.bücher.de/", "xn--bcher-kva.de"),
    ("http://localhost/", None), ("http://10.0.0.1/", None), ("http://[::1]:80/", None), ("not a url", None),
    ("", None), ("http://[broken", None), ("https://co.uk/", None), ("http://" + "a" * 300 + ".com/", None),
    ("android-app://com.example.app/", None),
])
def test_registrable_domains(url: str, domain: str | None) -> None:
    assert registrable_domain(url) == domain


@pytest.mark.parametrize(("url", "terms"), [
    ("https://www.google.com/search?q=red+shoes&hl=en", "red shoes"), ("https://yahoo.com/s?p=x&q=y", "y"),
    ("https://a.com/?query=a%20b", "a b"), ("https://a.com/?text=c", "c"), ("https://a.com/?q=&p=z", "z"),
    ("https://a.com/", None), ("", None), ("http://[broken?q=1", None),
])
def test_search_terms(url: str, terms: str | None) -> None:
    assert search_terms(url) == terms


def test_time_is_that_of_the_owner() -> None:
    here = visitor()
    assert (source_value(here, "timeDay"), source_value(here, "timeHour")) == ("sat", "12")
    there = visitor(zone=ZoneInfo("Pacific/Auckland"))  # UTC+13 in November
    assert (source_value(there, "timeDay"), source_value(there, "timeHour")) == ("sun", "1")


def test_parts_of_the_day_are_half_open() -> None:
    def part(hour: int, minute: int = 0) -> str | None:
        return PROVIDERS["c-time-ldp"].of(visitor(at=datetime(2026, 11, 21, hour, minute)))

    assert [part(0), part(5, 59), part(6), part(11, 59), part(12), part(17, 59), part(18), part(23, 59)] == [
        "time-night", "time-night", "time-morning", "time-morning", "time-afternoon", "time-afternoon",
        "time-evening", "time-evening",
    ]


def test_providers_make_features_of_50_allowed_characters() -> None:
    assert PROVIDERS["c-ua-bn"].of(visitor(user_agent=CHROME)) == "c-ua-bn:Chrome"
    assert PROVIDERS["c-ua-bn"].of(visitor(user_agent=IPHONE)) == "c-ua-bn:Mobile_Safari"
    assert PROVIDERS["c-ref-dom"].of(visitor(referrer="https://www.example.com/x")) == "c-ref-dom:example.com"
    assert PROVIDERS["utm_campaign"].of(visitor(parameters={"utm_campaign": "spring"})) == "utm_campaign:spring"
    long = PROVIDERS["utm_term"].of(visitor(parameters={"utm_term": "grün, " + "x" * 100}))
    assert long is not None and len(long) == 50 and long.startswith("utm_term:gr_n__xxx")
    assert all(one.of(visitor()) is None for one in PROVIDERS.values() if one.tag != "Time")


@pytest.mark.parametrize(("operator", "value", "holds"), [
    ("eq", "CHROME", True), ("eq", "chrom", False), ("ne", "firefox", True), ("ne", "chrome", False),
    ("contains", "HRO", True), ("contains", "x", False), ("starts", "ch", True), ("starts", "hr", False),
    ("ends", "ME", True), ("ends", "m", False), ("in", "firefox, Chrome", True), ("in", "firefox,safari", False),
    ("regex", "^ch.*e$", True), ("regex", "(?-i)chrome", False), ("regex", "hrom", True), ("gt", "1", False),
    ("lt", "1", False),
])
def test_operators_on_texts(operator: str, value: str, holds: bool) -> None:
    assert met(["uaBrowser", operator, value], user_agent=CHROME) is holds


@pytest.mark.parametrize(("operator", "value", "holds"), [
    ("gt", "33.9", True), ("gt", "34", False), ("lt", "34.5", True), ("lt", "9", False), ("eq", "34", True),
    ("gt", "x", False), ("lt", "x", False), ("gt", "nan", False), ("lt", "inf", False),
])
def test_operators_on_numbers(operator: str, value: str, holds: bool) -> None:
    assert met(["feature:age", operator, value], features={"age": 34.0}) is holds


@pytest.mark.parametrize("operator", OPERATORS)
def test_a_source_without_a_value_makes_every_condition_false(operator: str) -> None:
    for source in ("uaBrowser", "refDomain", "refTerms", "geoCity", "utm_source", "feature:vip"):
        assert not met([source, operator, ""])
        assert not met([source, operator, "1"])


def test_features_of_the_call_are_sources() -> None:
    assert met(["feature:vip", "eq", "1"], features={"vip": 1.0})
    assert met(["feature:plan:gold", "eq", "1"], features={"plan:gold": 1.0})
    assert met(["feature:plan", "eq", "gold"], features={"plan:gold": 1.0})
    assert not met(["feature:pla", "eq", "gold"], features={"plan:gold": 1.0})


def test_patterns_take_linear_time() -> None:
    evil = rule([["utm_source", "regex", "(a+)+(a*)*$"], ["utm_source", "regex", "(x+x+)+y"]], andor="or")
    # A backtracking engine would be at this when the world ends.
    assert derive([evil] * 20, visitor(parameters={"utm_source": "a" * 500 + "x" * 500 + "!"}))[0] == ()
    assert derive([evil] * 20, visitor(parameters={"utm_source": "x" * 900 + "y"}))[0] == ("met",)


def test_only_1024_characters_of_the_input_are_searched() -> None:
    assert met(["utm_source", "regex", "b$"], parameters={"utm_source": "a" * 1023 + "b"})
    assert not met(["utm_source", "regex", "b"], parameters={"utm_source": "a" * 1024 + "b"})


def test_and_or_and_empty() -> None:
    both = [["feature:a", "eq", "1"], ["feature:b", "eq", "1"]]
    one = visitor(features={"a": 1.0})
    assert derive([rule(both)], one) == ((), None)
    assert derive([rule(both, andor="or")], one) == (("met",), None)
    assert derive([rule([])], one) == (("met",), None)
    assert derive([rule([], andor="or")], one) == (("met",), None)


def test_features_add_up_and_the_last_segment_wins() -> None:
    rules = [
        rule([], apply={"feature": "x,#c-ua-bn", "segment": "one"}),
        rule([], apply={"segment": "two", "feature": "x,y, #utm_campaign"}),
        rule([], apply={"feature": "z"}),
        rule([["uaBot", "eq", "true"]], apply={"segment": "bots"}),
    ]
    assert derive(rules, visitor(user_agent=CHROME)) == (("x", "c-ua-bn:Chrome", "y", "z"), "two")


def test_the_rule_of_the_contract() -> None:
    found, faults = parse_rule({
        "code": "target-gothamites", "status": 1, "agents": ["*"], "when": [["geoCity", "eq", "New York"]],
        "andor": "and", "apply": {"feature": "gothamite,#c-ua-bn", "segment": "urbanites"},
    })
    assert faults == [] and found is not None
    assert found.concerns("any") and derive([found], visitor()) == ((), None)


def test_which_agents_a_rule_concerns() -> None:
    assert rule([], agents=["a", "b"]).concerns("a") and not rule([], agents=["a", "b"]).concerns("c")
    assert not rule([], status=0).concerns("a")
    assert rule([], agents="a").concerns("a")


@pytest.mark.parametrize(("broken", "word"), [
    ({"code": "a b"}, "code"), ({"code": None}, "code"), ({"status": 2}, "status"), ({"andor": "xor"}, "andor"),
    ({"agents": []}, "agents"), ({"agents": ["a b"]}, "agents"), ({"agents": 1}, "agents"), ({"when": "x"}, "when"),
    ({"when": [["uaBrowser", "eq"]]}, "when[0]"), ({"when": [["mood", "eq", "x"]]}, "source"),
    ({"when": [["uaBrowser", "like", "x"]]}, "operator"), ({"when": [["uaBrowser", "regex", "("]]}, "pattern"),
    ({"when": [["uaBrowser", "regex", "x" * 201]]}, "pattern"),
    ({"when": [["uaBrowser", "regex", "(?=a)"]]}, "pattern"),
    ({"when": [["uaBrowser", "regex", "(a)\\1"]]}, "pattern"), ({"when": [["feature:", "eq", "x"]]}, "source"),
    ({"apply": {}}, "apply"), ({"apply": None}, "apply"), ({"apply": {"feature": "a b"}}, "apply.feature"),
    ({"apply": {"feature": "#c-nothing"}}, "provider"), ({"apply": {"segment": "a b"}}, "apply.segment"),
    ({"apply": {"feature": ["a"]}}, "apply.feature"), ({"apply": {"segment": 1}}, "apply.segment"),
])
def test_bad_rules(broken: dict[str, Any], word: str) -> None:
    found, faults = parse_rule({"code": "r", "when": [], "apply": {"feature": "x"}, **broken})
    assert found is None and len(faults) == 1 and word in faults[0]


def test_every_fault_of_a_rule_is_told() -> None:
    _, faults = parse_rule({"code": "", "when": [["a", "b", "c"], 1], "andor": 1, "apply": {"segment": "!"}})
    assert len(faults) == 6
    assert parse_rule([])[1] == ["a rule must be an object"]


def test_patterns_of_200_characters_are_taken_and_unknown_members_kept() -> None:
    found = rule([["uaBrowser", "regex", "x" * 200]], note="kept")
    assert found.raw["note"] == "kept"


def test_fixed_targets() -> None:
    targets = [
        FixedTarget("vip", "d", "b"), FixedTarget("old", "d", "b"), FixedTarget("vip", "d", "a"),
        FixedTarget("vip", "e", "z"), FixedTarget("age:34", "f", "x"),
    ]
    requested = {"d": ("a", "b"), "e": ("x", "y"), "f": ("x",)}
    assert fixed_choices(targets, {}, requested) == {}
    assert fixed_choices(targets, {"vip": 1.0}, requested) == {"d": "b"}
    assert fixed_choices(targets, {"old": 1.0}, requested) == {"d": "b"}
    assert fixed_choices(targets, {"vip": 1.0}, {"d": ("a",)}) == {"d": "a"}
    assert fixed_choices(targets, {"age": 34.0}, requested) == {"f": "x"}
    assert fixed_choices(targets, {"age": 35.0}, requested) == {}
    assert fixed_choices(targets, {"vip": 1.0}, {}) == {}
