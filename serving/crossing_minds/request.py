"""Bodies of requests (§2): what they may claim to be, what they are, and how large they may get."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Mapping
from typing import Any

import orjson

from serving.arrival import Late, TooLarge, arrived
from serving.asgi import Receive
from serving.crossing_minds.errors import WrongData, shortened

LIMIT = 64 << 20  # bytes of a body, inflated
BESIDE = 256 << 10  # bytes from which a body is read beside the event loop
GZIP = b"\x1f\x8b"
JSON = "application/json"
PICKLE = "application/xminds-pkl"


def refuse_pickle(headers: Mapping[bytes, bytes]) -> None:
    """Raise WrongData (415) for pickle as content type, or as the only type asked for: it is never decoded."""
    named = headers.get(b"content-type", b"") + headers.get(b"accept", b"")
    if b"xminds" not in named.lower():
        return
    if PICKLE in (media_type(headers), _only_type(headers.get(b"accept", b""))):
        told = "Pickle is not accepted: use the JSON serializer (serializer='json')"
        raise WrongData("WRONG_DATA_TYPE", told, status=415)


def media_type(headers: Mapping[bytes, bytes]) -> str:
    """The content type without its parameters, in lower case."""
    return headers.get(b"content-type", b"").decode("latin-1").partition(";")[0].strip().lower()


def _only_type(accept: bytes) -> str:
    kinds = [part.partition(";")[0].strip().lower() for part in accept.decode("latin-1").split(",")]
    named = [kind for kind in kinds if kind]
    return named[0] if len(named) == 1 else ""


async def read_body(headers: Mapping[bytes, bytes], receive: Receive, *, text_too: bool) -> dict[str, Any]:
    """The JSON object of a request; empty for an empty body and for ``null``. ``text_too``: text/plain may hold it.

    Raises WrongData: 400 for what is no JSON object, 413 for too much, 415 for another media type.
    """
    try:
        raw = await arrived(headers, receive, LIMIT)
    except TooLarge:
        raise _too_large() from None
    except Late as error:
        raise WrongData("WRONG_PARAMETER", str(error)) from None
    if not raw:
        return {}
    kind = media_type(headers)
    if kind not in ("", JSON) and not (text_too and kind == "text/plain"):
        named = shortened(kind)
        raise WrongData("WRONG_DATA_TYPE", f"A body of type {named} is not accepted: send {JSON}", status=415)
    return await asyncio.to_thread(parse, raw) if len(raw) > BESIDE else parse(raw)


def parse(raw: bytes) -> dict[str, Any]:
    """The JSON object in bytes that are gzip, zlib or plain, whatever their header says. Raises WrongData."""
    plain = inflated(raw) if _packed(raw) else raw
    plain = plain.strip()
    if plain in (b"", b"null"):
        return {}
    try:
        found = orjson.loads(plain)
    except orjson.JSONDecodeError as error:
        raise WrongData("WRONG_DATA_TYPE", f"the body is no JSON: {error}") from None
    if type(found) is not dict:
        raise WrongData("WRONG_DATA_TYPE", f"the body must be a JSON object, not {type(found).__name__}")
    return found


def _packed(raw: bytes) -> bool:
    """By the first two bytes: gzip's are its own; zlib's (RFC 1950, 2.2) divide by 31 and begin no JSON object."""
    zlib_header = len(raw) > 1 and raw[0] & 15 == 8 and raw[0] >> 4 < 8 and (raw[0] << 8 | raw[1]) % 31 == 0
    return raw[:2] == GZIP or zlib_header


def inflated(raw: bytes) -> bytes:
    """What gzip (one member or several) or zlib packed; never more than ``LIMIT`` bytes are made. Raises WrongData."""
    parts: list[bytes] = []
    size = 0
    try:
        while raw:
            packed = zlib.decompressobj(zlib.MAX_WBITS | 32)  # tells gzip from zlib by itself
            part = packed.decompress(raw, LIMIT + 1 - size)
            size += len(part)
            if size > LIMIT:
                raise _too_large()
            if not packed.eof:
                raise WrongData("WRONG_DATA_TYPE", "the packed body ends too early")
            parts.append(part)
            raw = packed.unused_data
            if raw and raw[:2] != GZIP:
                break  # padding after the last member, as gzip itself ignores it
    except zlib.error as error:
        raise WrongData("WRONG_DATA_TYPE", f"the body cannot be unpacked: {error}") from None
    return b"".join(parts)


def _too_large() -> WrongData:
    return WrongData("WRONG_DATA_TYPE", f"the body has more than {LIMIT >> 20} MiB", status=413)
