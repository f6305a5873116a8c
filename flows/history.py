"""Runs of past dates. Every date is a run of its own, kept beside the published one and not promoted."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta

from contracts.errors import UsageError
from flows.desk import Desk
from flows.night import Order, Outcome, Step, direct, night


def dates(first: date, last: date, every_days: int = 1) -> Iterator[datetime]:
    """The cut-offs of a backfill: midnight (UTC) of each date, both ends included."""
    if every_days < 1:
        raise UsageError(f"a backfill every {every_days} days", hint="--every-days 1 or more")
    if last < first:
        raise UsageError(f"the backfill ends ({last}) before it starts ({first})", hint="give --from and --to in order")
    for day in range(0, (last - first).days + 1, every_days):
        yield datetime.combine(first, datetime.min.time()) + timedelta(days=day)


def fill(desk: Desk, first: date, last: date, every_days: int = 1, step: Step = direct) -> list[Outcome]:
    """Make the runs of all dates from what the warehouse holds now.

    The order of dates changes nothing: nothing is drained or ingested in between, and no run looks at another.
    """
    orders = [
        Order(as_of=moment, ingest=False, serve=False, alone=True, who="backfill")
        for moment in dates(first, last, every_days)
    ]
    outcomes = []
    for number, order in enumerate(orders):
        desk.progress.step("backfill", number, len(orders), str(order.as_of))
        outcomes.append(night(desk, order, step))
    desk.progress.step("backfill", len(orders), len(orders))
    return outcomes
