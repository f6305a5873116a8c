"""The frozen window: one that stays the same for weeks, on which every candidate is judged beside the rolling one.

Figures of the rolling window change with the data of every night. Those of the frozen one change only with the code,
the settings, and events that arrive late, so that models of two nights can be compared there. Prices and texts of
items, which change all the time, are as they were known when it was measured.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from contracts.progress import Progress
from flows.stages.trial import FROZEN, Ground, Trial, hold_trial
from models.evaluate import HEADLINE
from models.split import Mode
from store.code_version import code_version
from store.exports import open_table
from transforms import interactions as source

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Frozen:
    """Rows of ``evaluation`` on the frozen window; ``inputs`` is a digest of all that decides them, and ``reason``
    says in words where they come from.
    """

    start: datetime
    end: datetime
    inputs: str
    rows: list[Row]
    reason: str

    def headlines(self, mode: Mode) -> dict[str, float]:
        """Value of the headline metric by model."""
        return {row["model"]: row["value"] for row in self.rows if (row["mode"], row["metric"]) == (mode, HEADLINE)}

    def about(self) -> Row:
        """What the next run has to know, as JSON."""
        window = {"from": self.start.isoformat(), "to": self.end.isoformat()}
        return window | {"inputs": self.inputs, "reason": self.reason}


@dataclass(frozen=True, slots=True)
class Before:
    """What is known of the last run: the model that served in it, and its frozen window, if it had one."""

    serving: str = ""
    frozen: Frozen | None = None


def read_before(con: duckdb.DuckDBPyConnection, previous: Path | None) -> Before:
    """What the tables of the run in ``previous`` say."""
    if previous is None or not open_table(con, previous, "training_jobs", "earlier_jobs"):
        return Before()
    found = con.execute("SELECT model, details FROM earlier_jobs WHERE algorithm = 'recommendations'").fetchone()
    if found is None:
        return Before()
    about = json.loads(found[1] or "{}").get("frozen")
    if not about or not open_table(con, previous, "evaluation", "earlier_evaluation"):
        return Before(found[0])
    rows = con.execute("SELECT * FROM earlier_evaluation WHERE algorithm = 'rec' AND cut = $cut", {"cut": FROZEN})
    names = [column[0] for column in rows.description or []]
    kept = [dict(zip(names, row, strict=True)) for row in rows.fetchall()]
    start, end = (datetime.fromisoformat(about[name]) for name in ("from", "to"))
    return Before(found[0], Frozen(start, end, about["inputs"], kept, about["reason"]))


def judge_frozen(ground: Ground, rolling: Trial, last: Frozen | None, progress: Progress) -> Frozen:
    """Figures on the window of the ``last`` run: copied where all that decides them is equal, else measured anew. After
    ``frozen_days``, or where there is none that lies before tonight, the ``rolling`` window is frozen.
    """
    longest = timedelta(days=ground.settings.recommendations.frozen_days)
    if last is not None and last.end <= rolling.end < last.end + longest:
        inputs = inputs_digest(ground, last.end)
        if inputs == last.inputs:
            return last
        trial = hold_trial(ground, last.start, last.end, progress)
        if trial.judgements:
            reason = "measured anew: code, settings, or what is known of that time changed"
            return Frozen(last.start, last.end, inputs, trial.rows(FROZEN), reason)
    reason = f"the rolling window of {rolling.end:%Y-%m-%d}, kept for {longest.days} days"
    inputs = inputs_digest(ground, rolling.end)
    return Frozen(rolling.start, rolling.end, inputs, rolling.rows(FROZEN), reason)


def inputs_digest(ground: Ground, until: datetime) -> str:
    """SHA-256 of what decides the figures of a window that ends at ``until``: code, settings and events."""
    shared: Mapping[str, Any] = {
        "code": code_version(),
        "duckdb": duckdb.__version__,
        "settings": asdict(ground.settings.recommendations),
        "seed": ground.settings.pipeline.seed,
        "accuracy": ground.accuracy,
        "events": source.digest(ground.con, until),
    }
    return hashlib.sha256(json.dumps(shared, sort_keys=True).encode()).hexdigest()
