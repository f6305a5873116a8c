"""Quality of the recommenders on a time split, with references fitted in the same run.

    python -m benchmarks.recommend_quality PATH [--threads 2] [--json FILE]

PATH is ``transactions.parquet`` of Online Retail II (customer known, quantity above 0, products only, one event per
customer, item and invoice) or ``ratings.csv`` of MovieLens (ratings of at least 4). Events are cut at the 90 %
quantile of their time: models learn from what is before and rank all items known then for everybody who came back.
Mode ``new`` leaves seen items out and counts only new ones, ``repeat`` leaves nothing out. Every figure is a mean over
profiles with its standard error; a difference below two standard errors is none. ``NDCG@10`` has a truncated ideal,
``Recall@K`` divides by min(K, relevant), ``coverage@10`` is distinct items shown over the catalogue.
"""

from __future__ import annotations

import argparse
import json
import os
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

import duckdb
import numpy as np
from scipy.sparse import csr_matrix

from contracts.settings import Recommendations
from models.evaluate import MODES, judge
from models.interactions import Interactions
from models.items import Items
from models.ranking import Floats
from models.recommenders.recommender import Recommender
from models.registry import RECOMMENDERS
from models.split import Mode, Split, time_split
from models.threads import one_blas_thread
from transforms import interactions as source

RETAIL = """
    SELECT CustomerID::BIGINT::VARCHAR AS profile_id, upper(trim(StockCode)) AS item_id,
        min(InvoiceDate)::TIMESTAMP AS created_at, min(trim(Description)) AS item_name
    FROM read_parquet($path)
    WHERE CustomerID IS NOT NULL AND Quantity > 0 AND regexp_matches(upper(trim(StockCode)), '^[0-9]{5}[A-Z]*$')
    GROUP BY CustomerID, upper(trim(StockCode)), InvoiceNo
"""
RATINGS = """
    SELECT userId::VARCHAR AS profile_id, movieId::VARCHAR AS item_id,
        make_timestamp(timestamp * 1000000) AS created_at, title || ' ' || replace(genres, '|', ' ') AS item_name
    FROM read_csv($path) AS ratings JOIN read_csv(replace($path, 'ratings.csv', 'movies.csv')) AS movies USING (movieId)
    WHERE rating >= 4
"""
COLUMNS = ("ndcg@10", "recall@10", "recall@50")


class Reference(Recommender):
    """A peer or a plain formula: ``learn`` gets a CSR matrix and gives the function that scores history rows."""

    def __init__(self, name: str, learn: Callable[[csr_matrix], Callable[[csr_matrix], Any]]) -> None:
        self.name = name  # type: ignore[misc]
        self.learn = learn

    def _fit(self, interactions: Interactions, items: Items | None, threads: int) -> None:  # noqa: ARG002
        self.score = self.learn(interactions.matrix())

    def scores(self, history: csr_matrix) -> Floats:
        return np.ascontiguousarray(self.score(history), dtype=np.float32)

    def similar(self, start: int, stop: int) -> Floats:
        return np.zeros((stop - start, self.n_items_), np.float32)


@dataclass(frozen=True, slots=True)
class Contestant:
    """A model, the split it learns from (references may weigh interactions their own way), and its modes."""

    label: str
    model: Recommender
    split: Split
    modes: tuple[Mode, ...] = MODES


def load(path: Path) -> tuple[Split, Split, Split, Items]:
    """The split with the project's weights, with all-time ones, with the last event halved every 180 days; texts."""
    con = duckdb.connect(config={"threads": 2})
    con.execute(f"CREATE TABLE rows AS {RATINGS if path.suffix == '.csv' else RETAIL}", {"path": str(path)})
    con.execute(
        "CREATE TABLE profiles AS "
        "SELECT profile_id, (row_number() OVER (ORDER BY md5(profile_id)) - 1)::INTEGER AS profile_index, "
        "'active' AS status "
        "FROM (SELECT DISTINCT profile_id FROM rows)"
    )
    con.execute(
        "CREATE TABLE items AS "
        "SELECT item_id, (row_number() OVER (ORDER BY item_id) - 1)::INTEGER AS item_index, item_name, "
        "NULL::VARCHAR AS item_category, NULL::VARCHAR AS item_description, NULL::JSON AS properties "
        "FROM (SELECT item_id, min(item_name) AS item_name FROM rows GROUP BY item_id)"
    )
    con.execute("CREATE VIEW events AS SELECT 'charged' AS event_type, profile_id, item_id, created_at FROM rows")
    wanted = Recommendations()
    source.create_item_events(con, wanted)
    cut = source.time_cut(con, wanted)
    assert cut is not None
    sizes = [int(con.execute(f"SELECT count(*) FROM {name}").fetchone()[0]) for name in ("profiles", "items")]  # type: ignore[index]
    after = source.read_window(con, cut)
    splits = []
    for settings in (wanted, replace(wanted, half_life_days=1e9, popularity_half_life_days=1e9)):
        train = Interactions.from_columns(sizes[0], sizes[1], **source.read_interactions(con, settings, cut))
        splits.append(time_split(train, after["profile_index"], after["item_index"]))
    last = (con.execute("SELECT epoch($cut)", {"cut": cut}).fetchone() or [0])[0] / 86400
    days = last - splits[0].train.last_day
    decayed = replace(splits[0].train, strength=(0.5 ** (days / 180)).astype(np.float32))
    return splits[0], splits[1], replace(splits[0], train=decayed), Items(*source.read_item_text(con))


def binary(matrix: csr_matrix) -> csr_matrix:
    return csr_matrix((np.ones_like(matrix.data), matrix.indices, matrix.indptr), shape=matrix.shape)


def plain_ease(regularization: float) -> Callable[[csr_matrix], Callable[[csr_matrix], Any]]:
    """EASE as its paper prints it, with SciPy's inverse."""

    def learn(matrix: csr_matrix) -> Callable[[csr_matrix], Any]:
        import scipy.linalg

        gram = (matrix.T @ matrix).toarray()
        gram[np.diag_indices(len(gram))] += regularization
        inverse = scipy.linalg.inv(gram, overwrite_a=True)
        weights = np.ascontiguousarray(inverse / -np.diag(inverse))
        weights[np.diag_indices(len(weights))] = 0
        return lambda history: history @ weights

    return learn


def implicit_als(threads: int) -> Callable[[csr_matrix], Callable[[csr_matrix], Any]]:
    """The library as its documentation shows it."""

    def learn(matrix: csr_matrix) -> Callable[[csr_matrix], Any]:
        from implicit.cpu.als import AlternatingLeastSquares

        with one_blas_thread():
            model = AlternatingLeastSquares(factors=64, random_state=0, num_threads=threads)
            model.fit(matrix, show_progress=False)
        return lambda history: model.recalculate_user(np.arange(history.shape[0]), history) @ model.item_factors.T

    return learn


def implicit_neighbours(kind: str, threads: int) -> Callable[[csr_matrix], Callable[[csr_matrix], Any]]:
    def learn(matrix: csr_matrix) -> Callable[[csr_matrix], Any]:
        from implicit import nearest_neighbours

        model = getattr(nearest_neighbours, kind)(K=50, num_threads=threads)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns of the format of its own matrix
            model.fit(matrix, show_progress=False)
        similarity = model.similarity.astype(np.float32)
        similarity.setdiag(0)
        return lambda history: (binary(history) @ similarity).toarray()

    return learn


def counts(matrix: csr_matrix) -> Callable[[csr_matrix], Any]:
    total = np.asarray(matrix.sum(axis=0), dtype=np.float32)
    return lambda history: np.repeat(total, history.shape[0], axis=0)


def own(matrix: csr_matrix) -> Callable[[csr_matrix], Any]:  # noqa: ARG001
    return lambda history: history.toarray()


def contestants(splits: tuple[Split, Split, Split], threads: int) -> Iterator[Contestant]:
    ours, all_time, decayed = splits
    for name, kind in RECOMMENDERS.items():
        yield Contestant(f"{name}", kind(), ours)
    yield Contestant("reference: popularity, all time", Reference("counts", counts), all_time)
    yield Contestant(
        "reference: implicit cosine, 50",
        Reference("cosine", implicit_neighbours("CosineRecommender", threads)),
        all_time,
    )
    yield Contestant(
        "reference: implicit BM25, 50", Reference("bm25", implicit_neighbours("BM25Recommender", threads)), all_time
    )
    yield Contestant("reference: EASE, binary", Reference("ease", plain_ease(500)), all_time)
    yield Contestant("reference: EASE, 180 days", Reference("ease", plain_ease(500)), decayed)
    yield Contestant("reference: implicit ALS 64, binary", Reference("als", implicit_als(threads)), all_time)
    yield Contestant("reference: implicit ALS 64, 180 days", Reference("als", implicit_als(threads)), decayed)
    yield Contestant("reference: own, recency-weighted", Reference("own", own), decayed, ("repeat",))


def measure(one: Contestant, items: Items, threads: int) -> list[dict[str, Any]]:
    started = time.perf_counter()
    one.model.fit(one.split.train, items, threads=threads)
    fitted = time.perf_counter() - started
    rows = []
    for mode in one.modes:
        started = time.perf_counter()
        judgement = judge(one.model, one.split, mode, threads=threads)
        seconds = time.perf_counter() - started
        figures = {metric.name: (metric.value, metric.standard_error, metric.subjects) for metric in judgement.metrics}
        rows.append({"model": one.label, "mode": mode, "fit_s": fitted, "rank_s": seconds, "metrics": figures})
    return rows


def table(rows: list[dict[str, Any]], mode: str) -> str:
    lines = [
        f"| mode {mode} | " + " | ".join(COLUMNS) + " | coverage@10 | profiles | fit s | rank s |",
        "|---" + "|---:" * (len(COLUMNS) + 4) + "|",
    ]
    for row in rows:
        if row["mode"] != mode:
            continue
        cells = [f"{row['metrics'][name][0]:.4f} ± {row['metrics'][name][1]:.4f}" for name in COLUMNS]
        cells += [f"{row['metrics']['coverage@10'][0]:.3f}", str(row["metrics"]["ndcg@10"][2])]
        cells += [f"{row['fit_s']:.1f}", f"{row['rank_s']:.1f}"]
        lines.append(f"| {row['model']} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    ours, all_time, decayed, items = load(given.path)
    print(
        f"{given.path.name}: {len(ours.subjects)} profiles came back, {int(ours.known.sum())} items known, "
        f"{ours.train.entries} pairs before the cut\n"
    )
    rows: list[dict[str, Any]] = []
    for one in contestants((ours, all_time, decayed), given.threads):
        rows += measure(one, items, given.threads)
    print("\n\n".join(table(rows, mode) for mode in MODES))
    if given.json:
        given.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
