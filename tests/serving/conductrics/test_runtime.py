"""Decisions, goals and sessions over real HTTP (acceptance 1 to 5), with every tolerance of section 3."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from contracts.settings import Decisions, Serving, Settings
from tests.serving.conductrics.place import Site, open_site
from tests.serving.conductrics.wire import good, refused, send

FORM = {"content-type": "application/x-www-form-urlencoded"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    settings = Settings(serving=Serving(conductrics_hosts=("api.decisions.test",)))
    with open_site(tmp_path_factory.mktemp("runtime"), settings) as made:
        yield made


@pytest.fixture
def agent(site: Site) -> str:
    """An agent that no test used before."""
    return site.new("agent")


def events(site: Site, agent: str, entity: str = "decisions") -> list[dict[str, Any]]:
    """What the journal holds of an agent, in order."""
    last = site.journal.last_seq()
    found = [(one.entity, json.loads(one.body)) for batch in site.journal.writes_between(0, last) for one in batch]
    return [body for kind, body in found if kind == entity and body["agent"] == agent]


# Stickiness, agents, epochs


def test_the_same_session_gets_the_same_choice_until_it_expires(site: Site, agent: str) -> None:
    first = good(site, f"{agent}/decision?session=s")
    again = good(site, f"{agent}/decision?session=s")
    assert again["decision"] == first["decision"] and again["policy"] == "sticky"
    other = good(site, f"{agent}-2/decision?session=s")
    assert other["policy"] != "sticky"
    seen = set()
    for _ in range(40):
        good(site, f"{agent}/expire?session=s")
        site.clock.now += 1
        told = good(site, f"{agent}/decision?session=s")
        assert told["policy"] != "sticky"
        seen.add(told["decision"])
    assert seen == {"a", "b"}
    rows = [one for one in events(site, agent) if not one["sticky"]]
    epochs = [one["epoch"] for one in rows]
    assert epochs == sorted(set(epochs)) and len(epochs) == 41


def test_a_sticky_event_repeats_its_draw(site: Site, agent: str) -> None:
    good(site, f"{agent}/decision?session=s")
    good(site, f"{agent}/decision?session=s&features=vip")
    draw, sticky = events(site, agent)
    same = ("arm", "candidates", "probs", "probability", "decision_set", "version", "seq", "epoch", "backoff")
    assert {name: draw[name] for name in same} == {name: sticky[name] for name in same}
    assert (sticky["policy"], sticky["sticky"], sticky["features"]) == ("sticky", True, {"vip": 1.0})
    assert draw["candidates"] == ["decision-1:a", "decision-1:b"] and draw["probs"] == [0.55, 0.45]
    assert draw["probability"] == draw["probs"][draw["candidates"].index(draw["arm"])]


def test_a_timed_out_session_is_a_new_epoch(site: Site, agent: str) -> None:
    site.good("PUT", agent, {"settings": {"sessions": {"timeout": 60}}})
    good(site, f"{agent}/decision?session=s")
    site.clock.now += 60
    assert good(site, f"{agent}/decision?session=s")["policy"] == "sticky"
    site.clock.now += 61
    assert good(site, f"{agent}/goal?session=s")["reward"] == 0
    assert good(site, f"{agent}/decision?session=s")["policy"] != "sticky"
    assert [one["reason"] for one in events(site, agent, "goals")] == ["timed_out"]


def test_every_call_keeps_the_epoch_alive(site: Site, agent: str) -> None:
    site.good("PUT", agent, {"settings": {"sessions": {"timeout": 60}}})
    good(site, f"{agent}/decision?session=s")
    for path in ("goal?session=s", "session?session=s&features=x", "goal?session=s&reward=-1"):
        site.clock.now += 50
        good(site, f"{agent}/{path}")
    site.clock.now += 50
    assert good(site, f"{agent}/decision?session=s")["policy"] == "sticky"


def test_only_what_is_new_is_drawn(site: Site, agent: str) -> None:
    first = good(site, f"{agent}/decisions/v:a,b/w:c,d?session=s")["decisions"]
    more = good(site, f"{agent}/decisions/v:a,b/w:c,d/x:e,f?session=s")
    assert {name: one["code"] for name, one in more["decisions"].items()} == {
        "v": first["v"]["code"], "w": first["w"]["code"], "x": more["decisions"]["x"]["code"],
    }
    assert more["policy"] != "sticky"
    drawn, partly = events(site, agent)
    assert (drawn["decision_set"], partly["decision_set"]) == ("v,w", "x")
    assert drawn["candidates"] == ["v:a,w:c", "v:a,w:d", "v:b,w:c", "v:b,w:d"]
    kept = first["v"]["code"]
    rest = "b" if kept == "a" else "a"
    assert good(site, f"{agent}/decisions/v:{rest},z?session=s")["decisions"]["v"]["code"] in (rest, "z")
    redrawn = events(site, agent)[-1]
    assert (redrawn["seq"], redrawn["sticky"]) == (0, False)
    assert good(site, f"{agent}/decisions/v:{kept}?session=s")["decisions"]["v"]["code"] == kept
    assert events(site, agent)[-1]["seq"] == 1  # the second draw of v alone


def test_without_stickiness_each_call_draws(site: Site, agent: str) -> None:
    site.good("PUT", agent, {"settings": {"sessions": {"sticky": False}}})
    told = [good(site, f"{agent}/decision?session=s") for _ in range(30)]
    assert {one["decision"] for one in told} == {"a", "b"}
    assert [one["seq"] for one in events(site, agent)] == list(range(30))


# Requests for decisions


def test_a_count_is_answered_by_index(site: Site, agent: str) -> None:
    for at in range(60):
        told = good(site, f"{agent}/decision/3?session=s{at}")
        assert told["decision"] in {"0", "1", "2"}
        assert isinstance(told["decision"], str) and told["decisions"]["decision-1"] == {"code": told["decision"]}
    assert good(site, f"{agent}/decision/v/2?session=old")["decision"] in {"0", "1"}
    assert good(site, f"{agent}/decisions/2/3?session=two")["decisions"].keys() == {"decision-1", "v"}
    for bad in ("0", "101", "99999999999999999999"):
        refused(site, 400, f"{agent}/decision/{bad}?session=s")


def test_named_choices_and_new_ones(site: Site, agent: str) -> None:
    told = good(site, f"{agent}/decision/x,y,,x,null?session=s")
    assert told["decision"] in {"x", "y"}
    document = site.good("GET", agent)
    assert document["points"] == [{"code": "point-1", "decisions": [
        {"code": "decision-1", "choices": [{"code": "x"}, {"code": "y"}]}]}]
    assert document["goals"][0]["code"] == "goal-1" and document["created"] == int(site.clock())
    good(site, f"{agent}/decision/y,z?session=t")
    row = events(site, agent)[-1]
    assert row["candidates"] == ["decision-1:y", "decision-1:z"] and row["probs"] == [0.55, 0.45]
    good(site, f"{agent}/decision/z,y?session=u")  # the default is the first requested; arms are in stored order
    row = events(site, agent)[-1]
    assert row["candidates"] == ["decision-1:y", "decision-1:z"] and row["probs"] == [0.45, 0.55]


def test_without_a_path_the_stored_choices_are_decided(site: Site, agent: str) -> None:
    assert good(site, f"{agent}/decision?session=s")["decision"] in {"a", "b"}
    good(site, f"{agent}/decisions/v:c,d/w:e?session=s&point=home")
    assert good(site, f"{agent}/decisions?session=t&point=home")["decisions"].keys() == {"v", "w"}
    told = good(site, f"{agent}/decision?session=u&point=home")
    assert told["decisions"].keys() == {"v"} and told["decision"] in {"c", "d"}
    assert good(site, f"{agent}/decisions/undefined?session=v&point=home")["decisions"].keys() == {"v", "w"}
    assert good(site, f"{agent}/decision?session=w")["point"] == "point-1"


def test_names_and_meta_of_choices_are_told(site: Site, agent: str) -> None:
    choices = [{"code": "1", "name": "One", "meta": {"k": "v"}}]
    site.good("PUT", agent, {"points": [{"code": "p", "decisions": [{"code": "d", "choices": choices}]}]})
    assert good(site, f"{agent}/decision?session=s")["decisions"] == {
        "d": {"code": "1", "name": "One", "meta": {"k": "v"}},
    }


def test_requested_policies(site: Site, agent: str) -> None:
    for at in range(20):
        assert good(site, f"{agent}/decision?session=c{at}&decision-policy=control")["decision"] == "a"
        assert good(site, f"{agent}/decision?session=e{at}&decision-policy=exploit")["decision"] == "a"
    told = {good(site, f"{agent}/decision?session=x{at}", headers={"x-mpath-decision-policy": "explore"})["decision"]
            for at in range(20)}
    assert told == {"a", "b"}
    rows = events(site, agent)
    certain = [one for one in rows if one["requested"] != "explore"]
    assert {(one["requested"], one["policy"], tuple(one["probs"])) for one in certain} == {
        ("control", "control", (1.0, 0.0)), ("exploit", "exploit", (1.0, 0.0)),
    }
    assert {(one["policy"], one["probability"]) for one in rows if one["requested"] == "explore"} == {("explore", 0.5)}
    refused(site, 400, f"{agent}/decision?session=s&decision-policy=best")


def test_codes_are_checked(site: Site, agent: str) -> None:
    for path in (
        "my%20agent/decision", f"{agent}/decision?point=a%20b", f"{agent}/decision/a,b%20c", f"{agent}/goal/x.y",
        f"{agent}/decision?segment=a:b", "report/decision", "create-key/goal", "-/decision", f"{'a' * 51}/decision",
        f"{agent}/decisions/v:a/v:b", f"{agent}/decisions/u:v:a", f"{agent}/decision/a/b",
    ):
        refused(site, 400, path)
    refused(site, 400, f"{agent}/decision?session={'s' * 129}")
    refused(site, 400, f"{agent}/decision?session=a%20b")
    refused(site, 400, f"{agent}/goal?session=s&reward=nan")
    refused(site, 400, f"{agent}/goal?session=s&reward=1e999")
    refused(site, 400, f"{agent}/goal?session=s&reward=12a")
    assert events(site, agent) == [] == events(site, agent, "goals")


def test_caps(site: Site, agent: str) -> None:
    good(site, f"{agent}/decision/{','.join(f'c{at}' for at in range(100))}?session=s")
    refused(site, 400, f"{agent}/decision/one-more?session=s")
    refused(site, 400, f"{agent}/decisions/{'/'.join(f'd{at}:a' for at in range(11))}?session=s&point=p2")
    for at in range(19):
        good(site, f"{agent}/decision?session=s&point=point{at}")
    refused(site, 400, f"{agent}/decision?session=s&point=one-more")
    for at in range(49):
        good(site, f"{agent}/goal/g{at}?session=s")
    refused(site, 400, f"{agent}/goal/one-more?session=s")
    assert len(events(site, agent, "goals")) == 49


def test_a_segment_beyond_the_cap_is_none_and_flags_the_agent(site: Site, agent: str) -> None:
    site.good("PUT", agent, {"targeting": {"segments": [f"s{at}" for at in range(199)]}})
    assert good(site, f"{agent}/decision?session=a&segment=last")["segment"] == "last"
    assert good(site, f"{agent}/decision?session=b&segment=more")["segment"] == "(none)"
    assert good(site, f"{agent}/session?session=c&segment=s7")["segment"] == "s7"
    flags = [one.name for one in site.journal.documents("agent_flag")]
    assert f"{agent}:segment_cap" in flags
    assert [one["segment"] for one in events(site, agent)] == ["last", "(none)"]


def test_many_combinations_are_uniform_but_for_the_default(site: Site, agent: str) -> None:
    path = "/".join(f"d{at}:a,b,c" for at in range(4))  # 81 arms
    good(site, f"{agent}/decisions/{path}?session=s")
    row = events(site, agent)[-1]
    assert len(row["candidates"]) == 81 and row["backoff"] == "uniform"
    assert row["probs"][0] == pytest.approx(0.1 + 0.9 / 81) and row["probs"][80] == pytest.approx(0.9 / 81)
    path = "/".join(f"d{at}:a,b,c,d,e,f,g,h,i,j" for at in range(10))  # ten thousand millions
    told = good(site, f"{agent}/decisions/{path}?session=s&point=many")
    assert len(told["decisions"]) == 10
    row = events(site, agent)[-1]
    assert row["candidates"] == [] and row["probs"] == []
    everyone_a = all(one["code"] == "a" for one in told["decisions"].values())
    assert row["probability"] == pytest.approx(0.1 if everyone_a else 0.9e-10)


# Goals


def test_the_story_of_goals(site: Site, agent: str) -> None:
    def reward(text: str, goal: str = "goal-1") -> float:
        told = good(site, f"{agent}/goal/{goal}?session=s&reward={text}")
        assert list(told) == ["agent", "session", "goal", "reward", "value"]
        assert told["reward"] == told["value"] and told["goal"] == goal
        return float(told["reward"])

    assert good(site, f"{agent}/goal?session=s&reward=2.20")["reward"] == 0  # unknown agent
    good(site, f"{agent}/session?session=t")
    refused(site, 404, f"{agent}/nothing")
    good(site, f"{agent}/decision?session=other")
    good(site, f"{agent}/session?session=s")
    assert reward("2.20") == 0  # no decision yet
    good(site, f"{agent}/decision?session=s")
    assert reward("2.20") == 2.2
    assert reward("2.20") == 0  # limit 1
    good(site, f"{agent}/expire?session=s")
    assert reward("5") == 0
    good(site, f"{agent}/decision?session=s")
    assert reward("14.99") == 14.99
    reasons = [one["reason"] for one in events(site, agent, "goals")]
    assert reasons == ["unknown_agent", "no_decision", "", "limit", "ended", ""]
    sent = [(one["reward_sent"], one["reward_accepted"]) for one in events(site, agent, "goals")]
    assert sent == [(2.2, 0), (2.2, 0), (2.2, 2.2), (2.2, 0), (5, 0), (14.99, 14.99)]


def test_goal_settings(site: Site, agent: str) -> None:
    site.good("PUT", agent, {"goals": [
        {"code": "g", "settings": {"min": 1, "max": 3, "default": 2, "limit": 0}},
        {"code": "minus", "settings": {"min": -5, "limit": 0}}, {"code": "twice", "settings": {"limit": 2}},
    ]})
    good(site, f"{agent}/decision?session=s")

    def value(query: str) -> float:
        return float(good(site, f"{agent}/goal/{query}")["value"])

    assert value("g?session=s") == 2
    assert value("g?session=s") == 0  # a repeat within a second
    site.clock.now += 0.5
    assert value("g?session=s&reward=3") == 3
    assert value("g?session=s&reward=2") == 0  # still within a second
    site.clock.now += 0.6
    assert value("g?session=s&reward=2") == 2
    assert value("g?session=s&reward=3.1") == 0 and value("g?session=s&reward=0.9") == 0
    assert value("minus?session=s&reward=-4") == -4 and value("minus?session=s&reward=-6") == 0
    assert value("minus?session=s&reward=0") == 0
    assert [value(f"twice?session=s&reward={at}") for at in (1, 2, 3)] == [1, 2, 0]
    assert good(site, f"{agent}/goal?session=s&reward=1.5")["goal"] == "g"  # the agent's first goal
    reasons = [one["reason"] for one in events(site, agent, "goals")]
    assert reasons[:10] == [
        "", "duplicate", "", "duplicate", "", "above_max", "below_min", "", "below_min", "",
    ]


def test_rewards_come_in_any_way(site: Site, agent: str) -> None:
    ways: list[dict[str, Any]] = [
        {"target": "goal?session={s}&reward=2.5"}, {"target": "goal?session={s}", "headers": {"x-mpath-reward": "2.5"}},
        {"target": "goal", "verb": "POST", "headers": FORM, "body": b"session={s}&reward=2.5"},
        {"target": "goal?_type=json", "verb": "POST", "body": b'{"session":"{s}","reward":2.5}'},
        {"target": "goal", "verb": "POST", "headers": {"content-type": "application/json"},
         "body": b'{"session":"{s}","reward":"2.5","goal":"goal-1"}'},
        {"target": "goal", "verb": "POST", "headers": {"content-type": "text/plain;charset=UTF-8"},
         "body": b"session={s}&reward=2.5"},
        {"target": "goal?session=null&reward=", "verb": "POST",
         "headers": {**FORM, "x-mpath-session": "{s}", "x-mpath-reward": "2.5"}, "body": b"reward=undefined"},
        {"target": "goal", "headers": {"cookie": "x=1; mpid={s}", "x-mpath-reward": "2.5"}},
        {"target": "goal/goal-1?session={s}&goal=other&reward=2.5&_method=POST"},
        {"target": "goal?&session={s}&reward=2.5&_t=1&nocache=2&"},
    ]
    for at, way in enumerate(ways):
        session = f"s{at}"
        good(site, f"{agent}/decision?session={session}")
        target = way["target"].replace("{s}", session)
        headers = {name: value.replace("{s}", session) for name, value in way.get("headers", {}).items()}
        body = way["body"].replace(b"{s}", session.encode()) if "body" in way else None
        told = good(site, f"{agent}/{target}", way.get("verb", "GET"), headers=headers, body=body)
        assert told == {"agent": agent, "session": session, "goal": "goal-1", "reward": 2.5, "value": 2.5}, way


def test_precedence_of_sources(site: Site, agent: str) -> None:
    told = good(site, f"{agent}/session?session=q", "POST", body=b"session=f", headers={
        **FORM, "x-mpath-session": "h", "cookie": "mpid=c",
    })
    assert told["session"] == "q"
    for body, header, cookie, wanted in (
        (b"session=f", "h", "c", "f"), (b"session=", "h", "c", "h"), (b"", "undefined", "c", "c"),
    ):
        told = good(site, f"{agent}/session?session=", "POST", body=body, headers={
            **FORM, "x-mpath-session": header, "cookie": f"mpid={cookie}",
        })
        assert told["session"] == wanted


# Sessions


def test_sessions_take_features_and_a_segment(site: Site, agent: str) -> None:
    assert good(site, f"{agent}/session?session=s&features=vip&segment=gold") == {
        "agent": agent, "session": "s", "segment": "gold", "features": {"vip": 1.0},
    }
    assert events(site, agent, "decision_sessions") == []  # the agent is not known: nothing is stored
    good(site, f"{agent}/decision?session=other")
    good(site, f"{agent}/session?session=s&features=vip,age:34.00,browser:Chrome,cat::1,b%20d,x:y:z", "POST")
    told = good(site, f"{agent}/decision?session=s&features=age:35&features=browser:Fox,cat::2&segment=gold")
    assert told["features"] == {"vip": 1.0, "age": 35.0, "cat::1": 1.0, "cat::2": 1.0, "browser:Fox": 1.0, "x:y:z": 1.0}
    assert told["segment"] == "gold"
    assert good(site, f"{agent}/session?session=s&segment=silver")["segment"] == "silver"
    assert good(site, f"{agent}/decision?session=s")["segment"] == "silver"
    row = events(site, agent)[1]
    assert row["features"] == told["features"] and row["segment"] == "gold"
    kinds = [one["kind"] for one in events(site, agent, "decision_sessions")]
    good(site, f"{agent}/session?session=s", "DELETE")
    assert kinds == ["features", "features"]
    assert [one["kind"] for one in events(site, agent, "decision_sessions")] == ["features", "features", "expire"]
    assert good(site, f"{agent}/decision?session=s")["features"] == {}


def test_at_most_64_features(site: Site, agent: str) -> None:
    many = ",".join(f"f{at}" for at in range(80))
    assert len(good(site, f"{agent}/decision?session=s", headers={"x-mpath-features": many})["features"]) == 64


def test_features_in_a_header_may_be_encoded(site: Site, agent: str) -> None:
    told = good(site, f"{agent}/decision?session=s", headers={"X-MPath-Features": "vip%2Cage%3A34"})
    assert told["features"] == {"vip": 1.0, "age": 34.0}


def test_expiring_what_is_unknown_is_good(site: Site) -> None:
    for verb in ("GET", "POST"):
        assert good(site, "ping-test-agent/expire?session=nobody", verb) == {
            "agent": "ping-test-agent", "session": "nobody",
        }
    assert good(site, "ping-test-agent/expire", "POST") == {"agent": "ping-test-agent"}


def test_new_sessions_and_their_cookie(site: Site, agent: str) -> None:
    told = send(site, f"{agent}/decision")
    session = told.json["session"]
    assert len(session) == 32 and told.headers["set-cookie"] == f"mpid={session}; Path=/"
    assert "set-cookie" not in send(site, f"{agent}/decision", headers={"cookie": f"mpid={session}"}).headers
    secure = send(site, f"{agent}/decision?session=", headers={"x-forwarded-proto": "https"}).headers["set-cookie"]
    assert secure.endswith("; Path=/; Secure; SameSite=None")
    site.good("PUT", agent, {"settings": {"cookies": {"enabled": False}}})
    assert "set-cookie" not in send(site, f"{agent}/decision").headers
    assert good(site, f"{agent}/goal?reward=3")["reward"] == 0  # nobody's goal


# Keys, errors, hosts


def test_keys(site: Site, agent: str) -> None:
    target = f"{agent}/decision?session=s"
    refused(site, 401, target, headers={"x-mpath-apikey": ""})
    for key in ("wrong-key-0123456789", "undefined-0", "nl_a_b", site.runtime[:-1]):
        refused(site, 403, target, headers={"x-mpath-apikey": key})
    assert good(site, f"{target}&apikey={site.runtime}", headers={"x-mpath-apikey": "wrong"})
    assert good(site, target, headers={"x-mpath-apikey": site.admin})
    refused(site, 403, "list-agents")
    refused(site, 403, f"//conductrics/nobody/{agent}/decision")
    refused(site, 400, f"//conductrics/no%20body/{agent}/decision")
    native = site.journal.create_key("admin", "native")
    refused(site, 403, target, headers={"x-mpath-apikey": native})


def test_a_revoked_key_ends_and_an_existing_key_is_taken_in(site: Site, agent: str) -> None:
    from store.journal.keys import create_agent_key

    with site.journal.writing() as connection:
        create_agent_key(connection, "runtime", "theirs", site.journal.clock(), "api-of-the-old-service")
    headers = {"x-mpath-apikey": "api-of-the-old-service"}
    good(site, f"{agent}/decision", headers=headers)
    listed = site.journal.keys()
    (key,) = [one for one in listed if one.label == "theirs"]
    site.journal.revoke_key(key.key_id)
    for _ in range(100):
        if send(site, f"{agent}/decision", headers=headers).status == 403:
            break
    refused(site, 403, f"{agent}/decision", headers=headers)


def test_failures_are_json_with_err(site: Site, agent: str) -> None:
    refused(site, 404, "a/b/c/d")
    refused(site, 404, "login/users")
    for verb in ("PUT", "PATCH", "HEAD"):
        told = send(site, f"{agent}/decision", verb)
        assert told.status == 405 and told.headers["allow"] == "GET, OPTIONS"
    refused(site, 405, f"{agent}/decision", "POST")
    refused(site, 405, f"{agent}/expire", "DELETE")
    refused(site, 413, f"{agent}/goal", "POST", body=b"x" * (1 << 20 | 1))
    refused(site, 413, f"{agent}/goal", "POST", body=b"x" * (1 << 25))  # sent whole before the answer is read
    refused(site, 400, f"{agent}/goal?_type=json", "POST", body=b"{")
    refused(site, 404, f"{agent}/report/learning", headers={"x-mpath-apikey": site.admin})


def test_stray_marks_in_queries(site: Site, agent: str) -> None:
    for query in (
        "?&point=home&session=s", "?point=home&session=s&", "?session=s&point=home?", "??point=home&session=s",
        "?point=home&&session=s&x&=y&callback=f",
    ):
        told = good(site, f"{agent}/decision{query}")
        assert (told["point"], told["session"]) == ("home", "s"), query
    assert good(site, f"{agent}/decision?")["point"] == "home"
    assert good(site, f"{agent}/decision/?session=s&point=null")["point"] == "home"
    assert good(site, f"{agent}/decisions/v%3Aa%2Cb/w:c?session=s2")["decisions"].keys() == {"v", "w"}
    assert good(site, f"{agent}/decision?session=a+b/c==&point=home")["session"] == "a+b/c=="
    assert good(site, f"{agent}/decision?session=a%2Bb&point=home")["session"] == "a+b"


def test_host_names_are_the_dialects(site: Site, agent: str) -> None:
    told = good(site, f"//default/{agent}/decision?session=s", headers={"host": "api.decisions.test"})
    assert told["agent"] == agent


def test_cors(site: Site, agent: str) -> None:
    told = send(site, f"{agent}/decision", "OPTIONS", headers={"origin": "https://shop.test", "x-mpath-apikey": ""})
    assert told.status == 204 and told.raw == b""
    assert told.headers["access-control-allow-origin"] == "https://shop.test"
    assert told.headers["access-control-allow-credentials"] == "true" and told.headers["vary"] == "Origin"
    for word in ("GET", "POST", "DELETE", "PUT"):
        assert word in told.headers["access-control-allow-methods"]
    for word in ("content-type", "x-mpath-apikey", "x-mpath-session", "x-mpath-decision-policy", "x-mpath-reward"):
        assert word in told.headers["access-control-allow-headers"].split(", ")
    assert send(site, "any/thing/at/all", "OPTIONS", headers={"x-mpath-apikey": ""}).status == 204
    told = send(site, f"{agent}/decision", headers={"origin": "https://shop.test"})
    assert told.headers["access-control-allow-origin"] == "https://shop.test"
    told = send(site, f"{agent}/decision", headers={"origin": "https://shop.test", "x-mpath-apikey": "no"})
    assert told.status == 403 and told.headers["access-control-allow-origin"] == "https://shop.test"


# ts, provisional decisions, batch


def test_calls_from_the_past_and_the_future(site: Site, agent: str) -> None:
    now = site.clock.now
    good(site, f"{agent}/decision?session=s&ts={now - 86_400.25}")
    assert good(site, f"{agent}/goal?session=s&reward=2&ts={now - 86_000}")["reward"] == 2
    good(site, f"{agent}/decision?session=s&ts={now - 90_000}")  # earlier than the last: the clock stays
    (first, late), (goal,) = events(site, agent), events(site, agent, "goals")
    assert first["epoch"] == int((now - 86_400.25) * 1000) == late["epoch"]
    assert first["ts"] == round((now - 86_400.25) * 1e6) and first["ts_given"] is True
    assert goal["ts"] == round((now - 86_000) * 1e6) and first["received_ts"] == round(now * 1e6)
    good(site, f"{agent}/decision?session=t&ts={now + 299}")
    for bad in (now + 301, "soon", -1, "nan"):
        refused(site, 400, f"{agent}/decision?session=s&ts={bad}")


def test_provisional_decisions_count_once_confirmed(site: Site, agent: str) -> None:
    first = good(site, f"{agent}/decision?session=s&status=p")
    assert good(site, f"{agent}/goal?session=s")["reward"] == 0
    assert good(site, f"{agent}/decision?session=s&status=p")["decision"] == first["decision"]
    confirmed = good(site, f"{agent}/decision?session=s&status=ok")
    assert confirmed["decision"] == first["decision"]
    assert good(site, f"{agent}/goal?session=s")["reward"] == 1
    assert good(site, f"{agent}/decision?session=s")["policy"] == "sticky"
    rows = [(one["status"], one["sticky"], one["probability"]) for one in events(site, agent)]
    p = rows[0][2]
    assert rows == [("p", False, p), ("p", True, p), ("ok", False, p), ("ok", True, p)]
    assert events(site, agent)[2]["policy"] == first["policy"] == confirmed["policy"]
    refused(site, 400, f"{agent}/decision?session=s&status=maybe")


def test_a_batch_answers_in_order(site: Site, agent: str) -> None:
    items = [
        {"agent": agent, "type": "goal", "query": {"reward": "3.5"}},
        {"agent": agent, "type": "decisions", "query": {"point": "home", "features": "vip"}, "choices": "v:a,b/w:c,d"},
        {"agent": agent, "type": "goal", "query": {"reward": 3.5}, "goal": "g2"},
        {"agent": "a b", "type": "goal"}, "nothing", {"agent": agent, "type": "dance"},
        {"agent": agent, "type": "goal", "query": {"reward": "x"}},
        {"agent": agent, "type": "decision", "query": {"session": "own"}, "choices": "3"},
    ]
    told = send(site, "-/batch?_type=json", "POST", body=json.dumps(items).encode())
    assert told.status == 200
    found = told.json
    assert [one["status"] for one in found] == [200, 200, 200, 400, 400, 400, 400, 200]
    assert all(("err" in one["data"]) == (one["status"] != 200) for one in found)
    session = found[0]["data"]["session"]
    assert found[1]["data"]["session"] == found[2]["data"]["session"] == session and len(session) == 32
    assert told.headers["set-cookie"].startswith(f"mpid={session};")
    assert [found[at]["data"]["reward"] for at in (0, 2)] == [0, 3.5]
    assert found[1]["data"]["decisions"].keys() == {"v", "w"} and "decision" not in found[1]["data"]
    assert found[7]["data"]["session"] == "own" and found[7]["data"]["decision"] in "012"
    outer = send(site, "-/batch?session=mine&point=home", "POST", body=json.dumps(items[1:2]).encode()).json
    assert outer[0]["data"]["session"] == "mine" and outer[0]["data"]["point"] == "home"
    assert send(site, "-/batch", "POST", body=b"[]").json == []
    refused(site, 400, "-/batch", "POST", body=b"{}")
    refused(site, 400, "-/batch", "POST", body=b"nothing")
    refused(site, 400, "-/batch", "POST", body=json.dumps(items[:1] * 101).encode())


# Nothing personal


def test_nothing_personal_is_kept(site: Site, agent: str, caplog: pytest.LogCaptureFixture) -> None:
    personal = {"ip": "203.0.113.77", "ua": "Mozilla/5.0 SecretBrowser", "referer": "https://secret.test/page"}
    query = "&".join(f"{name}={value.replace(' ', '%20')}" for name, value in personal.items())
    headers = {
        "user-agent": "Mozilla/5.0 SecretBrowser", "referer": "https://secret.test/page",
        "x-forwarded-for": "203.0.113.77", "x-mpath-ip": "203.0.113.77", "x-mpath-ua": "Mozilla/5.0 SecretBrowser",
    }
    good(site, f"{agent}/decision?session=s&{query}", headers=headers)
    good(site, f"{agent}/goal?session=s&{query}", headers=headers)
    good(site, f"{agent}/session?session=s&{query}", headers=headers)
    refused(site, 400, f"{agent}/decision?session=s&point=a%20b&{query}", headers=headers)
    kept = b"".join(path.read_bytes() for path in site.layout.root.glob("*") if path.is_file())
    assert b'"agent":"%b"' % agent.encode() in kept
    for word in (b"203.0.113.77", b"SecretBrowser", b"secret.test"):
        assert word not in kept
        assert word.decode() not in caplog.text


def test_what_nobody_knows_is_404_where_nothing_is_created(tmp_path_factory: pytest.TempPathFactory) -> None:
    settings = Settings(decisions=Decisions(auto_create=False, accept_any_key=True))
    with open_site(tmp_path_factory.mktemp("strict"), settings) as site:
        refused(site, 404, "home/decision?session=s", headers={"x-mpath-apikey": "any"})
        site.good("PUT", "home", {"points": [{"code": "p", "decisions": [{"code": "d", "choices": ["a", "b"]}]}]})
        good(site, "home/decision?session=s", headers={"x-mpath-apikey": "any"})
        for path in ("decision?point=q", "decision/a,z", "decisions/x:a", "goal/new"):
            refused(site, 404, f"home/{path}")
        assert good(site, "other/goal?session=s")["reward"] == 0
        assert good(site, "ping/expire?session=s") == {"agent": "ping", "session": "s"}
        assert [one["code"] for one in site.good("GET", "list-agents")["data"]["agents"]] == ["home"]
