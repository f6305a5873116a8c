"""Requests as clients in the wild send them: byte for byte, not as a tidy library would."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from tests.serving.conductrics.place import OWNER, Site


@dataclass(frozen=True)
class Told:
    """One answer."""

    status: int
    headers: dict[str, str]
    raw: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.raw)


def send(
    site: Site, target: str, verb: str = "GET", headers: dict[str, str] | None = None, body: bytes | None = None
) -> Told:
    """Send a request to a path below the owner, or with ``//`` below the root, with the query as written; with the
    runtime key in a header, unless another one is given. An empty header is not sent.
    """
    place = urlsplit(site.url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=30)
    try:
        sent = {"x-mpath-apikey": site.runtime, **(headers or {})}
        path = target[1:] if target.startswith("//") else f"/conductrics/{OWNER}/{target}"
        connection.putrequest(verb, path, skip_host="host" in sent, skip_accept_encoding=True)
        for name, value in sent.items():
            if value:
                connection.putheader(name, value)
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        answer = connection.getresponse()
        return Told(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
    finally:
        connection.close()


def good(site: Site, target: str, verb: str = "GET", **more: Any) -> Any:
    """The JSON of a request that must succeed; no member says error."""
    told = send(site, target, verb, **more)
    assert told.status == 200, (told.status, told.raw)
    assert told.headers["content-type"] == "application/json"
    assert told.headers["cache-control"] == "no-store"
    found = told.json
    for one in [found] if isinstance(found, dict) else []:
        assert not {"err", "error"} & one.keys()
    return found


def refused(site: Site, status: int, target: str, verb: str = "GET", **more: Any) -> str:
    """What a request that must fail is told."""
    told = send(site, target, verb, **more)
    assert told.status == status, (told.status, told.raw)
    assert told.headers["content-type"] == "application/json"
    found = told.json
    assert isinstance(found, dict) and isinstance(found["err"], str) and found["err"]
    return str(found["err"])
