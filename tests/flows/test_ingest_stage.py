"""Ingest of plain drops: the ledger, refusals, retries, interruptions, and what a file that is no file does."""

from __future__ import annotations

import gzip
import os
import signal
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from contracts.settings import Ingest, Settings
from flows.stages import quarantine
from flows.stages.ingest import ingest, ingest_paths
from store import inbox, report_data
from store.layout import Layout
from store.warehouse import open_warehouse, warehouse_digest
from transforms.sources import parse_source

NOW = datetime(2026, 1, 1)
SETTINGS = Settings(ingest=Ingest(settle_seconds=0.0, event_types=("view",)))
PROFILES = "customer_id,profile_data>>age\nc-1,30\nc-2,40\n"
EVENTS = "event_type,customer_id,created_at,event_properties>>item_id\n" + "".join(
    f"charged,c-{1 + n % 2},2024-05-01 10:00:{n:02},sku-{n}\n" for n in range(10)
)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    made = Layout(tmp_path)
    made.create()
    return made


def rows(layout: Layout, sql: str) -> list[tuple[object, ...]]:
    with open_warehouse(layout, SETTINGS.pipeline) as con:
        return con.execute(sql).fetchall()


def digest(layout: Layout) -> str:
    with open_warehouse(layout, SETTINGS.pipeline) as con:
        return warehouse_digest(con)


def test_the_same_bytes_load_once_and_a_corrected_file_adds_only_its_new_rows(layout: Layout) -> None:
    (layout.inbox / "profiles/p.csv").write_text(PROFILES)
    (layout.inbox / "events/e.csv").write_text(EVENTS)
    assert ingest(layout, SETTINGS, (), NOW).rows_loaded == 12
    (layout.inbox / "events/other-name.csv").write_text(EVENTS)
    report = ingest(layout, SETTINGS, (), NOW)
    assert [load.status for load in report.loads] == ["duplicate"]
    line = "charged,c-1,2024-05-01 10:00:00,sku-0\n"
    (layout.inbox / "events/more.csv").write_text(EVENTS + line)
    load = ingest(layout, SETTINGS, (), NOW).loads[0]
    assert (load.rows_in, load.rows_loaded, load.rows_already) == (11, 1, 10)
    assert not list(layout.inbox.glob("*/*")) and not list(layout.claimed.iterdir())
    assert len(list(layout.archive.rglob("*.csv"))) == 3


def test_equal_line_items_all_count(layout: Layout) -> None:
    (layout.inbox / "profiles/p.csv").write_text(PROFILES)
    header, line = EVENTS.splitlines(keepends=True)[:2]
    (layout.inbox / "events/e.csv").write_text(header + line * 3)
    ingest(layout, SETTINGS, (), NOW)
    assert rows(layout, "SELECT count(*), count(DISTINCT event_id) FROM events") == [(3, 3)]


def test_formats_and_compression_are_one(tmp_path: Path) -> None:
    digests = set()
    table = pa.table({"customer_id": ["c-1", "c-2"], "profile_data": [{"age": 30}, {"age": 40}]})
    for kind in ("csv", "gz", "zst", "parquet", "jsonl", "tsv", "bom"):
        layout = Layout(tmp_path / kind)
        layout.create()
        folder = layout.inbox / "profiles"
        if kind == "gz":
            (folder / "p.csv.gz").write_bytes(gzip.compress(PROFILES.encode()))
        elif kind == "zst":
            with pa.CompressedOutputStream(str(folder / "p.csv.zst"), "zstd") as out:
                out.write(PROFILES.encode())
        elif kind == "parquet":
            pq.write_table(table, folder / "p.parquet")
        elif kind == "jsonl":
            (folder / "p.jsonl").write_text(
                '{"customer_id":"c-1","profile_data":{"age":30}}\n{"customer_id":"c-2","profile_data":{"age":40}}\n'
            )
        elif kind == "tsv":
            (folder / "p.tsv").write_text(PROFILES.replace(",", "\t"))
        elif kind == "bom":
            (folder / "p.csv").write_bytes(b"\xef\xbb\xbf" + PROFILES.replace("\n", "\r\n").encode())
        else:
            (folder / "p.csv").write_text(PROFILES)
        assert ingest(layout, SETTINGS, (), NOW).rows_loaded == 2, kind
        digests.add(digest(layout))
    assert len(digests) == 1


@pytest.mark.parametrize(
    ("name", "content", "rule"),
    [
        ("p.csv", b"", "no_header"),
        ("p.csv", b"customer_id,age\nc-1,\xe9\n", "not_utf8"),
        ("p.csv", "customer_id,age\nc-1,2\n".encode("utf-16"), "not_utf8"),
        ("p.csv", b"name,age\nx,1\n", "missing_column"),
        ("p.csv", b"customer_id,age,age\nc-1,1,2\n", "repeated_column"),
        ("p.csv.gz", gzip.compress(PROFILES.encode() * 500, mtime=0)[:-20], "unreadable"),
        ("p.parquet", b"PAR1 and then nothing", "unreadable"),
        ("p.parquet", b"nothing of the kind", "unreadable"),
        ("p.json", b'[{"customer_id":"c-1"}]', "unreadable"),
    ],
)
def test_refused_whole_and_nobody_else_is_stopped(layout: Layout, name: str, content: bytes, rule: str) -> None:
    (layout.inbox / "profiles" / f"a{name}").write_bytes(content)
    (layout.inbox / "profiles" / "z.csv").write_text(PROFILES)
    report = ingest(layout, SETTINGS, (), NOW)
    assert [load.status for load in report.loads] == ["refused", "loaded"]
    assert rows(layout, "SELECT line, rule FROM quarantine") == [(1, rule)]
    assert rows(layout, "SELECT count(*) FROM profiles") == [(2,)]
    assert len(list(layout.refused.iterdir())) == 1
    assert not list((layout.inbox / "profiles").iterdir())


def test_events_wait_for_their_profile(layout: Layout) -> None:
    (layout.inbox / "events/e.csv").write_text(EVENTS)
    load = ingest(layout, SETTINGS, (), NOW).loads[0]
    assert (load.rows_loaded, load.rows_quarantined) == (0, 10)
    (layout.inbox / "profiles/p.csv").write_text("customer_id,profile_data>>age\nc-1,30\n")
    report = ingest(layout, SETTINGS, (), NOW)
    assert report.released == 5
    assert rows(layout, "SELECT count(*) FROM events") == [(5,)]
    assert rows(layout, "SELECT count(*) FILTER (resolved_at IS NULL), count(*) FROM quarantine") == [(5, 10)]
    created = Settings(ingest=Ingest(settle_seconds=0.0, create_profiles=True))
    replayed = quarantine.replay(layout, created, (), NOW)
    assert replayed.still_open == 0
    assert rows(layout, "SELECT count(*), count(DISTINCT event_id) FROM events") == [(10, 10)]
    assert rows(layout, "SELECT count(*) FROM pending_events") == [(0,)]


def test_what_replay_cannot_load_stays_where_it_is(layout: Layout) -> None:
    (layout.inbox / "profiles/p.csv").write_text(PROFILES)
    (layout.inbox / "events/e.csv").write_text(
        EVENTS + "buy,c-1,2024-05-01 10:00:00,x\nsell,c-1,2024-05-01 10:00:00,x\n"
    )
    ingest(layout, SETTINGS, (), NOW)
    wider = Settings(ingest=Ingest(settle_seconds=0.0, event_types=("buy",)))
    report = quarantine.replay(layout, wider, (), NOW)
    assert (report.resolved, report.still_open) == (1, 1)
    assert rows(layout, "SELECT line FROM quarantine WHERE resolved_at IS NULL") == [(13,)]
    assert rows(layout, "SELECT count(*) FROM events WHERE event_type = 'buy'") == [(1,)]


def test_schema_drift_is_reported(layout: Layout) -> None:
    (layout.inbox / "profiles/p.csv").write_text(PROFILES)
    assert ingest(layout, SETTINGS, (), NOW).drift == ()
    (layout.inbox / "profiles/p.csv").write_text("customer_id,profile_data>>plan\nc-1,gold\n")
    drift = {(one.column, one.change) for one in ingest(layout, SETTINGS, (), NOW).drift}
    assert drift == {("profile_data>>plan", "new"), ("profile_data>>age", "lost")}


def test_files_being_written_links_and_strangers_are_left_alone(layout: Layout, tmp_path: Path) -> None:
    folder = layout.inbox / "profiles"
    for name in (".p.csv.Ab3dE9", "p.csv.part", "p.csv.filepart", "p.csv~", "x.tmp", ".hidden.csv"):
        (folder / name).write_text(PROFILES)
    outside = tmp_path / "outside.csv"
    outside.write_text(PROFILES)
    (folder / "link.csv").symlink_to(outside)
    (layout.inbox / "elsewhere").mkdir()
    (layout.inbox / "elsewhere" / "x.csv").write_text(PROFILES)
    with (folder / "open.csv").open("w") as writer:
        writer.write(PROFILES)
        writer.flush()
        report = ingest(layout, SETTINGS, (), NOW)
        assert report.loads == ()
        reasons = {wait.name: wait.reason for wait in report.waiting}
        assert len(reasons) == 9
        assert "link" in reasons["profiles/link.csv"] and "mapping" in reasons["elsewhere/x.csv"]
        assert "open for writing" in reasons["profiles/open.csv"]
    assert [load.file for load in ingest(layout, SETTINGS, (), NOW).loads] == ["profiles/open.csv"]
    assert outside.exists()


def test_a_young_file_waits_however_old_its_time_stamp(layout: Layout) -> None:
    path = layout.inbox / "profiles" / "p.csv"
    path.write_text(PROFILES)
    os.utime(path, (1, 1))
    drops, waits = inbox.discover(layout, 60.0)
    assert drops == [] and "stood still" in waits[0].reason
    assert inbox.discover(layout, 0.0)[0]


def test_interrupted_claims_are_taken_up(layout: Layout) -> None:
    (layout.inbox / "profiles/p.csv").write_text(PROFILES)
    drop = inbox.discover(layout, 0.0)[0][0]
    assert inbox.claim(layout, drop) is not None
    report = ingest(layout, SETTINGS, (), NOW)
    assert [(load.file, load.rows_loaded) for load in report.loads] == [("profiles/p.csv", 2)]
    assert not list(layout.claimed.iterdir())


KILLED = """
import sys
from datetime import datetime
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from contracts.settings import Ingest, Settings
from flows.stages.ingest import ingest
from store.layout import Layout
print("ready", flush=True)
settings = Settings(ingest=Ingest(settle_seconds=0.0, event_types=("view",)))
ingest(Layout(Path(sys.argv[1])), settings, (), datetime(2026, 1, 1))
"""


@pytest.mark.slow
def test_killed_at_any_moment_the_next_ingest_ends_the_same(tmp_path: Path) -> None:
    root = str(Path(__file__).resolve().parents[2])

    def deliver(layout: Layout) -> None:
        layout.create()
        (layout.inbox / "profiles/p.csv").write_text(PROFILES)
        header = EVENTS.splitlines(keepends=True)[0]
        for part in range(4):
            lines = [
                f"view,c-{1 + n % 3},2024-05-{1 + n % 28:02} 10:00:00,sku-{n % 97}\n"
                for n in range(part * 500, part * 500 + 3000)
            ]
            (layout.inbox / f"events/e{part}.csv").write_text(header + "".join(lines))

    clean = Layout(tmp_path / "clean")
    deliver(clean)
    ingest(clean, SETTINGS, (), NOW)
    wanted = digest(clean)
    layout = Layout(tmp_path / "killed")
    deliver(layout)
    for moment in (0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5):
        with subprocess.Popen(
            [sys.executable, "-c", KILLED, str(layout.home), root], stdout=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(moment)
            process.kill()
    ingest(layout, SETTINGS, (), NOW)
    assert digest(layout) == wanted
    assert not list(layout.claimed.iterdir())


COPIED = """
import os, shutil, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from store import inbox
from store.layout import Layout

def half(source, target):
    Path(target).write_bytes(Path(source).read_bytes()[:60])
    os.kill(os.getpid(), signal.SIGKILL)

shutil.copyfile = half
inbox.adopt(Layout(Path(sys.argv[1])), Path(sys.argv[3]))
"""


def test_a_copy_cut_short_is_never_a_delivery(layout: Layout, tmp_path: Path) -> None:
    root = str(Path(__file__).resolve().parents[2])
    (tmp_path / "events").mkdir()
    given = tmp_path / "events" / "e.csv"
    given.write_text(EVENTS)
    done = subprocess.run([sys.executable, "-c", COPIED, str(layout.home), root, str(given)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert [path.read_bytes() for path in layout.scratch.iterdir()] == [EVENTS.encode()[:60]]
    assert list(layout.claimed.rglob("*")) == []
    report = ingest(layout, SETTINGS, (), NOW)
    assert report.loads == () and report.waiting == ()
    assert list(layout.scratch.iterdir()) == []
    assert ingest_paths(layout, SETTINGS, (), "events", [given], NOW).loads[0].rows_in == 10
    assert given.read_text() == EVENTS
    assert list(layout.claimed.iterdir()) == [] and list(layout.scratch.iterdir()) == []


SKIPPING = """
name: shop
match: shop/*
read:
  types: {amount: DOUBLE}
entities:
  - entity: profiles
    columns: {customer_id: customer}
    skip: [{rule: nobody, when: customer IS NULL}]
  - entity: events
    columns: {event_type: "'charged'", customer_id: customer, created_at: sold, item_id: sku}
    where: amount > 0
    skip: [{rule: nobody, when: customer IS NULL}]
"""


def test_a_load_says_how_many_rows_each_rule_left_out_and_the_report_shows_it(layout: Layout, tmp_path: Path) -> None:
    parsed = parse_source(yaml.safe_load(SKIPPING), "shop.yaml").source
    assert parsed is not None
    given = tmp_path / "s.csv"
    sales = (("a", 2), ("", 1), ("b", -1), ("", 3))
    lines = [f"{customer},2024-05-01 10:00:00,x,{amount}" for customer, amount in sales]
    given.write_text("\n".join(["customer,sold,sku,amount", *lines]) + "\n")
    loads = [load.as_dict() for load in ingest_paths(layout, SETTINGS, [parsed], "shop", [given], NOW).loads]
    assert [(load["entity"], load["skips"], load["rows_skipped"]) for load in loads] == [
        ("profiles", {"nobody": 2}, 2), ("events", {"where": 1, "nobody": 2}, 3),
    ]
    ledger = rows(layout, "SELECT entity, rule, rows FROM load_skips ORDER BY ALL")
    assert ledger == [("events", "nobody", 2), ("events", "where", 1), ("profiles", "nobody", 2)]
    with duckdb.connect() as con:
        shown = report_data.ingest(report_data.RunTables(con, tmp_path), loads)["skipped"]
    assert [(row["entity"], row["rule"], row["rows"]) for row in shown] == [
        ("profiles", "nobody", 2), ("events", "nobody", 2), ("events", "where", 1),
    ]


FULL = """
import resource, signal, sys
from datetime import datetime
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from contracts.errors import StorageError
from contracts.settings import Ingest, Settings
from flows.stages.ingest import ingest
from store.layout import Layout
# A file that may not grow fails as a full disk does.
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), int(sys.argv[3])))
try:
    settings = Settings(ingest=Ingest(settle_seconds=0.0, event_types=("view",)))
    ingest(Layout(Path(sys.argv[1])), settings, (), datetime(2026, 1, 1))
except StorageError:
    print("storage")
"""


@pytest.mark.parametrize("room", [4096, 300_000, 900_000])
def test_a_full_disk_is_a_storage_error_and_loses_nothing(tmp_path: Path, room: int) -> None:
    root = str(Path(__file__).resolve().parents[2])
    digests = []
    for name in ("full", "clean"):
        layout = Layout(tmp_path / name)
        layout.create()
        (layout.inbox / "profiles/p.csv").write_text(PROFILES)
        lines = [
            f"view,c-{1 + n % 2},2024-05-{1 + n % 28:02} 10:00:00,sku-{n}-{n * 7919 % 99991}\n" for n in range(20_000)
        ]
        (layout.inbox / "events/e.csv").write_text(EVENTS + "".join(lines))
        if name == "full":
            done = subprocess.run(
                [sys.executable, "-c", FULL, str(layout.home), root, str(room)],
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.stdout == "storage\n", done.stderr
            assert list(layout.inbox.glob("*/*.csv")) or list(layout.claimed.glob("*/*/*.csv"))
        ingest(layout, SETTINGS, (), NOW)
        digests.append(digest(layout))
    assert digests[0] == digests[1]
