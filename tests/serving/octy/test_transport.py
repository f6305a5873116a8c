"""Paths, keys, envelopes and limits (retention contract, section 2)."""

from __future__ import annotations

import base64
import json
import math

import httpx
import pytest

from contracts.errors import StorageError
from serving.octy.errors import OctyError, as_octy_error
from serving.octy.formats import canonical_number, id_fault, moment, rfc1123
from serving.octy.rate import Rate
from store.journal import Journal
from store.layout import Layout
from tests.serving.octy.conftest import Shop, failure, good, pair_of, token

AUTHENTICATE = "/octy/v1/account/authenticate"
ACCOUNT = {
    "contact_name": "Ada", "contact_surname": "Lovelace", "contact_email_address": "ada@example.org",
    "webhook_url": "https://shop.example.org/hook", "authenticated_id_key": "",
}


@pytest.mark.parametrize("word", ["Basic ", "basic ", "BASIC  ", ""])
def test_the_pair_is_taken_with_and_without_the_word(fresh: Shop, word: str) -> None:
    good(httpx.get(fresh.url + AUTHENTICATE, headers={"Authorization": word + token(fresh.pair)}))


def test_a_missing_header_is_400_and_bad_keys_are_401(fresh: Shop) -> None:
    failure(httpx.get(fresh.url + AUTHENTICATE), 400)
    public, secret = fresh.pair
    other = pair_of(fresh.journal)
    wrong = [
        (public, secret[:-1] + ("0" if secret[-1] != "0" else "1")), ("pk_unknown", secret), (public, other[1]),
        (public, ""), ("", ""), (secret, public),
    ]
    for pair in wrong:
        failure(httpx.get(fresh.url + AUTHENTICATE, headers={"Authorization": token(pair)}), 401)
    for header in ("Basic", "Bearer x", "%%%", base64.b64encode(b"\xff\xfe").decode(), "Basic " + "A" * 5000):
        failure(httpx.get(fresh.url + AUTHENTICATE, headers={"Authorization": header}), 401)


def test_a_revoked_pair_is_refused_at_once_and_no_secret_is_stored(fresh: Shop) -> None:
    pair = pair_of(fresh.journal)
    headers = {"Authorization": token(pair)}
    good(httpx.get(fresh.url + AUTHENTICATE, headers=headers))
    fresh.journal.revoke_key(pair[0])
    failure(httpx.get(fresh.url + AUTHENTICATE, headers=headers), 401)
    stored = str(fresh.journal.keys())
    assert pair[0] in stored
    assert pair[1][3:] not in stored


def test_a_key_of_the_plain_routes_is_no_pair(fresh: Shop) -> None:
    secret = fresh.journal.create_key("admin", "test")
    failure(httpx.get(fresh.url + AUTHENTICATE, headers={"Authorization": f"Bearer {secret}"}), 401)
    inner = secret.removeprefix("nl_").split("_")
    failure(httpx.get(fresh.url + AUTHENTICATE, headers={"Authorization": token((inner[0], inner[1]))}), 401)


def test_a_pair_names_its_account(fresh: Shop) -> None:
    layout = Layout(fresh.layout.home, "second")
    layout.create()
    with Journal.open(layout, fresh.settings) as journal:
        second = pair_of(journal, account="second")
    with fresh.client() as first, fresh.client(second) as other:
        good(first.post("/v1/configurations/account/set", json=ACCOUNT), 202)
        failure(other.get("/v1/configurations/account"), 400)
        good(other.post("/v1/configurations/account/set", json={**ACCOUNT, "contact_name": "Grace"}), 202)
        assert good(first.get("/v1/configurations/account"))["account_data"]["contact_name"] == "Ada"
    for name in ("default", "nowhere", "..", ""):
        public = f"{second[0].removesuffix('_second')}_{name}"
        failure(httpx.get(fresh.url + AUTHENTICATE, headers={"Authorization": token((public, second[1]))}), 401)


def test_host_names_have_every_path(fresh: Shop) -> None:
    headers = {"Authorization": token(fresh.pair), "Host": "api.octy.test:443"}
    good(httpx.get(fresh.url + "/v1/account/authenticate", headers=headers))


@pytest.mark.parametrize("kind", ["profiles", "items", "events"])
def test_the_format_of_files_is_a_bare_object(fresh: Shop, kind: str) -> None:
    answer = httpx.get(f"{fresh.url}/octy/v1/admin/application/resources/format?type={kind}")
    expected = {
        "profiles": '{"customer_id**0":"string","has_charged**1":true,"profile_data**2":"nested",'
                    '"platform_info**3":"nested"}',
        "items": '{"item_id**0":"string","item_category**1":"string","item_name**2":"string",'
                 '"item_description**3":"string","item_price**4":1}',
        "events": '{"event_type**0":"string","profile_id**1":"string","created_at**2":"string",'
                  '"event_properties**3":"nested"}',
    }
    assert answer.status_code == 200
    assert answer.json() == json.loads(expected[kind])


def test_other_formats_are_400(fresh: Shop) -> None:
    failure(httpx.get(f"{fresh.url}/octy/v1/admin/application/resources/format?type=x"), 400)


def test_the_version_needs_no_keys(fresh: Shop) -> None:
    body = good(httpx.get(f"{fresh.url}/octy/v1/admin/application/versioning?app=cli"))
    assert body["application_type"] == "cli"
    assert body["current_version"] == {
        "version_name": "v2.0.1-beta", "assets": [{"name": "none", "browser_download_url": ""}]
    }


@pytest.mark.parametrize("path", ["/v1/nothing", "/v1/retention/profiles/nothing", "/v1/billing", "/", ""])
def test_unknown_paths_are_404(client: httpx.Client, path: str) -> None:
    assert failure(client.get(path), 404)["errors"][0]["error_message"] == "not offered by nightloom"


def test_a_wrong_method_is_405_with_allow(client: httpx.Client) -> None:
    answer = client.delete("/v1/account/authenticate")
    failure(answer, 405)
    assert answer.headers["allow"] == "GET"


@pytest.mark.parametrize("kind", [None, "application/json", "application/json; charset=utf-8", "APPLICATION/JSON;x=1"])
def test_json_is_taken_however_it_is_named(client: httpx.Client, kind: str | None) -> None:
    headers = {} if kind is None else {"Content-Type": kind}
    answer = client.post("/v1/configurations/account/set", content=json.dumps(ACCOUNT), headers=headers)
    good(answer, 202)


def test_bodies_that_are_refused(client: httpx.Client) -> None:
    path = "/v1/configurations/account/set"
    failure(client.post(path, content=json.dumps(ACCOUNT), headers={"Content-Type": "text/plain"}), 400)
    failure(client.post(path, content=b"{"), 400)
    failure(client.post(path, content=b""), 400)
    failure(client.post(path, json=[1]), 422)
    failure(client.post(path, content=b" " * (16 * 2**20 + 1)), 413)


def test_the_rate_limit_counts_by_key_and_endpoint() -> None:
    now = [100.0]
    rate = Rate(2, lambda: now[0])
    rate.take("a", "/x")
    rate.take("a", "/x")
    with pytest.raises(OctyError) as caught:
        rate.take("a", "/x")
    assert caught.value.status == 429
    assert dict(caught.value.headers)[b"retry-after"] == b"60"
    rate.take("a", "/y")
    rate.take("b", "/x")
    now[0] += 60
    rate.take("a", "/x")


def test_a_journal_that_fails_is_told_in_the_envelope() -> None:
    told = as_octy_error(StorageError("full"), "GET /x")
    assert told.status == 503
    assert json.loads(told.body())["error"]["code"] == 503


@pytest.mark.parametrize(("given", "expected"), [
    ("2024-05-01 10:00:00", "2024-05-01 10:00:00"), ("2024-05-01T10:00", "2024-05-01 10:00:00"),
    ("2024-05-01T10:00:00.987+02:00", "2024-05-01 08:00:00"), ("2024-05-01 10:00:00Z", "2024-05-01 10:00:00"),
    ("2024-05-01", None), ("2024-13-01 10:00:00", None), ("now", None), ("0001-01-01 00:00:00+05:00", None),
])
def test_times_of_events(given: str, expected: str | None) -> None:
    found = moment(given)
    assert (found and found.isoformat(" ")) == expected


def test_texts() -> None:
    found = moment("2022-06-28 10:09:15")
    assert found is not None
    assert rfc1123(found) == "Tue, 28 Jun 2022 10:09:15 GMT"
    assert [canonical_number(one) for one in (2.0, 2, 2.5, -0.0)] == ["2", "2", "2.5", "0"]
    assert not math.isnan(float(canonical_number(1e300)))
    assert not id_fault("a b-c")
    assert all(id_fault(one) for one in ("", "a,b", 'a"b', "a'b", "a.b", "x" * 61, " "))
    assert id_fault("a b", space=False)
