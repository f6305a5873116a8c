"""Targeting rules and fixed targeting over HTTP."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from contracts.settings import Decisions, Settings
from tests.serving.conductrics.place import OWNER, Site, open_site

CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36"
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with open_site(tmp_path_factory.mktemp("targeting"), Settings(decisions=Decisions(timezone="Asia/Tokyo"))) as made:
        yield made


@pytest.fixture(autouse=True)
def no_rules_left(site: Site) -> Iterator[None]:
    yield
    for rule in site.good("GET", "transforms-list")["data"]["transforms"]:
        site.good("DELETE", f"transform-rule/{rule['code']}")


def put(site: Site, code: str, when: list[list[str]], apply: dict[str, str], **more: Any) -> None:
    body = {"code": code, "when": when, "apply": apply, **more}
    assert site.good("PUT", "transform-rule", body) == {"status": "ok"}


def context(site: Site, path: str = "decision", **parameters: str) -> tuple[dict[str, float], str]:
    found = site.good("GET", f"{site.new('agent')}/{path}", session="s", **parameters)
    return found["features"], found["segment"]


def test_rules_are_listed_in_their_order_and_keep_their_place(site: Site) -> None:
    for code in ("z", "a", "m"):
        assert site.good("POST", "transform-rule", {"code": code, "apply": {"feature": code}}) == {"status": "ok"}
    put(site, "a", [["uaBot", "eq", "true"]], {"segment": "bots"}, note="kept")
    listed = site.good("GET", "transforms-list")["data"]["transforms"]
    assert [rule["code"] for rule in listed] == ["z", "a", "m"]
    assert listed[1] == {
        "code": "a", "status": 1, "agents": ["*"], "when": [["uaBot", "eq", "true"]], "andor": "and",
        "apply": {"segment": "bots"}, "note": "kept",
    }
    assert site.good("DELETE", "transform-rule/a") == {"status": "ok"}
    site.refused(404, "DELETE", "transform-rule/a")
    assert [rule["code"] for rule in site.good("GET", "transforms-list")["data"]["transforms"]] == ["z", "m"]


@pytest.mark.parametrize("body", [
    [], "rule", 1, {}, {"code": "r"}, {"code": "r", "apply": {"feature": "#unknown"}},
    {"code": "r", "apply": {"feature": "f"}, "when": [["uaBrowser", "regex", "(a"]]},
    {"code": "r", "apply": {"feature": "f"}, "when": [["uaBrowser", "regex", "a" * 201]]},
    {"code": "r", "apply": {"feature": "f"}, "when": [["nothing", "eq", "a"]]},
])
def test_bad_rules_are_refused(site: Site, body: Any) -> None:
    site.refused(400, "PUT", "transform-rule", body)
    assert site.good("GET", "transforms-list") == {"data": {"transforms": []}}


def test_what_provides_features(site: Site) -> None:
    providers = site.good("GET", "transforms-options")["data"]["options"]["providers"]
    assert {"code": "c-ua-bn", "name": "Browser", "tags": ["User-Agent"], "providesFeatures": True} in providers
    assert {tag for one in providers for tag in one["tags"]} == {"Time", "Geo", "User-Agent", "Referrer"}
    assert {one["code"] for one in providers} >= {"c-ua-bn", "c-ref-dom", "c-time-ldp", "c-geo-co", "utm_campaign"}


def test_a_rule_acts_on_the_next_call(site: Site) -> None:
    put(site, "all", [], {"feature": "here"})
    assert context(site) == ({"here": 1.0}, "(none)")
    put(site, "all", [], {"feature": "there"}, status=0)
    assert context(site) == ({}, "(none)")


def test_user_agents_come_by_parameter_else_by_a_browsers_header(site: Site) -> None:
    put(site, "r", [], {"feature": "#c-ua-bn"})
    agent = site.new("agent")

    def features(header: str, **parameters: str) -> dict[str, float]:
        answer = httpx.get(
            f"{site.url}/conductrics/{OWNER}/{agent}/decision", headers={"user-agent": header},
            params={"apikey": site.runtime, "session": site.new("s"), **parameters},
        )
        found: dict[str, float] = answer.json()["features"]
        return found

    assert features(CHROME) == {"c-ua-bn:Chrome": 1.0}
    assert features("python-requests/2.31") == {}
    assert features("python-requests/2.31", ua=CHROME) == {"c-ua-bn:Chrome": 1.0}
    assert features(CHROME, ua="Mozilla/5.0 (X11; Linux x86_64; rv:120.0) Gecko/20100101 Firefox/120.0") == {
        "c-ua-bn:Firefox": 1.0
    }
    by_header = httpx.get(
        f"{site.url}/conductrics/{OWNER}/{agent}/decision", headers={"user-agent": "x", "x-mpath-ua": CHROME},
        params={"apikey": site.runtime, "session": site.new("s")},
    )
    assert by_header.json()["features"] == {"c-ua-bn:Chrome": 1.0}


def test_referrers_come_by_parameter_else_by_header(site: Site) -> None:
    put(site, "r", [["refTerms", "contains", "SHOES"]], {"feature": "#c-ref-dom", "segment": "seekers"})
    found = context(site, referer="https://www.google.co.uk/search?q=red+shoes")
    assert found == ({"c-ref-dom:google.co.uk": 1.0}, "seekers")
    answer = httpx.get(
        f"{site.url}/conductrics/{OWNER}/{site.new('agent')}/decision",
        headers={"referer": "https://bing.com/?q=shoes", "user-agent": CHROME},
        params={"apikey": site.runtime, "session": "s"},
    )
    assert answer.json()["segment"] == "seekers"
    assert context(site, referer="https://www.google.com/search?q=hats") == ({}, "(none)")


def test_time_is_the_owners(site: Site) -> None:
    put(site, "r", [["timeHour", "gt", "-1"]], {"feature": "#c-time-ldp"})
    site.clock.now = 1_900_000_000 // 86_400 * 86_400 + 22 * 3600.0  # 22:00 UTC is 7:00 in Tokyo
    assert context(site) == ({"time-morning": 1.0}, "(none)")


def test_campaigns_and_features_of_the_call(site: Site) -> None:
    put(site, "c", [["utm_campaign", "starts", "spring"]], {"feature": "#utm_campaign"})
    put(site, "f", [["feature:age", "gt", "30"], ["feature:vip", "eq", "1"]], {"segment": "elders"}, andor="and")
    assert context(site, utm_campaign="spring-1", features="vip,age:34") == (
        {"utm_campaign:spring-1": 1.0, "vip": 1.0, "age": 34.0}, "elders"
    )
    assert context(site, features="vip,age:30")[1] == "(none)"


def test_a_segment_of_the_call_beats_all_rules_and_the_last_rule_wins(site: Site) -> None:
    put(site, "one", [], {"segment": "one"})
    put(site, "two", [], {"segment": "two"})
    assert context(site)[1] == "two"
    assert context(site, segment="mine")[1] == "mine"


def test_rules_run_on_goal_and_session_calls_too(site: Site) -> None:
    put(site, "r", [["utm_source", "eq", "mail"]], {"segment": "mailed", "feature": "mailed"})
    agent = site.new("agent")
    site.good("GET", f"{agent}/decision", session="s")
    site.good("GET", f"{agent}/goal", session="s", utm_source="mail")
    found = site.good("GET", f"{agent}/decision", session="s")
    assert found["segment"] == "mailed" and found["features"] == {"mailed": 1.0}
    assert site.good("POST", f"{agent}/session", session="t", utm_source="mail")["segment"] == "mailed"


def test_a_rule_of_one_agent_leaves_others_alone(site: Site) -> None:
    agent = site.new("agent")
    put(site, "r", [], {"segment": "here"}, agents=[agent])
    assert site.good("GET", f"{agent}/decision", session="s")["segment"] == "here"
    assert context(site)[1] == "(none)"


def test_nothing_personal_is_stored(site: Site) -> None:
    put(site, "r", [["refDomain", "eq", "example.com"]], {"feature": "#c-ref-dom,#c-ua-bn"})
    agent, words = site.new("agent"), ("secret-words", "203.0.113.77", "Trident-Secret")
    site.good(
        "GET", f"{agent}/decision", session="s", ip=words[1], referer=f"https://www.example.com/?q={words[0]}",
        ua=f"{CHROME} {words[2]}",
    )
    site.good("GET", f"{agent}/goal", session="s", ip=words[1], ua=words[2])
    dump = b"".join(path.read_bytes() for path in site.layout.root.rglob("*") if path.is_file())
    with sqlite3.connect(site.layout.journal) as journal:
        dump += "\n".join(journal.iterdump()).encode()
    assert b"c-ref-dom:example.com" in dump
    assert not [word for word in words if word.encode() in dump]


def test_fixed_targeting(site: Site) -> None:
    agent = site.new("agent")
    path = f"agent-api/{agent}/points/p/fixed-targeting"
    site.good("PUT", agent, {"points": [{"code": "p", "decisions": [{"code": "d", "choices": ["a", "b", "c"]}]}],
                             "learning": {"controlGroupRate": 1}})
    targets = [{"feature": "vip", "decision": "d:c"}, {"feature": "old", "decision": "d:c"},
               {"feature": "vip", "decision": "d:b"}]
    assert site.good("PUT", path, targets) == {"status": "ok"}
    assert site.good("GET", path) == targets

    def choice(session: str, **parameters: str) -> str:
        found: str = site.good("GET", f"{agent}/decision", session=session, **parameters)["decision"]
        return found

    assert choice("s1") == "a" and choice("s1", features="vip") == "c"
    assert choice("s2", features="old") == "c"
    subset = site.good("GET", f"{agent}/decisions/d:a,b", session="s3", features="vip")
    assert subset["decisions"]["d"]["code"] == "b" and subset["policy"] == "control"
    assert site.good("PUT", path, []) == {"status": "ok"} and site.good("GET", path) == []
    assert choice("s2") == "a"  # what was fixed was not the session's choice


@pytest.mark.parametrize("body", [{}, "x", [1], [{"feature": "a b", "decision": "d:c"}], [{"feature": "f"}],
                                  [{"feature": "f", "decision": "d"}], [{"feature": "f", "decision": "d:c:e"}]])
def test_bad_fixed_targeting(site: Site, body: Any) -> None:
    agent = site.new("agent")
    site.good("PUT", agent, {"points": ["p"]})
    site.refused(400, "PUT", f"agent-api/{agent}/points/p/fixed-targeting", body)
    site.refused(404, "PUT", f"agent-api/{agent}/points/q/fixed-targeting", [])
