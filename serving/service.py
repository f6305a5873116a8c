"""The lookups of the plain routes, from checked parameters to bytes. One method a route; no HTTP in here."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import orjson

from contracts.settings import Settings
from serving import answers
from serving.answers import json_id
from serving.bodies import ItemBatch, ListBatch, ProfileBatch, Session
from serving.live import NOTHING_SERVED, Live, View
from serving.lookup import for_item, for_profile, for_session
from serving.queries import list_query
from serving.refusals import Refusal, invalid, not_found, not_ready

NULL = b"null"


class Service:
    """Answers from the newest view. ``clock``: seconds since 1970."""

    def __init__(self, live: Live, settings: Settings, clock: Callable[[], float]) -> None:
        self.live = live
        self.settings = settings.serving
        self.clock = clock

    def view(self) -> View:
        """The newest view. Raises Refusal when no run is served."""
        view = self.live.view()
        if view is None:
            raise not_ready()
        return view

    def stamp(self) -> bytes:
        """What an answer says of the run that is served, as far as it is known without looking."""
        view = self.live.view()
        return NOTHING_SERVED if view is None else view.stamp(self.clock())

    def recommend_profile(self, asked: str, query: bytes, view: View | None = None) -> bytes:
        """List for one profile; an unknown one gets the popular items."""
        view = view or self.view()
        wanted = list_query(query, self.settings.default_amount)
        if not asked:
            raise Refusal(404, "not_found", "the path lacks a profile_id")
        row, profile_id = _profile(view, asked)
        ranked = for_profile(view, row, asked, wanted.amount, _rows(view, wanted.exclude))
        return answers.profile_list(view, profile_id, ranked, self.clock())

    def recommend_item(self, item_id: str, query: bytes) -> bytes:
        """Items most like one item."""
        view = self.view()
        wanted = list_query(query, self.settings.default_amount)
        row = _item(view, item_id)
        return answers.item_list(
            view, item_id, for_item(view, row, wanted.amount, _rows(view, wanted.exclude)), self.clock()
        )

    def recommend_session(self, session: Session) -> bytes:
        """Items that go with a session; items unknown to the run are left aside."""
        view = self.view()
        newest_first = _rows(view, session.items[::-1])
        ranked = for_session(view, newest_first, self._amount(session.amt), _rows(view, session.exclude))
        return answers.session_list(view, ranked, self.clock())

    def recommend_batch(self, batch: ListBatch) -> bytes:
        """Lists for several profiles, in the order asked."""
        view = self.view()
        self._check_batch("profile_ids", batch.profile_ids)
        amount, excluded = self._amount(batch.amt), _rows(view, batch.exclude)
        entries = []
        for asked in batch.profile_ids:
            row, profile_id = _profile(view, asked)
            ranked = for_profile(view, row, asked, amount, excluded)
            entries.append(b'{"asked":%b,"profile_id":%b,%b,"items":%b}' % (
                orjson.dumps(asked), profile_id, answers.about(ranked.model, ranked.cold), answers.listed(view, ranked)
            ))
        return answers.batch(view, "recommendations", entries, self.clock())

    def churn(self, asked: str) -> bytes:
        """Churn of one profile; null when the run did not score it."""
        view = self.view()
        row = view.pack.resolved_row(asked)
        if row < 0:
            raise not_found("profile", asked)
        return b"".join((
            b'{"profile_id":', json_id(view.pack.profile_ids[row]), b",", view.stamp(self.clock()), b',"churn":',
            view.pack.churn[row] or NULL, b"}",
        ))

    def churn_batch(self, batch: ProfileBatch) -> bytes:
        """Churn of several profiles, in the order asked; ``known`` tells whether the run has the profile."""
        view = self.view()
        self._check_batch("profile_ids", batch.profile_ids)
        entries = []
        for asked in batch.profile_ids:
            row, profile_id = _profile(view, asked)
            churn = (view.pack.churn[row] or NULL) if row >= 0 else NULL
            entries.append(b'{"asked":%b,"profile_id":%b,"known":%b,"churn":%b}' % (
                orjson.dumps(asked), profile_id, b"true" if row >= 0 else b"false", churn
            ))
        return answers.batch(view, "churn", entries, self.clock())

    def profile(self, asked: str) -> bytes:
        """Properties of one profile."""
        view = self.view()
        found = view.overlay.profile(asked)
        if found is None:
            raise not_found("profile", asked)
        return answers.one(view, "profile", found, self.clock())

    def profile_batch(self, batch: ProfileBatch) -> bytes:
        """Properties of several profiles; unknown ones are listed apart."""
        view = self.view()
        self._check_batch("profile_ids", batch.profile_ids)
        rows = [(asked, view.overlay.profile(asked)) for asked in batch.profile_ids]
        found = [profile for _, profile in rows if profile is not None]
        return self._found(view, "profiles", found, [asked for asked, profile in rows if profile is None])

    def item(self, item_id: str) -> bytes:
        """Properties of one item."""
        view = self.view()
        found = view.overlay.item(item_id)
        if found is None:
            raise not_found("item", item_id)
        return answers.one(view, "item", found, self.clock())

    def item_batch(self, batch: ItemBatch) -> bytes:
        """Properties of several items; unknown ones are listed apart."""
        view = self.view()
        self._check_batch("item_ids", batch.item_ids)
        rows = [(item_id, view.overlay.item(item_id)) for item_id in batch.item_ids]
        found = [item for _, item in rows if item is not None]
        return self._found(view, "items", found, [item_id for item_id, item in rows if item is None])

    def health(self) -> bytes:
        """The process is alive."""
        return b'{"status":"ok",' + self.stamp() + b"}"

    def ready(self) -> tuple[int, bytes]:
        """Status and body: 200 while a run is served, else 503; ``problem`` says what is wrong meanwhile."""
        view = self.live.view()
        ready = view is not None
        problem = orjson.dumps(self.live.problem or None)
        body = b'{"ready":%b,"problem":%b,%b}' % (b"true" if ready else b"false", problem, self.stamp())
        return (200 if ready else 503), body

    def _found(self, view: View, name: str, found: list[bytes], unknown: list[str]) -> bytes:
        return b'{%b,"%b":[%b],"unknown":%b}' % (
            view.stamp(self.clock()), name.encode(), b",".join(found), orjson.dumps(unknown)
        )

    def _amount(self, asked: int | None) -> int:
        return self.settings.default_amount if asked is None else asked

    def _check_batch(self, field: str, ids: Sequence[str]) -> None:
        if len(ids) > self.settings.batch_limit:
            raise invalid(field, f"{len(ids)} ids", f"at most {self.settings.batch_limit} in one request")


def _profile(view: View, asked: str) -> tuple[int, bytes]:
    """Row of a profile (-1: unknown) and its id as JSON: the run's profile_id, or what was asked."""
    row = view.pack.resolved_row(asked)
    return row, json_id(view.pack.profile_ids[row]) if row >= 0 else orjson.dumps(asked)


def _item(view: View, item_id: str) -> int:
    row = view.pack.item_row(item_id)
    if row < 0 or row in view.overlay.gone:
        raise not_found("item", item_id)
    return row


def _rows(view: View, item_ids: Sequence[str]) -> list[int]:
    """Rows of the items that the run knows."""
    return [row for row in map(view.pack.item_row, item_ids) if row >= 0]
