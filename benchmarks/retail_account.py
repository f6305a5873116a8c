"""Online Retail II as an account of the retention dialect: through the API in batches, or as files; two nights.

    python -m benchmarks.retail_account ../shared/data/online_retail_ii/transactions.parquet --share 1

One workspace is configured and filled over HTTP by a server on a real port, the other by files in its inbox; both run a
night on the same two dates, a month apart. Printed is how long each took, and where both differ (nowhere).
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import httpx
import yaml

from flows.desk import open_desk
from flows.night import Order, Outcome, night
from store.journal import Journal, keys
from store.layout import Layout
from store.settings_file import load_settings

ROOT = Path(__file__).resolve().parents[1]
BATCH = 500
NIGHTS = (datetime(2011, 11, 1, 2), datetime(2011, 12, 1, 2))
BEGIN = datetime(2009, 1, 1)
SETTINGS = """
[ingest]
settle_seconds = 0.0
[webhooks]
allow_loopback = true
"""
REC = {"profile_features": ["country", "wholesale"], "recommend_interacted_items": True}
CHURN = {"profile_features": ["country", "first_year"]}
ACTION = {"exp_timeframe": 0, "action_inaction": "action"}
INACTION = {"exp_timeframe": 0, "action_inaction": "inaction"}
SEGMENTS: tuple[dict[str, Any], ...] = (
    {"segment_name": "hearts", "segment_sub_type": 1, "segment_timeframe": 60, "event_sequence": [
        {"event_type": "charged", "event_properties": {"item_id": "85123A"}, **ACTION}]},
    {"segment_name": "keepers", "segment_sub_type": 2, "segment_timeframe": 45, "event_sequence": [
        {"event_type": "charged", "event_properties": {"payment_method": "card"}, **ACTION},
        {"event_type": "returned", "event_properties": None, **INACTION}]},
    {"segment_name": "germans", "segment_sub_type": 3, "segment_timeframe": 90, "event_sequence": [
        {"event_type": "charged", "event_properties": None, **ACTION}],
     "profile_property_name": "country", "profile_property_value": "Germany"},
    {"segment_name": "first customers", "segment_sub_type": 4, "segment_timeframe": 30, "event_sequence": [
        {"event_type": "charged", "event_properties": None, **ACTION},
        {"event_type": "returned", "event_properties": {"quantity": 1}, **INACTION}],
     "profile_property_name": "first_year", "profile_property_value": 2009},
)


def prepare(con: duckdb.DuckDBPyConnection, data: Path, share: int) -> None:
    """Create shop_profiles, shop_items and shop_events from the transactions of every ``share``-th customer.

    Countries that are not specified are left out: such a profile has no key ``country``.
    """
    con.execute(
        f"CREATE TEMP TABLE lines AS SELECT trim(StockCode) AS item_id, CustomerID::BIGINT::VARCHAR AS customer_id, "
        "trim(Description) AS name, Quantity AS quantity, UnitPrice AS price, InvoiceDate::TIMESTAMP AS happened, "
        f"InvoiceNo AS invoice, Country AS country FROM '{data}' WHERE CustomerID IS NOT NULL "
        "AND CustomerID::BIGINT % $share = 0",
        {"share": share},
    )
    con.execute(
        "CREATE TABLE shop_profiles AS SELECT customer_id, nullif(arg_max(country, row(happened, country)), "
        "'Unspecified') AS country, median(quantity) >= 24 AS wholesale, year(min(happened)) AS first_year "
        "FROM lines GROUP BY customer_id"
    )
    con.execute(
        "CREATE TABLE shop_items AS SELECT item_id, upper(left(item_id, 2)) AS item_category, "
        "arg_max(name, row(happened, name)) AS item_name, item_name || ' (' || item_id || ')' AS item_description, "
        "round(100 * median(price))::BIGINT AS item_price FROM lines "
        "WHERE length(name) > 4 AND price > 0 GROUP BY item_id"
    )
    con.execute(
        "CREATE TABLE shop_events AS "
        "SELECT row_number() OVER (ORDER BY happened, invoice, item_id, quantity, price) AS n, "
        "CASE WHEN quantity > 0 THEN 'charged' ELSE 'returned' END AS event_type, customer_id, happened, item_id, "
        "CASE WHEN quantity > 0 THEN CASE WHEN hash(invoice) % 3 = 0 THEN 'invoice' ELSE 'card' END END AS "
        "payment_method, CASE WHEN quantity > 0 THEN invoice END AS invoice, "
        "CASE WHEN quantity <= 0 THEN -quantity END AS quantity FROM lines WHERE price > 0 OR quantity <= 0"
    )


def sent(con: duckdb.DuckDBPyConnection, query: str, **parameters: Any) -> Iterator[list[dict[str, Any]]]:
    """Rows of a query as objects, in batches, without what is null."""
    found = con.execute(query, parameters)
    names = [column[0] for column in found.description]
    while rows := found.fetchmany(BATCH):
        yield [{name: value for name, value in zip(names, row, strict=True) if value is not None} for row in rows]


def profile_of(row: dict[str, Any]) -> dict[str, Any]:
    """One profile as a request has it."""
    data = {name: row[name] for name in ("country", "wholesale") if name in row}
    return {
        "customer_id": row["customer_id"], "has_charged": False,
        "profile_data": {**data, "first_year": row["first_year"]}, "platform_info": {"channel": "web"},
    }


def event_of(row: dict[str, Any]) -> dict[str, Any]:
    """One event as a request has it."""
    own = {name: row[name] for name in ("item_id", "payment_method", "invoice", "quantity") if name in row}
    return {
        "event_type": row["event_type"], "profile_id": row["customer_id"],
        "created_at": row["happened"].isoformat(" ", "seconds"), "event_properties": own,
    }


def ask(client: httpx.Client, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """A write that must succeed whole."""
    answer = client.post(path, json=body)
    told: dict[str, Any] = answer.json()
    if answer.status_code not in (200, 201, 202) or told.get("failed_to_create"):
        raise AssertionError(f"{path} {answer.status_code} {answer.text[:500]}")
    return told


def configure_by_api(client: httpx.Client, webhook_url: str) -> None:
    """Everything that the account configures, over HTTP."""
    account = {
        "contact_name": "A", "contact_surname": "B", "contact_email_address": "a@b", "webhook_url": webhook_url,
        "authenticated_id_key": "",
    }
    ask(client, "/v1/configurations/account/set", account)
    for name, body in (("rec", {**REC, "item_id_stop_list": ["POST"]}), ("churn", CHURN)):
        ask(client, "/v1/configurations/retention/algorithms/set", {"algorithm_name": name, "configurations": body})
    kinds = {"event_types": [{"event_type": "returned", "event_properties": ["item_id", "quantity"]}]}
    ask(client, "/v1/retention/events/types/create", kinds)
    for one in SEGMENTS:
        ask(client, "/v1/retention/segments/create", {"segment_type": "past", **one})


def configure_by_file(layout: Layout, webhook_url: str) -> None:
    """The same as a document in the inbox."""
    documents: list[dict[str, Any]] = [
        {"kind": "accountConfigurations", "configurations": {
            "contactName": "A", "contactSurname": "B", "contactEmail": "a@b", "webhookURL": webhook_url,
            "authenticatedIDKey": ""}},
        {"kind": "algorithmConfigurations", "configurations": [
            {"algorithmName": "rec", "configurations": {
                "profileFeatures": REC["profile_features"], "recommendInteractedItems": True,
                "itemIDStopList": ["POST"]}},
            {"algorithmName": "churn", "configurations": {"profileFeatures": CHURN["profile_features"]}}]},
        {"kind": "eventTypes", "eventTypeDefinitions": [
            {"eventType": "returned", "eventProperties": ["item_id", "quantity"]}]},
        {"kind": "segments", "segmentDefinitions": [
            {
                "segmentName": one["segment_name"], "segmentType": "past", "segmentSubtype": one["segment_sub_type"],
                "segmentTimeframe": one["segment_timeframe"],
                "profilePropertyName": one.get("profile_property_name"),
                "profilePropertyValue": one.get("profile_property_value"),
                "eventSequence": [{
                    "eventType": element["event_type"], "expTimeframe": 0,
                    "actionInaction": element["action_inaction"], "eventProperties": element["event_properties"],
                } for element in one["event_sequence"]],
            } for one in SEGMENTS]},
    ]
    folder = layout.inbox / "documents"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "account.yaml").write_text(yaml.safe_dump_all(documents))


def upload(client: httpx.Client, con: duckdb.DuckDBPyConnection, since: datetime, until: datetime) -> int:
    """Send the events of ``[since, until)`` in batches, profiles and items first where ``since`` is the beginning;
    returns how many objects were sent.
    """
    count = 0
    if since == BEGIN:
        for rows in sent(con, "SELECT * FROM shop_profiles ORDER BY customer_id"):
            ask(client, "/v1/retention/profiles/create", {"profiles": [profile_of(row) for row in rows]})
            count += len(rows)
        for rows in sent(con, "SELECT * FROM shop_items ORDER BY item_id"):
            ask(client, "/v1/retention/items/create", {"items": rows})
            count += len(rows)
    span = "SELECT * FROM shop_events WHERE happened >= $since AND happened < $until ORDER BY n"
    for rows in sent(con, span, since=since, until=until):
        ask(client, "/v1/retention/events/create/batch", {"events": [event_of(row) for row in rows]})
        count += len(rows)
    return count


def drop_files(layout: Layout, con: duckdb.DuckDBPyConnection, since: datetime, until: datetime) -> None:
    """The same as CSV files in the inbox; columns stand in another order than in requests."""
    def write(entity: str, query: str) -> None:
        folder = layout.inbox / entity
        folder.mkdir(parents=True, exist_ok=True)
        con.execute(f"COPY ({query}) TO '{folder}/{entity}-{since:%Y%m%d}.csv' (HEADER true)")

    if since == BEGIN:
        write("profiles", 'SELECT first_year AS "profile_data>>first_year", country AS "profile_data>>country", '
                          '\'web\' AS "platform_info>>channel", customer_id, wholesale AS "profile_data>>wholesale" '
                          "FROM shop_profiles ORDER BY hash(customer_id)")
        write("items", "SELECT item_price, item_name, item_id, item_description, item_category FROM shop_items "
                       "ORDER BY hash(item_id)")
    write("events", "SELECT strftime(happened, '%Y-%m-%d %H:%M:%S') AS created_at, customer_id AS profile_id, "
                    'event_type, quantity AS "event_properties>>quantity", item_id AS "event_properties>>item_id", '
                    'payment_method AS "event_properties>>payment_method", invoice AS "event_properties>>invoice" '
                    f"FROM shop_events WHERE happened >= TIMESTAMP '{since}' AND happened < TIMESTAMP '{until}' "
                    "ORDER BY n")


def run_night(home: Path, workspace: str, as_of: datetime) -> Outcome:
    """One night of a date, served."""
    with open_desk(home, workspace) as desk:
        return night(desk, Order(as_of=as_of))


@contextmanager
def served(home: Path) -> Iterator[str]:
    """A server process on a real port; its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "NIGHTLOOM_HOME": str(home), "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-m", "cli.main", "serve", "--port", str(port)], env=environment, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        until = time.monotonic() + 60
        while True:
            try:
                httpx.get(f"{address}/health", timeout=2)
                break
            except httpx.TransportError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.1)
        yield address
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def client_of(layout: Layout, address: str) -> httpx.Client:
    """A client with a new key pair of a workspace."""
    with Journal.open(layout, load_settings(layout)) as journal, journal.writing() as connection:
        pair = keys.create_pair(connection, "shop", journal.clock(), layout.workspace)
    token = b64encode(":".join(pair).encode()).decode()
    return httpx.Client(base_url=f"{address}/octy", headers={"Authorization": token}, timeout=120)


def make_home(home: Path) -> tuple[Layout, Layout]:
    """An installation with a workspace for the API and one for files."""
    (home / "definitions").mkdir(parents=True)
    (home / "definitions" / "settings.toml").write_text(SETTINGS)
    layouts = Layout(home), Layout(home, "files")
    for layout in layouts:
        layout.create()
    return layouts


# What both must have equal: ids of API events are minted, ids of file rows are not; arrival times differ.
WAREHOUSE = {
    "events": "SELECT event_type, profile_id, item_id, created_at, {properties} FROM {warehouse}.events",
    "property_types": "SELECT entity, parent, key, type FROM {warehouse}.property_types",
}
RUN = {
    "profiles": "SELECT profile_id, customer_id, profile_index, has_charged, status, profile_data, platform_info "
                "FROM {tables}/profiles.parquet",
    "items": "SELECT item_id, item_index, item_category, item_name, item_description, item_price, status, properties "
             "FROM {tables}/items.parquet",
    "rfm": "SELECT * FROM {tables}/rfm.parquet",
    "segment_members": "SELECT segment_tag, profile_id FROM {tables}/segment_members.parquet",
    "segment_deltas": "SELECT segment_name, profile_id, change FROM {tables}/segment_deltas.parquet "
                      "JOIN {tables}/segments.parquet USING (segment_id)",
    "training_exclusions": "SELECT * FROM {tables}/training_exclusions.parquet",
    "churn_report": "SELECT * EXCLUDE training_job_id FROM {tables}/churn_report.parquet",
}


def differences(con: duckdb.DuckDBPyConnection, one: Layout, other: Layout) -> dict[str, tuple[int, int]]:
    """By table, rows of the first and of the second that the other lacks; repeated rows count."""
    found = {}
    for name, layout in (("one", one), ("other", other)):
        con.execute(f"ATTACH '{layout.warehouse}' AS {name} (READ_ONLY)")
    try:
        for table, query in WAREHOUSE.items():
            # Members of an object have no order.
            properties = "list_sort(list_zip(json_keys(properties), properties->'$.*')) AS properties"
            sides = [query.format(warehouse=name, properties=properties) for name in ("one", "other")]
            found[table] = _lacking(con, *sides)
    finally:
        con.execute("DETACH one")
        con.execute("DETACH other")
    places = [f"'{current_run(layout)}/tables" for layout in (one, other)]
    for table, query in RUN.items():
        sides = [query.replace(".parquet", ".parquet'").replace("{tables}", place) for place in places]
        found[table] = _lacking(con, *sides)
    return found


def _lacking(con: duckdb.DuckDBPyConnection, one: str, other: str) -> tuple[int, int]:
    counts = [
        con.execute(f"SELECT count(*) FROM (({left}) EXCEPT ALL ({right}))").fetchall()[0][0]
        for left, right in ((one, other), (other, one))
    ]
    return counts[0], counts[1]


def current_run(layout: Layout) -> Path:
    """Folder of the run that is served."""
    with Journal.open(layout, load_settings(layout)) as journal:
        pointer = journal.pointer()
    assert pointer is not None
    return layout.run(pointer.run_id)


def main() -> None:
    """Both ways, both nights, and what differs."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("data", type=Path)
    arguments.add_argument("--share", type=int, default=1, help="every so many-th customer")
    told = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as con:
        by_api, by_file = make_home(Path(folder) / "home")
        prepare(con, told.data.resolve(), told.share)
        url = "http://127.0.0.1:9/"
        with served(by_api.home) as address, client_of(by_api, address) as client:
            configure_by_api(client, url)
            configure_by_file(by_file, url)
            since = BEGIN
            for until in NIGHTS:
                began = time.perf_counter()
                count = upload(client, con, since, until)
                took = time.perf_counter() - began
                print(f"API: {count:,} objects in batches of {BATCH} in {took:.1f} s, {count / took:,.0f}/s")
                drop_files(by_file, con, since, until)
                for layout in (by_api, by_file):
                    began = time.perf_counter()
                    outcome = run_night(by_api.home, layout.workspace, until)
                    print(f"night of {until} of {layout.workspace}: {time.perf_counter() - began:.1f} s, "
                          f"{outcome.tables}, {[(job['algorithm'], job['status']) for job in outcome.records.jobs]}")
                found = differences(con, by_api, by_file)
                print(f"rows that only one has, by table: {found}")
                if any(map(any, found.values())):
                    sys.exit(1)
                since = until


if __name__ == "__main__":
    main()
