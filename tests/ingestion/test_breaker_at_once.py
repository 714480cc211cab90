"""The call after the failure that was one too many is refused at once, whoever takes it [S3 P10].

No worker runs in these tests unless they say so: what is stored is enough.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from awfdrs_site.kernel import work
from awfdrs_site.kernel.actor import Actor
from incidents.detecting.detection import detect
from ingestion import calls
from ingestion.models import Event
from safety import breakers, selectors
from safety.models import BreakerChange, OnOpen, Vendor
from safety.services import ensure_default_rules
from tests import processes
from tests.builders import a_tenant, a_workflow, an_event
from tests.cast import Cast
from tests.threads import at_once

URL, JSON = "/api/v1/events", "application/json"


def a_post(cast: Cast, api: Client, kind: str = "failed", **payload: Any) -> Any:
    document = cast.document(payload={"vendor": "stripe", **payload}, event_type=f"payment.{kind}")
    return api.post(URL, document, content_type=JSON)


def posted(cast: Cast, count: int, kind: str = "failed", **payload: Any) -> list[int]:
    api = cast.api()
    return [a_post(cast, api, kind, **payload).status_code for _ in range(count)]


def steps() -> list[tuple[str, str, str]]:
    return list(BreakerChange.objects.order_by("at", "id").values_list("before", "after", "why"))


@pytest.fixture(autouse=True)
def rules(db: None) -> None:
    ensure_default_rules()


@pytest.mark.parametrize("known", [True, False])
def test_it_refuses_the_eleventh_before_anybody_has_counted(cast: Cast, known: bool) -> None:
    """Also where the vendor has no row yet: the refusal makes one.

    Seen red without the look in `admission._breaker`: eleven times 201.
    """
    if known:
        Vendor.objects.create(tenant=cast.meridian, name="Stripe")
    assert posted(cast, 10) == [201] * 10
    refusal = a_post(cast, cast.api())
    assert (refusal.status_code, refusal.json()["code"]) == (503, "circuit_open")
    assert 290 <= int(refusal.headers["Retry-After"]) <= 301
    assert Event.objects.count() == 10
    assert steps() == [("closed", "open", "10 of 10 calls in 60 s failed.")]


def test_stage_detect_finds_nothing_left_to_move(cast: Cast) -> None:
    """Opened as of the failure that was one too many, which is when `detect` would have done it."""
    posted(cast, 11)
    seen = Vendor.objects.values_list("breaker_state", "breaker_changed_at", "breaker_data").get()
    tenth = Event.objects.order_by("received_at").last()
    assert tenth is not None
    assert seen[:2] == ("open", tenth.received_at)
    work.run_due("detect", detect)
    assert seen == (
        Vendor.objects.values_list("breaker_state", "breaker_changed_at", "breaker_data").get()
    )
    assert len(steps()) == 1


def test_whoever_opens_it_the_row_is_the_same(cast: Cast) -> None:
    """The same events, in one tenant counted by `detect`, in the other by the next look."""
    start = timezone.now() - timedelta(seconds=20)
    seen = []
    for counted in (True, False):
        workflow = a_workflow(a_tenant())
        for second in range(10):
            at = start + timedelta(seconds=second)
            an_event(workflow, "failure", vendor="acme", received_at=at)
            if second < 2:
                an_event(workflow, "success", vendor="acme", received_at=at)
        if counted:
            work.run_due("detect", detect)
        else:
            calls.current(workflow.tenant_id, "acme", None, timezone.now())
        vendor = Vendor.objects.get(tenant=workflow.tenant)
        change = BreakerChange.objects.get(tenant=workflow.tenant)
        seen.append((vendor.breaker(), change.at, change.why))
    assert seen[0] == seen[1]
    assert seen[0][2] == "10 of 12 calls in 60 s failed."


@pytest.mark.parametrize(
    ("knobs", "story", "status"),
    [
        ({}, [("failed", 9)], 201),
        ({}, [("failed", 10)], 503),
        ({"minimum_calls": 12}, [("failed", 11)], 201),
        ({"minimum_calls": 12}, [("succeeded", 2), ("failed", 10)], 503),
        ({}, [("succeeded", 11), ("failed", 10)], 201),
        ({}, [("succeeded", 10), ("failed", 10)], 503),
        ({"failure_ratio": 0.9}, [("succeeded", 2), ("failed", 10)], 201),
        ({"failure_threshold": 3}, [("failed", 3)], 503),
        # What is no call does not count.
        ({}, [("started", 9), ("failed", 9)], 201),
    ],
)
def test_it_goes_by_the_vendors_numbers(
    cast: Cast, knobs: dict[str, Any], story: Sequence[tuple[str, int]], status: int
) -> None:
    Vendor.objects.create(tenant=cast.meridian, name="stripe", **knobs)
    for kind, count in story:
        assert posted(cast, count, kind) == [201] * count
    assert posted(cast, 1) == [status]


def test_failures_that_are_not_the_vendors_do_not_count(cast: Cast) -> None:
    assert posted(cast, 30, error_code="card_declined") == [201] * 30
    assert posted(cast, 9, error_code="payment_timeout") == [201] * 9
    assert posted(cast, 1, error_code="card_declined") == [201]
    assert posted(cast, 1, error_code="payment_timeout") == [201]
    # Once it is open, every failure is kept out.
    assert posted(cast, 1, error_code="card_declined") == [503]


def test_slow_successes_count_where_the_vendor_has_a_limit(cast: Cast) -> None:
    Vendor.objects.create(tenant=cast.meridian, name="stripe", slow_call_ms=500)
    posted(cast, 1, "succeeded", duration_ms=499)
    posted(cast, 5, "succeeded", duration_ms=500)
    posted(cast, 4)
    assert posted(cast, 1) == [201]
    assert posted(cast, 1) == [503]


def test_only_what_lies_in_one_window_counts(cast: Cast) -> None:
    """Nine and one, 61 s apart: closed. Ten within it, and nothing since: open for its time."""
    now = timezone.now().replace(microsecond=0)
    for seconds, count, status in ((0, 9, 201), (61, 2, 201), (75, 8, 201), (200, 1, 503)):
        with time_machine.travel(now + timedelta(seconds=seconds), tick=False):
            assert posted(cast, count) == [status] * count
    # Its open time is over: the same post is a probe.
    with time_machine.travel(now + timedelta(seconds=376), tick=False):
        assert posted(cast, 1) == [201]
    assert [step[:2] for step in steps()] == [("closed", "open"), ("open", "half_open")]


def test_what_was_before_a_reset_does_not_count(cast: Cast) -> None:
    posted(cast, 11)
    vendor = Vendor.objects.get()
    anna = Actor("person", "anna")
    breakers.set_by_hand(
        vendor=vendor, to="closed", reason="Mended", actor=anna, now=timezone.now()
    )
    assert posted(cast, 11) == [201] * 10 + [503]


def test_a_patient_vendors_events_are_taken_in(cast: Cast) -> None:
    Vendor.objects.create(tenant=cast.meridian, name="stripe", on_open=OnOpen.RECORD)
    assert posted(cast, 12) == [201] * 12


def test_a_permit_looks_too(cast: Cast) -> None:
    Vendor.objects.create(tenant=cast.meridian, name="stripe")
    api = cast.api()
    assert api.get("/api/v1/vendors/stripe/permit").status_code == 200
    assert posted(cast, 10) == [201] * 10
    refusal = api.get("/api/v1/vendors/stripe/permit")
    assert (refusal.status_code, refusal.json()["code"]) == (503, "circuit_open")
    assert Vendor.objects.get().breaker_state == "open"


def test_a_success_comes_in_without_a_look(cast: Cast) -> None:
    posted(cast, 10)
    assert posted(cast, 1, "succeeded") == [201]
    assert not Vendor.objects.exists()


def _statements(cast: Cast, payload: dict[str, Any]) -> list[str]:
    api = cast.api()
    api.post(URL, cast.document(payload=payload), content_type=JSON)
    with CaptureQueriesContext(connection) as captured:
        assert api.post(URL, cast.document(payload=payload), content_type=JSON).status_code == 201
    return [query["sql"] for query in captured]


def _an_old_call(cast: Cast, vendor: str, second: int) -> Event:
    at = timezone.now() - timedelta(seconds=second)
    return Event(
        tenant=cast.meridian,
        workflow=cast.capture,
        kind="failure",
        payload={},
        idempotency_key=f"{vendor}-{second}",
        content_hash=b"",
        occurred_at=at,
        received_at=at,
        vendor=vendor,
        vendor_outcome=("failure", "success")[second % 2],
    )


def test_a_failure_of_a_vendor_costs_one_statement_more(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside the look-up of its row; it takes no lock, and reads the index as far as it must."""
    monkeypatch.setattr(selectors, "RULES_SECONDS", 3600.0)
    Vendor.objects.create(tenant=cast.meridian, name="stripe")
    bare = _statements(cast, {})
    named = _statements(cast, {"vendor": "stripe"})
    assert len(named) == len(bare) + 2
    look = next(sql for sql in named if "vendor_outcome" in sql and sql.startswith("SELECT COUNT"))
    rows = [_an_old_call(cast, name, second) for name in ("stripe", "b") for second in range(2000)]
    Event.objects.bulk_create(rows)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE ingestion_event")
        cursor.execute(f"EXPLAIN {look}")
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "event_by_vendor_call" in plan
    assert "Limit" in plan
    assert "Sort" not in plan
    assert "FOR" not in look


@pytest.mark.django_db(transaction=True)
def test_of_many_at_once_only_those_under_way_get_past_the_tenth(committed_cast: Cast) -> None:
    """20 threads post as fast as they can: at most ten, and one a thread that was on its way.

    Seen red without the look in `admission._breaker`: all 200 were taken in.
    """
    cast, threads = committed_cast, 20
    ensure_default_rules()
    Vendor.objects.create(tenant=cast.meridian, name="stripe", requests_per_minute=100_000)
    answers = at_once(threads, lambda _: posted(cast, 10))
    assert [answer for answer in answers if isinstance(answer, Exception)] == []
    counted = Counter(status for answer in answers for status in answer)  # type: ignore[attr-defined]
    assert set(counted) == {201, 503}
    assert 10 <= counted[201] <= 10 + threads
    assert Event.objects.count() == counted[201]
    assert posted(cast, 5) == [503] * 5
    assert [step[:2] for step in steps()] == [("closed", "open")]
    work.run_due("detect", detect)
    assert [step[:2] for step in steps()] == [("closed", "open")]


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_two_processes_refuse_by_the_same_row(committed_cast: Cast) -> None:
    """Ten threads in each of two processes: no more than ten and one a thread get in."""
    cast = committed_cast
    ensure_default_rules()
    Vendor.objects.create(tenant=cast.meridian, name="stripe", requests_per_minute=100_000)
    body = cast.document(payload={"vendor": "stripe"})
    code = (
        "from concurrent.futures import ThreadPoolExecutor\n"
        "from uuid import uuid4\nfrom django.test import Client\n"
        "from safety.models import Vendor\n"
        f"key, body = {cast.keys['meridian-ingest']!r}, {body!r}\n"
        "def post(_):\n"
        "    api = Client(SERVER_NAME='localhost', headers={'Authorization': f'Bearer {key}'})\n"
        "    document = body | {'idempotency_key': str(uuid4())}\n"
        f"    return api.post('{URL}', document, content_type='{JSON}').status_code\n"
        "print('ready', flush=True)\n"
        "while Vendor.objects.get().open_seconds != 301: pass\n"
        "with ThreadPoolExecutor(10) as pool:\n"
        "    print(*pool.map(post, range(100)))\n"
    )
    workers = [processes.start(code) for _ in range(2)]
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
    Vendor.objects.update(open_seconds=301)
    statuses: Counter[str] = Counter()
    for worker in workers:
        out, _ = worker.communicate(timeout=120)
        statuses.update(out.split())
    assert set(statuses) == {"201", "503"}
    assert sum(statuses.values()) == 200
    assert 10 <= statuses["201"] <= 10 + 20
    assert posted(cast, 1) == [503]
    assert len(steps()) == 1
