"""Times the stages of a night: seconds, rows, rows per second, peak memory."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(slots=True)
class Lap:
    """One stage: wall seconds, CPU seconds of this process, rows it went over, and the process's peak memory when it
    ended.
    """

    stage: str
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    rows: int = 0
    peak_mb: float = 0.0
    note: str = ""

    @property
    def rows_per_second(self) -> float:
        return self.rows / self.seconds if self.seconds > 0 else 0.0

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "rows_per_second": self.rows_per_second}


class Stopwatch:
    """Collects laps in the order in which stages ran."""

    def __init__(self) -> None:
        self.laps: list[Lap] = []

    @contextmanager
    def lap(self, stage: str) -> Iterator[Lap]:
        """Time one stage; the caller sets ``rows`` and ``note`` on the lap it is given."""
        lap = Lap(stage)
        self.laps.append(lap)
        wall, cpu = time.perf_counter(), time.process_time()
        try:
            yield lap
        finally:
            lap.seconds = time.perf_counter() - wall
            lap.cpu_seconds = time.process_time() - cpu
            lap.peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
