"""Profiles: update, delete, filters, metadata, and those that were merged (retention contract, sections 7 and 15)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import duckdb
import httpx
import pytest

from benchmarks.synthetic_run import write_run
from contracts.published import TABLE_BY_NAME
from contracts.settings import Settings
from flows.stages.drain import drain
from segments.live import Tag
from serving.app import Endpoint
from store.journal import Journal, Write, documents, live_tags
from store.layout import Layout
from store.pack.build import build_pack
from store.warehouse import open_warehouse
from tests.serving.octy.conftest import Shop, failure, good, pair_of
from tests.serving.served import Clock, serving

BELOW = "/v1/retention/profiles"
AT = "TIMESTAMP '2024-07-01 02:00:00'"
# Of the run's profiles, by profile_index: 3 and 14 are parents of two, 1 and 2 have RFM, 1 and 4 are in a past segment.
TABLES = {
    "rfm": "SELECT profile_id, 100 * (profile_index + 2) AS rfm_score, 'Best' AS rfm_segment_desc, 5 AS recency_days, "
    "4 AS frequency, 40.0::DOUBLE AS monetary FROM profiles WHERE profile_index IN (1, 2)",
    "segment_members": "SELECT 'segment_past' AS segment_id, 'regulars' AS segment_tag, profile_id, "
    f"{AT} AS created_at FROM profiles WHERE profile_index IN (1, 4)",
    "training_exclusions": "SELECT 'rec' AS algorithm, profile_id, 'status' AS reason, NULL::VARCHAR[] AS missing_keys "
    "FROM profiles WHERE profile_index = 2",
    "profile_merges": "SELECT 'profile_' || repeat(n, 32) AS child, 'kid-' || n AS child_customer_id, profile_id AS "
    f"parent, profile_id AS merged_into, 'shop_id' AS key, '77' AS value, {AT} AS merged_at, 'r1' AS merged_by, "
    f"n::INTEGER AS place, {AT} AS parent_updated_at FROM profiles, unnest(['2', '3', '5', '6']) AS u(n) "
    "WHERE profile_index = CASE WHEN n < '4' THEN 3 ELSE 14 END",
}
ACTION = {"event_type": "charged", "exp_timeframe": 0, "action_inaction": "action", "event_properties": {"x": "y"}}
CHILD, OTHER = "profile_" + "2" * 32, "profile_" + "5" * 32


@pytest.fixture(scope="module")
def family(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """An account whose run has RFM, a past segment and a merged family."""
    settings, layout, clock = Settings(), Layout(tmp_path_factory.mktemp("family")), Clock()
    layout.create()
    with Journal.open(layout, settings) as journal:
        run = write_run(layout, "r1", 40, 30, 10, 1, settings)
        with duckdb.connect() as con:
            con.read_parquet(str(run / "tables" / "profiles.parquet")).create_view("profiles")
            for name, query in TABLES.items():
                columns = ", ".join(column.name for column in TABLE_BY_NAME[name].columns)
                con.execute(f"COPY (SELECT {columns} FROM ({query})) TO '{run / 'tables' / name}.parquet'")
        build_pack(run, settings, run / "scratch")
        journal.record_run("r1", "building")
        journal.promote("r1", 0, "test")
        with journal.writing() as connection:
            for segment_id, name, kind in (("segment_past", "regulars", "past"), ("segment_live", "left cart", "live")):
                body = {
                    "segment_id": segment_id, "segment_name": name, "segment_type": kind, "segment_sub_type": 1,
                    "segment_timeframe": 0, "event_sequence": [ACTION],
                }
                documents.put(connection, "segment", segment_id, json.dumps(body), "test", journal.clock())
        made = Shop(layout, settings, journal, pair_of(journal), clock)
        with serving(Endpoint(layout, settings, clock=clock)) as made.url:
            yield made


def profile(customer_id: str, **changes: Any) -> dict[str, Any]:
    return {
        "customer_id": customer_id, "has_charged": False, "profile_data": {"age": 30}, "platform_info": {"os": "ios"},
        **changes,
    }


def created(client: httpx.Client, *profiles: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = good(
        client.post(f"{BELOW}/create", json={"profiles": list(profiles)}), 201
    )["profiles"]
    return found


def changed(one: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """The body of an update."""
    return {**{name: one[name] for name in FIELDS}, **changes}


def update(client: httpx.Client, *profiles: dict[str, Any]) -> httpx.Response:
    return client.post(f"{BELOW}/update", json={"profiles": list(profiles)})


def delete(client: httpx.Client, ids: Any) -> httpx.Response:
    return client.post(f"{BELOW}/delete", json={"profiles": ids})


def read(client: httpx.Client, ids: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = good(client.get(BELOW, params={"ids": ids}))["profiles"]
    return found


def of_run(shop: Shop, row: int) -> tuple[str, str]:
    """Both ids of a profile of the run."""
    with duckdb.connect() as con:
        found = con.execute(
            "SELECT profile_id, customer_id FROM read_parquet($file) WHERE profile_index = $row",
            {"file": str(shop.layout.run("r1") / "tables" / "profiles.parquet"), "row": row},
        ).fetchone()
    assert found is not None
    return found[0], found[1]


def minted(customer_id: str, deletions: int) -> str:
    return "profile_" + hashlib.sha256(f"{customer_id}\n{deletions}".encode()).hexdigest()[:32]


def test_an_update_replaces_the_maps(client: httpx.Client) -> None:
    one, other = created(client, profile("u1", profile_data={"age": 30, "plan": "gold"}), profile("u2"))
    new = changed(one, has_charged=True, profile_data={"age": 31.5}, platform_info={}, status="inactive")
    body = good(update(client, new, changed(other, profile_id="profile_x"), new, changed(other, customer_id="z")), 201)
    (made,) = body["profiles"]
    assert {name: made[name] for name in new} == new
    assert made["created_at"] == one["created_at"] and made["last_updated"] == made["updated_at"]
    assert [one["profile_id"] for one in body["failed_to_update"]] == [
        "profile_x", one["profile_id"], other["profile_id"]
    ]
    assert all(one["error_message"] for one in body["failed_to_update"])
    (seen,) = read(client, "u1")
    assert {name: seen[name] for name in new} == new
    assert read(client, "u2")[0]["profile_data"] == {"age": 30}
    told = failure(update(client, changed(other, profile_id="u2")), 400)["errors"]
    assert [one["profile_id"] for one in told] == ["u2"]


FIELDS = ("profile_id", "customer_id", "has_charged", "profile_data", "platform_info", "status")


@pytest.mark.parametrize("name", FIELDS)
def test_every_field_of_an_update_is_needed(client: httpx.Client, name: str) -> None:
    (one,) = created(client, profile(f"needs-{name}"))
    body = changed(one, has_charged=True)
    del body[name]
    failure(update(client, changed(one), body), 422)
    failure(update(client, {**changed(one), name: None}), 422)
    assert read(client, one["customer_id"])[0]["has_charged"] is False


def test_an_update_keeps_the_types_of_keys(client: httpx.Client) -> None:
    one, other = created(client, profile("t1", profile_data={"size": 3}), profile("t2"))
    told = failure(update(client, changed(other), changed(one, profile_data={"size": "L"})), 400)["errors"][0]
    assert (told["key"], told["index"], told["expected"], told["given"]) == ("size", 1, "number", "string")
    failure(update(client, changed(one, profile_data={"size": 1}, platform_info={"size": 1})), 400)
    failure(update(client, changed(one, status="gone")), 422)
    failure(update(client, changed(one, profile_data={"size": ""})), 422)
    failure(update(client, *[changed(one)] * 501), 422)
    assert read(client, "t1")[0]["profile_data"] == {"size": 3}


def test_the_id_of_a_deleted_profile_is_not_given_again(fresh: Shop, client: httpx.Client) -> None:
    one, stays = created(client, profile("d1", has_charged=True), profile("d2"))
    event = {"event_type": "charged", "profile_id": "d1", "event_properties": {"payment_method": "v", "item_id": "i"}}
    good(client.post("/v1/retention/events/create", json=event), 201)
    now = fresh.journal.clock()
    tag = Tag("active", now, None, now, now)
    with fresh.journal.writing() as connection:
        live_tags.put(connection, {("segment_x", one["profile_id"]): tag, ("segment_x", stays["profile_id"]): tag}, {})
    body = good(delete(client, [one["profile_id"], "profile_x", one["profile_id"]]), 201)
    assert body["deleted_profiles"] == [{"profile_id": one["profile_id"]}]
    assert [one["profile_id"] for one in body["failed_to_delete"]] == ["profile_x"]
    with fresh.journal.reading() as connection:
        assert live_tags.counts(connection) == {"segment_x": 1}
    failure(client.get(BELOW, params={"ids": f"d1,{one['profile_id']}"}), 400)
    failure(client.post("/v1/retention/events/create", json=event), 400)
    failure(update(client, changed(one)), 400)
    failure(delete(client, [one["profile_id"]]), 400)
    for deletions in (1, 2):
        (again,) = created(client, profile("d1"))
        assert again["profile_id"] == minted("d1", deletions) and again["has_charged"] is False
        assert [one["profile_id"] for one in read(client, "d1")] == [again["profile_id"]]
        good(client.post("/v1/retention/events/create", json=event), 201)
        assert read(client, again["profile_id"])[0]["has_charged"] is True
        good(delete(client, [again["profile_id"]]), 201)
    (last,) = created(client, profile("d1", profile_data={"age": 99}))
    # What a night makes of it.
    with Journal.open(fresh.layout, fresh.settings) as journal:
        drain(fresh.layout, fresh.settings, journal.writes_between, journal.last_seq())
    with open_warehouse(fresh.layout, fresh.settings.pipeline) as con:
        assert con.execute("SELECT profile_id FROM profiles WHERE customer_id = 'd1'").fetchall() == [
            (last["profile_id"],)
        ]
        assert con.execute("SELECT count(*) FROM profiles WHERE profile_id = $id", {"id": one["profile_id"]}).fetchall(
        ) == [(0,)]
        assert con.execute("SELECT count(*) FROM events").fetchall() == [(0,)]
        assert con.execute("SELECT * FROM profile_deletions").fetchall() == [("d1", 3)]


@pytest.mark.parametrize("ids", [[], "p", None, [""], [7], [f"p{at}" for at in range(101)]], ids=str)
def test_bodies_of_deletions(client: httpx.Client, ids: Any) -> None:
    failure(delete(client, ids), 422)


def test_filters_narrow_the_pages(family: Shop) -> None:
    live = of_run(family, 4)[0]
    with family.client() as client:
        (new,) = created(client, profile("tagged"))
        at = family.journal.clock() - timedelta(hours=1)
        tag = Tag("active", at, None, at, at)
        with family.journal.writing() as connection:
            live_tags.put(connection, {("segment_live", one): tag for one in (live, new["profile_id"])}, {})

        def found(**filters: str) -> set[str]:
            answer = client.get(BELOW, params=filters, headers={"cursor": "0"})
            body = good(answer)
            assert body["request_meta"]["total"] == body["request_meta"]["count"] == int(answer.headers["cursor"])
            return {one["profile_id"] for one in body["profiles"]}

        def nothing(**filters: str) -> None:
            failure(client.get(BELOW, params=filters, headers={"cursor": "0"}), 400)

        ids = [of_run(family, row)[0] for row in range(40)]
        assert found(rfm="300-400") == {ids[1], ids[2]} and found(rfm="300-399") == {ids[1]}
        assert found(churn_prob="low") == {one for row, one in enumerate(ids) if row % 5 != 4}
        assert found(segments="regulars") == {ids[1], ids[4]}
        assert found(segments="left cart") == {ids[4], new["profile_id"]}
        assert found(segments=" regulars, left cart,nobody") == {ids[1], ids[4], new["profile_id"]}
        assert found(segments="regulars", churn_prob="low") == {ids[1]}
        assert found(segments="left cart,regulars", rfm="111-444", churn_prob="low") == {ids[1]}
        nothing(churn_prob="high")
        nothing(segments="nobody")
        nothing(rfm="301-399")
        for name, values in {
            "rfm": ("", "300", "a-b", "300-", "-1-5", "1.5-2", "300 400"), "churn_prob": ("", "0.5", "1"),
            "segments": ("", ",", " "),
        }.items():
            for value in values:
                failure(client.get(BELOW, params={name: value}, headers={"cursor": "0"}), 400)
        failure(client.get(BELOW, params={"rfm": "300-400"}), 400)
        failure(client.get(BELOW, params={"rfm": "300-400", "ids": ids[1]}), 400)
        failure(client.get(BELOW, params={"rfm": "300-400"}, headers={"cursor": "2"}), 400)
        shown = {one["profile_id"]: one for one in good(
            client.get(BELOW, params={"segments": "left cart"}, headers={"cursor": "0"})
        )["profiles"]}
        assert [one["segment_tag"] for one in shown[ids[4]]["segment_tags"]] == ["regulars", "left cart"]


def test_metadata_tells_of_everybody(family: Shop) -> None:
    parent, customer = of_run(family, 3)
    single, _ = of_run(family, 5)
    with family.client() as client:
        ids = f",{single},{CHILD},kid-3,{customer},nobody,{single}"
        body = good(client.get(f"{BELOW}/metadata", params={"ids": ids}))
        assert [one["provided_identifier"] for one in body["profiles_meta"]] == [
            single, CHILD, "kid-3", customer, "nobody"
        ]
        alone, child, other, whole, unknown = body["profiles_meta"]
        nothing = {
            "was_merged": False, "merged_at": None, "authenticated_id_key": None, "authenticated_id_value": None,
            "parent_or_child": None, "parent_profile": {"parent_profile_id": None, "parent_customer_id": None},
            "merged_child_profiles": [],
        }
        gone = {"profile_exists": False, **dict.fromkeys(("profile_id", "customer_id", "created_at", "updated_at"))}
        assert alone["profile"]["profile_exists"] is True and alone["merged_info"] == nothing
        assert unknown["profile"] == gone and unknown["merged_info"] == nothing
        merged = {
            "was_merged": True, "merged_at": "Mon, 01 Jul 2024 02:00:00 GMT", "authenticated_id_key": "shop_id",
            "authenticated_id_value": "77", "parent_or_child": "child_profile",
            "parent_profile": {"parent_profile_id": parent, "parent_customer_id": customer},
            "merged_child_profiles": [
                {"profile_id": f"profile_{n * 32}", "customer_id": f"kid-{n}"} for n in ("2", "3")
            ],
        }
        for one in (child, other):
            assert one["profile"] == gone and one["merged_info"] == merged
        assert whole["profile"]["profile_id"] == parent
        assert whole["merged_info"] == {**merged, "parent_or_child": "parent_profile"}
        failure(client.get(f"{BELOW}/metadata"), 400)
        failure(client.get(f"{BELOW}/metadata", params={"ids": ","}), 400)
        failure(client.get(f"{BELOW}/metadata", params={"ids": ",".join(f"x{at}" for at in range(101))}), 400)


def test_a_merged_profile_is_its_parent_until_that_is_deleted(family: Shop) -> None:
    parent, customer = of_run(family, 14)
    key = family.journal.create_key("read", "test")
    headers = {"Authorization": f"Bearer {key}"}
    with family.client() as client:
        assert [one["profile_id"] for one in read(client, f"{OTHER},kid-5,kid-6,{customer}")] == [parent]
        for route in ("profiles", "churn/profiles", "recommendations/profiles"):
            found = httpx.get(f"{family.url}/v1/{route}/{OTHER}", headers=headers).json()
            assert found.get("profile_id", found.get("profile", {}).get("profile_id")) == parent, route
        event = {"event_type": "complaint", "profile_id": "kid-5", "event_properties": {"channel": "mail"}}
        assert good(client.post("/v1/retention/events/create", json=event), 201)["profile_id"] == parent
        failure(client.post(f"{BELOW}/create", json={"profiles": [profile("kid-5")]}), 400)
        (one,) = read(client, parent)
        for answer in (update(client, changed(one, profile_id=OTHER)), delete(client, [OTHER])):
            assert parent in failure(answer, 400)["errors"][0]["error_message"]
        # A write that was on its way to the child while it was merged does not describe the parent.
        late = {"customer_id": "kid-5", "properties": {"age": 1}, "platform_info": {}, "typed": True}
        family.journal.append([Write("profiles", "kid-5", "put", json.dumps(late))])
        assert read(client, parent)[0]["profile_data"] == one["profile_data"]
        assert len(good(client.get(BELOW, headers={"cursor": "0"}))["profiles"]) >= 35
        good(delete(client, [parent]), 201)
        failure(client.get(BELOW, params={"ids": f"{parent},{OTHER},kid-5,kid-6,{customer}"}), 400)
        body = good(client.get(f"{BELOW}/metadata", params={"ids": f"kid-5,{parent}"}))
        assert [one["merged_info"]["was_merged"] for one in body["profiles_meta"]] == [False, False]
        (again,) = created(client, profile("kid-5", profile_data={"age": 5}))
        assert again["profile_id"] == minted("kid-5", 1) != OTHER
        assert read(client, "kid-5")[0]["profile_id"] == again["profile_id"]


def test_pages_follow_what_is_written(family: Shop) -> None:
    """New, moved and deleted profiles stand where they belong, on every page."""
    with family.client() as client:

        def every() -> list[tuple[datetime, str]]:
            found: list[dict[str, Any]] = []
            cursor = "0"
            while True:
                answer = client.get(BELOW, headers={"cursor": cursor})
                if answer.status_code == 400:
                    return [
                        (datetime.strptime(one["created_at"], "%a, %d %b %Y %H:%M:%S GMT"), one["profile_id"])
                        for one in found
                    ]
                found += good(answer)["profiles"]
                cursor = answer.headers["cursor"]

        made = [one["profile_id"] for one in created(client, *[profile(f"page{at}") for at in range(150)])]
        seen = every()
        assert seen == sorted(seen) and len({one for _, one in seen}) == len(seen)
        assert set(made) <= {one for _, one in seen}
        # An earlier event makes a profile older.
        back = {
            "event_type": "complaint", "profile_id": made[7], "created_at": "2020-01-01 00:00:00",
            "event_properties": {"channel": "mail"},
        }
        of_the_run = of_run(family, 8)[0]
        good(client.post("/v1/retention/events/create/batch", json={"events": [
            back, {**back, "profile_id": of_the_run, "created_at": "2019-01-01 00:00:00"}
        ]}), 201)
        good(delete(client, [made[3], of_run(family, 9)[0]]), 201)
        after = every()
        assert after == sorted(after)
        assert [one for _, one in after[:2]] == [of_the_run, made[7]]
        assert {one for _, one in seen} - {one for _, one in after} == {made[3], of_run(family, 9)[0]}
        assert len(after) == len(seen) - 2
