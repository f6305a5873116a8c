"""``nightloom bench`` on data of any layout."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cli.bench import bench
from contracts.errors import NotFound, UsageError

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
    assert {"EASE, binary", "implicit ALS 64, 180 days", "RP3beta", "own, recency-weighted + EASE"} <= theirs
    blend = next(one for one in told["figures"] if one["model"] == "blend" and one["mode"] == "repeat")
    popular = next(one for one in told["figures"] if one["model"] == "popular" and one["mode"] == "repeat")
    assert blend["metrics"]["ndcg@10"]["value"] > 1.5 * popular["metrics"]["ndcg@10"]["value"]
    assert json.loads((tmp_path / "out" / "bench.json").read_text()) == told
    assert "| ours | blend |" in (tmp_path / "out" / "bench.md").read_text()
    assert (tmp_path / "out" / "bench-repeat.svg").read_text().startswith("<svg")


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
