"""One attempt: resolve, check every address, connect to a checked one, send, read the status and the answer's start.

Nothing is followed, no proxy is asked, and the whole takes at most ``SECONDS``.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import h11

from contracts.settings import Webhooks
from store.webhooks.targets import Target, TargetRefused, check_addresses, read_url

SECONDS = 60.0
ANSWER_BYTES = 4096
ANSWER_SECONDS = 2.0  # for the body of an answer whose status is known already
READ_BYTES = 65_536

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


@dataclass(frozen=True, slots=True)
class Ended:
    """How an attempt ended. ``refused``: the target was not spoken to. ``http_status`` None without an answer."""

    host: str
    http_status: int | None = None
    error: str = ""
    answer: str = ""
    refused: bool = False

    @property
    def good(self) -> bool:
        return self.http_status is not None and 200 <= self.http_status < 300


async def resolve(host: str, port: int) -> list[str]:
    """Every address of a host, by the system's resolver."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


def signature(message: bytes, secrets: Sequence[str]) -> str:
    """Value of ``X-Nightloom-Signature``: one HMAC-SHA256 a secret in force, the newest first."""
    made = (hmac.new(secret.encode(), message, hashlib.sha256).hexdigest() for secret in secrets)
    return ",".join(f"sha256={one}" for one in made)


async def attempt(
    url: str, message: bytes, headers: Sequence[tuple[str, str]], settings: Webhooks, *, resolver: Resolve = resolve,
    seconds: float = SECONDS,
) -> Ended:
    """Send a message once; never raises for what a receiver, a network or a URL does."""
    host = ""
    try:
        target = read_url(url)
        host = target.host
        return await asyncio.wait_for(_send(target, message, headers, settings, resolver), seconds)
    except TargetRefused as refused:
        return Ended(host, error=f"refused: {refused}", refused=True)
    except TimeoutError:
        return Ended(host, error=f"no answer within {seconds:g} s")
    except (OSError, ValueError, h11.RemoteProtocolError, h11.LocalProtocolError) as error:
        return Ended(host, error=f"{type(error).__name__}: {error}")


async def _send(
    target: Target, message: bytes, headers: Sequence[tuple[str, str]], settings: Webhooks, resolver: Resolve
) -> Ended:
    addresses = check_addresses(await resolver(target.host, target.port), settings)
    reader, writer = await _connect(target, addresses)
    try:
        connection = h11.Connection(h11.CLIENT)
        request = h11.Request(method="POST", target=target.path, headers=[
            ("Host", target.authority), ("User-Agent", "nightloom"), ("Connection", "close"),
            ("Content-Type", "application/json"), ("Content-Length", str(len(message))), *headers,
        ])
        for event in (request, h11.Data(data=message), h11.EndOfMessage()):
            writer.write(connection.send(event) or b"")
        sent = asyncio.ensure_future(writer.drain())
        try:  # a receiver may answer before it has read everything
            response = await _response(connection, reader)
        finally:
            sent.cancel()
        return Ended(target.host, response.status_code, answer=await _answer(connection, reader))
    finally:
        writer.transport.abort()


async def _connect(target: Target, addresses: Sequence[str]) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection to the first address that takes one; the certificate must be the host's."""
    secure = ssl.create_default_context() if target.secure else None
    named = target.host if target.secure else None
    failed: OSError | None = None
    for address in addresses:
        try:
            return await asyncio.open_connection(address, target.port, ssl=secure, server_hostname=named)
        except OSError as error:
            failed = error
    assert failed is not None
    raise failed


async def _next(connection: h11.Connection, reader: asyncio.StreamReader) -> object:
    while True:
        event = connection.next_event()
        if not isinstance(event, type) or event is h11.PAUSED:
            return event
        connection.receive_data(await reader.read(READ_BYTES))


async def _response(connection: h11.Connection, reader: asyncio.StreamReader) -> h11.Response:
    while True:
        event = await _next(connection, reader)
        if isinstance(event, h11.Response):
            return event
        if isinstance(event, h11.ConnectionClosed):
            raise ConnectionError("the connection was closed without an answer")


async def _answer(connection: h11.Connection, reader: asyncio.StreamReader) -> str:
    """The start of the answer's body, as far as it comes soon: the status has decided already."""
    read = bytearray()

    async def gather() -> None:
        while len(read) < ANSWER_BYTES:
            event = await _next(connection, reader)
            if not isinstance(event, h11.Data):
                return
            read.extend(event.data)

    with contextlib.suppress(TimeoutError, OSError, h11.RemoteProtocolError):
        await asyncio.wait_for(gather(), ANSWER_SECONDS)
    return bytes(read[:ANSWER_BYTES]).decode("utf-8", "replace").replace("\x00", "\ufffd")
