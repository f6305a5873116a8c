"""Keys and control documents of the journal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.errors import NotFound, UsageError
from contracts.settings import Settings
from store.journal import Journal, KeyRing
from store.layout import Layout


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal.open(Layout(tmp_path), Settings()) as opened:
        yield opened


def test_only_the_whole_secret_opens_and_only_until_revoked(journal: Journal) -> None:
    secret = journal.create_key("write", "shop")
    ring = KeyRing(journal.keys())
    assert ring.role(secret) == "write"
    key_id = secret.split("_")[1]
    for wrong in (
        "",
        "nl",
        secret[:-1],
        secret + "0",
        f"nl_{key_id}_",
        f"nl_{key_id}",
        secret.upper(),
        "é" * 5,
        secret.replace("nl_", "xx_"),
    ):
        assert ring.role(wrong) is None
    journal.revoke_key(key_id)
    assert KeyRing(journal.keys()).role(secret) is None
    kept = journal.keys()
    assert [key.label for key in kept] == ["shop"]
    with pytest.raises(NotFound):
        journal.revoke_key("nobody")


def test_the_secret_is_not_stored(journal: Journal, tmp_path: Path) -> None:
    secret = journal.create_key("read", "")
    stored = b"".join(path.read_bytes() for path in (tmp_path / "data" / "default").glob("journal.sqlite*"))
    assert secret.split("_")[1].encode() in stored
    assert secret.split("_")[2].encode() not in stored


def test_documents_keep_every_version_and_refuse_lost_updates(journal: Journal) -> None:
    assert journal.put_document("scenario", "home", '{"a":1}', "anna", expected=0) == 1
    assert journal.put_document("scenario", "home", '{"a":2}', "bert", expected=1) == 2
    with pytest.raises(UsageError, match="version 2"):
        journal.put_document("scenario", "home", '{"a":3}', "carl", expected=1)
    journal.put_document("scenario", "away", "{}", "anna")
    journal.put_document("segment", "home", "{}", "anna")
    assert [(document.name, document.version) for document in journal.documents("scenario")] == [
        ("away", 1),
        ("home", 2),
    ]
    journal.delete_document("scenario", "home", "anna")
    assert journal.document("scenario", "home") is None
    assert [document.name for document in journal.documents("scenario")] == ["away"]
    old = journal.document("scenario", "home", version=1)
    assert old is not None and old.body == '{"a":1}'
    assert journal.put_document("scenario", "home", "{}", "anna") == 4
