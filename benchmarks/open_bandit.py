"""Off-policy estimates beside the truth on real logs: the Open Bandit Dataset, women's campaign (decision contract,
10.6).

    python -m benchmarks.open_bandit path/to/open_bandit_women

The data have two logs of one week: decided at random, and by Bernoulli Thompson sampling. Both are loaded from their
files as logs of agents (13) into a warehouse of the moment, and read as a night reads them. The Thompson policy is
valued on the random log and compared with what it really earned on its own. The other way round, uniform choice
valued on the Thompson log, there is next to no support, and the estimates are refused as unreliable with their
effective sample size.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path

import duckdb
import numpy as np
import yaml
from numpy.typing import NDArray

from flows.stages.agents import AgentDocuments
from flows.stages.policy_statistics import Seen, read_agent
from models.policies.off_policy import Valuation, estimate
from models.policies.review import cross_fitted
from models.policies.targets import uniform
from store.warehouse import create_schema
from transforms import decisions
from transforms.decision_log import load_log
from transforms.decision_log_mapping import DecisionLog, parse_log

RANDOM, THOMPSON = "women-random", "women-bts"
OWNER = "open-bandit"
FILES = {RANDOM: "open_bandit.yaml", THOMPSON: "open_bandit_bts.yaml"}
AFTER = datetime(2019, 12, 2)
Values = NDArray[np.float64]


@dataclass(frozen=True)
class Comparison:
    """A policy valued on a log of another, and what it earned on its own log: mean and standard error."""

    valued: Valuation
    mean: float
    error: float


def mappings() -> dict[str, DecisionLog]:
    """How the logs are read, from the mappings that the project ships; by agent."""
    folder = Path(__file__).resolve().parents[1] / "definitions" / "decision_logs"
    found = [parse_log(yaml.safe_load((folder / name).read_text("utf-8")), name)[0] for name in FILES.values()]
    return dict(zip(FILES, (one for one in found if one is not None), strict=True))


def read(folder: Path) -> dict[str, Seen]:
    """Load both logs, and read each as its agent's window; no agent is configured."""
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch) / "warehouse.duckdb"
        with duckdb.connect(str(place)) as con:
            create_schema(con)
            for agent, log in mappings().items():
                path = folder / agent.removeprefix("women-") / "women.csv"
                load_log(con, log, path, sha256(path.read_bytes()).hexdigest(), OWNER, (), AFTER)
        with duckdb.connect() as con:
            con.execute(f"ATTACH '{place}' AS warehouse (READ_ONLY)")
            decisions.count_exposures(con, AFTER, OWNER, ())
            decisions.weigh(con)
            decisions.sum_up(con, ())
            decisions.compare_with_logged(con, ())
            decisions.place_labels(con, 1, 1)
            decisions.aggregate(con, AFTER)
            return {
                agent: read_agent(con, agent, True, False, AgentDocuments(), {}, "file") for agent in (RANDOM, THOMPSON)
            }


def shares(log: Seen) -> Values:
    """How often each item was chosen at each position, float64 (contexts, items): the log's policy over its week."""
    rows, contexts = log.exposures, log.exposures.contexts
    counts = np.zeros(contexts.candidates.shape)
    np.add.at(counts, (rows.context, rows.arm), rows.count)
    return np.asarray(counts / counts.sum(axis=1, keepdims=True))


def value(log: Seen, target: Values) -> Valuation:
    """Value a policy (contexts, items) on a log, rewards modelled by the other two folds."""
    means, _ = cross_fitted(log.statistics, log.exposures.contexts)
    return estimate(log.exposures, target, means)


def compare(logs: dict[str, Seen]) -> dict[str, Comparison]:
    """The Thompson policy on the random log beside its own log, and uniform choice the other way round."""
    random, thompson = logs[RANDOM], logs[THOMPSON]
    arms = [one.arms for one in random.statistics.points]
    assert arms == [one.arms for one in thompson.statistics.points], "both logs have every item at every position"
    return {
        "Thompson policy on the random log": Comparison(value(random, shares(thompson)), *_mean(thompson)),
        "uniform choice on the Thompson log": Comparison(
            value(thompson, uniform(thompson.exposures.contexts)), *_mean(random)
        ),
    }


def _mean(log: Seen) -> tuple[float, float]:
    rows = log.exposures
    total = rows.count.sum()
    mean = float((rows.count * rows.value).sum() / total)
    return mean, float(np.sqrt((rows.count * (rows.value - mean) ** 2).sum() / (total - 1) / total))


def main() -> None:
    """Print estimates, support and the on-policy means."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    asked = parser.parse_args()
    for name, found in compare(read(asked.folder)).items():
        valued = found.valued
        print(
            f"{name}: effective sample size {valued.support:.1f} of {valued.exposures}, mean weight "
            f"{valued.mean_weight:.3f} ± {valued.mean_weight_error:.3f}, largest {valued.largest_weight:.1f}"
            f"{', UNRELIABLE: no intervals' if valued.unreliable else ''}"
        )
        for estimator, one in valued.estimates.items():
            interval = f"[{one.low:.5f}, {one.high:.5f}]" if one.low is not None and one.high is not None else "refused"
            print(f"  {estimator:6} {one.value:+.5f}  {interval}")
        low, high = found.mean - 1.96 * found.error, found.mean + 1.96 * found.error
        print(f"  on its own log {found.mean:.5f}  [{low:.5f}, {high:.5f}]")


if __name__ == "__main__":
    main()
