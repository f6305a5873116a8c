"""The bounds of a request's body, and that a client still sending is told of them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from serving import arrival
from serving.arrival import Gone, Late, TooLarge, arrived
from serving.asgi import Message, Receive

CHUNKED: Mapping[bytes, bytes] = {b"transfer-encoding": b"chunked"}


def parts(*given: bytes, then: str = "end") -> Receive:
    """A client that sends its body in parts; ``then`` it is at its end, ``leaves`` or ``waits``."""
    messages: list[Message] = [{"type": "http.request", "body": part, "more_body": True} for part in given]
    if then == "end":
        messages[-1]["more_body"] = False

    async def receive() -> Message:
        if messages:
            return messages.pop(0)
        if then == "waits":
            await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    return receive


def test_a_body_in_parts_is_whole_up_to_its_limit() -> None:
    assert asyncio.run(arrived(CHUNKED, parts(b"ab", b"", b"c"), 3)) == b"abc"
    assert asyncio.run(arrived({b"content-length": b"3"}, parts(b"abc"), 3)) == b"abc"
    assert asyncio.run(arrived({}, parts(b"never read"), 3)) == b""


def test_too_large_is_said_before_reading_where_the_size_is_announced() -> None:
    with pytest.raises(TooLarge):
        asyncio.run(arrived({b"content-length": b"4"}, parts(b"", then="waits"), 3))
    with pytest.raises(TooLarge):
        asyncio.run(arrived({b"content-length": b"9" * 4000}, parts(b"", then="waits"), 3))
    with pytest.raises(TooLarge):
        asyncio.run(arrived(CHUNKED, parts(b"ab", b"cd", then="waits"), 3))


def test_a_client_that_leaves_or_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Gone):
        asyncio.run(arrived(CHUNKED, parts(b"ab", then="leaves"), 3))
    monkeypatch.setattr(arrival, "SECONDS", 0.01)
    with pytest.raises(Late, match=r"within 0\.01 seconds"):
        asyncio.run(arrived(CHUNKED, parts(b"ab", then="waits"), 3))
