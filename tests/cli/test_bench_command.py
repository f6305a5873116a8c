"""``nightloom bench`` on data of any layout."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cli.bench import bench
from contracts.errors import NotFound, UsageError
from transforms import benchmark_customers

pytestmark = pytest.mark.filterwarnings("ignore")  # what references warn of is their own affair


def written(path: Path) -> Path:
    rng = np.random.default_rng(0)
    lines = ["buyer;thing;at"]
    for event in range(1500):
        buyer = int(rng.integers(60))
        thing = int(rng.integers(13)) * 3 + buyer % 3
        lines.append(f"{buyer};{thing};2024-{1 + event // 125:02d}-{1 + event % 125 // 5:02d}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_time_protocol_from_columns_that_are_named(tmp_path: Path, capsys: Any) -> None:
    path = written(tmp_path / "sales.csv")
    bench(path, profile="buyer", item="thing", time="at", only="popular,blend", threads=1, out=tmp_path / "out",
          json=True)
    told = json.loads(capsys.readouterr().out)
    modes = {one["mode"] for one in told["figures"]}
    assert modes == {"new", "repeat"}
    ours = {one["model"] for one in told["figures"] if not one["reference"]}
    assert ours == {"popular", "blend"}
    theirs = {one["model"] for one in told["figures"] if one["reference"]}
    assert {"EASE, binary", "implicit ALS, 180 days", "RP3beta", "own, recency-weighted + EASE"} <= theirs
    blend = next(one for one in told["figures"] if one["model"] == "blend" and one["mode"] == "repeat")
    popular = next(one for one in told["figures"] if one["model"] == "popular" and one["mode"] == "repeat")
    assert blend["metrics"]["ndcg@10"]["value"] > 1.5 * popular["metrics"]["ndcg@10"]["value"]
    assert json.loads((tmp_path / "out" / "bench.json").read_text()) == told
    assert "| ours | blend |" in (tmp_path / "out" / "bench.md").read_text()
    assert "best of ours" in (tmp_path / "out" / "bench-repeat.svg").read_text()


@pytest.mark.parametrize(("name", "between"), [("ratings.dat", "::"), ("u.data", "\t")])
def test_ratings_without_a_header(tmp_path: Path, capsys: Any, name: str, between: str) -> None:
    rng = np.random.default_rng(0)
    lines = [
        between.join(map(str, (user, int(item) * 2 + user % 2, rng.integers(3, 6), 978300000 + user)))
        for user in range(1, 61) for item in rng.choice(30, 14, replace=False)
    ]
    path = tmp_path / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    bench(path, protocol="strong", folds=5, only="popular,ease", peers="popularity", threads=1, json=True)
    told = json.loads(capsys.readouterr().out)
    kept = [line.split(between)[0] for line in lines if int(line.split(between)[2]) >= 4]
    assert {one["subjects"] for one in told["figures"]} == {sum(kept.count(user) >= 5 for user in set(kept))}
    best = {one["model"]: one["metrics"]["ndcg@100"]["value"] for one in told["figures"]}
    assert best["ease"] > 1.2 * best["popular"]


def test_two_folds_leave_nothing_to_learn_from(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="2 folds"):
        bench(written(tmp_path / "sales.csv"), protocol="strong", profile="buyer", item="thing", time="at", folds=2)


def test_columns_without_names_are_named_in_the_error(tmp_path: Path) -> None:
    (tmp_path / "events.csv").write_text("1,2,2024-01-01\n2,3,2024-01-02\n", encoding="utf-8")
    with pytest.raises(UsageError, match="column0, column1, column2"):
        bench(tmp_path / "events.csv")
    (tmp_path / "events.xyz").write_text("1,2\n", encoding="utf-8")
    with pytest.raises(UsageError, match="no Parquet, CSV or JSON"):
        bench(tmp_path / "events.xyz")


def test_a_split_that_comes_with_the_data(tmp_path: Path, capsys: Any) -> None:
    rng = np.random.default_rng(0)
    for name, amount in (("train", 9), ("test", 3)):
        rows = [" ".join(map(str, [one, *rng.choice(20, amount, replace=False) * 2 + one % 2])) for one in range(60)]
        (tmp_path / f"{name}.txt").write_text("\n".join(rows) + "\n", encoding="utf-8")
    bench(tmp_path, only="popular,ease", threads=1)
    told = capsys.readouterr().out
    assert "given, new: " in told
    assert "ndcg@20" in told
    assert "ease" in told


def test_what_cannot_be_compared_is_said(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        bench(tmp_path / "nothing.csv")
    with pytest.raises(UsageError, match=r"buyer, thing|thing, "):
        bench(written(tmp_path / "sales.csv"))
    with pytest.raises(UsageError, match="no recommender magic"):
        bench(written(tmp_path / "sales.csv"), only="magic")
    with pytest.raises(UsageError, match=r"train\.txt"):
        (tmp_path / "empty").mkdir()
        bench(tmp_path / "empty")


def test_churn_of_events(tmp_path: Path, capsys: Any) -> None:
    rng = np.random.default_rng(0)
    lines = ["who;at;paid"]
    for buyer in range(120):
        every, stop = int(rng.integers(3, 30)), int(rng.integers(30, 700))
        lines += [
            f"{buyer};{np.datetime64('2023-01-01') + day};{rng.integers(1, 9)}" for day in range(buyer % 9, 400, every)
            if day < stop
        ]
    path = tmp_path / "visits.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    bench(path, protocol="churn", profile="who", time="at", price="paid", horizon=40, only="cox", threads=1,
          out=tmp_path / "out", json=True)
    told = json.loads(capsys.readouterr().out)
    theirs = {one["model"] for one in told["figures"] if one["reference"]}
    assert theirs >= {"recency", "logistic on RFM", "lifelines Cox on RFM", "BG/NBD", "boosted trees"}
    (choice, cox) = (one for one in told["figures"] if not one["reference"])
    assert (choice["model"], cox["model"]) == ("night's choice", "cox")
    assert choice["metrics"]["auc"]["value"] > 0.9
    assert choice["metrics"]["auc"]["standard_error"] > 0
    assert choice["notes"]["model"] in {"hazard", "cox", "log_normal", "activity", "blend"}
    assert {"auc", "brier", "calibration_error"} <= choice["metrics"].keys()
    assert told["verdicts"]["silence"]["subjects"] == choice["subjects"]
    assert "| ours | night's choice |" in (tmp_path / "out" / "bench.md").read_text()
    assert "best of ours" in (tmp_path / "out" / "bench-silence.svg").read_text()
    with pytest.raises(UsageError, match="no churn model magic"):
        bench(path, protocol="churn", profile="who", time="at", only="magic")
    with pytest.raises(UsageError, match="insufficient_history"):
        bench(path, protocol="churn", profile="who", time="at", horizon=300)
    with pytest.raises(UsageError, match="a horizon of 0 days"):
        bench(path, protocol="churn", profile="who", time="at", horizon=0)
    for wrong in ({"time": "nope"}, {"profile": "who", "price": "paid +"}, {"where": "who >"}):
        with pytest.raises(UsageError, match=r"visits\.csv cannot be read as asked"):
            bench(path, protocol="churn", **({"profile": "who", "time": "at"} | wrong))  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="have no date in"):
        bench(path, protocol="churn", profile="who", time='concat(\'day \', "at")')


@pytest.mark.parametrize("form", ["%Y%m%d", "%s", "%s000", "%s000000"])
def test_times_may_be_numbers(form: str, tmp_path: Path) -> None:
    days = [datetime(2023, 1, 1, tzinfo=UTC) + timedelta(days=7 * number) for number in range(20)]
    path = tmp_path / "visits.csv"
    path.write_text("\n".join(["who,at", *(f"a,{day.strftime(form)}" for day in days)]) + "\n", encoding="utf-8")
    layout = benchmark_customers.layout_of(path, profile="who", time="at")
    with benchmark_customers.open_customers(path, layout, 30, 1) as con:
        found = con.execute("SELECT created_at::DATE FROM all_events ORDER BY 1").fetchall()
    assert [row[0] for row in found] == [day.date() for day in days]


def test_survival_of_lives(tmp_path: Path, capsys: Any) -> None:
    rng = np.random.default_rng(0)
    lines = ["name,weeks,left,plan,age"]
    for row in range(300):
        plan = "short" if row % 2 else "long"
        life = int(np.ceil(rng.exponential(10 if row % 2 else 60)))
        end = int(rng.integers(1, 50))
        lines.append(f"n{row},{min(life, end)},{'yes' if life <= end else 'no'},{plan},{rng.integers(20, 60)}")
    path = tmp_path / "lives.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    bench(path, protocol="survival", duration="weeks", event="\"left\" = 'yes'", without="name", threads=1, json=True)
    told = json.loads(capsys.readouterr().out)
    assert {one["model"] for one in told["figures"]} == {
        "Kaplan-Meier", "lifelines Cox", "lifelines log-normal", "boosted hazard", "nightloom",
    }
    ours = next(one for one in told["figures"] if not one["reference"])
    assert ours["metrics"]["c_index"]["value"] > 0.6
    assert {"integrated_brier", "auc@12", "auc@24", "calibration_error@12"} <= ours["metrics"].keys()
    assert len(ours["notes"]["folds"]) == 5
    with pytest.raises(UsageError, match="no known layout"):
        bench(path, protocol="survival")
    with pytest.raises(UsageError, match="no column shoe"):
        bench(path, protocol="survival", duration="weeks", event="true", without="shoe")
    with pytest.raises(UsageError, match="0 of 300 rows ended"):
        bench(path, protocol="survival", duration="weeks", event="false")
    for duration, event in (("wekes", "true"), ("plan", "true"), ("weeks", "plan"), ("weeks(", "true")):
        with pytest.raises(UsageError, match=r"lives\.csv cannot be read as asked"):
            bench(path, protocol="survival", duration=duration, event=event)
    (tmp_path / "nothing.csv").touch()
    with pytest.raises(UsageError):
        bench(tmp_path / "nothing.csv", protocol="survival", duration="weeks", event="true")


def test_lives_of_years_with_rare_texts_and_holes(tmp_path: Path, capsys: Any) -> None:
    rng = np.random.default_rng(0)
    lines = ["id,name,country,score,flat,void,tenure,exited"]
    for row in range(400):
        country, score = rng.choice(["fr", "de", ""]), "" if row % 3 else rng.integers(300, 800)
        tenure, gone = rng.integers(0, 11), int(rng.random() < (0.5 if country == "de" else 0.1))
        lines.append(f"{row},name {row % 300},{country},{score},1,,{tenure if row % 20 else ''},{gone}")
    path = tmp_path / "bank.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    bench(path, protocol="survival", duration="tenure", event="exited", peers="Kaplan", json=True)
    ours = next(one for one in json.loads(capsys.readouterr().out)["figures"] if not one["reference"])
    assert ours["subjects"] == 380
    assert ours["metrics"]["c_index"]["value"] > 0.6
    bench(path, protocol="survival", duration="tenure", event="true", peers="Kaplan", json=True)
    assert len(json.loads(capsys.readouterr().out)["figures"]) == 2
