"""Notifications to a real receiver process: signed, retried, logged, never redirected, only to allowed addresses."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from contracts.errors import NotFound
from contracts.settings import Settings, Webhooks
from store.journal import Journal, documents, outbox, webhook_secrets
from store.journal.outbox import Delivery, Message
from store.layout import Layout
from store.webhooks.deliverer import ATTEMPTS, Deliverer, pause
from tests.store.receiver import Receiver, receiving

NOON = datetime(2024, 6, 1, 12, 0, 0)
OPEN = Webhooks(allow_loopback=True)


class Post:
    """A journal with a set clock and messages in its outbox."""

    def __init__(self, home: Path, url: str) -> None:
        self.now = NOON
        self.journal = Journal.open(Layout(home), Settings(), lambda: self.now)
        self.account(url)

    def account(self, url: str) -> None:
        with self.journal.writing() as connection:
            documents.put(connection, "octy_account", "account", json.dumps({"webhook_url": url}), "test", self.now)

    def queue(self, *ids: str) -> None:
        with self.journal.writing() as connection:
            outbox.enqueue(connection, [Message("Subject", {"n": "é"}, NOON, delivery_id=one) for one in ids])

    def deliver(self, settings: Webhooks = OPEN, **options: Any) -> int:
        return Deliverer(self.journal, settings, chance=lambda: 0.5, **options).deliver()

    def log(self) -> dict[str, Delivery]:
        with self.journal.reading() as connection:
            return {one.delivery_id: one for one in outbox.listed(connection)}


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    with receiving(tmp_path_factory.mktemp("receiver") / "log") as running:
        yield running


@pytest.fixture
def post(tmp_path: Path, receiver: Receiver) -> Iterator[Post]:
    made = Post(tmp_path, receiver.url())
    yield made
    made.journal.close()


def _got(receiver: Receiver, delivery_id: str) -> list[dict[str, Any]]:
    return [one for one in receiver.got() if one["headers"].get("X-Nightloom-Delivery") == delivery_id]


def test_a_message_is_sent_once_and_signed(post: Post, receiver: Receiver) -> None:
    post.queue("a1")
    assert post.deliver() == 1
    assert post.deliver() == 0
    (one,) = _got(receiver, "a1")
    assert json.loads(one["body"]) == {
        "subject": "Subject", "body": {"n": "é"}, "date_time": "Sat, 01 Jun 2024 12:00:00 GMT",
    }
    with post.journal.reading() as connection:
        (secret,) = webhook_secrets.signing(connection, NOON)
    expected = hmac.new(secret.encode(), one["body"].encode(), hashlib.sha256).hexdigest()
    headers = one["headers"]
    assert headers["X-Nightloom-Signature"] == f"sha256={expected}"
    assert (headers["X-Nightloom-Attempt"], headers["Content-Type"]) == ("1", "application/json")
    stored = post.log()["a1"]
    assert (stored.status, stored.host, stored.finished_at) == ("delivered", "127.0.0.1", NOON)
    assert stored.tries == ((1, NOON, 200, "", '{"got":true}'),)


def test_both_secrets_sign_for_a_day_after_a_rotation(post: Post, receiver: Receiver) -> None:
    with post.journal.writing() as connection:
        old = webhook_secrets.in_force(connection, NOON)[0]
        new = webhook_secrets.rotate(connection, NOON)
        assert webhook_secrets.signing(connection, NOON + timedelta(hours=24)) == [new]
    post.queue("b1")
    post.deliver()
    (one,) = _got(receiver, "b1")
    made = [hmac.new(secret.encode(), one["body"].encode(), hashlib.sha256).hexdigest() for secret in (new, old)]
    assert one["headers"]["X-Nightloom-Signature"] == ",".join(f"sha256={part}" for part in made)


def test_failures_are_retried_with_growing_pauses_under_one_id(post: Post, receiver: Receiver) -> None:
    post.account(receiver.url("/fail/2"))
    post.queue("c1")
    for expected in (33, 66):
        assert post.deliver() == 1
        stored = post.log()["c1"]
        assert stored.status == "pending"
        assert stored.next_at == post.now + timedelta(seconds=expected)
        assert post.deliver() == 0
        post.now = stored.next_at
    assert post.deliver() == 1
    stored = post.log()["c1"]
    assert stored.status == "delivered"
    assert [one[2] for one in stored.tries] == [500, 500, 200]
    assert [one["headers"]["X-Nightloom-Attempt"] for one in _got(receiver, "c1")] == ["1", "2", "3"]


def test_pauses_double_up_to_an_hour_and_last_about_eight_hours() -> None:
    assert [pause(tries, 0).total_seconds() for tries in (1, 2, 3, 7, 8, 14)] == [30, 60, 120, 1920, 3600, 3600]
    assert pause(1, 1).total_seconds() == 36
    total = sum((pause(tries, 0) for tries in range(1, ATTEMPTS)), timedelta())
    assert timedelta(hours=8) < total < timedelta(hours=8.5)


def test_after_fifteen_attempts_a_message_is_dead_until_redelivered(post: Post, receiver: Receiver) -> None:
    post.account(receiver.url("/fail/15"))
    post.queue("d1")
    for _ in range(20):
        post.deliver()
        post.now += timedelta(hours=2)
    stored = post.log()["d1"]
    assert (stored.status, stored.attempts, stored.next_at) == ("dead", 15, None)
    with post.journal.writing() as connection:
        outbox.redeliver(connection, "d1", post.now)
    post.deliver()
    stored = post.log()["d1"]
    assert (stored.status, stored.attempts) == ("delivered", 16)
    with pytest.raises(NotFound), post.journal.writing() as connection:
        outbox.redeliver(connection, "nobody", post.now)


def test_a_redirect_is_a_failure_and_not_followed(post: Post, receiver: Receiver) -> None:
    post.account(receiver.url("/redirect"))
    post.queue("e1")
    post.deliver()
    assert [one["path"] for one in _got(receiver, "e1")] == ["/redirect"]
    assert post.log()["e1"].tries[0][2] == 302
    assert post.log()["e1"].status == "pending"


def test_an_answer_drop_by_drop_takes_no_longer_than_the_limit(post: Post, receiver: Receiver) -> None:
    post.account(receiver.url("/slow"))
    post.queue("f1")
    post.deliver(seconds=0.5)
    assert post.log()["f1"].tries[0][2:4] == (None, "no answer within 0.5 s")


def test_answers_are_kept_up_to_four_kibibytes(post: Post, receiver: Receiver) -> None:
    post.account(receiver.url("/big"))
    post.queue("g1")
    post.deliver()
    assert post.log()["g1"].tries[0][4] == "x" * 4096


def test_no_answer_and_no_receiver_are_failures(post: Post, receiver: Receiver) -> None:
    post.account(receiver.url("/drop"))
    post.queue("h1")
    post.deliver()
    assert post.log()["h1"].tries[0][2] is None
    assert post.log()["h1"].tries[0][3]
    post.account("http://127.0.0.1:9/")
    post.queue("h2")
    post.deliver()
    assert "refused" in post.log()["h2"].tries[0][3].lower()


def test_without_a_url_messages_are_skipped_and_each_attempt_takes_the_url_of_its_moment(
    post: Post, receiver: Receiver
) -> None:
    post.account("")
    post.queue("i1")
    post.deliver()
    assert (post.log()["i1"].status, post.log()["i1"].attempts) == ("skipped", 0)
    post.account(receiver.url("/fail/99"))
    post.queue("i2")
    post.deliver()
    post.account(receiver.url("/ok"))
    post.now += timedelta(minutes=1)
    post.deliver()
    assert [one["path"] for one in _got(receiver, "i2")] == ["/fail/99", "/ok"]


def test_loopback_is_refused_and_retried(post: Post, receiver: Receiver) -> None:
    post.queue("j1")
    for host in ("127.0.0.1", "localhost", "[::1]", "0x7f.1"):
        post.account(receiver.url(host=host))
        assert post.deliver(Webhooks()) == 1
        stored = post.log()["j1"]
        assert stored.status == "refused"
        assert "loopback" in stored.tries[-1][3]
        assert stored.next_at is not None
        post.now = stored.next_at
    assert _got(receiver, "j1") == []
    post.account(receiver.url())
    post.deliver()
    assert post.log()["j1"].status == "delivered"


def test_a_name_is_resolved_at_each_attempt_and_every_address_counts(post: Post, receiver: Receiver) -> None:
    """DNS rebinding: what was good a moment ago is looked at again, and the connection goes to what was looked at."""
    answers: list[Sequence[str]] = [["127.0.0.1"], ["127.0.0.1", "10.0.0.1"], ["10.0.0.1"], ["127.0.0.1"]]
    asked: list[str] = []

    async def resolver(host: str, _port: int) -> Sequence[str]:
        asked.append(host)
        return answers[len(asked) - 1]

    post.account(receiver.url("/fail/1", host="shop.example"))
    post.queue("k1")
    for expected in ("pending", "refused", "refused", "delivered"):
        post.deliver(resolver=resolver)
        stored = post.log()["k1"]
        assert stored.status == expected
        post.now = stored.next_at or post.now
    assert asked == ["shop.example"] * 4
    assert len(_got(receiver, "k1")) == 2
    assert _got(receiver, "k1")[0]["headers"]["Host"] == f"shop.example:{receiver.port}"


def test_proxies_of_the_environment_are_ignored(
    post: Post, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    post.queue("l1")
    post.deliver()
    assert post.log()["l1"].status == "delivered"


def test_one_deliverer_at_a_time(post: Post, receiver: Receiver) -> None:
    post.queue("m1")
    with post.journal.lease("webhooks", "another", 60):
        assert post.deliver() == 0
    assert post.deliver() == 1
    assert len(_got(receiver, "m1")) == 1


def test_the_same_fact_is_queued_once(post: Post) -> None:
    post.queue("n1", "n1")
    post.queue("n1")
    assert list(post.log()) == ["n1"]


KILLED = """
import sys
from pathlib import Path
from contracts.settings import Settings, Webhooks
from store.journal import Journal
from store.layout import Layout
from store.webhooks.deliverer import Deliverer
journal = Journal.open(Layout(Path(sys.argv[1])), Settings())
while True:
    Deliverer(journal, Webhooks(allow_loopback=True)).deliver()
"""


def test_a_killed_deliverer_loses_nothing_and_repeats_under_the_same_id(tmp_path: Path, receiver: Receiver) -> None:
    home = tmp_path / "home"
    post = Post(home, receiver.url())
    names = {f"kill{number}" for number in range(400)}
    post.queue(*names)
    root = Path(__file__).resolve().parents[2]
    for wait in (1.2, 1.3, 1.5):
        process = subprocess.Popen(
            [sys.executable, "-c", KILLED, str(home)], env={**os.environ, "PYTHONPATH": str(root)}
        )
        time.sleep(wait)
        process.send_signal(signal.SIGKILL)
        process.wait()
    post.now = datetime.max - timedelta(days=400)
    while post.deliver():
        pass
    assert {one.status for one in post.log().values()} == {"delivered"}
    got = [one for one in receiver.got() if one["headers"]["X-Nightloom-Delivery"] in names]
    assert {one["headers"]["X-Nightloom-Delivery"] for one in got} == names
    post.journal.close()
