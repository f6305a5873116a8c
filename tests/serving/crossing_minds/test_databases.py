"""Databases of the dialect (§7), and that they share nothing."""

from __future__ import annotations

import copy
import time
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.crossing_minds.databases import merged
from store.journal import Journal, Write
from store.layout import Layout
from tests.serving.crossing_minds.conftest import House

NEW = {"name": "films", "description": "Films", "item_id_type": "uint32", "user_id_type": "uuid"}


def test_the_current_database(house: House) -> None:
    with house.client("demo_viewer") as client:
        told = client.get("/databases/current/").json()
    counters = told.pop("counters")
    assert set(counters) == {"rating", "user", "item"} and (counters["user"], counters["item"]) == (40, 30)
    assert told == {
        "id": house.shop, "name": "shop", "description": "A shop", "item_id_type": "urlsafe32",
        "user_id_type": "urlsafe64", "session_id_type": "urlsafe64", "org_id": house.control.org_id, "status": "ready",
        "core_config": {}, "metadata": None,
    }


def test_databases_are_made_listed_changed_and_deleted(house: House) -> None:
    with house.client("manager") as client:
        made = client.post("/databases/", json={**NEW, "metadata": {"a": 1}})
        assert made.status_code == 200 and set(made.json()) == {"id"}
        twice = client.post("/databases/", json=NEW)
        assert (twice.status_code, twice.json()["error_data"]) == (
            400, {"name": "DUPLICATED_DB_NAME", "type": "database", "key": "films"}
        )
        pages = [client.get(f"/databases/?amt=1&page={page}").json() for page in (1, 2, 3, 4)]
        assert [row["name"] for page in pages for row in page["databases"]] == ["shop", "second", "films"]
        assert [page["has_next"] for page in pages] == [True, True, False, False]
        assert [page["next_page"] for page in pages] == [2, 3, 4, 5]
        (films,) = pages[2]["databases"]
        assert films == {**NEW, "id": made.json()["id"], "session_id_type": "urlsafe64", "status": "pending"}
    with house.client("manager", db_name="films") as client:
        patch = {"metadata": {"b": [1], "a": None}}
        assert client.patch("/databases/current/preview/", json=patch).json() == {
            "metadata_old": {"a": 1}, "metadata_new": {"b": [1]}
        }
        assert client.get("/databases/current/").json()["metadata"] == {"a": 1}
        changed = client.patch("/databases/current/", json={**patch, "description": "More films"})
        assert (changed.status_code, changed.json()) == (200, {})
        assert client.patch("/databases/current/", json={"metadata": {"b": [2]}, "preserve": True}).status_code == 200
        told = client.get("/databases/current/").json()
        assert (told["description"], told["metadata"]) == ("More films", {"b": [1, 2]})
        database = house.control.directory().by_name["films"]
        folder = Layout(house.layout.home, database.workspace).root
        assert (folder / "journal.sqlite").exists()
        gone = client.delete("/databases/current/")
        assert (gone.status_code, gone.content) == (204, b"")
        assert not folder.exists()
        after = client.get("/databases/current/status/")
        assert (after.status_code, after.json()["error_data"]["name"]) == (404, "DATABASE_NOT_FOUND")


@pytest.mark.parametrize(
    "change",
    [
        {"name": None}, {"name": ""}, {"name": 5}, {"item_id_type": None}, {"item_id_type": "uint128"},
        {"session_id_type": "x"}, {"metadata": []}, {"core_config": 3}, {"description": 1},
    ],
)
def test_what_cannot_be_made(house: House, change: dict[str, object]) -> None:
    with house.client("root") as client:
        refused = client.post("/databases/", json={**NEW, "name": "never", **change})
    assert (refused.status_code, refused.json()["error_code"]) == (400, 40)
    assert "never" not in house.control.directory().by_name


def test_the_endpoints_own_workspace_is_not_deleted_through_it(house: House) -> None:
    with house.client("root") as client:
        refused = client.delete("/databases/current/")
        assert (refused.status_code, refused.json()["error_data"]["name"]) == (400, "WRONG_PARAMETER")
        assert client.get("/databases/current/status/").json() == {"status": "ready"}


def test_a_database_of_a_limited_account_is_its_own(house: House) -> None:
    key = house.control.create_account("service", "service-corner", "manager", limits=[house.second])
    house.keys["corner"] = key
    with house.client("corner", name="service-corner") as client:
        assert [row["name"] for row in client.get("/databases/").json()["databases"]] == ["second"]
        made = client.post("/databases/", json={**NEW, "name": "corner"}).json()["id"]
        assert [row["name"] for row in client.get("/databases/").json()["databases"]] == ["second", "corner"]
    login = {"name": "service-corner", "password": key, "db_id": made}
    assert httpx.post(f"{house.url}/crossing-minds/login/service/", json=login).status_code == 200
    house.control.remove_database(made)


def test_a_database_that_was_deleted_elsewhere_is_let_go(house: House) -> None:
    with house.client("root") as client:
        made = client.post("/databases/", json={**NEW, "name": "passing"}).json()["id"]
    with house.client("root", db_id=made) as client:
        assert client.get("/databases/current/status/").json() == {"status": "pending"}
        house.control.remove_database(made)
        answer = client.get("/databases/current/status/")
        assert answer.json()["error_data"] == {"name": "DATABASE_NOT_FOUND", "type": "database", "key": made}
    time.sleep(0.6)
    with house.client("root") as client:
        assert client.get("/databases/current/status/").status_code == 200


def test_databases_share_nothing(house: House) -> None:
    """What is written to one is in its journal alone."""
    with house.client("root") as client:
        made = client.post("/databases/", json={**NEW, "name": "apart"}).json()["id"]
    database = house.control.directory().databases[made]
    with (
        Journal.open(Layout(house.layout.home, database.workspace), house.settings) as own,
        Journal.open(house.layout, house.settings) as other,
    ):
        before = other.last_seq()
        own.append([Write("events", "u", "create", "{}")])
        assert (own.last_seq(), other.last_seq()) == (1, before)
    house.control.remove_database(made)


trees = st.recursive(
    st.none() | st.integers(0, 3) | st.lists(st.integers(0, 3), max_size=3),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
)
documents = st.dictionaries(st.sampled_from("abc"), trees, max_size=3)


def rfc7396(target: Any, patch: Any) -> Any:
    """The pseudo code of RFC 7396, section 2."""
    if not isinstance(patch, dict):
        return patch
    target = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            target.pop(name, None)
        else:
            target[name] = rfc7396(target.get(name), value)
    return target


@given(documents, documents)
def test_metadata_merges_as_the_rfc_says(target: dict[str, Any], patch: dict[str, Any]) -> None:
    before = copy.deepcopy(target)
    assert merged(target, patch, preserve=False) == rfc7396(target, patch)
    assert target == before
    kept = merged(target, patch, preserve=True)
    assert merged(kept, patch, preserve=True) == kept, "doing it twice changes nothing"
