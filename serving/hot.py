"""The lookup that is asked most, without a framework: ``GET /v1/recommendations/profiles/{id}``.

The documented route answers the same bytes; a test holds them together.
"""

from __future__ import annotations

import logging
from time import perf_counter

from serving import answers
from serving.asgi import Scope, Send, respond
from serving.live import View
from serving.lookup import numbers
from serving.metrics import Metrics
from serving.queries import list_query
from serving.refusals import Refusal
from serving.service import Service

log = logging.getLogger("nightloom.serving")

PREFIX = "/v1/recommendations/profiles/"
ROUTE = "recommendations_profile"

Headers = tuple[tuple[bytes, bytes], ...]


class HotPath:
    """A plain ASGI callable for one route."""

    def __init__(self, service: Service, metrics: Metrics) -> None:
        self._service = service
        self._metrics = metrics
        self._default_amount = service.settings.default_amount

    async def __call__(self, scope: Scope, send: Send) -> None:
        began = perf_counter()
        status, body, more = self._answer(scope)
        await respond(send, status, body, more)
        self._metrics.request(ROUTE, status, perf_counter() - began)

    def _answer(self, scope: Scope) -> tuple[int, bytes, Headers]:
        service = self._service
        try:
            view = service.live.view()
            service.live.gate.check(scope["headers"], "read")
            asked, query = scope["path"][len(PREFIX) :], scope["query_string"]
            return 200, (view and self._stored(view, asked, query)) or service.recommend_profile(asked, query, view), ()
        except Refusal as refusal:
            return refusal.status, refusal.body(service.stamp()), refusal.headers
        except Exception:
            log.exception("a lookup failed")
            fault = Refusal(500, "internal", "the endpoint failed to answer", "its log says why")
            return 500, fault.body(service.stamp()), ()

    def _stored(self, view: View, asked: str, query: bytes) -> bytes | None:
        """The answer when it is just the head of the profile's stored list; None when more is to be considered.

        Most lookups are this: a known profile, nothing excluded, nothing new since the run. Profiles come back, so the
        answers are kept for a while, without what changes: the age of the run.
        """
        kept = view.kept.get((asked, query))
        if kept is None:
            kept = self._assemble(view, asked, query)
            if kept is None:
                return None
            view.keep((asked, query), kept)
        row, head, tail = kept
        if view.overlay.seen(row):
            return None
        return b"%b%b%b" % (head, view.stamp(self._service.clock()), tail)

    def _assemble(self, view: View, asked: str, query: bytes) -> tuple[int, bytes, bytes] | None:
        """Row of the profile, and its answer before and after the stamp."""
        wanted = list_query(query, self._default_amount)
        pack = view.pack
        row = pack.profile_row(asked)
        if row < 0 or wanted.exclude or not pack.lists.clean:
            return None
        items = pack.lists.head(row, wanted.amount)
        count = len(items)
        if not count or count < wanted.amount or items[-1] < 0:
            return None
        if view.overlay.gone and not view.overlay.gone.isdisjoint(items):
            return None
        head = b'{"profile_id":%b,' % answers.json_id(pack.profile_ids[row])
        about = answers.about(pack.models[pack.lists_model[row]], bool(pack.lists_cold[row]))
        listed = answers.joined(view, items, numbers(pack.lists.scores[row, :count]))
        return row, head, b',%b,"items":%b}' % (about, listed)
