"""Reports over HTTP after a night: the known answers of the contract from events of the warehouse."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import duckdb
import pytest

from contracts.settings import Pipeline
from flows.desk import open_desk
from flows.night import Order, night
from store.agent_documents import put_agent, reset_agent
from store.warehouse import open_warehouse
from tests.serving.conductrics.place import OWNER, Site, open_site

ROWS = [(5429, 5), (4990, 19), (5372, 8), (5264, 39), (4932, 14)]
DAY = datetime(2026, 3, 10, 12)


def _insert(con: duckdb.DuckDBPyConnection, agent: str, arm: str, policy: str, n: int, goals: int, tag: str) -> None:
    """``n`` sessions of one arm, the first ``goals`` of which reached a goal."""
    arms = [f"decision-1:{chr(97 + at)}" for at in range(5)]
    con.execute(
        "INSERT INTO decisions BY NAME SELECT $tag || i AS event_id, $owner AS owner, $agent AS agent, $tag || i AS "
        "session, epoch_ms($day::TIMESTAMP) AS epoch, 'point-1' AS point, 'decision-1' AS decision_set, $arm AS arm, "
        "$arms AS candidates, [0.2, 0.2, 0.2, 0.2, 0.2] AS probs, 0.2 AS probability, $policy AS policy, '' AS "
        "requested, '0' AS version, 'uniform' AS backoff, false AS sticky, 'ok' AS status, true AS live, '(none)' AS "
        "segment, CASE WHEN i % 2 = 0 THEN '{\"vip\":1.0}' ELSE '{}' END AS features, '' AS pattern, 0 AS seq, "
        "$day::TIMESTAMP AS ts, $day::TIMESTAMP AS received_ts, false AS ts_given, 'api' AS source, "
        "false AS propensity_assumed FROM range($n) AS visits(i)",
        {"tag": tag, "owner": OWNER, "agent": agent, "day": DAY, "arm": arm, "arms": arms, "policy": policy, "n": n},
    )
    con.execute(
        "INSERT INTO goals BY NAME SELECT 'g' || event_id AS event_id, owner, agent, session, epoch, 'goal-1' AS goal, "
        "1.0 AS reward_sent, 1.0 AS reward_accepted, '' AS reason, ts + INTERVAL 5 SECOND AS ts, received_ts + "
        "INTERVAL 5 SECOND AS received_ts, false AS ts_given, 'api' AS source FROM decisions WHERE agent = $agent AND "
        "starts_with(event_id, $tag) AND replace(event_id, $tag, '')::INTEGER < $goals",
        {"agent": agent, "tag": tag, "goals": goals},
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    home = tmp_path_factory.mktemp("reports")
    (home / "definitions").mkdir()
    (home / "definitions" / "settings.toml").write_text("[pipeline]\nas_of = 'last_event'\n")
    with open_site(home) as found:
        choices = [{"code": chr(97 + at), "name": f"Choice {at}"} for at in range(5)]
        document = {"points": [{"code": "point-1", "decisions": [{"code": "decision-1", "choices": choices}]}]}
        with found.journal.writing() as connection:
            for agent in ("known", "days", "gone", "empty"):
                put_agent(connection, OWNER, agent, document, "test", found.journal.clock())
        with open_warehouse(found.layout, Pipeline()) as con:
            for at, (n, goals) in enumerate(ROWS):
                _insert(con, "known", f"decision-1:{chr(97 + at)}", "explore", n, goals, f"k{at}-")
            for policy, n, goals in (("control", 5, 3), ("explore", 5, 2), ("exploit", 12, 9)):
                _insert(con, "days", "decision-1:a", policy, n, goals, f"{policy}-")
            _insert(con, "gone", "decision-1:a", "explore", 200, 10, "gone-")
        with open_desk(home) as desk:
            assert night(desk, Order()).made
        found.ask("GET", "list-agents")
        yield found


def test_confidence_gives_the_known_answers_from_the_events_of_a_night(site: Site) -> None:
    told = site.good("GET", "known/report/confidence/2026-03-01/2026-03-31")
    assert (told["agent"], told["dateFrom"], told["dateThru"]) == ("known", "2026-03-01", "2026-03-31")
    assert told["asOf"] == int(datetime(2026, 3, 10, 12, 0, 6, tzinfo=UTC).timestamp())
    items = told["data"]["items"]
    assert [(one["count"], one["val"], one["goals"]) for one in items] == [(n, v, v) for n, v in ROWS]
    assert [one["choice"] for one in items] == [f"decision-1:{chr(97 + at)}" for at in range(5)]
    assert items[0]["label"] == "Choice 0"
    means = [0.00092098, 0.00380762, 0.00148920, 0.00740881, 0.00283860]
    assert [one["vMean"] for one in items] == pytest.approx(means, abs=6e-9)
    assert (round(items[0]["bLo"], 8), round(items[0]["bHi"], 8)) == (0.00024364, 0.00159832)
    assert [round(one["tScore"], 6) for one in items] == [0.0, 2.993604, 0.850494, 5.183135, 2.223871]
    assert [one["dgFree"] for one in items] == [10856, 7136, 10184, 6524, 7666]
    p_values = [0.5, 0.00138324, 0.197535, 1.1237e-07, 0.0130931]
    assert [one["pValue"] for one in items] == pytest.approx(p_values, rel=3e-5)
    assert [one["confidence"] for one in items] == ["50.0", "99.9", "80.2", "100.0", "98.7"]
    assert [one["confidenceLevel"] for one in items] == [0, 5, 2, 5, 5]
    assert [one["lift"] for one in items] == [
        {"default": "0.0", "random": "-72.0"}, {"default": "313.4", "random": "15.6"},
        {"default": "61.7", "random": "-54.8"}, {"default": "704.4", "random": "125.0"},
        {"default": "208.2", "random": "-13.8"},
    ]
    assert (round(items[3]["avLo"], 6), round(items[3]["avHi"], 6), items[3]["avSignif"]) == (0.002649, 0.010326, True)
    assert (round(items[2]["avLo"], 6), round(items[2]["avHi"], 6)) == (-0.001481, 0.002618)
    assert not items[2]["avSignif"]


def test_features_are_told_when_they_are_asked_for(site: Site) -> None:
    path = "known/report/confidence/2026-03-01/2026-03-31"
    assert {one["feature"] for one in site.good("GET", path)["data"]["items"]} == {"(none)"}
    every = site.good("GET", path, features="")["data"]["items"]
    assert [one["feature"] for one in every] == ["(none)"] * 5 + ["vip"] * 5
    named = site.good("GET", path, features="vip,other")["data"]["items"]
    assert sum(one["count"] for one in named if one["feature"] == "vip") == sum((n + 1) // 2 for n, _ in ROWS)
    by_day = site.good("GET", path, **{"aggregated-over-dates": "false"})["data"]["items"]
    assert {one["date"] for one in by_day} >= {"2026-03-10"} and all("policy" in one for one in by_day)


def test_another_arm_may_be_the_default_row(site: Site) -> None:
    path = "known/report/confidence/2026-03-10"
    told = site.good("GET", path, **{"comparison-decision": "d", "use-bonferroni": "true"})
    assert told["data"]["items"][0]["choice"] == "decision-1:d"
    assert site.good("GET", path, policies="control")["data"]["items"][0]["count"] == 0
    assert "no arm" in site.refused(400, "GET", path, **{"comparison-decision": "z"})


def test_status_gives_its_known_answer(site: Site) -> None:
    told = site.good("GET", "report/status", codes="days,empty")
    assert list(told["data"]) == ["days", "empty"]
    today = told["data"]["days"]["today"]
    assert (today["sessionCount"], today["goalCount"], round(today["goalsPerSession"], 6)) == (22, 14, 0.636364)
    assert round(today["liftOverDefaultUsingGoals"], 6) == 0.25
    assert round(today["liftOverRandomUsingGoals"], 6) == 0.875
    assert (today["liftOverDefault"], today["liftOverRandom"]) == (25.0, 87.5)
    assert len(told["data"]["days"]["dates"]) == 14
    assert len(site.good("GET", "report/status", codes="days", days="3")["data"]["days"]["dates"]) == 3
    assert set(site.good("GET", "report/status")["data"]) == {"known", "days", "gone", "empty"}
    empty = told["data"]["empty"]["today"]
    assert all(value == 0 for name, value in empty.items() if name != "date")


def test_targeting_features_and_the_decision_report(site: Site) -> None:
    told = site.good("GET", "known/report/targeting-features/2026-03-01/2026-03-31")
    (vip,) = told["data"]["items"]
    assert (vip["feature"], vip["decisions"]) == ("vip", sum((n + 1) // 2 for n, _ in ROWS))
    assert told["data"]["totals"]["decisions"] == sum(n for n, _ in ROWS)
    report = site.good("GET", "known/report/decision")
    assert report["agent"] == "known" and len(report["gates"]) == 7 and report["offPolicy"]["uniform"]["ess"] > 0
    assert site.good("GET", f"known/report/decision/{report['runId']}") == report
    assert report["placebo"]["exposures"] == sum(n for n, _ in ROWS)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("nobody/report/confidence/2026-03-01", 404), ("known/report/confidence/yesterday", 400),
        ("known/report/confidence/2026-03-09/2026-03-01", 400), ("known/report/decision/r-1", 404),
        ("known/report/decision/r-20260101T000000-00000000", 404), ("nobody/report/decision", 404),
        ("known/report/learning", 404), ("known/report/audit", 404), ("-/report/system-usage", 404),
        ("report/status?codes=nobody", 404), ("known/report/confidence/2026-03-01?point=other", 404),
        ("known/report/confidence/2026-03-01?confidence-measure=2", 400), ("report/status?days=0", 400),
    ],
)
def test_what_cannot_be_told_is_refused(site: Site, path: str, status: int) -> None:
    asked, _, query = path.partition("?")
    name, _, value = query.partition("=")
    assert site.refused(status, "GET", asked, **({name: value} if name else {}))


def test_reports_need_an_admin_key(site: Site) -> None:
    assert site.ask("GET", "report/status", key=site.runtime).status_code == 403


def test_a_reset_agent_has_nothing_to_tell_before_the_next_night(site: Site) -> None:
    path = "gone/report/confidence/2026-03-01"
    assert site.good("GET", path)["data"]["items"][0]["count"] == 200
    with site.journal.writing() as connection:
        reset_agent(connection, "gone", "test", site.journal.clock())
    assert site.good("GET", path)["data"]["items"][0]["count"] == 0
    assert site.refused(404, "GET", "gone/report/decision")
    assert site.good("GET", "report/status", codes="gone")["data"]["gone"]["totals"]["sessions"]["count"] == 0
