"""The sender: retries without duplicates, order, bounded waits, every event accounted for."""

import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from simulator.delivery import Fate, backoff_seconds, judge, retry_after_seconds
from simulator.events import Event, EventFactory
from simulator.sender import Sender, SenderStoppedError
from simulator.workflows import DEMO_DIRECTORY, Resource
from tests.simulator.fake_awfdrs import KEY, TENANT_ID, FakeAwfdrs

WORKFLOW_ID = DEMO_DIRECTORY.workflows[0].id
NOW = datetime(2024, 11, 21, 10, 0, 0, tzinfo=UTC)
factory = EventFactory(TENANT_ID)


def event(resource: str | None = None) -> Event:
    named = Resource("payment", resource) if resource else None
    return factory.build(WORKFLOW_ID, "payment.capture.failed", {"attempt": 1}, resource=named)


@pytest.fixture
def sender(awfdrs: FakeAwfdrs) -> Iterator[Sender]:
    sender = Sender(awfdrs.url, KEY, workers=2, max_wait_seconds=0.05)
    sender.start()
    yield sender
    counts = sender.stop(drain_seconds=0)
    parts = counts.accepted + counts.duplicate + counts.refused + counts.unsent + counts.pending
    assert counts.submitted == parts


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize(
    ("status", "document"),
    [
        (503, {"code": "unavailable"}),
        (503, {"code": "circuit_open"}),
        (429, {"code": "rate_limited"}),
        (500, {}),
        (502, {"code": "x"}),
        (408, {}),
    ],
)
def test_it_posts_again_after(
    status: int, document: dict[str, str], sender: Sender, awfdrs: FakeAwfdrs
) -> None:
    """What is refused for now is posted again, with the same key, and stored once."""
    awfdrs.script += [(status, {"Retry-After": "0"}, document)] * 2
    delivery = sender.submit(event())
    assert delivery.wait(20)
    assert (delivery.fate, delivery.attempts) == (Fate.ACCEPTED, 3)
    assert len({post["idempotency_key"] for post in awfdrs.posts}) == 1
    assert len(awfdrs.events) == 1
    assert sender.counts().retries == 2


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "validation_error"),
        (403, "tenant_inactive"),
        (404, "workflow_not_found"),
        (409, "idempotency_conflict"),
        (413, "payload_too_large"),
        (423, "kill_switch_active"),
    ],
)
def test_it_counts_a_refusal_and_goes_on(
    status: int, code: str, sender: Sender, awfdrs: FakeAwfdrs, caplog: pytest.LogCaptureFixture
) -> None:
    """A refusal for good is logged, counted under its code, and not posted again."""
    awfdrs.script.append((status, {}, {"code": code}))
    refused, accepted = sender.submit(event("pi_1")), sender.submit(event("pi_1"))
    assert refused.wait(20)
    assert accepted.wait(20)
    assert (refused.fate, refused.code, refused.attempts) == (Fate.REFUSED, code, 1)
    assert accepted.fate is Fate.ACCEPTED
    assert sender.counts().codes[code] == 1
    assert code in caplog.text


def test_it_counts_a_wrong_key_as_refused(awfdrs: FakeAwfdrs) -> None:
    """401 is no reason to post for ever."""
    sender = Sender(awfdrs.url, "awf_wrong")
    sender.start()
    delivery = sender.submit(event())
    assert delivery.wait(20)
    assert (delivery.fate, delivery.code) == (Fate.REFUSED, "not_authenticated")
    sender.stop()


def test_a_lost_answer_is_no_second_event(sender: Sender, awfdrs: FakeAwfdrs) -> None:
    """Stored, but answered 503: the repeat is a duplicate with the first one's id."""
    awfdrs.script.append((503, {}, {"code": "unavailable", "stored": True}))
    delivery = sender.submit(event())
    assert delivery.wait(20)
    assert delivery.fate is Fate.DUPLICATE
    assert delivery.event_id
    assert len(awfdrs.events) == 1


def test_it_waits_for_a_server_that_is_not_there_yet() -> None:
    """Events queue up while the connection is refused and arrive once, in order, afterwards."""
    port = free_port()
    sender = Sender(f"http://127.0.0.1:{port}", KEY)
    sender.start()
    deliveries = [sender.submit(event("pi_1")) for _ in range(5)]
    while sender.counts().codes["unreachable"] < 2:
        assert not deliveries[0].wait(0.02)
    fake = FakeAwfdrs(port)
    assert all(delivery.wait(20) for delivery in deliveries)
    keys = [delivery.event["idempotency_key"] for delivery in deliveries]
    assert [stored["idempotency_key"] for stored in fake.events] == keys
    assert sender.stop().unsent == 0
    fake.stop()


def test_it_keeps_the_order_within_a_resource(sender: Sender, awfdrs: FakeAwfdrs) -> None:
    """A failure that must be posted again is not overtaken by its success; others go ahead."""
    awfdrs.script.append((503, {"Retry-After": "0"}, {"code": "circuit_open"}))
    submitted = [sender.submit(event(f"pi_{n % 3}")) for n in range(30)]
    assert all(delivery.wait(20) for delivery in submitted)
    for resource in ("pi_0", "pi_1", "pi_2"):
        wanted = [
            d.event["idempotency_key"] for d in submitted if d.event["resource_id"] == resource
        ]
        stored = [e["idempotency_key"] for e in awfdrs.events if e["resource_id"] == resource]
        assert stored == wanted


def test_an_open_breaker_holds_back_only_its_own_event(awfdrs: FakeAwfdrs) -> None:
    """circuit_open concerns one vendor: an event of another resource passes it."""
    awfdrs.script.append((503, {"Retry-After": "3600"}, {"code": "circuit_open"}))
    sender = Sender(awfdrs.url, KEY, workers=1, max_wait_seconds=3_600)
    sender.start()
    held, free = sender.submit(event("pi_1")), sender.submit(event("pi_2"))
    assert free.wait(20)
    assert (held.fate, held.attempts) == (Fate.PENDING, 1)
    assert sender.stop(drain_seconds=0).unsent == 1
    assert held.fate is Fate.UNSENT


def test_a_spent_quota_holds_back_everything(awfdrs: FakeAwfdrs) -> None:
    """429 concerns the tenant: nothing is posted until Retry-After is over."""
    awfdrs.script.append((429, {"Retry-After": "3600"}, {"code": "rate_limited"}))
    sender = Sender(awfdrs.url, KEY, workers=1, max_wait_seconds=3_600)
    sender.start()
    first, second = sender.submit(event("pi_1")), sender.submit(event("pi_2"))
    while sender.counts().retries == 0:
        assert not first.wait(0.01)
    assert not second.wait(0.3)
    assert (first.attempts, second.attempts) == (1, 0)
    assert sender.stop(drain_seconds=0).unsent == 2


def test_it_gives_up_only_loudly(caplog: pytest.LogCaptureFixture) -> None:
    """After give_up_after_seconds the event is unsent: counted and logged."""
    sender = Sender(f"http://127.0.0.1:{free_port()}", KEY, give_up_after_seconds=0.0)
    sender.start()
    delivery = sender.submit(event())
    assert delivery.wait(20)
    assert (delivery.fate, delivery.code) == (Fate.UNSENT, "unreachable")
    assert "given up" in caplog.text
    assert sender.stop().unsent == 1


def test_a_full_queue_blocks_and_stop_frees(caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is dropped to make room; stop tells how much was left."""
    sender = Sender(f"http://127.0.0.1:{free_port()}", KEY, capacity=2)
    sender.start()
    sender.submit(event())
    sender.submit(event())
    ended = threading.Event()

    def submit_third() -> None:
        with pytest.raises(SenderStoppedError):
            sender.submit(event())
        ended.set()

    threading.Thread(target=submit_third, daemon=True).start()
    assert not ended.wait(0.2)
    counts = sender.stop(drain_seconds=0)
    assert ended.wait(20)
    assert (counts.submitted, counts.unsent, counts.pending) == (2, 2, 0)
    assert "2 events unsent" in caplog.text


def test_it_posts_many_events_from_many_threads_once(sender: Sender, awfdrs: FakeAwfdrs) -> None:
    """8 threads, 200 events, some refused for now: each stored exactly once."""
    awfdrs.script += [(503, {"Retry-After": "0"}, {"code": "unavailable"})] * 20
    threads = [
        threading.Thread(target=lambda: [sender.submit(event()) for _ in range(25)])
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sender.drain(30)
    assert len(awfdrs.events) == 200
    assert sender.counts().accepted == 200


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("-1", None),
        ("0", 0.0),
        ("7", 7.0),
        (" 7 ", 7.0),
        ("86400", 60.0),
        ("9" * 400, 60.0),
        ("Thu, 21 Nov 2024 10:00:30 GMT", 30.0),
        ("Thu, 21 Nov 2024 09:00:00 GMT", 0.0),
        ("Fri, 22 Nov 2024 10:00:00 GMT", 60.0),
        ("Thu, 21 Nov 2024 10:00:30", None),
    ],
)
def test_it_reads_retry_after(value: str | None, seconds: float | None) -> None:
    """Seconds or a date, within bounds; anything else counts as missing."""
    assert retry_after_seconds(value, NOW, 60.0) == seconds


def test_it_backs_off_exponentially_within_bounds() -> None:
    """Doubling from a quarter of a second to the limit, also after very many attempts."""
    waits = [backoff_seconds(attempts, 5.0) for attempts in (1, 2, 3, 6, 10_000)]
    assert waits == [0.25, 0.5, 1.0, 5.0, 5.0]


def test_it_honours_retry_after_before_its_own_backoff() -> None:
    """The server's word counts; without one the backoff does."""
    asked = judge(
        429, {"retry-after": "9"}, {}, attempts=1, now=NOW, max_wait_seconds=60
    ).wait_seconds
    own = judge(503, {}, {}, attempts=3, now=NOW, max_wait_seconds=60).wait_seconds
    assert (asked, own) == (9.0, 1.0)
