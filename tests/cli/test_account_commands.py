"""Commands that configure an account of the retention dialect and show its records."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from contracts.settings import Settings
from store.journal import Journal, outbox
from store.journal.outbox import Message
from store.layout import Layout
from tests.cli.conftest import REPOSITORY, Shop

DOCUMENTED = dict(
    re.findall(
        r"^\| `([a-z -]+)` \| (?:object|list) \| (.+?) \|$", (REPOSITORY / "docs/commands.md").read_text(), re.MULTILINE
    )
)
DOCUMENT = """
kind: accountConfigurations
configurations:
  contactName: Ada
  contactSurname: L
  contactEmail: a@b
  webhookURL: "https://shop.example/hook"
  authenticatedIDKey: ""
---
kind: algorithmConfigurations
configurations:
  - algorithmName: rec
    configurations: {recommendInteractedItems: true, itemIDStopList: [a, 7], profileFeatures: [age]}
  - {algorithmName: churn, configurations: {profileFeatures: }}
  - {algorithmName: rfm, configurations: {}}
---
kind: eventTypes
eventTypeDefinitions:
  - {eventType: login, eventProperties: [device]}
  - {eventType: charged, eventProperties: []}
---
kind: segments
segmentDefinitions:
  - segmentName: ios users
    segmentType: live
    segmentSubtype: 2
    segmentTimeframe: 0
    eventSequence:
      - {eventType: login, expTimeframe: 5, actionInaction: action, eventProperties: {device: ios}}
      - {eventType: charged, expTimeframe: 0, actionInaction: inaction, eventProperties: }
    profilePropertyName: ""
    profilePropertyValue:
  - {segmentName: bad, segmentType: live, segmentSubtype: 1, segmentTimeframe: 0, eventSequence: []}
---
kind: templates
templateDefinitions:
  - {friendlyName: welcome, templateType: email, title: "Hi {name}", content: "See {page}", defaultValues: {name: you}}
  - {friendlyName: bad, templateType: email, title: "", content: ""}
---
kind: rewardCards
"""


def keys_of(command: str) -> set[str]:
    return set(re.findall(r"`(\w+)`", re.sub(r"\(.*?\)", "", DOCUMENTED[command])))


@pytest.fixture
def applied(fresh: Shop) -> Shop:
    (fresh.home / "account.yaml").write_text(DOCUMENT)
    answer = fresh("apply", "-f", "account.yaml")
    assert answer.code == 1, answer
    assert "5 of 11 entries were refused" in answer.err
    return fresh


def test_every_entry_is_applied_or_refused_by_itself(applied: Shop) -> None:
    account = applied.good("get", "accountconfig", "--json").json
    assert set(account) == keys_of("get accountconfig")
    assert account["webhook_url"] == "https://shop.example/hook" and account["authenticated_id_key"] is None
    rec, churn = applied.good("get", "algorithmconfig", "--json").json
    assert rec["configurations"] == {
        "profile_features": ["age"], "recommend_interacted_items": True, "item_id_stop_list": ["a", "7"]
    }
    assert churn == {"algorithm_name": "churn", "configurations": {"profile_features": []}}
    (kind,) = applied.good("get", "eventtypes", "--json").json
    assert set(kind) == keys_of("get eventtypes") and kind["event_type"] == "login"
    (segment,) = applied.good("get", "segments", "--json").json
    assert set(segment) == keys_of("get segments") and segment["segment_name"] == "ios users"
    again = applied("apply", "--filepath", "account.yaml", "--json")
    assert again.code == 1
    told = {(one["kind"], one["name"]): one["change"] or one["refusal"] for one in again.json}
    assert set(again.json[0]) == keys_of("apply -f")
    assert told["eventTypes", "login"] == told["segments", "ios users"] == "unchanged"
    assert "rfm" in told["algorithmConfigurations", "rfm"]
    assert "system" in told["eventTypes", "charged"]
    assert "unknown kind" in told["rewardCards", ""]
    assert told["templates", "welcome"] == "unchanged" and "content" in told["templates", "bad"]


def test_templates_are_created_updated_and_deleted(applied: Shop) -> None:
    (template,) = applied.good("get", "templates", "--json").json
    assert set(template) == keys_of("get templates") and template["required_data"] == ["name", "page"]
    ident = applied.good("get", "templates", "welcome", "-i").out.strip()
    body = "kind: templates\ntemplateDefinitions:\n  - {{friendlyName: {0}, templateType: sms, content: x{1}}}\n"
    (applied.home / "one.yaml").write_text(body.format("welcome", ""))
    refused = applied("apply", "-f", "one.yaml")
    assert refused.code == 1 and "taken" in refused.out
    (applied.home / "one.yaml").write_text(body.format("goodbye", f", templateID: {ident}"))
    assert "set goodbye" in applied.good("apply", "-f", "one.yaml").out
    assert "unchanged goodbye" in applied.good("apply", "-f", "one.yaml").out
    (template,) = applied.good("get", "templates", "--json").json
    assert (template["template_id"], template["friendly_name"], template["title"]) == (ident, "goodbye", "")
    applied.good("delete", "templates", ident)
    gone = applied("apply", "-f", "one.yaml")
    assert gone.code == 1 and "no such template" in gone.out
    assert applied("delete", "templates", ident).code == 1


def test_the_same_name_defined_otherwise_is_refused(applied: Shop) -> None:
    (applied.home / "other.yaml").write_text(
        "kind: eventTypes\neventTypeDefinitions: [{eventType: login, eventProperties: [country]}]\n"
    )
    answer = applied("apply", "-f", "other.yaml")
    assert answer.code == 1 and "defined otherwise" in answer.out


@pytest.mark.parametrize("text", ["", "a: [", "- 1", "kind: eventTypes", "kind: segments\nsegmentDefinitions: [1]"])
def test_files_that_say_nothing_are_refused(fresh: Shop, text: str) -> None:
    (fresh.home / "odd.yaml").write_text(text)
    assert fresh("apply", "-f", "odd.yaml").code == 1
    assert fresh("apply", "-f", "missing.yaml").code == 5


def test_lists_of_ids_and_deletion(applied: Shop) -> None:
    segment_id = applied.good("get", "segments", "-i").out.strip()
    type_id = applied.good("get", "eventtypes", "login", "--ids").out.strip()
    used = applied("delete", "eventtypes", type_id, "nobody")
    assert used.code == 1 and "a segment uses this event type" in used.err and "no such event type" in used.err
    assert applied.good("delete", "segments", segment_id).out == f"deleted {segment_id}\n"
    applied.good("delete", "eventtypes", type_id)
    assert applied("delete", "segments", segment_id).code == 1
    assert applied("delete", "segments").code == 2
    assert applied.good("get", "segments", "--json").json == []
    assert applied("get", "segments", "nobody").code == 5


def test_earlier_spellings(fresh: Shop) -> None:
    assert fresh("account", "-o", "get").code == 5
    missing = fresh("account", "-o", "set", "-n", "Ada", "-e", "a@b")
    assert missing.code == 2 and "-f, -w" in missing.err
    fresh.good("account", "-o", "set", "-n", "Ada", "-f", "Lovelace", "-e", "a@b", "-w", "https://shop.example")
    assert fresh.good("account", "-o", "get", "--json").json["contact_surname"] == "Lovelace"
    refused = fresh("account", "-o", "set", "-n", "A", "-f", "L", "-e", "a", "-w", "http://127.0.0.1/")
    assert refused.code == 2 and "e-mail" in refused.err and "webhooks.allow_loopback" in refused.err
    fresh.good("config", "algorithm", "-o", "set", "-a", "rec", "--profile-features", "age,os",
               "--recommend-interacted-items", "true", "--item-id-stop-list", "x, y")
    (rec,) = fresh.good("config", "algorithm", "-o", "get", "-a", "rec", "--json").json
    assert rec["configurations"] == {
        "profile_features": ["age", "os"], "recommend_interacted_items": True, "item_id_stop_list": ["x", "y"]
    }
    fresh.good("config", "algorithm", "-o", "set", "-a", "rec")
    (rec,) = fresh.good("get", "algorithmconfig", "rec", "--json").json
    assert rec["configurations"]["recommend_interacted_items"] is False
    assert fresh("config", "algorithm", "-o", "set", "-a", "churn", "--profile-features", "charged").code == 2
    assert "age" not in fresh.good("get", "algorithmconfig").out


def test_deliveries_are_shown_and_queued_again(fresh: Shop) -> None:
    with Journal.open(Layout(fresh.home), Settings()) as journal, journal.writing() as connection:
        outbox.enqueue(connection, [Message("Subject", {"a": 1}, journal.clock(), delivery_id="delivery_1")])
    (one,) = fresh.good("get", "deliveries", "--json").json
    assert set(one) == keys_of("get deliveries")
    assert one["body"]["body"] == {"a": 1} and one["status"] == "pending"
    assert "delivery_1" in fresh.good("get", "deliveries", "--status", "pending").out
    assert fresh.good("redeliver", "delivery_1").out == "queued delivery_1\n"
    assert fresh("redeliver", "delivery_2").code == 5


def test_secrets(fresh: Shop) -> None:
    first = fresh.good("keys", "webhook-secret").out.strip()
    assert fresh.good("keys", "webhook-secret", "--json").json == {"secret": first}
    assert fresh.good("keys", "webhook-secret", "--rotate").out.strip() != first
    pair = fresh.good("keys", "create", "--octy", "--json").json
    assert set(pair) == keys_of("keys create --octy")
    assert pair["public_key"].startswith("pk_") and pair["secret_key"].startswith("sk_")
    made = fresh.good("keys", "create", "--conductrics", "runtime", "--json").json
    assert set(made) == keys_of("keys create --conductrics") and made["key"].startswith("rk_")
    theirs = ("keys", "create", "--conductrics", "admin", "--existing", "api-key-of-their-pages")
    assert fresh.good(*theirs).out.strip() == "api-key-of-their-pages"
    assert fresh(*theirs).code == 2 and fresh("keys", "create", "--existing", "api-key-of-their-pages").code == 2
    assert fresh("keys", "create", "--conductrics", "runtime", "--existing", "short").code == 2


def test_an_upload_says_what_became_of_its_rows(fresh: Shop) -> None:
    good, bad, broken = (fresh.home / name for name in ("good.csv", "bad.csv", "broken.csv"))
    good.write_text("customer_id,has_charged,profile_data>>age\nc1,true,30\nc2,false,31\n")
    bad.write_text("customer_id,has_charged,profile_data>>age\nc3,true,30\nc,4,true\nc3,true,1\n")
    broken.write_text("name\nx\n")
    done = fresh.good("upload", "profiles", "-f", good, "--json").json
    assert set(done) == keys_of("upload")
    assert done["loads"][0]["rows_loaded"] == 2 and done["errors"] == []
    some = fresh("upload", "profiles", "-f", bad)
    assert some.code == 2 and "duplicate_in_file" in some.out
    assert fresh("upload", "profiles", "-f", broken).code == 1
    assert fresh("upload", "profiles", "-f", "missing.csv").code == 5
    assert {one["status"] for one in fresh.good("get", "loads", "--json").json} == {"loaded", "refused"}
    assert fresh.good("get", "quarantine", "--json").json
    assert fresh.good("get", "quarantine").out and fresh.good("get", "loads").out


def test_records_of_a_shop_without_any(fresh: Shop) -> None:
    for name in ("jobs", "exclusions", "loads", "quarantine", "deliveries", "eventtypes", "segments"):
        assert fresh.good("get", name, "--json").json == []
        assert "none" in fresh.good("get", name).out
    assert fresh("get", "churnreport").code == 5


def test_the_report_of_a_shop_after_its_nights(own: Shop, tmp_path: Path) -> None:
    report = own.good("get", "churnreport", "--json")
    assert "current_churn_percentage" in report.json
    path = Path(own.good("get", "churnreport", "-o", tmp_path / "out").out.strip())
    assert path.name.startswith("octy-churn-report--") and path.suffix == ".MD"
    assert "| model accuracy | 0." in path.read_text()
    assert json.loads(own.good("get", "exclusions", "--json").out) is not None
