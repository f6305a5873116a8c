"""Management of agents over HTTP: documents, the older routes, resets and deletions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from store import agent_documents
from tests.serving.conductrics.place import OWNER, Site, open_site

DOCUMENT: dict[str, Any] = {
    "name": "Agent 1", "created": 1344607999, "status": "enabled", "aa": False, "colour": {"of": ["anything"]},
    "goals": [{"code": "goal-1", "name": "Goal", "settings": {"min": 1, "max": 3, "default": 2, "limit": 2}}],
    "points": [{"code": "point-1", "decisions": [{"code": "decision-1", "choices": [{"code": "a"}, {"code": "b"}]}]}],
    "learning": {"explorationRate": 0.5, "controlGroupRate": 0, "windowDays": 30, "rewardModel": "binary"},
    "settings": {"sessions": {"sticky": False, "timeout": 600, "visitLen": 14400}, "cookies": {"enabled": False},
                 "allowUndo": False},
    "targeting": {"segments": [], "features": ["vip"]},
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with open_site(tmp_path_factory.mktemp("management")) as made:
        yield made


def test_a_document_is_put_and_comes_back_with_all_it_had(site: Site) -> None:
    code = site.new("agent")
    assert site.good("PUT", code, {**DOCUMENT, "code": "other", "owner": "other"}) == {"success": True}
    found = site.good("GET", code)
    assert found == {**DOCUMENT, "code": code, "owner": OWNER, "ts": int(site.clock())}
    assert site.good("PUT", code, {"name": "again", "created": 5}) == {"success": True}
    again = site.good("GET", code)
    assert again["created"] == DOCUMENT["created"] and again["name"] == "again" and again["points"] == []
    assert again["learning"] == {
        "explorationRate": 0.2, "controlGroupRate": 0.1, "windowDays": 90, "rewardModel": "auto",
    }


def test_every_fault_of_a_document_is_told_at_once(site: Site) -> None:
    told = site.refused(400, "PUT", site.new("agent"), {
        "learning": {"explorationRate": 1.5, "controlGroupRate": -1}, "status": "on", "points": [{"code": "a b"}],
        "error": 1,
    })
    for part in ("learning.explorationRate", "learning.controlGroupRate", "status", "points[0].code", "error"):
        assert f"$.{part}: " in told
    for body in ([1], "text", 3):
        site.refused(400, "PUT", site.new("agent"), body)
    assert httpx.put(
        f"{site.url}/conductrics/{OWNER}/{site.new('agent')}?apikey={site.admin}", content=b"{not json",
        headers={"content-type": "application/json"},
    ).status_code == 400
    assert site.ask("PUT", site.new("agent")).status_code == 400


@pytest.mark.parametrize("code", ["-", "report", "agent-api", "schema", "create-key", "transforms-options", "a%20b"])
def test_codes_that_no_agent_may_have(site: Site, code: str) -> None:
    assert site.ask("PUT", code, body={}).status_code in (400, 405)
    assert all(one["code"] != code for one in site.good("GET", "list-agents")["data"]["agents"])


def test_management_needs_an_admin_key(site: Site) -> None:
    code = site.new("agent")
    site.good("PUT", code, {})
    for verb, path in (
        ("GET", "list-agents"), ("GET", code), ("PUT", code), ("DELETE", code), ("DELETE", f"{code}/data"),
        ("GET", f"agent-api/{code}"), ("PUT", f"agent-api/{code}"), ("DELETE", f"agent-api/{code}"),
        ("GET", f"agent-api/{code}/points"), ("GET", "transforms-list"), ("PUT", "transform-rule"),
        ("GET", "transforms-options"), ("PUT", f"agent-api/{code}/points/p/fixed-targeting"),
    ):
        for key, status in ((site.runtime, 403), ("wrong", 403), (None, 401)):
            answer = site.ask(verb, path, key=key)
            assert answer.status_code == status and answer.json()["err"], (verb, path, key)


def test_unknown_agents(site: Site) -> None:
    nobody = site.new("nobody")
    for verb, path in (
        ("GET", nobody), ("DELETE", nobody), ("DELETE", f"{nobody}/data"), ("GET", f"agent-api/{nobody}"),
        ("DELETE", f"agent-api/{nobody}"), ("GET", f"agent-api/{nobody}/points"),
        ("PUT", f"agent-api/{nobody}/points/p"), ("DELETE", f"agent-api/{nobody}/goals/g"),
    ):
        site.refused(404, verb, path)


def test_the_list_has_those_made_by_calls_too(site: Site) -> None:
    by_hand, by_call = site.new("agent"), site.new("agent")
    site.good("PUT", by_hand, {"name": "By hand", "created": 7})
    site.good("GET", f"{by_call}/decision", session="s")
    listed = {one["code"]: one for one in site.good("GET", "list-agents")["data"]["agents"]}
    assert listed[by_hand] == {"code": by_hand, "name": "By hand", "created": 7}
    assert listed[by_call] == {"code": by_call, "name": by_call, "created": int(site.clock())}


def test_what_a_document_says_is_what_calls_meet(site: Site) -> None:
    code = site.new("agent")
    site.good("PUT", code, {**DOCUMENT, "points": [{"code": "top", "decisions": [
        {"code": "banner", "choices": [{"code": "x", "name": "X", "meta": {"image": "x.png"}}]},
    ]}]})
    found = site.good("GET", f"{code}/decisions", session="s")
    assert found["point"] == "top"
    assert found["decisions"] == {"banner": {"code": "x", "name": "X", "meta": {"image": "x.png"}}}
    assert "set-cookie" not in site.ask("GET", f"{code}/decision").headers
    assert site.good("GET", f"{code}/goal", session="s")["reward"] == 2
    assert site.good("GET", f"{code}/goal", session="s", reward="3.5")["reward"] == 0
    site.clock.now += 601
    assert site.good("GET", f"{code}/goal", session="s", reward="2.5")["reward"] == 0


def test_the_older_routes_change_settings_of_an_agent(site: Site) -> None:
    code = site.new("agent")
    path = f"agent-api/{code}"
    assert site.good("PUT", path) == {"status": "ok"}
    assert site.good("GET", path) == {
        "code": code, "name": code, "selection-mode": "adaptive", "status": "enabled", "control-rate": 0.1,
        "explore-rate": 0.2, "decision-stickiness": "session",
    }
    given = {
        "name": "New", "selection-mode": "random", "status": "paused", "control-rate": 0.3, "explore-rate": 0.4,
        "decision-stickiness": "none",
    }
    site.good("PUT", path, given)
    assert site.good("GET", path) == {"code": code, **given, "explore-rate": 1}
    document = site.good("GET", code)
    assert document["settings"]["sessions"]["sticky"] is False and document["learning"]["explorationRate"] == 1
    site.good("PUT", path, {"selection-mode": "adaptive"})
    assert site.good("GET", path)["explore-rate"] == 0.2
    told = site.refused(400, "PUT", path, {"selection-mode": "magic", "decision-stickiness": "glue"})
    assert "selection-mode" in told and "decision-stickiness" in told
    told = site.refused(400, "PUT", path, {"control-rate": 2, "explore-rate": "much", "status": "gone"})
    assert "controlGroupRate" in told and "explorationRate" in told and "status" in told
    assert site.good("GET", path)["name"] == "New"
    assert site.good("DELETE", path) == {"status": "ok"}
    site.refused(404, "GET", path)


def test_settings_may_come_as_a_form(site: Site) -> None:
    code = site.new("agent")
    answer = httpx.put(
        f"{site.url}/conductrics/{OWNER}/agent-api/{code}", params={"apikey": site.admin},
        data={"explore-rate": "0.75", "name": "Form"},
    )
    assert answer.json() == {"status": "ok"}
    assert site.good("GET", f"agent-api/{code}")["explore-rate"] == 0.75


def test_parts_one_by_one(site: Site) -> None:
    code = site.new("agent")
    top = f"agent-api/{code}"
    site.good("PUT", top)
    assert site.good("GET", f"{top}/points") == [] and site.good("GET", f"{top}/goals") == []
    site.good("PUT", f"{top}/points/p1", {"name": "First"})
    site.good("PUT", f"{top}/points/p1/decisions/d1")
    for choice in ("x", "y", "z"):
        site.good("PUT", f"{top}/points/p1/decisions/d1/choices/{choice}", {"meta": {"k": choice}})
    site.good("PUT", f"{top}/points/p1/decisions/d1/choices/y", {"name": "Why"})
    site.good("PUT", f"{top}/points/p1/decisions/d1", {"pausedChoice": "z"})
    site.good("PUT", f"{top}/goals/g1", {"settings": {"limit": 0}})
    assert site.good("GET", f"{top}/points") == ["p1"]
    assert site.good("GET", f"{top}/points/p1/decisions") == ["d1"]
    assert site.good("GET", f"{top}/points/p1/decisions/d1/choices") == ["x", "y", "z"]
    assert site.good("GET", f"{top}/points/p1/decisions/d1/choices/y") == {
        "code": "y", "name": "Why", "meta": {"k": "y"},
    }
    assert site.good("GET", f"{top}/goals") == ["g1"]
    site.good("PUT", top, {"status": "paused"})
    assert site.good("GET", f"{code}/decision", session="s")["decision"] == "z"
    site.good("DELETE", f"{top}/points/p1/decisions/d1/choices/z")
    assert site.good("GET", f"{code}/decision", session="s")["decision"] == "x"
    site.refused(404, "DELETE", f"{top}/points/p1/decisions/d1/choices/z")
    site.refused(404, "PUT", f"{top}/points/p2/decisions/d1")
    site.refused(404, "GET", f"{top}/points/p2")
    site.refused(400, "PUT", f"{top}/points/a%20b")
    site.refused(400, "PUT", f"{top}/goals/g1", {"settings": {"limit": -1}})
    site.refused(405, "PUT", f"{top}/points")
    site.good("DELETE", f"{top}/points/p1/decisions/d1")
    site.good("DELETE", f"{top}/points/p1")
    site.good("DELETE", f"{top}/goals/g1")
    assert site.good("GET", f"{top}/points") == [] and site.good("GET", f"{top}/goals") == []


def test_a_point_or_decision_that_holds_nothing_gets_the_vanilla_choices(site: Site) -> None:
    code = site.new("agent")
    top = f"agent-api/{code}"
    site.good("PUT", top)
    site.good("PUT", f"{top}/points/p1")
    assert site.good("GET", f"{code}/decision", session="s", point="p1")["decision"] in ("a", "b")
    site.good("PUT", f"{top}/points/p2")
    site.good("PUT", f"{top}/points/p2/decisions/d")
    assert site.good("GET", f"{code}/decisions", session="s", point="p2")["decisions"]["d"]["code"] in ("a", "b")


@pytest.mark.parametrize(("status", "wire"), [("paused", "control"), ("stopped", "control")])
def test_an_agent_that_does_not_decide(site: Site, status: str, wire: str) -> None:
    code = site.new("agent")
    site.good("PUT", code, {"status": status, "points": [{"code": "p", "decisions": [
        {"code": "d", "choices": ["a", "b", "c"], "pausedChoice": "c"}, {"code": "e", "choices": ["x", "y"]},
    ]}]})
    for number in range(8):
        found = site.good("GET", f"{code}/decisions", session=f"s{number}")
        expected = {"d": "c" if status == "paused" else "a", "e": "x"}
        assert {name: one["code"] for name, one in found["decisions"].items()} == expected
        assert found["policy"] == wire
    subset = site.good("GET", f"{code}/decisions/d:b,a", session="s0")
    assert subset["decisions"]["d"]["code"] == "a"
    assert site.good("GET", f"{code}/goal", session="s0", reward="2")["reward"] == (0 if status == "stopped" else 2)


def test_a_reset_ends_sessions_and_learning_but_not_the_document(site: Site) -> None:
    code = site.new("agent")
    site.good("PUT", code, {"learning": {"explorationRate": 1, "controlGroupRate": 0}})
    site.good("GET", f"{code}/decision/a,b,c,d", session="s", features="vip", segment="gold")
    assert site.good("DELETE", f"{code}/data") == {"success": True}
    assert site.good("GET", f"{code}/goal", session="s")["reward"] == 0
    after = site.good("GET", f"{code}/decision/a,b,c,d", session="s")
    assert after["features"] == {} and after["segment"] == "(none)" and after["policy"] != "sticky"
    assert site.good("GET", code)["points"][0]["decisions"][0]["choices"]
    with site.journal.reading() as connection:
        reset = agent_documents.read_resets(connection)[code]
    assert (reset.at.timestamp() > 0, reset.deleted) == (True, False)


def test_a_deleted_agent_is_gone_and_begins_anew(site: Site) -> None:
    code = site.new("agent")
    site.good("PUT", code, DOCUMENT)
    site.good("GET", f"{code}/decision", session="s", features="vip")
    assert site.good("DELETE", code) == {"success": True}
    site.refused(404, "GET", code)
    assert site.good("GET", f"{code}/goal", session="s", reward="2")["reward"] == 0
    site.refused(404, "GET", code)
    after = site.good("GET", f"{code}/decision", session="s")
    assert after["features"] == {} and after["policy"] != "sticky"
    assert "colour" not in site.good("GET", code)
    with site.journal.reading() as connection:
        assert code in agent_documents.read_deletions(connection)


def test_codes_are_checked_in_every_part_of_a_path(site: Site) -> None:
    for verb, path in (
        ("GET", "a%20b"), ("DELETE", "a%20b"), ("GET", "agent-api/a%20b"), ("PUT", "agent-api/" + "x" * 51),
        ("DELETE", "%C3%BC/data"),
    ):
        site.refused(400, verb, path)
