"""Redis stopped, emptied or hung while events come in and a recovery is due [S4 P4]."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.db import connections
from django.test import Client
from django.utils import timezone

from actions import sending
from actions.models import Action
from awfdrs_site.kernel import work
from awfdrs_site.kernel.actor import MACHINE
from incidents.detecting.detection import detect
from incidents.models import Incident, IncidentEvent
from safety import limiter
from safety.models import Vendor
from safety.services import ensure_default_rules
from safety.window import SharedWindow
from tenants.models import Workflow
from tenants.services import issue_key
from tests.actions.target import Target
from tests.valkey import Valkey, a_valkey

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
SENDERS, EVENTS_EACH = 4, 6
# No pass line for speed: redis-py's own patience would be minutes.
HANGS_SECONDS = 15


@pytest.fixture
def valkey(monkeypatch: pytest.MonkeyPatch) -> Iterator[Valkey]:
    """The limiter's Redis, and a limiter that has not noticed anything yet."""
    with tempfile.TemporaryDirectory() as folder, a_valkey(Path(folder)) as valkey:
        window = SharedWindow(valkey.client)
        monkeypatch.setattr(limiter, "_shared", lambda: window)
        monkeypatch.setattr(limiter, "_link", limiter._Link())
        limiter._local.cache_clear()
        yield valkey
    limiter._local.cache_clear()


class Senders:
    """Threads that post failures one after another; `at` events each they wait for `go_on`."""

    def __init__(self, workflow: Workflow, at: int) -> None:
        self.workflow, self._at = workflow, at
        self.halfway, self._going = threading.Barrier(SENDERS + 1), threading.Event()
        _, self._key = issue_key(
            tenant=workflow.tenant, name="k", scopes=["ingest"], actor=MACHINE, now=timezone.now()
        )
        self.statuses: list[int] = []
        self.slowest = 0.0

    def go_on(self) -> None:
        self._going.set()

    def post_all(self, sender: int) -> None:
        client = Client(headers={"Authorization": f"Bearer {self._key}"})
        try:
            for number in range(EVENTS_EACH):
                if number == self._at:
                    self.halfway.wait(60)
                    self._going.wait(60)
                began = time.monotonic()
                answer = client.post(
                    "/api/v1/events",
                    self._event(f"{sender}-{number}"),
                    content_type="application/json",
                )
                self.slowest = max(self.slowest, time.monotonic() - began)
                self.statuses.append(answer.status_code)
        finally:
            connections.close_all()

    def _event(self, key: str) -> dict[str, Any]:
        return {
            "tenant_id": str(self.workflow.tenant_id),
            "workflow_id": str(self.workflow.pk),
            "event_type": "payment.failed",
            "payload": {"error_code": "payment_timeout", "vendor": "stripe"},
            "idempotency_key": key,
            "occurred_at": timezone.now().isoformat(),
            "schema_version": "1.0.0",
        }


def post_through(fault: Callable[[], None], workflow: Workflow) -> Senders:
    """All events of all senders, with the fault after the first few of each."""
    senders = Senders(workflow, at=2)
    with ThreadPoolExecutor(SENDERS) as pool:
        posting = [pool.submit(senders.post_all, number) for number in range(SENDERS)]
        senders.halfway.wait(60)
        fault()
        senders.go_on()
        for one in posting:
            one.result()
    return senders


@pytest.mark.parametrize("fault", ["stop", "hang", "empty"])
def test_it_loses_nothing_and_sends_nothing_uncounted(
    fault: str,
    valkey: Valkey,
    workflow: Workflow,
    target: Target,
    planned: Callable[..., Action],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every event is taken; a due recovery waits while Redis is away, then goes once."""
    ensure_default_rules()
    action = planned()
    Incident.objects.update(vendor="stripe")
    Vendor.objects.create(
        tenant=workflow.tenant, name="stripe", requests_per_minute=1_000, failure_threshold=1_000
    )
    senders = post_through(getattr(valkey, fault), workflow)
    assert senders.statuses == [201] * SENDERS * EVENTS_EACH
    assert senders.slowest < HANGS_SECONDS
    if fault != "empty":
        sending.run_due()
        assert (target.calls, Action.objects.get(pk=action.pk).status) == ([], "planned")
        valkey.start() if fault == "stop" else valkey.go_on()
        # The pause before Redis is asked again is over.
        monkeypatch.setattr(limiter, "_link", limiter._Link())
    Action.objects.filter(pk=action.pk).update(due_at=timezone.now())
    sending.run_due()
    assert len(target.calls) == 1
    assert limiter.look(limiter.calls_of(Vendor.objects.get(), timezone.now())).uses[0].used == 1
    while work.run_due("detect", detect):
        pass
    posted = IncidentEvent.objects.filter(event__idempotency_key__regex=r"^\d-\d$")
    assert posted.count() == SENDERS * EVENTS_EACH


def test_the_local_cap_holds_while_redis_is_gone(valkey: Valkey, workflow: Workflow) -> None:
    """8 pass before, then a quarter of the quota of 40 in this process: the rest is told when."""
    workflow.tenant.events_per_minute = 40
    workflow.tenant.save()
    senders = post_through(valkey.stop, workflow)
    valkey.start()
    assert set(senders.statuses) == {201, 429}
    assert senders.statuses.count(201) == 8 + 10
