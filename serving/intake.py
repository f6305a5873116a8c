"""Writes of the plain routes: checked events go to the group commit, and the answer says where they stand."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import orjson

from serving.bodies import Event, Events
from serving.commit import GroupCommit
from serving.events import to_writes
from serving.service import Service


class Intake:
    """Stores events. ``commit`` gives the group commit of the running endpoint."""

    def __init__(self, service: Service, commit: Callable[[], GroupCommit], max_future_hours: float) -> None:
        self._service = service
        self._commit = commit
        self._max_future_hours = max_future_hours

    async def store(self, body: Event | Events) -> bytes:
        """Store one or several events together; they are on disk when this returns. Raises Refusal."""
        many = isinstance(body, Events)
        given = body.events if isinstance(body, Events) else [body]
        now = datetime.fromtimestamp(self._service.clock(), UTC).replace(tzinfo=None)
        writes = to_writes(given, now, self._max_future_hours, many=many)
        accepted = await self._commit().submit(writes)
        stored = [
            {"event_id": write.event_id, "seq": place.seq, "repeated": place.repeated}
            for write, place in zip(writes, accepted, strict=True)
        ]
        return b'{"accepted":%d,"repeated":%d,"events":%b,%b}' % (
            len(stored), sum(place.repeated for place in accepted), orjson.dumps(stored), self._service.stamp()
        )
