"""How often reports find a difference where there is none, when they are read every night (decision contract, 15.9).

    python -m benchmarks.policy_aa --runs 10000

Two arms of one rate, equally often explored; a report is read after every night, and an error counts however many
nights later it goes away. The always-valid interval (10.4) is the one to stop by; the two fixed-horizon tests stand
beside it.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np

from decisions.confidence import Sums, always_valid_fields, compare

LOOKS = (1, 7, 14, 30)


@dataclass(frozen=True)
class Errors:
    """Share of runs that were ever wrong by the given number of looks: by the always-valid interval, by a fixed test of
    1.96 standard errors, and by the one-sided ``signif`` of the confidence report.
    """

    always_valid: dict[int, float]
    fixed: dict[int, float]
    one_sided: dict[int, float]


def errors(runs: int, nightly: int, rate: float, seed: int, looks: tuple[int, ...] = LOOKS) -> Errors:
    """Simulate ``runs`` agents that explore each of two arms ``nightly`` times a night."""
    rng = np.random.default_rng(seed)
    nights = max(looks)
    n = nightly * np.arange(1, nights + 1)
    won = np.cumsum(rng.binomial(nightly, rate, (runs, nights, 2)), axis=1)
    wrong = np.zeros((3, runs, nights), dtype=np.bool_)
    for run in range(runs):
        for night in range(nights):
            base, row = (Sums(int(n[night]), float(total), float(total)) for total in won[run, night].tolist())
            found = compare(row, base, 0.95)
            wrong[0, run, night] = always_valid_fields(row, base, is_base=False)["avSignif"]
            wrong[1, run, night] = found["tScore"] is not None and abs(found["tScore"]) > 1.96
            wrong[2, run, night] = found["signif"]
    ever = np.logical_or.accumulate(wrong, axis=2).mean(axis=1)
    return Errors(*({look: float(one[look - 1]) for look in looks} for one in ever))


def main() -> None:
    """Print the shares for several rates and sizes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    print("a night, an arm  rate   test          " + "".join(f"{look:>3} looks  " for look in LOOKS))
    for nightly, rate in ((100, 0.10), (1000, 0.05), (10_000, 0.02)):
        found = errors(asked.runs, nightly, rate, asked.seed)
        for name in ("always_valid", "fixed", "one_sided"):
            shares = "".join(f"{100 * share:>7.2f} %  " for share in getattr(found, name).values())
            print(f"{nightly:>15}  {rate:<5}  {name:12}  {shares}", flush=True)


if __name__ == "__main__":
    main()
