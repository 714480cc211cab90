"""What a stop reaches, what it skipped, and what people make of that afterwards [S6]."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from actions import planning, sending, services
from actions.controls import stopping
from actions.models import Action
from awfdrs_site.kernel.actor import Actor
from awfdrs_site.kernel.problem import Problem
from incidents.services import resolve
from safety.models import KillSwitch
from safety.services import engage_switch, release_switch
from tenants.models import Tenant, Workflow
from tests.actions.conftest import SECRET, a_decision, an_incident
from tests.actions.target import Target
from tests.builders import a_tenant, a_workflow
from tests.threads import at_once

ALICE = Actor("person", "alice")
Planned = Callable[..., Action]


def stop(tenant: Tenant | None, scope: str = "tenant", **fields: Any) -> KillSwitch:
    now = timezone.now()
    return engage_switch(tenant=tenant, scope=scope, actor=ALICE, now=now, **fields)


def resume(switch: KillSwitch) -> KillSwitch:
    return release_switch(switch=switch, reason="over", actor=ALICE, now=timezone.now())


def replay(tenant: Tenant, switch: KillSwitch, *ids: Any) -> list[tuple[str, str]]:
    verdicts = stopping.replay(
        tenant=tenant, switch=switch, action_ids=ids, actor=ALICE, now=timezone.now()
    )
    return [(verdict.outcome, verdict.status) for verdict in verdicts]


def drop(tenant: Tenant, switch: KillSwitch, *ids: Any) -> list[tuple[str, str]]:
    verdicts = stopping.drop(
        tenant=tenant, switch=switch, action_ids=ids, actor=ALICE, now=timezone.now()
    )
    return [(verdict.outcome, verdict.status) for verdict in verdicts]


def target_of(scope: str, workflow: Workflow) -> dict[str, Any]:
    return {
        "workflow": {"workflow": workflow},
        "vendor": {"vendor": "STRIPE"},
        "action": {"action_kind": "retry"},
    }.get(scope, {})


@pytest.mark.parametrize("scope", ["global", "tenant", "workflow", "vendor", "action"])
def test_it_holds_a_retry_of_every_scope_and_writes_down_which_switch(
    workflow: Workflow, target: Target, scope: str
) -> None:
    """The ledger is a column, so it is still right once the switch is released; a person is called
    all the same."""
    tenant = workflow.tenant
    owner = None if scope == "global" else tenant
    switch = stop(owner, scope, **target_of(scope, workflow))
    incident = an_incident(workflow, vendor="stripe")
    planning.plan([a_decision(incident).pk], timezone.now())
    [action] = stopping.held_by(tenant, switch)
    assert (action.status, action.stopped_by) == ("blocked", switch)
    escalation = services.escalate(incident=incident, actor=ALICE, now=timezone.now())
    sending.run_due()
    assert Action.objects.get(pk=escalation.pk).status == "succeeded"
    assert target.calls == []
    assert stopping.held_count(tenant, [switch]) == 1
    resume(switch)
    assert list(stopping.held_by(tenant, switch)) == [action]
    assert list(stopping.held_by(a_tenant(), switch)) == []


def test_it_writes_down_the_switch_that_stopped_it_at_the_last_moment(
    planned: Planned, workflow: Workflow, target: Target
) -> None:
    """Planned while all ran, stopped when it was due."""
    action = planned()
    switch = stop(workflow.tenant, "action", action_kind="retry")
    sending.run_due()
    assert list(stopping.held_by(workflow.tenant, switch)) == [action]
    assert target.calls == []


def test_it_lists_what_is_in_flight_within_reach(planned: Planned, workflow: Workflow) -> None:
    """Sent before the stop, and going on: by tenant, workflow and vendor."""
    tenant = workflow.tenant
    action, waiting = planned(), planned(confidence=0.5)
    assert list(stopping.in_flight(tenant)) == []
    sending.run_due()
    assert waiting.status == "waiting"
    assert list(stopping.in_flight(tenant)) == [action]
    assert list(stopping.in_flight(a_tenant())) == []
    for reaching, switch in [
        (True, KillSwitch(scope="global")),
        (True, KillSwitch(scope="workflow", workflow=workflow)),
        (True, KillSwitch(scope="action", action_kind="retry")),
        (False, KillSwitch(scope="workflow", workflow=a_workflow(tenant))),
        (False, KillSwitch(scope="vendor", vendor="stripe")),
        (False, KillSwitch(scope="tenant", tenant=tenant, blocks="ingestion")),
    ]:
        assert list(stopping.in_flight(tenant, switch)) == [action] * reaching


def test_it_foretells_what_a_stop_means(planned: Planned, workflow: Workflow) -> None:
    """Counts, names and what is out; nothing is written."""
    tenant, now = workflow.tenant, timezone.now()
    sent = planned()
    sending.run_due()
    planned(confidence=0.5)
    planned()
    other = a_workflow(tenant, name="crm.sync", retry_url=workflow.retry_url, retry_secret=SECRET)
    planning.plan([a_decision(an_incident(other, vendor="stripe", error_code="e")).pk], now)
    seen = stopping.consequences(tenant, KillSwitch(scope="tenant", tenant=tenant), now)
    assert (seen.target, seen.stops_automation, seen.stops_ingestion) == (
        f"all of {tenant}", True, False,
    )  # fmt: skip
    assert seen.workflows == ("crm.sync", "payments.capture")
    assert (seen.planned, seen.waiting, seen.sent_last_hour) == (2, 1, 1)
    assert [(out.action_id, out.status) for out in seen.in_flight] == [(sent.pk, "verifying")]
    assert seen.goes_on == ("ingestion", "detection", "analysis", "escalations")
    vendor = KillSwitch(scope="vendor", tenant=tenant, vendor="Stripe")
    seen = stopping.consequences(tenant, vendor, now)
    assert (seen.workflows, seen.planned, seen.in_flight) == (("crm.sync",), 1, ())
    seen = stopping.consequences(tenant, vendor, now + timedelta(days=31))
    assert seen.workflows == ()
    both = KillSwitch(scope="workflow", tenant=tenant, workflow=other, blocks="both")
    seen = stopping.consequences(tenant, both, now)
    assert (seen.stops_ingestion, seen.workflows, seen.goes_on) == (
        True, ("crm.sync",), ("escalations",),
    )  # fmt: skip
    assert not KillSwitch.objects.exists()


def test_it_replays_only_what_people_choose_and_only_once(
    planned: Planned, workflow: Workflow, target: Target
) -> None:
    """Each through the gate once more; what was not chosen stays; a second time changes nothing."""
    tenant = workflow.tenant
    switch = stop(tenant)
    wanted, left, dropped = planned(), planned(), planned()
    with pytest.raises(Problem) as refused:
        replay(tenant, switch, wanted.pk)
    assert (refused.value.status, refused.value.code) == (409, "switch_engaged")
    resume(switch)
    sending.run_due()
    assert target.calls == []
    stranger = uuid4()
    assert replay(tenant, switch, wanted.pk, stranger, wanted.pk) == [
        ("done", "planned"),
        ("not_found", ""),
    ]
    assert drop(tenant, switch, dropped.pk, wanted.pk) == [
        ("done", "cancelled"),
        ("unchanged", "planned"),
    ]
    sending.run_due()
    assert replay(tenant, switch, wanted.pk) == [("unchanged", "verifying")]
    sending.run_due()
    assert [call["key"] for call in target.calls] == [str(wanted.pk)]
    assert list(stopping.held_by(tenant, switch)) == [left]
    ledger = {action.pk: action.status for action in stopping.skipped_by(tenant, switch)}
    assert ledger == {wanted.pk: "verifying", left.pk: "blocked", dropped.pk: "cancelled"}


def test_it_holds_a_replayed_action_again_for_another_switch(
    planned: Planned, workflow: Workflow, target: Target
) -> None:
    """Two switches held it; releasing one does not open the other."""
    tenant = workflow.tenant
    wide, narrow = stop(tenant), stop(tenant, "workflow", workflow=workflow)
    action = planned()
    resume(wide)
    assert replay(tenant, wide, action.pk) == [("done", "planned")]
    sending.run_due()
    assert target.calls == []
    assert list(stopping.held_by(tenant, narrow)) == [action]
    assert list(stopping.skipped_by(tenant, wide)) == []


def test_it_replays_nothing_beside_another_retry_or_of_an_incident_that_is_over(
    planned: Planned, workflow: Workflow, target: Target
) -> None:
    tenant = workflow.tenant
    switch = stop(tenant)
    rival, over = planned(), planned()
    resume(switch)
    services.request_action(incident=rival.incident, kind="retry", actor=ALICE, now=timezone.now())
    [verdict] = stopping.replay(
        tenant=tenant, switch=switch, action_ids=[rival.pk], actor=ALICE, now=timezone.now()
    )
    assert (verdict.outcome, verdict.status) == ("refused", "blocked")
    assert "already under way" in verdict.detail
    resolve(incident=over.incident, actor=ALICE, now=timezone.now(), comment="By hand")
    assert replay(tenant, switch, over.pk) == [("done", "planned")]
    sending.run_due()
    assert replay(tenant, switch, over.pk) == [("unchanged", "cancelled")]
    assert str(over.pk) not in [call["key"] for call in target.calls]


def test_it_knows_nothing_of_another_tenants_actions(
    planned: Planned, workflow: Workflow, target: Target
) -> None:
    """A global switch skipped actions of two tenants; each decides on its own alone."""
    switch = stop(None, "global")
    theirs = planned()
    resume(switch)
    stranger = a_tenant()
    assert list(stopping.skipped_by(stranger, switch)) == []
    assert replay(stranger, switch, theirs.pk) == [("not_found", "")]
    assert drop(stranger, switch, theirs.pk) == [("not_found", "")]
    assert Action.objects.get(pk=theirs.pk).status == "blocked"


@pytest.mark.django_db(transaction=True)
def test_of_many_who_replay_at_once_one_does(
    planned: Planned, workflow: Workflow, target: Target
) -> None:
    """Eight people press "run" and "drop" on the same skipped action: one verdict counts.

    Seen red without `lock_action` in `stopping._one`: losers read it as blocked and were "refused".
    """
    tenant = workflow.tenant
    switch = stop(tenant)
    action = planned()
    switch = resume(switch)

    def decide(number: int) -> tuple[str, str]:
        call = replay if number % 2 else drop
        return call(tenant, switch, action.pk)[0]

    verdicts = at_once(8, decide)
    outcomes = sorted(verdict[0] if isinstance(verdict, tuple) else "?" for verdict in verdicts)
    assert outcomes == ["done", *["unchanged"] * 7], verdicts
