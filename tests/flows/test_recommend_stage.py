"""Training and precompute on a small workbench, from tables to lists."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import duckdb
import numpy as np
import pytest

from contracts.progress import Silent
from contracts.published import TABLE_BY_NAME
from contracts.settings import Settings
from flows.stages import candidates, trial
from flows.stages.precompute import precompute
from flows.stages.recommend import RecommendOutcome, train
from models.lesson import Material
from models.recommenders.carried import Carried
from models.recommenders.ease import Ease
from models.registry import RECOMMENDERS
from tests.flows.taste_shop import AS_OF, SETTINGS, Served, workbench

LISTS = {"recommendation_lists": "profile_index", "item_neighbour_lists": "item_index"}


def night(
    folder: Path,
    settings: Settings = SETTINGS,
    previous: Served | None = None,
    con: duckdb.DuckDBPyConnection | None = None,
    *,
    keep_lists: bool = False,
) -> tuple[duckdb.DuckDBPyConnection, RecommendOutcome]:
    con = con or workbench(settings.pipeline.threads)
    outcome = train(con, folder, settings, AS_OF, previous, Silent(), keep_lists=keep_lists)
    precompute(con, folder, outcome, settings, Silent(), previous=previous.folder if previous else None)
    return con, outcome


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def rows(con: duckdb.DuckDBPyConnection, name: str) -> list[dict[str, Any]]:
    return con.execute(f"SELECT * FROM {name} ORDER BY {LISTS[name]}").to_arrow_table().to_pylist()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[duckdb.DuckDBPyConnection, RecommendOutcome, Path]:
    folder = tmp_path_factory.mktemp("night") / "r-1"
    return *night(folder), folder


def test_a_personal_model_serves_and_beats_popularity(made: Any) -> None:
    _, outcome, folder = made
    job = outcome.jobs[0]
    assert (job["algorithm"], job["status"], job["reason"], job["trained_by_run"]) == ("rec", "Completed", "", "r-1")
    assert outcome.serving.personal
    assert job["model"] == outcome.serving.name
    gate = job["details"]["gates"][job["model"]]
    assert gate["above_popularity"] > 2 * gate["standard_error"] > 0
    json.dumps(job["details"], allow_nan=False)
    assert json.loads((folder / "models" / "recommender" / "card.json").read_bytes())["name"] == job["model"]


def test_evaluation_rows_fit_the_published_table(made: Any) -> None:
    _, outcome, _ = made
    columns = {column.name for column in TABLE_BY_NAME["evaluation"].columns if not column.name.startswith("last_")}
    assert all(set(row) == columns for row in outcome.evaluation)
    keys = [tuple(row[key] for key in TABLE_BY_NAME["evaluation"].key) for row in outcome.evaluation]
    assert len(set(keys)) == len(keys)
    assert {row["model"] for row in outcome.evaluation} == set(candidates.CANDIDATES) - {"spectral"}
    assert "the dense inverse" in outcome.jobs[0]["details"]["linear"]
    assert {row["model"] for row in outcome.evaluation if row["serving"]} == {outcome.serving.name}
    assert {row["model"] for row in outcome.evaluation if row["baseline"]} == {"popular"}
    assert all(row["window_from"] < row["window_to"] == AS_OF for row in outcome.evaluation)


def test_lists_keep_the_rules(made: Any) -> None:
    con, _, _ = made
    bought = {(row[0], row[1]) for row in con.execute("SELECT DISTINCT profile_id, item_id FROM events").fetchall()}
    lists = rows(con, "recommendation_lists")
    assert [row["profile_index"] for row in lists] == list(range(120))
    for row in lists:
        assert len(row["item_ids"]) == len(row["scores"]) == len(set(row["item_ids"])) == 8
        assert row["scores"] == sorted(row["scores"], reverse=True)
        assert not {"i005", "i007"} & set(row["item_ids"])
        assert not {(row["profile_id"], item) for item in row["item_ids"]} & bought
        assert row["cold"] == (row["profile_index"] >= 110)
        assert (row["model"] == "popular") == row["cold"]


def test_cold_profiles_get_popularity(made: Any) -> None:
    con, _, _ = made
    best = con.execute(
        "SELECT item_id, score::FLOAT FROM popularity WHERE item_id NOT IN ('i005', 'i007') ORDER BY rank LIMIT 8"
    )
    items, scores = zip(*best.fetchall(), strict=True)
    cold = rows(con, "recommendation_lists")[-1]
    assert (cold["item_ids"], cold["scores"]) == (list(items), list(scores))


def test_lists_follow_taste(made: Any) -> None:
    con, _, _ = made
    own = [
        int(item[1:]) % 2 == row["profile_index"] % 2
        for row in rows(con, "recommendation_lists")[:110]
        for item in row["item_ids"][:3]
    ]
    assert np.mean(own) > 0.9


def test_every_item_has_neighbours_and_cold_ones_by_content(made: Any) -> None:
    con, outcome, _ = made
    lists = rows(con, "item_neighbour_lists")
    assert len(lists) == 60
    for row in lists:
        assert row["item_ids"]
        assert row["item_id"] not in row["item_ids"]
        assert not {"i005", "i007"} & set(row["item_ids"])
        assert row["model"] == ("content" if row["item_index"] >= 58 else outcome.neighbours.name)
    assert {int(item[1:]) % 2 for item in lists[58]["item_ids"]} == {0}, "an even item is a blue mug"


def test_pack_arrays_are_the_tables(made: Any) -> None:
    con, _, folder = made
    pack = {path.stem: np.load(path, allow_pickle=False) for path in (folder / "pack").glob("*.npy")}
    assert {name: (array.shape, array.dtype.str) for name, array in pack.items()} == {
        "lists_items": ((120, 8), "<i4"),
        "lists_scores": ((120, 8), "<f4"),
        "neighbours_items": ((60, 6), "<i4"),
        "neighbours_scores": ((60, 6), "<f4"),
        "popularity": ((60,), "<i4"),
    }
    for name, array in (("recommendation_lists", "lists"), ("item_neighbour_lists", "neighbours")):
        for row, items, scores in zip(rows(con, name), pack[f"{array}_items"], pack[f"{array}_scores"], strict=True):
            found = items >= 0
            assert [f"i{item:03d}" for item in items[found]] == row["item_ids"]
            assert scores[found].tolist() == row["scores"]
            assert (scores[~found] == 0).all()
            assert (np.diff(found.astype(int)) <= 0).all()
    assert sorted(pack["popularity"].tolist()) == list(range(60))


def test_tables_have_the_published_columns(made: Any) -> None:
    con, _, _ = made
    for name in (*LISTS, "interactions", "popularity"):
        described = con.execute(f"SELECT column_name, column_type FROM (DESCRIBE {name})").fetchall()
        assert described == [(column.name, column.type) for column in TABLE_BY_NAME[name].columns]


def test_one_thread_gives_the_same_bytes(made: Any, tmp_path: Path) -> None:
    con, outcome, folder = made
    settings = replace(SETTINGS, pipeline=replace(SETTINGS.pipeline, threads=1))
    other, again = night(tmp_path / "r-1", settings)
    assert digests(folder) == digests(tmp_path / "r-1")
    assert (outcome.jobs, outcome.evaluation) == (again.jobs, again.evaluation)
    assert all(rows(con, name) == rows(other, name) for name in LISTS)


def test_repeat_mode_lists_what_was_bought(tmp_path: Path) -> None:
    wanted = replace(SETTINGS.recommendations, recommend_interacted_items=True)
    con, outcome = night(tmp_path / "r-1", replace(SETTINGS, recommendations=wanted))
    assert outcome.jobs[0]["details"]["mode"] == "repeat"
    assert con.execute(
        "SELECT count(*) FROM recommendation_lists, unnest(item_ids) AS listed(item_id) "
        "WHERE EXISTS (FROM events WHERE events.profile_id = recommendation_lists.profile_id "
        "AND events.item_id = listed.item_id)"
    ).fetchone() != (0,)


def test_nothing_is_learned_from_excluded_profiles_but_they_have_lists(tmp_path: Path) -> None:
    """What they did changes their own lists and nothing else."""
    changed = "UPDATE seen SET item_id = 'i001' WHERE profile_id IN ('p003', 'p004', 'p006')"
    made = []
    for name, change in (("one", ""), ("other", changed)):
        con = workbench()
        con.execute("UPDATE profiles SET status = 'inactive' WHERE profile_index = 3")
        con.execute("UPDATE profiles SET status = 'churned' WHERE profile_index = 4")
        con.execute("CREATE TABLE quarantined_profiles AS SELECT 'p006' AS profile_id, 'age: range' AS expectation")
        con.execute(change)
        made.append((*night(tmp_path / name / "r-1", con=con), tmp_path / name / "r-1"))
    (con, outcome, folder), (other, again, other_folder) = made
    assert digests(folder / "models") == digests(other_folder / "models")
    assert outcome.evaluation == again.evaluation
    assert outcome.jobs[0]["details"]["row_counts"]["profiles"] == 117
    assert outcome.jobs[0]["details"]["excluded_profiles"] == {"check": 1, "status": 2}
    popularity = "SELECT * FROM popularity ORDER BY rank"
    assert con.execute(popularity).fetchall() == other.execute(popularity).fetchall()
    assert rows(con, "item_neighbour_lists") == rows(other, "item_neighbour_lists")
    ours, theirs = rows(con, "recommendation_lists"), rows(other, "recommendation_lists")
    differing = [row["profile_index"] for row, peer in zip(ours, theirs, strict=True) if row != peer]
    assert differing == [3, 4, 6]
    assert all(len(row["item_ids"]) == 8 and row["model"] == outcome.serving.name for row in ours[:110])


def test_only_excluding_events_keep_an_item_out(tmp_path: Path) -> None:
    """Half of the pairs were only looked at; a cold profile returned what is most popular."""
    con = workbench()
    con.execute(
        "CREATE OR REPLACE VIEW events AS SELECT CASE WHEN profile_id = 'p115' THEN 'returned' "
        "WHEN item_id[2:]::INTEGER % 4 < 2 THEN 'view' ELSE 'charged' END AS event_type, profile_id, item_id, "
        "TIMESTAMP '2024-07-01' - seconds * INTERVAL 1 SECOND AS created_at FROM seen"
    )
    wanted = replace(
        SETTINGS.recommendations,
        event_weights={"view": 0.5, "charged": 1.0},
        exclude_event_types=("charged", "returned"),
    )
    settings = replace(SETTINGS, recommendations=wanted)
    con.execute("INSERT INTO seen SELECT 'p115', unnest(['i000', 'i002']), 5")
    _, outcome = night(tmp_path / "r-1", settings, con=con)
    assert outcome.interactions.entries < con.execute("SELECT count(*) FROM interactions").fetchone()[0]  # type: ignore[index]
    listed = {(row["profile_id"], item) for row in rows(con, "recommendation_lists") for item in row["item_ids"]}
    events = con.execute("SELECT DISTINCT event_type, profile_id, item_id FROM events").fetchall()
    assert not listed & {(profile, item) for kind, profile, item in events if kind != "view"}
    assert listed & {(profile, item) for kind, profile, item in events if kind == "view"}
    cold = rows(con, "recommendation_lists")[115]
    popular = con.execute("SELECT item_id FROM popularity ORDER BY rank").fetchall()
    assert (cold["cold"], cold["model"]) == (True, "popular")
    assert cold["item_ids"] == [item for (item,) in popular if item not in ("i000", "i002", "i005", "i007")][:8]


def test_too_little_data_carries_the_last_model_forward(made: Any, tmp_path: Path) -> None:
    _, first, folder = made
    wanted = replace(SETTINGS.recommendations, min_events=10**6)
    # Tonight three items sort before all others, so every item has another number than when the model was fitted.
    con, outcome = night(
        tmp_path / "r-2", replace(SETTINGS, recommendations=wanted), Served("r-1", folder), workbench(extra_items=3)
    )
    job = outcome.jobs[0]
    assert (job["status"], job["model"], job["trained_by_run"]) == ("Skipped", first.serving.name, "r-1")
    assert job["reason"].startswith("inadequate_data: 2640 weighted events of 1000000")
    assert digests(folder / "models" / "recommender") == digests(tmp_path / "r-2" / "models" / "recommender")
    assert not any(row["serving"] for row in outcome.evaluation)
    old = {row["profile_id"]: row["item_ids"] for row in rows(made[0], "recommendation_lists")}
    assert all(
        row["item_ids"] == old[row["profile_id"]] for row in rows(con, "recommendation_lists") if not row["cold"]
    )


def test_lists_are_carried_forward_but_for_what_may_not_be_listed_any_more(made: Any, tmp_path: Path) -> None:
    first, _, folder = made
    shutil.copytree(folder, tmp_path / "r-1")
    (tmp_path / "r-1" / "tables").mkdir()
    first.execute(f"COPY recommendation_lists TO '{tmp_path}/r-1/tables/recommendation_lists.parquet'")
    old = {row["profile_id"]: row for row in rows(first, "recommendation_lists")}
    bought, gone = old["p000"]["item_ids"][3], old["p000"]["item_ids"][5]
    # Since then a profile came, one item was bought by everybody, and one is not sold any more.
    con = workbench(extra_items=3)
    con.execute("INSERT INTO seen SELECT DISTINCT profile_id, $item, 60 FROM seen", {"item": bought})
    con.execute("INSERT INTO profiles SELECT * REPLACE ('q' AS profile_id, 120 AS profile_index) FROM profiles LIMIT 1")
    con.execute("INSERT INTO seen VALUES ('q', 'i000', 60)")
    con.execute("UPDATE items SET status = 'inactive' WHERE item_id = $item", {"item": gone})
    wanted = replace(SETTINGS, recommendations=replace(SETTINGS.recommendations, min_events=10**6))
    night(tmp_path / "r-2", wanted, Served("r-1", tmp_path / "r-1"), con, keep_lists=True)
    found = {row["profile_id"]: row for row in rows(con, "recommendation_lists")}
    warm = {name for (name,) in con.execute("SELECT DISTINCT profile_id FROM seen").fetchall()}
    assert set(found) == {*old, "q"}
    for name, before in old.items():
        barred = {gone, bought} if name in warm else {gone}
        pairs = zip(before["item_ids"], before["scores"], strict=True)
        expected = [pair for pair in pairs if pair[0] not in barred]
        assert list(zip(found[name]["item_ids"], found[name]["scores"], strict=True)) == expected
        assert (found[name]["model"], found[name]["cold"]) == (before["model"], before["cold"])
    assert found["q"]["item_ids"] and gone not in found["q"]["item_ids"]
    arrays = np.load(tmp_path / "r-2" / "pack" / "lists_items.npy")
    names = [name for (name,) in con.execute("SELECT item_id FROM items ORDER BY item_index").fetchall()]
    for row in found.values():
        numbers = arrays[row["profile_index"]]
        assert [names[number] for number in numbers if number >= 0] == row["item_ids"]


ROW_WISE = tuple(name for name in candidates.CANDIDATES if name not in {"als", "ensemble"})
"""Candidates that score each row by itself, to the bit: only their lists are copied."""


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Served:
    kept = tmp_path_factory.mktemp("published") / "r-1"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trial, "CANDIDATES", ROW_WISE)
        first, _ = night(kept)
    (kept / "tables").mkdir()
    first.execute(f"COPY recommendation_lists TO '{kept}/tables/recommendation_lists.parquet'")
    return Served("r-1", kept)


def returns(con: duckdb.DuckDBPyConnection, seed: int, number: int) -> set[str]:
    """Some profiles give back what they never had: events without weight that bar an item; also a profile is new."""
    rng = np.random.default_rng(seed)
    pairs = [(f"p{p:03d}", f"i{i:03d}") for p, i in zip(rng.integers(0, 110, number), rng.integers(0, 60, number),
                                                       strict=True)]
    con.execute("CREATE TABLE given (profile_id VARCHAR, item_id VARCHAR)")
    if pairs:
        con.executemany("INSERT INTO given VALUES (?, ?)", pairs)
    con.execute("ALTER VIEW events RENAME TO bought")
    con.execute(
        "CREATE VIEW events AS SELECT * FROM bought UNION ALL "
        "SELECT 'returned', profile_id, item_id, TIMESTAMP '2024-06-01' FROM given"
    )
    con.execute("INSERT INTO profiles SELECT 'a', 0, 'active'")
    con.execute("UPDATE profiles SET profile_index = profile_index + 1 WHERE profile_id <> 'a'")
    bought = set(con.execute("SELECT profile_id, item_id FROM bought").fetchall())
    return {pair[0] for pair in pairs if pair not in bought}


@pytest.mark.parametrize(("seed", "number", "trained"), [(0, 0, True), (1, 0, False), (2, 9, False), (3, 80, False)])
def test_lists_are_copied_only_where_making_them_again_gives_the_same(
    published: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int, number: int, trained: bool
) -> None:
    monkeypatch.setattr(trial, "CANDIDATES", ROW_WISE)
    ranking = replace(SETTINGS.recommendations, exclude_event_types=("charged", "returned"))
    wanted = replace(SETTINGS, recommendations=ranking if trained else replace(ranking, min_events=10**6))
    found, told = [], []
    for name, before in (("copied", published.folder), ("anew", None)):
        con, folder = workbench(), tmp_path / name / "r-2"
        changed = returns(con, seed, number)
        outcome = train(con, folder, wanted, AS_OF, published, Silent())
        assert isinstance(outcome.serving, Carried) is not trained
        told.append(precompute(con, folder, outcome, wanted, Silent(), previous=before))
        assert outcome.serving.row_wise
        found.append((rows(con, "recommendation_lists"), digests(folder)))
    assert found[0] == found[1]
    assert (told[0].copied, told[1].copied) == (110 - len(changed), 0)
    assert told[0].reason == f"{120 - len(changed)} of 121 profiles are as they were"


@pytest.mark.parametrize("change", ["weights", "stop list", "an event", "later"])
def test_nothing_is_copied_when_the_model_or_what_may_be_listed_changed(
    published: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    monkeypatch.setattr(trial, "CANDIDATES", ROW_WISE)
    con = workbench()
    ranking = replace(SETTINGS.recommendations, min_events=10**6)
    if change == "weights":
        ranking = replace(ranking, min_events=30, half_life_days=100.0)
    elif change == "stop list":
        ranking = replace(ranking, item_stop_list=("i006",))
    elif change == "an event":
        con.execute("INSERT INTO seen SELECT 'p000', 'i059', 60 FROM range(50)")
    wanted = replace(SETTINGS, recommendations=ranking)
    as_of = AS_OF + timedelta(days=change == "later")
    outcome = train(con, tmp_path / "r-2", wanted, as_of, published, Silent())
    assert precompute(con, tmp_path / "r-2", outcome, wanted, Silent(), previous=published.folder).copied == 0


def test_too_little_data_and_nothing_to_carry_gives_popularity(tmp_path: Path) -> None:
    wanted = replace(SETTINGS.recommendations, min_profiles=1000)
    con, outcome = night(tmp_path / "r-1", replace(SETTINGS, recommendations=wanted))
    assert (outcome.jobs[0]["status"], outcome.jobs[0]["model"]) == ("Skipped", "popular")
    assert {row["model"] for row in rows(con, "recommendation_lists")} == {"popular"}
    assert all(row["item_ids"] for row in rows(con, "item_neighbour_lists")), "neighbours do not need the serving model"


def test_no_events_at_all(tmp_path: Path) -> None:
    con = workbench()
    con.execute("DELETE FROM seen")
    con, outcome = night(tmp_path / "r-1", con=con)
    assert outcome.jobs[0]["status"] == "Skipped"
    assert all(row["cold"] and len(row["item_ids"]) == 8 for row in rows(con, "recommendation_lists"))
    assert all(row["model"] == "content" for row in rows(con, "item_neighbour_lists"))


def test_nobody_and_nothing(tmp_path: Path) -> None:
    con = workbench()
    con.execute("DELETE FROM seen; DELETE FROM profiles; DELETE FROM items")
    con, _ = night(tmp_path / "r-1", con=con)
    assert rows(con, "recommendation_lists") == rows(con, "item_neighbour_lists") == []
    assert np.load(tmp_path / "r-1" / "pack" / "lists_items.npy").shape == (0, 8)


class Broken(Ease):
    """EASE of which the library runs out of memory beyond so many pairs."""

    limit: ClassVar[int] = 0

    def _fit(self, given: Material) -> None:
        if given.interactions.entries > self.limit:
            raise MemoryError("no room")
        super()._fit(given)


def test_a_model_that_fails_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Ease, "_fit", Broken._fit)
    monkeypatch.setattr(Ease, "limit", 0, raising=False)
    _, outcome = night(tmp_path / "r-1")
    job = outcome.jobs[0]
    assert job["status"] == "Completed"
    made_of_it = ("ease", "blend", "ensemble", "ranker")
    assert job["details"]["errors"] == dict.fromkeys(made_of_it, "MemoryError: no room")
    assert job["model"] not in made_of_it


@pytest.mark.parametrize("fails", ["in every fit", "in the last fit"])
def test_without_a_new_model_the_last_one_is_carried_forward(
    made: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    _, first, folder = made
    monkeypatch.setitem(RECOMMENDERS, "ease", Broken)
    monkeypatch.setattr(trial, "CANDIDATES", ("ease",) if fails == "in every fit" else ("popular", "ease"))
    monkeypatch.setattr(Broken, "limit", 0 if fails == "in every fit" else first.interactions.entries - 1)
    _, outcome = night(tmp_path / "r-2", previous=Served("r-1", folder))
    job = outcome.jobs[0]
    assert (job["status"], job["trained_by_run"]) == ("Failed", "r-1")
    assert "MemoryError: no room" in job["reason"]
    assert outcome.serving.name == first.serving.name
    assert digests(folder / "models" / "recommender") == digests(tmp_path / "r-2" / "models" / "recommender")


def test_a_damaged_last_model_is_not_carried(made: Any, tmp_path: Path) -> None:
    _, _, folder = made
    shutil.copytree(folder, tmp_path / "r-1")
    damaged = next((tmp_path / "r-1" / "models" / "recommender").glob("*.npy"))
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"x")
    wanted = replace(SETTINGS.recommendations, min_events=10**6)
    _, outcome = night(tmp_path / "r-2", replace(SETTINGS, recommendations=wanted), Served("r-1", tmp_path / "r-1"))
    job = outcome.jobs[0]
    assert (job["model"], job["trained_by_run"]) == ("popular", "r-2")
    assert "cannot be carried forward" in job["reason"]
