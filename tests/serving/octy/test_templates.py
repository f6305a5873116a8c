"""Messaging templates over HTTP: stored, replaced, deleted, and filled with a client's data."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.placeholders import Unfilled, filled, placeholders
from store.journal import documents
from tests.serving.octy.conftest import Shop, failure, good
from tests.serving.octy.test_recommendations import configure, pack_of, trained

__all__ = ["trained"]

BELOW = "/v1/retention/messaging"


def template(name: str, **more: Any) -> dict[str, Any]:
    return {
        "friendly_name": name, "template_type": "email", "title": "Hi {name}", "content": "{{name}}, see {page}!",
        "default_values": {"name": "friend"}, "metadata": {"section_id": "s1", "churn_pred": ["high"]},
        "required_data": None, **more,
    }


def made(client: httpx.Client, *given: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = good(
        client.post(f"{BELOW}/templates/create", json={"templates": list(given)}), 201
    )["templates"]
    return found


def generated(client: httpx.Client, *messages: dict[str, Any], status: int = 201) -> dict[str, Any]:
    answer = client.post(f"{BELOW}/content/generate", json={"messages": list(messages)})
    return good(answer, 201) if status == 201 else failure(answer, status)


@pytest.fixture(autouse=True)
def _none_are_left(fresh: Shop) -> Iterator[None]:
    yield
    with fresh.journal.writing() as connection:
        for one in documents.listed(connection, "template"):
            documents.delete(connection, "template", one.name, "test", fresh.journal.clock())


def test_templates_are_created_shown_replaced_and_deleted(client: httpx.Client) -> None:
    url = f"{BELOW}/templates"
    assert failure(client.get(url, headers={"cursor": "0"}), 400)["errors"][0]["error_message"] == "none found"
    failure(client.get(url), 400)
    first, second = made(client, template("first"), template("second", metadata=None, title=None))
    assert first["template_id"].startswith("template_") and len(first["template_id"]) == len("template_") + 32
    assert first["required_data"] == ["name", "page"] and first["status"] == "active"
    assert first["metadata"] == {"section_id": "s1", "churn_pred": ["high"]} and second["metadata"] == {}
    assert second["title"] == ""
    assert first["created_at"] == first["updated_at"] and first["created_at"].endswith(" GMT")
    for asked in ({"ids": f",{first['template_id']},x,{first['template_id']}"}, {"id": first["template_id"]}):
        assert good(client.get(url, params=asked))["templates"] == [first]
    page = client.get(url, headers={"cursor": "0"})
    assert good(page)["templates"] == [first, second]
    assert page.headers["cursor"] == "2" and page.json()["request_meta"]["total"] == 2
    failure(client.get(url, headers={"cursor": "2"}), 400)
    changed = {**template("third", content="plain", title=""), "template_id": first["template_id"]}
    lost = {**template("fourth"), "template_id": "template_x"}
    taken = {**template("second"), "template_id": first["template_id"]}
    answer = good(client.post(f"{url}/update", json={"templates": [changed, lost, taken]}), 201)
    assert answer["templates"][0]["friendly_name"] == "third" and answer["templates"][0]["required_data"] == []
    assert [one["template_id"] for one in answer["failed_to_update"]] == ["template_x", first["template_id"]]
    assert good(client.get(url, params={"ids": first["template_id"]}))["templates"] == answer["templates"]
    again = good(client.post(f"{url}/create", json={"templates": [template("first"), template("second")]}), 201)
    assert [one["friendly_name"] for one in again["templates"]] == ["first"]
    assert [one["friendly_name"] for one in again["failed_to_create"]] == ["second"]
    failure(client.post(f"{url}/create", json={"templates": [template("first")]}), 400)
    gone = good(client.post(f"{url}/delete", json={"template_ids": [first["template_id"], "x"]}), 200)
    assert gone["deleted_templates"] == [{"template_id": first["template_id"]}]
    assert gone["failed_to_delete"] == [{"template_id": "x", "error_message": "there is no such template"}]
    failure(client.post(f"{url}/delete", json={"template_ids": ["x"]}), 400)
    failure(client.get(url, params={"ids": first["template_id"]}), 400)


def nested(depth: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for _ in range(depth):
        found = {"a": found}
    return found


@pytest.mark.parametrize("wrong", [
    {"friendly_name": ""}, {"friendly_name": None}, {"template_type": 3}, {"content": " "}, {"title": 1},
    {"default_values": []}, {"default_values": {"a": {}}}, {"metadata": "x"}, {"metadata": nested(200)},
    {"required_data": "name"}, {"friendly_name": "x" * 256},
])
def test_a_template_that_is_not_what_it_must_be_refuses_the_request(
    client: httpx.Client, wrong: dict[str, Any]
) -> None:
    body = {"templates": [template("good"), template("bad", **wrong)]}
    (told,) = failure(client.post(f"{BELOW}/templates/create", json=body), 422)["errors"]
    assert told["field"].startswith(f"templates[1].{next(iter(wrong))}")
    failure(client.get(f"{BELOW}/templates", headers={"cursor": "0"}), 400)


def test_limits(client: httpx.Client) -> None:
    url = f"{BELOW}/templates"
    good(client.post(f"{url}/create", json={"templates": [template(f"t{at}") for at in range(500)]}), 201)
    page = client.get(url, headers={"cursor": "400"})
    assert len(good(page)["templates"]) == 100 and page.headers["cursor"] == "500"
    failure(client.post(f"{url}/create", json={"templates": [template(f"u{at}") for at in range(501)]}), 422)
    failure(client.post(f"{url}/create", json={"templates": []}), 422)
    failure(client.post(f"{url}/update", json={"templates": [template("without id")]}), 422)
    failure(client.post(f"{url}/delete", json={"template_ids": [f"t{at}" for at in range(101)]}), 422)
    failure(client.get(url, params={"ids": ",".join(f"t{at}" for at in range(101))}), 400)


def test_messages_take_values_from_data_then_from_defaults(client: httpx.Client) -> None:
    (one,) = made(client, template("welcome", content="{{name}} {{ page }} {n} { x } {1} {y:} }{", default_values={
        "name": "friend", "n": 2.0, "page": "home",
    }))
    ident = one["template_id"]
    data = [{"name": "{n} <b>"}, {"name": None, "page": True}, {"n": 1.5}]
    told = generated(client, {"template_id": ident, "item_recommendation": False, "data": data})
    assert told["request_meta"]["count"] == 3
    assert told["failed_messages"] == told["failed templates"] == []
    rest = "{ x } {1} {y:} }{"
    assert [one["content"] for one in told["generated_messages"]] == [
        f"{{n}} <b> home 2 {rest}", f"friend true 2 {rest}", f"friend home 1.5 {rest}",
    ]
    assert told["generated_messages"][0] == {
        "template_id": ident, "friendly_name": "welcome", "title": "Hi {n} <b>",
        "content": told["generated_messages"][0]["content"],
    }


def test_what_cannot_be_made_is_told_by_itself(client: httpx.Client) -> None:
    (one,) = made(client, template("w"))
    ident = one["template_id"]
    told = generated(
        client, {"template_id": ident, "data": [{"page": "p"}, {}]}, {"template_id": "nothing", "data": [{}]},
    )
    assert [one["content"] for one in told["generated_messages"]] == ["friend, see p!"]
    assert told["failed_messages"] == [{"template_id": ident, "error_message": "no value for page"}]
    assert [one["template_id"] for one in told["failed templates"]] == ["nothing"]
    both = generated(client, {"template_id": ident, "data": [{}]}, {"template_id": "no", "data": [{}]}, status=400)
    assert [one["template_id"] for one in both["errors"]] == [ident, "no"]
    for wrong in ({"data": []}, {"data": None}, {"data": [{"a": []}]}, {"data": [1]},
                  {"data": [{}], "item_recommendation": "yes"}, {"data": [{}] * 5001}):
        generated(client, {"template_id": ident, **wrong}, status=422)


def test_an_answer_stays_of_a_size_that_fits(client: httpx.Client) -> None:
    (one,) = made(client, template("large", content="{a}" * 1000))
    body = {"template_id": one["template_id"], "data": [{"a": "x" * 100_000}]}
    told = generated(client, body, status=400)
    assert "64 Mi characters" in told["errors"][0]["error_message"]


def test_the_first_recommended_item_is_named(trained: Shop) -> None:
    configure(trained)
    state, lists = pack_of(trained), f"{BELOW}/content/generate"
    ids = [json.loads(bytes(state.profiles[row]))["profile_id"] for row in range(5)]
    with trained.client() as client:
        (one,) = made(client, template("offer", title="{ITEM_REC}", content="for {profile_id}", default_values={}))
        listed = good(client.post("/v1/retention/recommendations", json={"profile_ids": ids}))["recommendations"]
        best = {entry["profile_id"]: entry["recommendations"][0]["item_id"] for entry in listed
                if entry["recommendations"]}
        assert best
        data = [{"profile_id": ident} for ident in best] + [{"profile_id": "stranger"}, {}]
        asked = {"template_id": one["template_id"], "item_recommendation": True, "data": data}
        told = good(client.post(lists, json={"messages": [asked]}), 201)
        names = {}
        for item in state.items:
            record = json.loads(bytes(item))
            names[record["item_id"]] = record["item_name"]
        assert [one["title"] for one in told["generated_messages"]] == [names[item] for item in best.values()]
        reasons = [one["error_message"] for one in told["failed_messages"]]
        assert "stranger has no recommendation" in reasons[0] and "no profile_id" in reasons[1]
        asked["item_recommendation"] = False
        failure(client.post(lists, json={"messages": [asked]}), 400)


TEXT = st.text(st.sampled_from("{}ab _-1é"), max_size=30)


@given(TEXT, st.dictionaries(st.sampled_from("abé_"), TEXT, max_size=4))
def test_filling_looks_at_every_letter_once(text: str, values: dict[str, str]) -> None:
    tags = placeholders(text)
    try:
        (made,) = filled((text,), values, take=lambda _: None)
    except Unfilled as unfilled:
        assert unfilled.tags == [tag for tag in tags if tag not in values]
        return
    # Against a scan by hand: at each place the longer form first, then the shorter, else the letter itself.
    out, at = "", 0
    while at < len(text):
        for tag in tags:
            forms = [f"{{{{{left}{tag}{right}}}}}" for left in ("", " ", "  ") for right in ("", " ", "  ")]
            hit = next((one for one in [*forms, f"{{{tag}}}"] if text.startswith(one, at)), None)
            if hit is not None:
                out, at = out + values[tag], at + len(hit)
                break
        else:
            out, at = out + text[at], at + 1
    assert made == out
