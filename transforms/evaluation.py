"""The table ``evaluation`` beside that of the run before."""

from __future__ import annotations

import duckdb


def write_last(con: duckdb.DuckDBPyConnection) -> None:
    """Fill ``last_value`` and ``last_serving`` of ``evaluation`` from the same metrics in ``last_evaluation``."""
    con.execute(
        "UPDATE evaluation SET last_value = last_evaluation.value, last_serving = last_evaluation.serving "
        "FROM last_evaluation WHERE last_evaluation.algorithm = evaluation.algorithm "
        "AND last_evaluation.cut = evaluation.cut AND last_evaluation.model = evaluation.model "
        "AND last_evaluation.mode = evaluation.mode AND last_evaluation.metric = evaluation.metric"
    )
