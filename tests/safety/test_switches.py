"""Kill switches: what they stop, engaging, extending, releasing, expiring [S6 P7]."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction

from awfdrs_site.kernel.actor import Actor
from awfdrs_site.kernel.models import AuditEntry
from awfdrs_site.kernel.problem import Problem
from awfdrs_site.kernel.transition import IllegalTransition
from safety.models import KillSwitch
from safety.selectors import engaged_switches, get_switch_for, ingestion_switch
from safety.services import engage_switch, release_switch
from safety.switches import lock_switches_shared, switch_stopping
from tenants.models import Tenant, Workflow
from tests.builders import a_tenant, a_workflow

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ANNA = Actor("person", "anna", None)
ALICE = Actor("person", "alice", None)
HOUR = timedelta(hours=1)


@pytest.fixture
def tenant(db: None) -> Tenant:
    return a_tenant()


@pytest.fixture
def workflow(tenant: Tenant) -> Workflow:
    return a_workflow(tenant)


def engage(tenant: Tenant | None, scope: str, **fields: Any) -> KillSwitch:
    return engage_switch(**{"tenant": tenant, "scope": scope, "actor": ANNA, "now": NOW} | fields)


def test_it_engages_with_a_reason_and_an_audit_entry(workflow: Workflow) -> None:
    """The row says who, when, why; the audit log says the same."""
    switch = engage(workflow.tenant, "workflow", workflow=workflow, reason="stock take")
    assert (switch.engaged_by, switch.engaged_at, switch.reason) == ("anna", NOW, "stock take")
    assert engaged_switches(workflow.tenant, NOW) == [switch]
    entry = AuditEntry.objects.get(verb="engaged", subject_id=str(switch.pk))
    assert (entry.tenant_id, entry.actor, entry.comment) == (
        workflow.tenant_id,
        "anna",
        "stock take",
    )
    assert entry.after["target"] == f"workflow {workflow.name}"


def test_it_reaches_only_its_tenant_unless_it_is_global(tenant: Tenant) -> None:
    other = a_tenant()
    own = engage(tenant, "tenant")
    assert engaged_switches(other, NOW) == []
    everywhere = engage(None, "global")
    assert engaged_switches(other, NOW) == [everywhere]
    assert engaged_switches(tenant, NOW) == [everywhere, own]
    with pytest.raises(Problem) as refused:
        get_switch_for(other, own.pk)
    assert refused.value.status == 404


@pytest.mark.parametrize(
    ("given", "field", "code"),
    [
        ({"scope": "workflow"}, "workflow", "required"),
        ({"scope": "vendor"}, "vendor", "required"),
        ({"scope": "vendor", "vendor": "   "}, "vendor", "required"),
        ({"scope": "tenant", "vendor": "stripe"}, "vendor", "unexpected"),
        ({"scope": "all"}, "scope", "invalid_choice"),
        ({"scope": "tenant", "blocks": "everything"}, "blocks", "invalid_choice"),
        ({"scope": "tenant", "expires_at": NOW}, "expires_at", "past"),
        ({"scope": "tenant", "expires_at": NOW - HOUR}, "expires_at", "past"),
        ({"scope": "tenant", "reason": "x" * 301}, "reason", "max_length"),
        ({"scope": "vendor", "vendor": "x" * 101}, "vendor", "max_length"),
        ({"scope": "action"}, "action_kind", "required"),
        ({"scope": "action", "action_kind": "escalate"}, "action_kind", "invalid_choice"),
        ({"scope": "action", "action_kind": "retry", "blocks": "both"}, "blocks", "unexpected"),
        ({"scope": "action", "action_kind": "retry", "vendor": "x"}, "vendor", "unexpected"),
        ({"scope": "tenant", "action_kind": "retry"}, "action_kind", "unexpected"),
    ],
)
def test_it_refuses_a_target_that_does_not_fit(
    tenant: Tenant, given: dict[str, Any], field: str, code: str
) -> None:
    """An empty target never means "all"; nothing is stored."""
    with pytest.raises(Problem) as refused:
        engage(tenant, **given)
    assert [(e.field, e.code) for e in refused.value.errors] == [(field, code)]
    assert not KillSwitch.objects.exists()


def test_it_refuses_a_global_switch_with_a_tenant_and_another_tenants_workflow(
    workflow: Workflow,
) -> None:
    with pytest.raises(Problem) as refused:
        engage(workflow.tenant, "global")
    assert refused.value.errors[0].field == "tenant"
    with pytest.raises(Problem) as refused:
        engage(a_tenant(), "workflow", workflow=workflow)
    assert (refused.value.errors[0].field, refused.value.errors[0].code) == (
        "workflow",
        "not_found",
    )


@pytest.mark.parametrize(
    ("first", "second", "expires_at", "blocks"),
    [
        ((None, "automation"), (NOW + HOUR, "automation"), None, "automation"),
        ((NOW + HOUR, "automation"), (None, "automation"), None, "automation"),
        ((NOW + HOUR, "automation"), (NOW + 2 * HOUR, "ingestion"), NOW + 2 * HOUR, "both"),
        ((NOW + 2 * HOUR, "both"), (NOW + HOUR, "automation"), NOW + 2 * HOUR, "both"),
    ],
)
def test_it_only_ever_stops_more_when_engaged_again(
    tenant: Tenant,
    first: tuple[datetime | None, str],
    second: tuple[datetime | None, str],
    expires_at: datetime | None,
    blocks: str,
) -> None:
    """One engaged switch per target; the vendor is the same in any case."""
    one = engage(tenant, "vendor", vendor="Stripe", expires_at=first[0], blocks=first[1])
    two = engage(
        tenant, "vendor", vendor="stripe", expires_at=second[0], blocks=second[1], actor=ALICE
    )
    assert (two.pk, two.expires_at, two.blocks) == (one.pk, expires_at, blocks)
    assert (two.engaged_by, KillSwitch.objects.count()) == ("anna", 1)


def test_it_says_nothing_in_the_log_when_nothing_changed(tenant: Tenant) -> None:
    engage(tenant, "tenant")
    engage(tenant, "tenant")
    assert AuditEntry.objects.filter(verb__in=["engaged", "extended"]).count() == 1


def test_it_ends_by_itself_at_its_expiry_and_can_be_engaged_anew(tenant: Tenant) -> None:
    """Expiry is computed from the instant; no process has to be awake."""
    first = engage(tenant, "tenant", expires_at=NOW + HOUR)
    last_moment = NOW + HOUR - timedelta(microseconds=1)
    assert engaged_switches(tenant, last_moment) == [first]
    assert engaged_switches(tenant, NOW + HOUR) == []
    second = engage(tenant, "tenant", now=NOW + HOUR)
    assert second.pk != first.pk
    with pytest.raises(IllegalTransition) as refused:
        release_switch(switch=first, reason="late", actor=ANNA, now=NOW + HOUR)
    assert refused.value.extra["current"] == "expired"


def test_it_releases_with_a_reason_once(tenant: Tenant) -> None:
    """The second one is told who was first."""
    switch = engage(tenant, "tenant")
    released = release_switch(switch=switch, reason="fixed", actor=ALICE, now=NOW + HOUR)
    assert (released.released_by, released.release_reason) == ("alice", "fixed")
    assert engaged_switches(tenant, NOW + HOUR) == []
    with pytest.raises(IllegalTransition) as refused:
        release_switch(switch=switch, reason="me too", actor=ANNA, now=NOW + HOUR)
    assert refused.value.status == 409
    assert refused.value.extra["released_by"] == "alice"
    assert AuditEntry.objects.filter(verb="released").count() == 1


@pytest.mark.parametrize("reason", ["", "   ", "x" * 301])
def test_it_is_not_released_without_a_reason(tenant: Tenant, reason: str) -> None:
    switch = engage(tenant, "tenant")
    with pytest.raises(Problem) as refused:
        release_switch(switch=switch, reason=reason, actor=ANNA, now=NOW)
    assert (refused.value.code, refused.value.errors[0].field) == ("validation_error", "reason")
    assert engaged_switches(tenant, NOW) == [switch]


@pytest.mark.parametrize("blocks", ["automation", "ingestion", "both"])
@pytest.mark.parametrize("scope", ["global", "tenant", "workflow", "vendor"])
def test_it_stops_what_its_scope_and_blocks_say(
    workflow: Workflow, scope: str, blocks: str
) -> None:
    """Every scope by every kind of block, against a hit and a miss."""
    tenant = None if scope == "global" else workflow.tenant
    target = {"workflow": workflow} if scope == "workflow" else {}
    target |= {"vendor": "stripe"} if scope == "vendor" else {}
    switch = engage(tenant, scope, blocks=blocks, **target)
    other = a_workflow(workflow.tenant)
    for what in ("automation", "ingestion"):
        stops = blocks in (what, "both")
        hit = switch_stopping([switch], what, workflow_id=workflow.pk, vendor="STRIPE")
        assert (hit == switch) is stops
        miss = switch_stopping([switch], what, workflow_id=other.pk, vendor="adyen")
        assert (miss == switch) is (stops and scope in ("global", "tenant"))
        nothing_named = switch_stopping([switch], what, workflow_id=other.pk, vendor="")
        assert (nothing_named == switch) is (stops and scope in ("global", "tenant"))
    found = ingestion_switch(workflow.tenant_id, workflow.pk, "stripe", NOW)
    assert (found == switch) is (blocks in ("ingestion", "both"))


def test_the_lock_needs_a_transaction(transactional_db: None) -> None:
    """Without one it would be given back at once and guard nothing."""
    with pytest.raises(RuntimeError):
        lock_switches_shared()


def in_thread(work: Callable[[], None]) -> threading.Thread:
    def run() -> None:
        try:
            work()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


@pytest.mark.django_db(transaction=True)
def test_stopping_waits_for_senders_that_have_read_the_switches() -> None:
    """A sender that missed the switch has committed before "stop" returns [P7].

    Seen red with `lock_switches_exclusive()` taken out of `engage_switch`: it then returned while
    the sender was still between reading and marking.
    """
    tenant = a_tenant()
    has_read, may_commit, committed_at = threading.Event(), threading.Event(), []

    def send() -> None:
        with transaction.atomic():
            lock_switches_shared()
            assert engaged_switches(tenant, NOW) == []
            has_read.set()
            may_commit.wait(10)
            committed_at.append(time.monotonic())

    sender = in_thread(send)
    assert has_read.wait(10)
    returned_at: list[float] = []

    def stop() -> None:
        engage(tenant, "tenant")
        returned_at.append(time.monotonic())

    stopper = in_thread(stop)
    _wait_until_somebody_waits()
    assert returned_at == []
    may_commit.set()
    sender.join(10)
    stopper.join(10)
    assert committed_at[0] <= returned_at[0]
    with transaction.atomic():
        lock_switches_shared()
        assert len(engaged_switches(tenant, NOW)) == 1


def _wait_until_somebody_waits() -> None:
    """Until the stopper stands in the lock's queue; fails after 10 s if it never does."""
    for _ in range(500):
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_locks WHERE locktype='advisory' AND NOT granted"
            )
            if cursor.fetchone()[0]:
                return
        time.sleep(0.02)
    pytest.fail("nobody waits for the kill switch lock")


@pytest.mark.django_db(transaction=True)
def test_two_who_stop_the_same_thing_at_once_pull_one_lever() -> None:
    """Eight at a time, one row. Seen red without the exclusive lock."""
    tenant = a_tenant()
    start = threading.Barrier(8)

    def stop() -> None:
        start.wait(10)
        engage(tenant, "tenant")

    for thread in [in_thread(stop) for _ in range(8)]:
        thread.join(20)
    assert KillSwitch.objects.count() == 1
