"""Bodies: gzip, zlib or plain by their bytes; sizes; media types (§2)."""

from __future__ import annotations

import gzip
import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.crossing_minds import request
from serving.crossing_minds.errors import WrongData
from tests.serving.crossing_minds.conftest import House

LOGIN = "/crossing-minds/login/service/"


def raw_deflated(raw: bytes) -> bytes:
    packed = zlib.compressobj(9, zlib.DEFLATED, 9)  # another window: another first byte
    return packed.compress(raw) + packed.flush()


PACKED = {
    "plain": bytes, "gzip": gzip.compress, "zlib": zlib.compress, "fast zlib": lambda raw: zlib.compress(raw, 1),
    "small window": raw_deflated, "two gzip members": lambda raw: gzip.compress(raw[:3]) + gzip.compress(raw[3:]),
    "padded gzip": lambda raw: gzip.compress(raw) + b"\0" * 9,
}

objects = st.dictionaries(st.text(max_size=5), st.text(max_size=20) | st.integers(0, 9) | st.none(), max_size=4)


@given(objects, st.sampled_from(sorted(PACKED)))
def test_the_bytes_tell_how_they_are_packed(body: dict[str, object], how: str) -> None:
    assert request.parse(PACKED[how](json.dumps(body).encode())) == body


@given(st.binary(max_size=60))
def test_any_bytes_are_an_object_or_refused(raw: bytes) -> None:
    for sent in (raw, b"\x1f\x8b" + raw, b"\x78\x9c" + raw, zlib.compress(raw), gzip.compress(raw)[:-3]):
        try:
            assert isinstance(request.parse(sent), dict)
        except WrongData as wrong:
            assert (wrong.status, wrong.fields["name"]) == (400, "WRONG_DATA_TYPE")


@pytest.mark.parametrize("raw", [b"", b"null", b" null \n", b"{}", gzip.compress(b"", mtime=0), zlib.compress(b"null")])
def test_nothing_is_an_empty_object(raw: bytes) -> None:
    assert request.parse(raw) == {}


@pytest.mark.parametrize(
    "raw", [b"[]", b"1", b'"x"', b"true", b"{", b"{'a':1}", b'{"a":NaN}', b'{"a":"\xff"}', b"80", b"[" * 5000]
)
def test_what_is_no_object(raw: bytes) -> None:
    with pytest.raises(WrongData, match="body"):
        request.parse(raw)


def test_a_bomb_is_stopped_while_it_is_unpacked() -> None:
    bomb = gzip.compress(b'{"a":"' + b" " * (request.LIMIT + 1) + b'"}', 1)
    assert len(bomb) < request.LIMIT // 50
    for packed in (bomb, gzip.compress(b" " * 40_000_000) * 2, zlib.compress(b"\0" * (request.LIMIT + 1), 1)):
        with pytest.raises(WrongData) as stopped:
            request.inflated(packed)
        assert stopped.value.status == 413
    assert len(request.inflated(zlib.compress(b" " * request.LIMIT, 1))) == request.LIMIT


@pytest.mark.parametrize("how", sorted(PACKED))
@pytest.mark.parametrize("told", [None, "gzip", "deflate", "br"])
def test_the_header_on_packing_does_not_count(house: House, how: str, told: str | None) -> None:
    body = json.dumps({"name": "service-backend", "password": house.keys["backend"]}).encode()
    headers = {"Content-Type": "application/json", **({"Content-Encoding": told} if told else {})}
    status, _, _ = house.plain("POST", LOGIN, headers, PACKED[how](body))
    assert status == 200


def test_gets_and_empty_bodies_may_claim_to_be_packed(house: House) -> None:
    headers = {"Authorization": f"Bearer {house.token('backend')}", "Content-Encoding": "gzip"}
    status, _, _ = house.plain("GET", "/crossing-minds/databases/current/status/", headers)
    assert status == 200
    status, _, body = house.plain("POST", "/crossing-minds/login/jwt/", {**headers, "Content-Length": "0"}, b"")
    assert status == 200, body


@pytest.mark.parametrize("kind", ["application/json", "application/json; charset=utf-8", "Application/JSON", None])
def test_json_under_its_names(house: House, kind: str | None) -> None:
    body = json.dumps({"name": "service-backend", "password": house.keys["backend"]}).encode()
    status, _, _ = house.plain("POST", LOGIN, {"Content-Type": kind} if kind else {}, body)
    assert status == 200


@pytest.mark.parametrize(
    "kind", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain", "application/xml"]
)
def test_other_media_types_are_refused(house: House, kind: str) -> None:
    status, _, body = house.plain("POST", LOGIN, {"Content-Type": kind}, b'{"name":"x","password":"y"}')
    told = json.loads(body)
    assert (status, told["error_code"], told["error_name"]) == (415, 40, "WrongData")
    assert "application/json" in told["message"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "application/xminds-pkl"}, {"Accept": "application/xminds-pkl"},
        {"Content-Type": "application/xminds-pkl", "Accept": "application/json"},
        {"Accept": "Application/Xminds-PKL;q=1"},
    ],
)
def test_pickle_is_refused_undecoded(house: House, headers: dict[str, str]) -> None:
    status, _, body = house.plain("POST", LOGIN, headers, b"\x80\x04cos\nsystem\n.")
    told = json.loads(body)
    assert (status, told["error_code"]) == (415, 40)
    assert told["message"] == "Pickle is not accepted: use the JSON serializer (serializer='json')"


def test_pickle_beside_json_is_json(house: House) -> None:
    headers = {"Authorization": f"Bearer {house.token('backend')}"}
    headers["Accept"] = "application/xminds-pkl, application/json"
    status, told, _ = house.plain("GET", "/crossing-minds/databases/current/status/", headers)
    assert (status, told["content-type"]) == (200, "application/json")


def test_too_large_a_body(house: House) -> None:
    status, _, body = house.plain("POST", LOGIN, {"Content-Length": str((64 << 20) + 1)}, b"")
    assert (status, json.loads(body)["error_code"]) == (413, 40)
    status, _, body = house.plain("POST", LOGIN, {}, zlib.compress(b" " * ((64 << 20) + 1), 1))
    assert (status, json.loads(body)["error_code"]) == (413, 40)


def test_a_broken_body_is_told_of_after_the_login(house: House) -> None:
    status, _, body = house.plain("PATCH", "/crossing-minds/databases/current/", {}, b"{")
    assert (status, json.loads(body)["error_code"]) == (401, 22)
    headers = {"Authorization": f"Bearer {house.token('root')}"}
    status, _, body = house.plain("PATCH", "/crossing-minds/databases/current/", headers, b"{")
    assert (status, json.loads(body)["error_data"]["name"]) == (400, "WRONG_DATA_TYPE")
