"""The first real data set through its mapping: every row accounted for, and the same warehouse however it is
delivered.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import duckdb
import pytest
import yaml

from contracts.definitions import Source
from contracts.settings import Ingest, Settings
from flows.stages.ingest import IngestReport, ingest
from store.layout import Layout
from store.warehouse import open_warehouse, warehouse_digest
from transforms.sources import parse_source

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data" / "online_retail_ii" / "transactions.parquet"
NOW = datetime(2026, 1, 1)
SETTINGS = Settings(ingest=Ingest(settle_seconds=0.0))

pytestmark = [
    pytest.mark.real,
    pytest.mark.slow,
    pytest.mark.skipif(not (ROOT.parent / "shared").exists(), reason="no data beside the project"),
]


def source() -> Source:
    document = yaml.safe_load((ROOT / "definitions" / "sources" / "online_retail_ii.yaml").read_text())
    parsed = parse_source(document, "online_retail_ii.yaml")
    assert parsed.problems == ()
    assert parsed.source is not None
    return parsed.source


def load(home: Path, deliver: Callable[[Path], None]) -> tuple[str, IngestReport, Layout]:
    layout = Layout(home)
    layout.create()
    folder = layout.inbox / "online_retail_ii"
    folder.mkdir()
    deliver(folder)
    report = ingest(layout, SETTINGS, [source()], NOW)
    for one in report.loads:
        assert one.rows_in == one.rows_loaded + one.rows_already + one.rows_skipped + one.rows_quarantined
    with open_warehouse(layout, SETTINGS.pipeline) as con:
        return warehouse_digest(con), report, layout


def test_every_row_is_accounted_for_and_delivery_does_not_matter(tmp_path: Path) -> None:
    with duckdb.connect() as con:
        rows = con.execute(f"SELECT count(*) FROM '{DATA}'").fetchall()[0][0]
        months = [
            month
            for (month,) in con.execute(
                f"SELECT DISTINCT strftime(InvoiceDate, '%Y-%m') FROM '{DATA}' ORDER BY 1"
            ).fetchall()
        ]
        assert len(months) == 25
        order = list(months)
        random.Random(5).shuffle(order)

        def pieces(folder: Path) -> None:
            for at, month in enumerate(order):
                con.execute(
                    f"COPY (SELECT * FROM '{DATA}' WHERE strftime(InvoiceDate, '%Y-%m') = '{month}') TO "
                    f"'{folder}/{at:02}.parquet'"
                )

        digest, report, layout = load(tmp_path / "whole", lambda folder: shutil.copy(DATA, folder / "all.parquet"))
        assert [one.rows_in for one in report.loads] == [rows] * 3
        assert report.rows_quarantined == 0
        # The same bytes under another name are known and change nothing.
        shutil.copy(DATA, layout.inbox / "online_retail_ii" / "again.parquet")
        again = ingest(layout, SETTINGS, [source()], NOW)
        assert {one.status for one in again.loads} == {"duplicate"}
        with open_warehouse(layout, SETTINGS.pipeline) as opened:
            assert warehouse_digest(opened) == digest
            types = dict(opened.execute("SELECT event_type, count(*) FROM events GROUP BY 1").fetchall())
            skipped = opened.execute("SELECT sum(rows) FROM load_skips").fetchall()[0][0]
            negative = opened.execute(
                "SELECT count(*) FROM items WHERE item_price <= 0 OR item_description IS NULL"
            ).fetchall()[0][0]
        assert set(types) == {"charged", "returned"}
        assert sum(types.values()) == next(one.rows_loaded for one in report.loads if one.entity == "events")
        assert skipped == sum(one.rows_skipped for one in report.loads)
        assert negative == 0
        assert load(tmp_path / "pieces", pieces)[0] == digest
        assert (
            load(
                tmp_path / "csv",
                lambda folder: con.execute(f"COPY (FROM '{DATA}') TO '{folder}/all.csv' (HEADER true)") and None,
            )[0]
            == digest
        )
        shuffled = f"COPY (FROM '{DATA}' ORDER BY hash(InvoiceNo || StockCode || Quantity)) TO"
        assert (
            load(tmp_path / "shuffled", lambda folder: con.execute(f"{shuffled} '{folder}/all.parquet'") and None)[0]
            == digest
        )
