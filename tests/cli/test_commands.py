"""Every command as a person or a script calls it, on a shop of the tracked sample."""

from __future__ import annotations

import csv
import json
import re
import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import REPOSITORY, SAMPLE, Answer, Shop, make_shop

DOCUMENTED = dict(
    re.findall(
        r"^\| `([a-z -]+)` \| (?:object|list) \| (.+?) \|$", (REPOSITORY / "docs/commands.md").read_text(), re.MULTILINE
    )
)


def keys_of(command: str) -> set[str]:
    """Documented keys; what stands in parentheses belongs to the parts."""
    return set(re.findall(r"`(\w+)`", re.sub(r"\(.*?\)", "", DOCUMENTED[command])))


def planted(entity: str) -> int:
    with (SAMPLE / "planted.csv").open(newline="") as file:
        return sum(row["file"].startswith(entity) for row in csv.DictReader(file))


def test_the_first_night_says_in_json_what_it_did(nights: tuple[Shop, list[Answer]]) -> None:
    done = nights[1][0].json
    assert set(done) == keys_of("run")
    assert done["made"] and done["promoted"] and Path(done["report"]).exists()
    assert len(done["files"]) == 20
    assert sum(one["rows_quarantined"] for one in done["files"] if one["entity"] == "profiles") == planted("profiles")
    assert done["tables"]["profiles"] == 300


def test_a_night_says_for_a_person_what_it_did(nights: tuple[Shop, list[Answer]]) -> None:
    shown = nights[1][1]
    assert "published: r-20260601T000000-" in shown.out, "an offset of the cut-off is converted to UTC"
    assert "train recommenders" in shown.out and "peak MB" in shown.out
    assert max(map(len, shown.out.splitlines()[:-2])) <= 100
    assert "check" in shown.err and "\r" not in shown.err, "progress is on standard error, a line a step when piped"


def test_status_of_a_shop_that_serves(shop: Shop, first_run: str) -> None:
    state = shop.good("status", "--json").json
    assert set(state) == keys_of("status")
    assert state["serving"].startswith("r-20260601T000000-") and state["serving"] != first_run
    assert state["quarantined_rows"] == 17 and state["waiting_files"] == [] and state["running"] == ""
    assert "17 (nightloom quarantine list)" in shop.good("status").out


def test_status_before_the_first_night_and_with_files_that_wait(fresh: Shop) -> None:
    empty = fresh.good("status").out
    assert re.search(r"serving +nothing yet", empty) and re.search(r"rows held back +0", empty)
    fresh.good("drop", SAMPLE / "profiles/profiles.csv", "--into", "profiles")
    settings = fresh.home / "definitions/settings.toml"
    settings.write_text(settings.read_text().replace("settle_seconds = 0.0", "settle_seconds = 100.0"))
    fresh.good("drop", SAMPLE / "items/items.jsonl", "--into", "items")
    foreign = fresh.home / "data/inbox/elsewhere"
    foreign.mkdir()
    (foreign / "notes.txt").write_text("?")
    (fresh.home / "data/inbox/items/.arriving.csv.part").write_text("?")
    waiting = dict(fresh.good("status", "--json").json["waiting_files"])
    assert "it is taken when it stood still for 100 s" in waiting["items/items.jsonl"]
    assert "no folder or source mapping takes it" in waiting["elsewhere/notes.txt"]
    assert "still being written" in waiting["items/.arriving.csv.part"]
    shown = fresh.good("status", columns=80).out
    assert "elsewhere/notes.txt" in shown and max(map(len, shown.splitlines()[-8:])) <= 80


def test_status_tells_of_definitions_that_would_stop_the_night(own: Shop) -> None:
    (own.home / "definitions/features.yaml").write_text("features: [{name: 1}]")
    assert "the next night will not start" in own.good("status").out


def test_runs_are_listed_shown_verified_compared_and_removed(own: Shop, first_run: str) -> None:
    listed = own.good("runs", "list", "--json").json
    assert set(listed[0]) == keys_of("runs list")
    assert own.good("runs", "--json").json == listed
    second = next(run["run_id"] for run in listed if run["serving"])
    assert {run["run_id"] for run in listed} == {first_run, second}
    shown = own.good("runs", "show", "--json").json
    assert set(shown) == keys_of("runs show") and shown["run_id"] == second
    assert second in own.good("runs", columns=80).out
    assert "profile_features" in own.good("runs", "show", first_run).out
    verified = own.good("runs", "verify", "--json").json
    assert set(verified) == keys_of("runs verify") and verified["files"] > 50
    compared = own.good("runs", "compare", first_run, second, "--json").json
    assert set(compared) == keys_of("runs compare") and compared["different"]
    assert own.good("runs", "compare", first_run, first_run).out == "no table, model or pack file differs\n"
    refused = own("runs", "remove", second)
    assert refused.code == 2 and "being served" in refused.err
    assert own.good("runs", "remove", first_run).out == f"removed {first_run}\n"
    assert own("runs", "show", first_run).code == 5


def test_a_run_that_was_damaged_is_told_and_never_served(own: Shop, first_run: str) -> None:
    table = own.home / "data/default/runs" / first_run / "tables/profiles.parquet"
    content = bytearray(table.read_bytes())
    content[len(content) // 2] ^= 1
    table.chmod(0o644)
    table.write_bytes(content)
    assert own("runs", "verify", first_run).code == 3
    refused = own("rollback", first_run)
    assert refused.code == 3 and "profiles" in refused.err and "Traceback" not in refused.err
    assert own.good("status", "--json").json["serving"] != first_run


def test_rollback_serves_the_run_before(own: Shop, first_run: str) -> None:
    second = own.good("status", "--json").json["serving"]
    said = own.good("rollback", "--json").json
    assert set(said) == keys_of("rollback") and said == {"serving": first_run, "before": second}
    assert own.good("status", "--json").json["serving"] == first_run
    again = own("rollback", first_run)
    assert again.code == 2 and "served now" in again.err
    assert f"serving {second}" in own.good("rollback", second).out


def test_explain_by_customer_id(shop: Shop) -> None:
    told = shop.good("explain", "profile", "c10017", "--amt", "3", "--json").json
    assert set(told) == keys_of("explain profile")
    assert told["profile"]["customer_id"] == "c10017" and len(told["items"]) == 3 and told["history"]
    shown = shop.good("explain", "profile", told["profile"]["profile_id"], columns=80).out
    assert told["items"][0]["item_id"] in shown and "churn" in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_explain_a_profile_that_churned_and_ones_without_history(shop: Shop) -> None:
    for number in (10000, 10001, 10002, 10003):
        customer = f"c{number}"
        assert customer in shop.good("explain", "profile", customer).out


def test_the_report_has_a_row_a_model(shop: Shop) -> None:
    told = shop.good("report", "--json").json
    assert set(told) == keys_of("report") and told["evaluation"] and Path(told["report"]).exists()
    shown = shop.good("report", columns=160).out
    assert re.search(r"^\* +\w+ .*±", shown, re.MULTILINE) and "popular" in shown


def test_quarantine_is_listed_shown_exported_and_replayed(own: Shop, tmp_path: Path) -> None:
    held = own.good("quarantine", "list", "--json").json
    assert set(held[0]) == keys_of("quarantine list") and sum(one["open"] for one in held) == 17
    assert own.good("quarantine").out == own.good("quarantine", "list").out
    load = held[0]["load_id"]
    rows = own.good("quarantine", "show", load, "--json").json
    assert set(rows[0]) == keys_of("quarantine show")
    assert len(own.good("quarantine", "show", load, "--limit", "2", "--json").json) == 2
    repaired = tmp_path / "repaired.csv"
    told = own.good("quarantine", "show", load, "--export", repaired).out
    assert f"nightloom quarantine replay --load {load} --file {repaired}" in told
    repaired.write_text(repaired.read_text().replace("forty", "40"))
    replayed = own.good("quarantine", "replay", "--load", load, "--file", repaired, "--json").json
    assert set(replayed) == keys_of("quarantine replay") and replayed["resolved"] >= 1
    assert replayed["still_open"] == 17 - replayed["resolved"]
    assert "still held back" in own.good("quarantine", "replay").out


def test_keys_are_made_listed_and_revoked(own: Shop) -> None:
    made = own.good("keys", "create", "--role", "write", "--label", "shop", "--json").json
    assert set(made) == keys_of("keys create") and made["key"].startswith("nl_")
    listed = own.good("keys", "list", "--json").json
    assert set(listed[0]) == keys_of("keys list") and listed[0]["role"] == "write"
    assert made["key"].rsplit("_", 1)[1] not in own.good("keys", "list").out
    own.good("keys", "revoke", listed[0]["key_id"])
    assert own.good("keys", "list", "--json").json[0]["revoked_at"]


def test_check_names_every_fault_at_once(fresh: Shop) -> None:
    good = fresh.good("check", "--json").json
    assert set(good) < keys_of("check") | {"where", "message", "hint"} and good["problems"] == []
    folder = fresh.home / "definitions"
    settings = folder / "settings.toml"
    settings.write_text(settings.read_text().replace("as_of =", "as_off ="))
    (folder / "features.yaml").write_text("features: [\n")
    (folder / "sources/bad.yaml").write_text("name: bad\nmatch: 7\n")
    for command in (("check",), ("run", "--no-prefect"), ("run",)):
        refused = fresh(*command)
        assert refused.code == 2 and "Traceback" not in refused.err and refused.out == ""
        assert "did you mean 'as_of'?" in refused.err
        assert "features.yaml" in refused.err and "sources/bad.yaml" in refused.err
    told = fresh("check", "--json")
    assert told.code == 2 and len(told.json["problems"]) >= 3


def test_backfill_keeps_runs_beside_the_served_one(own: Shop) -> None:
    before = own.good("status", "--json").json["serving"]
    asked = ("backfill", "--from", "2026-05-01", "--to", "2026-05-01")
    made = own.good(*asked, "--json").json
    assert set(made[0]) == keys_of("backfill") and made[0]["as_of"] == "2026-05-01T00:00:00"
    assert own.good("status", "--json").json["serving"] == before
    assert own("backfill", "--from", "2026-05-02", "--to", "2026-05-01").code == 2
    assert own(*asked, "--every-days", "0").code == 2


def test_drop_takes_several_files_and_stays_in_the_inbox(fresh: Shop, tmp_path: Path) -> None:
    one, two = tmp_path / "one.csv", tmp_path / "two.csv"
    one.write_text("customer_id\n1\n")
    two.write_text("customer_id\n2\n")
    said = fresh.good("drop", one, two, "--into", "profiles").out
    assert said.splitlines() == ["dropped data/inbox/profiles/one.csv", "dropped data/inbox/profiles/two.csv"]
    assert one.exists(), "the file that was dropped stays where it was"
    inbox = fresh.home / "data/inbox"
    assert sorted(path.name for path in (inbox / "profiles").iterdir()) == ["one.csv", "two.csv"]
    for outside in ("../..", "events/../../default", "/etc", ".."):
        refused = fresh("drop", one, "--into", outside)
        assert refused.code == 2 and "outside the inbox" in refused.err
    refused = fresh("drop", one, tmp_path / "three.csv", "--into", "events")
    assert refused.code == 5 and "three.csv" in refused.err
    assert not (inbox / "events").exists(), "all of them or none"
    other = tmp_path / "other"
    other.mkdir()
    shutil.copy(two, other / "one.csv")
    assert fresh("drop", one, other / "one.csv", "--into", "items").code == 2


def test_two_workspaces_share_nothing(own: Shop, tmp_path: Path) -> None:
    unknown = own("status", "--workspace", "second")
    assert unknown.code == 5 and "nightloom init" in unknown.err
    assert not (own.home / "data/second").exists(), "asking makes nothing"
    before = own.good("status", "--json").json
    assert "nightloom run --workspace second" in own.good("init", "--workspace", "second").out
    settings = own.home / "definitions/workspaces/second/settings.toml"
    settings.write_text('[pipeline]\nas_of = "last_event"\n[ingest]\nsettle_seconds = 0.0\ncreate_profiles = true\n')
    events = tmp_path / "events.csv"
    events.write_text(
        "event_type,customer_id,created_at,event_properties>>item_id\ncharged,only-here,2026-01-02 03:04:05,i1\n"
    )
    own.good("drop", events, "--into", "events", "--workspace", "second")
    made = own.good("run", "--no-prefect", "--json", NIGHTLOOM_WORKSPACE="second").json
    assert made["made"] and made["tables"]["profiles"] == 1
    assert own.good("explain", "profile", "only-here", "--workspace", "second").out
    assert own("explain", "profile", "c10017", "--workspace", "second").code == 5
    assert own("explain", "profile", "only-here").code == 5
    own.good("keys", "create", "--workspace", "second")
    assert own.good("keys", "list", "--json").json == []
    assert own.good("status", "--json").json == before


def test_init_makes_an_installation_and_touches_nothing_that_exists(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    folder = tmp_path / "deep" / "shop"
    said = shop.good("init", folder).out
    settings = folder / "definitions/settings.toml"
    assert str(settings) in said and (folder / "data/inbox/events").is_dir()
    settings.write_text("# mine\n")
    shop.good("init", folder)
    assert settings.read_text() == "# mine\n"
    made = Shop(folder)
    assert made.good("check").out.startswith("definitions are good")
    assert "nothing to build on" in made.good("run", "--no-prefect").out


def test_the_tables_page_is_printed(shop: Shop) -> None:
    assert shop.good("reference").out == (REPOSITORY / "docs/tables.md").read_text()


def test_every_json_answer_is_documented_and_every_documented_one_exists() -> None:
    from cli.main import COMMANDS

    modules = {name: place.partition(":")[0].replace(".", "/") for name, place, _ in COMMANDS}
    printing = {name for name, path in modules.items() if "show_json(" in (REPOSITORY / f"{path}.py").read_text()}
    documented = {command.partition(" ")[0] for command in DOCUMENTED}
    assert documented <= {*modules}
    assert printing <= documented


@pytest.mark.parametrize("width", [80, 100, 160])
def test_tables_fit_the_terminal(shop: Shop, width: int) -> None:
    for command in (
        ("runs",),
        ("runs", "show"),
        ("quarantine",),
        ("quarantine", "show", "1"),
        ("report",),
        ("keys", "list"),
    ):
        lines = shop.good(*command, columns=width).out.splitlines()
        facts = [line for line in lines if re.match(r"(report|warehouse_digest|definitions_digest) ", line)]
        assert max(len(line) for line in lines if line not in facts) <= width, command


def test_a_shop_of_its_own_is_what_the_helper_says(tmp_path: Path) -> None:
    assert json.loads(make_shop(tmp_path).good("check", "--json").out)["sources"] == sorted(
        path.stem for path in (REPOSITORY / "definitions" / "sources").glob("*.yaml")
    )
