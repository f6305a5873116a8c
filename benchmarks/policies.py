"""What a night's learning of policies costs: CPU and wall seconds, and memory, by the number of decisions.

Run: ``python -m benchmarks.policies 10000 100000 1000000``. Decisions are spread over ten agents of four arms, five
segments and features, ten of them a session; one in ten has a goal. Each size runs in a process of its own.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

AS_OF = datetime(2026, 4, 1)
AGENTS = 10

EVENTS = """
INSERT INTO decisions BY NAME
WITH drawn AS (
    SELECT i, 'agent-' || (i % {agents}) AS agent, hash('arm' || i) % 4 AS arm, hash('cell' || i) % 100 AS cell,
        TIMESTAMP '2026-03-01' + to_microseconds((i * (30 * 86400e6 / {count}))::BIGINT) AS moment
    FROM range({count}) AS visits(i)
)
SELECT 'd' || i AS event_id, 'default' AS owner, agent, 's' || i AS session, epoch_ms(moment) AS epoch,
    'point-1' AS point, 'decision-1' AS decision_set, 'decision-1:' || arm AS arm,
    ['decision-1:0', 'decision-1:1', 'decision-1:2', 'decision-1:3'] AS candidates, [0.25, 0.25, 0.25, 0.25] AS probs,
    0.25 AS probability, CASE WHEN cell < 18 THEN 'explore' ELSE 'exploit' END AS policy, '' AS requested,
    '0' AS version, 'uniform' AS backoff, false AS sticky, 'ok' AS status, true AS live,
    'segment-' || (hash('segment' || i) % 5) AS segment,
    '{{' || array_to_string(list_transform(range(10), lambda f: '"f' || f || '-' || (hash(f || '/' || i) % 4) ||
        '":1.0'), ',') || '}}' AS features,
    '' AS pattern, 0 AS seq, moment AS ts, moment AS received_ts, false AS ts_given, 'api' AS source,
    false AS propensity_assumed
FROM drawn
"""
GOALS = """
INSERT INTO goals BY NAME
SELECT 'g' || event_id AS event_id, owner, agent, session, epoch, 'goal-1' AS goal, 1.0 AS reward_sent,
    1.0 AS reward_accepted, '' AS reason, ts + INTERVAL 1 MINUTE AS ts, received_ts, ts_given, source
FROM decisions WHERE hash('goal' || event_id) % 100 < CASE WHEN ends_with(arm, '3') THEN 12 ELSE 10 END
"""


def measure(count: int) -> dict[str, float]:
    """Learn from ``count`` decisions; returns seconds and MB."""
    from contracts.progress import Silent
    from contracts.settings import Pipeline, Settings
    from flows.stages.agents import AgentDocuments
    from flows.stages.policies import learn_policies
    from store.layout import Layout
    from store.warehouse import open_warehouse
    from store.workbench import open_workbench

    with tempfile.TemporaryDirectory() as folder:
        layout = Layout(Path(folder))
        layout.create()
        settings = Settings(pipeline=Pipeline(memory_limit="2GB"))
        with open_warehouse(layout, settings.pipeline) as con:
            con.execute(EVENTS.format(agents=AGENTS, count=count))
            con.execute(GOALS)
        target = Path(folder) / "run"
        (target / "pack").mkdir(parents=True)
        layout.scratch.mkdir(parents=True, exist_ok=True)
        began, cpu = time.perf_counter(), time.process_time()
        with open_workbench(layout, settings, "bench") as con:
            learn_policies(con, target, AS_OF, "bench", "default", AgentDocuments(), None, Silent())
            row = con.execute("SELECT count(*) FROM policies").fetchone()
        return {
            "decisions": count, "policy_rows": row[0] if row else 0, "seconds": time.perf_counter() - began,
            "cpu_seconds": time.process_time() - cpu,
            "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        }


def main() -> None:
    """Measure each size that is named, one process each."""
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(measure(int(sys.argv[2]))))
        return
    for size in sys.argv[1:] or ["10000", "100000", "1000000"]:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.policies", "--one", size], capture_output=True, text=True, check=True
        )
        found = json.loads(done.stdout.splitlines()[-1])
        print(" ".join(f"{name}={value:,.1f}" for name, value in found.items()), flush=True)


if __name__ == "__main__":
    main()
