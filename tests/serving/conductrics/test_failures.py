"""What stands when the journal refuses or the policies of a run cannot be read (2, 3.4)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.decision_clients import publish
from contracts.errors import StorageError
from serving.conductrics import owners
from store.journal import Journal
from store.pack.policies import NAME
from tests.serving.conductrics.place import Site, open_site
from tests.serving.conductrics.wire import good, refused, send


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with open_site(tmp_path) as made:
        yield made


def logged(site: Site) -> list[dict[str, Any]]:
    last = site.journal.last_seq()
    return [json.loads(one.body) for batch in site.journal.writes_between(0, last) for one in batch]


def test_nothing_is_decided_that_is_not_on_disk(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_arguments: Any) -> None:
        raise StorageError("the disk is full", hint="make room")

    with monkeypatch.context() as broken:
        broken.setattr(Journal, "accept", full)
        assert "disk is full" in refused(site, 503, "home/decision?session=s")
        refused(site, 503, "home/goal?session=s")
        told = send(site, "-/batch", "POST", body=b'[{"agent":"home","type":"goal"}]')
        assert told.status == 503 and told.json["err"] and told.headers["retry-after"] == "1"
    assert logged(site) == []
    assert good(site, "home/decision?session=s")["policy"] != "sticky"


def test_a_fault_of_ours_is_500_with_err(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_arguments: Any) -> None:
        raise RuntimeError("nobody foresaw this")

    with monkeypatch.context() as patched:
        patched.setattr("serving.conductrics.turns.decide", broken)
        assert "nobody" not in refused(site, 500, "home/decision?session=s")
    assert logged(site) == []


def test_policies_of_a_published_run_serve_and_unreadable_ones_are_uniform(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owners, "FOLLOWED", 0.0)
    publish(site.layout, site.journal, 1)
    row = decided_by(site, "v1")
    a, b = 0.01 + 0.98 / 6, 0.01 + 0.98 * 5 / 6  # the weights are 1 to 5
    assert row["backoff"] == "agent"
    assert row["probs"] == pytest.approx([0.1 + 0.9 * (0.1 + 0.8 * a), 0.9 * (0.1 + 0.8 * b)])
    publish_broken(site, site.layout.run("r2"))
    row = decided_by(site, "0")
    assert (row["backoff"], row["probs"]) == ("uniform", [0.55, 0.45])


def decided_by(site: Site, version: str) -> dict[str, Any]:
    """A decision by a version of the policy; the endpoint maps a run beside its answers."""
    for at in range(400):
        good(site, f"home/decision?session={version}-{at}")
        row = logged(site)[-1]
        if row["version"] == version:
            return row
    raise AssertionError(f"version {version} is not served")


def publish_broken(site: Site, folder: Path) -> None:
    """Publish a run whose policies are cut off."""
    promote = site.journal.promote

    def cut(run_id: str, *arguments: Any, **more: Any) -> Any:
        (folder / "pack" / NAME).write_text("{")
        return promote(run_id, *arguments, **more)

    site.journal.promote = cut  # type: ignore[method-assign]
    publish(site.layout, site.journal, 2)
