"""Ten thousand fresh sessions of an untrained agent fall as the logged probabilities say (acceptance 2)."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from scipy.stats import chi2

from tests.serving.conductrics.place import open_site
from tests.serving.conductrics.wire import send

SESSIONS, TOGETHER = 10_000, 100


def test_choices_and_cells_match_the_logged_probabilities(tmp_path: Path) -> None:
    with open_site(tmp_path) as site:
        site.clock.now = 1_900_000_000.0
        for start in range(0, SESSIONS, TOGETHER):
            items = [
                {"agent": "home", "type": "decisions", "query": {"session": f"fresh-{at}"}}
                for at in range(start, start + TOGETHER)
            ]
            told = send(site, "-/batch", "POST", body=json.dumps(items).encode())
            assert [one["status"] for one in told.json] == [200] * TOGETHER
        rows = [json.loads(one.body) for batch in site.journal.writes_between(0, site.journal.last_seq())
                for one in batch]
    assert len(rows) == SESSIONS == len({one["session"] for one in rows})
    assert {tuple(one["probs"]) for one in rows} == {(0.55, 0.45)}
    arms = Counter(one["arm"] for one in rows)
    assert abs(arms["decision-1:a"] / SESSIONS - 0.55) < 0.02
    assert _p(arms, {"decision-1:a": 0.55, "decision-1:b": 0.45}) > 0.001
    cells = Counter(one["policy"] for one in rows)
    assert _p(cells, {"control": 0.1, "explore": 0.18, "exploit": 0.72}) > 0.001


def _p(counts: Counter[str], expected: dict[str, float]) -> float:
    statistic = sum((counts[name] - SESSIONS * share) ** 2 / (SESSIONS * share) for name, share in expected.items())
    return float(chi2.sf(statistic, len(expected) - 1))
