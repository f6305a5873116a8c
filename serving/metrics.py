"""What the endpoint counts, and its Prometheus text.

Counters are sums over all worker processes since the endpoint was started; gauges are of the process that answers.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from store.tally import Tally

if TYPE_CHECKING:
    from prometheus_client.core import Metric

    from serving.live import Live

ROUTES = (
    "recommendations_profile", "recommendations_item", "recommendations_session", "recommendations_batch", "churn",
    "churn_batch", "profiles", "profiles_batch", "items", "items_batch", "events", "health", "ready", "metrics", "docs",
    "crossing_minds", "octy", "conductrics", "other",
)
CLASSES = ("2xx", "3xx", "4xx", "5xx")
BUCKETS = (0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)
COUNTERS = {
    "writes": ("nightloom_journal_writes_total", "Writes stored in the journal"),
    "commits": ("nightloom_journal_commits_total", "Transactions that stored them"),
    "commit_seconds": ("nightloom_journal_commit_seconds_total", "Time spent in those transactions"),
}


class Metrics:
    """Counts requests by route and class of status, and how long they took."""

    def __init__(self, folder: Path | None = None) -> None:
        names: list[Any] = [("requests", route, status) for route in ROUTES for status in CLASSES]
        for route in ROUTES:
            names += [("seconds", route, bucket) for bucket in range(len(BUCKETS) + 1)]
            names.append(("sum", route))
        self.tally = Tally([*names, *COUNTERS], folder)
        self._requests = {route: self.tally.places["requests", route, "2xx"] for route in ROUTES}
        self._seconds = {route: self.tally.places["seconds", route, 0] for route in ROUTES}

    def request(self, route: str, status: int, seconds: float) -> None:
        """Count one answered request."""
        cells = self.tally.cells
        cells[self._requests[route] + status // 100 - 2] += 1
        first = self._seconds[route]
        cells[first + bisect_left(BUCKETS, seconds)] += 1
        cells[first + len(BUCKETS) + 1] += seconds

    def commit(self, writes: int, seconds: float) -> None:
        """Count one transaction of the journal."""
        self.tally.add("writes", writes)
        self.tally.add("commits")
        self.tally.add("commit_seconds", seconds)

    def text(self, live: Live, now: float) -> bytes:
        """The exposition."""
        from prometheus_client import CollectorRegistry, generate_latest

        registry = CollectorRegistry()
        registry.register(_Collector(self, live, now))
        return generate_latest(registry)


class _Collector:
    def __init__(self, metrics: Metrics, live: Live, now: float) -> None:
        self._metrics, self._live, self._now = metrics, live, now

    def collect(self) -> Iterable[Metric]:
        totals = self._metrics.tally.totals()
        yield self._requests(totals)
        yield self._latencies(totals)
        yield from self._counters(totals)
        yield from self._gauges()

    def _requests(self, totals: dict[Any, float]) -> Metric:
        from prometheus_client.core import CounterMetricFamily

        family = CounterMetricFamily("nightloom_requests_total", "Requests answered", labels=["route", "status"])
        for route in ROUTES:
            for status in CLASSES:
                family.add_metric([route, status], totals["requests", route, status])
        return family

    def _latencies(self, totals: dict[Any, float]) -> Metric:
        from prometheus_client.core import HistogramMetricFamily

        family = HistogramMetricFamily(
            "nightloom_request_seconds", "Time from a request's arrival to its answer, in the process", labels=["route"]
        )
        for route in ROUTES:
            counts = [totals["seconds", route, bucket] for bucket in range(len(BUCKETS) + 1)]
            sums = [sum(counts[: place + 1]) for place in range(len(counts))]
            limits = [*map(str, BUCKETS), "+Inf"]
            family.add_metric([route], list(zip(limits, sums, strict=True)), sum_value=totals["sum", route])
        return family

    def _counters(self, totals: dict[Any, float]) -> Iterable[Metric]:
        from prometheus_client.core import CounterMetricFamily

        for name, (metric, text) in COUNTERS.items():
            yield CounterMetricFamily(metric, text, value=totals[name])

    def _gauges(self) -> Iterable[Metric]:
        from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily

        live, view = self._live, self._live.view()
        yield GaugeMetricFamily("nightloom_ready", "1 while a run is served", value=float(view is not None))
        yield GaugeMetricFamily("nightloom_run_swaps", "Runs this process put in place", value=live.swaps)
        yield GaugeMetricFamily(
            "nightloom_run_open_failures", "Runs this process could not open since its start", value=live.failures
        )
        if view is None:
            return
        yield InfoMetricFamily("nightloom_run", "Run that is served", value={"run_id": view.snapshot.run_id})
        yield GaugeMetricFamily("nightloom_run_age_seconds", "Age of the served run", value=view.age(self._now))
        yield GaugeMetricFamily("nightloom_overlay_writes", "Writes since the served run", value=view.overlay.writes)
        yield GaugeMetricFamily("nightloom_run_profiles", "Profiles in the served run", value=view.pack.profile_count)
        yield GaugeMetricFamily("nightloom_run_items", "Items in the served run", value=view.pack.item_count)
