"""The kinds of action that are done here: pauses, notices, waits, probes [A1 A9 S6]."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from actions import sending
from actions.catalog import kind_named
from actions.catalog.kind import Order
from actions.models import Action
from actions.plans import services as recoveries
from actions.plans import stage
from awfdrs_site.kernel import work
from awfdrs_site.kernel.problem import Problem
from incidents.detecting.detection import detect
from incidents.models import TimelineEntry
from safety.models import AutomationPolicy, KillSwitch
from safety.services import engage_switch, release_switch
from tenants.models import Workflow
from tests.actions.driving import (
    ANNA,
    BROKEN,
    PAUSE,
    RESUME,
    RETRY,
    Begin,
    drive,
    engaged,
    event,
    later,
)
from tests.actions.target import Target
from tests.builders import an_event
from tests.threads import at_once

MINUTE = timedelta(minutes=1)
pytestmark = pytest.mark.django_db


def test_a_pause_stops_every_recovery_but_its_own(
    begin: Begin, workflow: Workflow, planned: Callable[..., Action], target: Target
) -> None:
    """The plan's next step is sent through the stop that the plan engaged; another's is blocked.

    Seen red without `gatekeeping._switches_before`: the plan's own retry was blocked.
    """
    AutomationPolicy.objects.create(cooldown_seconds=0)
    recovery = drive(begin(PAUSE, RETRY))
    [switch] = engaged()
    assert (switch.scope, switch.workflow, switch.engaged_by) == (
        "workflow",
        workflow,
        "automation",
    )
    pause = recovery.actions.get(step="pause")
    assert switch.action_id == pause.pk and str(pause.pk) in switch.reason
    assert timedelta(minutes=9) < switch.expires_at - timezone.now() <= 10 * MINUTE  # type: ignore[operator]
    assert recovery.actions.get(step="again").status == "verifying"
    assert len(target.calls) == 1
    other = planned()
    assert (other.status, other.stopped_by) == ("blocked", switch)


def test_a_plan_that_fails_resumes_what_it_paused(begin: Begin) -> None:
    """Without an undo in the plan: the kind knows its own."""
    recovery = drive(begin(PAUSE, BROKEN))
    assert recovery.status == "rolled_back"
    assert recovery.actions.get(role="undo").kind == "resume_workflow"
    assert not engaged()
    [switch] = KillSwitch.objects.all()
    assert switch.released_by == "automation"


def test_a_plan_pauses_and_resumes(begin: Begin) -> None:
    """As its steps say; the timeline tells both."""
    assert drive(begin(PAUSE, RESUME)).status == "completed"
    assert not engaged()
    told = list(TimelineEntry.objects.filter(kind="action").values_list("text", flat=True))
    assert [text for text in told if "paused" in text or "goes on" in text] == [
        "Automation of payments.capture is paused for 10 m",
        "Automation of payments.capture goes on",
    ]


def stop(workflow: Workflow) -> KillSwitch:
    return engage_switch(
        tenant=workflow.tenant, scope="workflow", workflow=workflow, actor=ANNA, now=timezone.now()
    )


def test_a_persons_stop_is_never_resumed(begin: Begin, workflow: Workflow) -> None:
    """A plan that finds one is blocked by it, and leaves it as it is."""
    stop(workflow)
    recovery = drive(begin(PAUSE, RESUME))
    assert recovery.status == "needs_human"
    assert [switch.engaged_by for switch in engaged()] == ["anna"]


def test_a_pause_that_a_person_takes_over_is_theirs(begin: Begin, workflow: Workflow) -> None:
    """Who stops what automation has paused stopped it: no undo resumes it.

    Seen red without the hand-over in `safety.services._widen`: the undo released Anna's stop.
    """
    recovery = drive(begin(PAUSE))
    switch = stop(workflow)
    assert [switch] == engaged()
    recoveries.ask_undo(recovery=recovery, actor=ANNA, now=timezone.now())
    recovery = drive(recovery)
    assert [one.engaged_by for one in engaged()] == ["anna"]
    assert recovery.status == "needs_human"
    release_switch(switch=switch, reason="mended", actor=ANNA, now=timezone.now())
    assert not engaged()


@pytest.mark.django_db(transaction=True)
def test_workers_that_pause_at_once_do_not_wait_for_each_other(
    begin: Begin, workflow: Workflow
) -> None:
    """Six recoveries pause one workflow together: one switch, each action done at its first try.

    Seen red with the shared lock in `sending.start`: they held it shared and waited for each other
    until PostgreSQL ended all but one.
    """
    AutomationPolicy.objects.create(cooldown_seconds=0)
    for number in range(6):
        begin(PAUSE, resource_id=str(number), error_code=f"code_{number}")
    work.run_due("recover", stage.recover)
    claimed = [sending.claim(timezone.now()) for _ in range(6)]
    outcomes = at_once(6, lambda number: sending.deliver(claimed[number]))  # type: ignore[arg-type]
    assert outcomes == [None] * 6
    assert len(engaged()) == 1
    # The first pauses; the others find the switch before them, and are blocked by it.
    statuses = sorted(Action.objects.values_list("status", flat=True))
    assert statuses == ["blocked"] * 5 + ["succeeded"]


def test_it_tells_people(begin: Begin) -> None:
    """A line in the timeline, its references filled in; nothing holds it back."""
    engage_switch(tenant=None, scope="global", actor=ANNA, now=timezone.now())
    notice = 'key: tell, kind: notify, with: {text: "Look at ${incident.resource_id}"}'
    assert drive(begin(notice)).status == "completed"
    assert TimelineEntry.objects.filter(text="Look at 7").exists()


def test_it_waits_before_the_next_step(begin: Begin) -> None:
    """As long as the step says, however short its timeout is."""
    recovery = drive(begin("key: w, kind: wait, with: {seconds: 900}, timeout_seconds: 5", RESUME))
    assert (recovery.status, recovery.actions.count()) == ("executing", 1)
    later(seconds=890)
    assert drive(recovery).actions.count() == 1
    later(seconds=901)
    assert drive(recovery).status == "completed"


def test_a_success_of_the_workflow_verifies_a_plan(begin: Begin, workflow: Workflow) -> None:
    """One from before the step proves nothing; one of another order after it does."""
    event(workflow, "success", resource_id="1", received_at=timezone.now() - MINUTE)
    recovery = drive(begin(PAUSE, verify="kind: probe_success, with: {successes: 2}"))
    assert recovery.status == "verifying"
    event(workflow, "success", resource_id="2")
    assert drive(recovery).status == "verifying"
    event(workflow, "success", resource_id="3")
    recovery = drive(recovery)
    assert (recovery.status, recovery.incident.status) == ("completed", "resolved")


@pytest.mark.parametrize("probe", ["probe_success", "probe_quiet"])
def test_the_same_failure_again_fails_the_probe(
    begin: Begin, workflow: Workflow, probe: str
) -> None:
    """At once; another kind of failure does not count. The plan is undone."""
    recovery = drive(begin(PAUSE, verify=f"kind: {probe}, tries: 1"))
    event(workflow, "failure", error_code="other", resource_id="8")
    assert drive(recovery).status == "verifying"
    event(workflow, "failure", resource_type="order", resource_id="9")
    recovery = drive(recovery)
    assert (recovery.status, engaged()) == ("rolled_back", [])
    assert Action.objects.filter(kind="escalate").count() == 1


def test_a_further_try_looks_from_its_own_beginning(begin: Begin, workflow: Workflow) -> None:
    """What failed the first try does not fail the second."""
    recovery = drive(begin(PAUSE, verify="kind: probe_success, tries: 2"))
    event(workflow, "failure", resource_type="order", resource_id="9")
    recovery = drive(recovery)
    assert (recovery.status, recovery.reason) == ("verifying", "Try 2 of 2.")
    event(workflow, "success", resource_id="3")
    assert drive(recovery).status == "completed"


def test_a_failure_before_the_probe_begins_is_none_of_quiet(
    begin: Begin, workflow: Workflow
) -> None:
    """Between the last step and the probe there may be a wait, or a worker that comes late.

    Seen red with the probe's own beginning in the place of `acted_until`: verified.
    """
    recovery = drive(begin(PAUSE, verify="kind: probe_quiet, tries: 1"), rounds=1)
    event(workflow, "failure", resource_type="order", resource_id="9")
    assert drive(recovery).status == "rolled_back"


def test_quiet_is_quiet_for_all_of_its_time(begin: Begin, workflow: Workflow) -> None:
    """Not before its seconds are over, and not while a failure from before waits to be looked at.

    Seen red without `probing.failures_in_hand`: it was quiet with the failure in the queue.
    """
    long_ago = timezone.now() - 30 * MINUTE
    plan = "kind: probe_quiet, with: {seconds: 600}"
    recovery = drive(begin(PAUSE, verify=plan, received_at=long_ago))
    assert recovery.status == "verifying"
    Action.objects.filter(status="verifying").update(
        sent_at=timezone.now() - 10 * MINUTE, verify_until=timezone.now() + MINUTE
    )
    an_event(workflow, "failure", error_code="other", received_at=timezone.now() - MINUTE)
    assert drive(recovery).status == "verifying"
    work.run_due("detect", detect)
    recovery = drive(recovery)
    assert (recovery.status, recovery.incident.status) == ("completed", "resolved")


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        ("pause_workflow", {"seconds": 0}),
        ("pause_workflow", {"seconds": 86_401}),
        ("pause_workflow", {"minutes": 1}),
        ("resume_workflow", {"switch": "1"}),
        ("notify", {}),
        ("notify", {"text": ""}),
        ("notify", {"text": "x" * 501}),
        ("wait", {}),
        ("wait", {"seconds": -1}),
        ("wait", {"seconds": float("nan")}),
        ("probe_success", {"successes": 0}),
        ("probe_quiet", {"seconds": 0}),
        ("probe_quiet", {"seconds": "soon"}),
    ],
)
def test_it_says_what_is_wrong_with_its_parameters(kind: str, given: dict[str, Any]) -> None:
    """When the plan is saved, not when the step runs."""
    assert kind_named(kind).check(given)


@pytest.mark.parametrize(
    ("kind", "given", "says"),
    [
        ("pause_workflow", {"seconds": 600}, "Stops automation for payments.capture for 10 m."),
        ("resume_workflow", {}, "Lets automation of payments.capture go on"),
        ("notify", {"text": "Look."}, "Tells people: Look."),
        ("wait", {"seconds": 2.5}, "Waits 2.5 s."),
        ("probe_success", {}, "payments.capture reports 1 success"),
        ("probe_quiet", {}, "Watches for 60 s"),
    ],
)
def test_its_preview_says_what_will_happen(
    planned: Callable[..., Action], kind: str, given: dict[str, Any], says: str
) -> None:
    """In words, before anybody approves it; nothing is written or called."""
    order = Order(planned(), timezone.now())
    before = TimelineEntry.objects.count()
    found = kind_named(kind)
    assert says in found.preview(order, found.read(given)).says
    assert TimelineEntry.objects.count() == before


def test_a_kind_that_cannot_be_undone_marks_its_step(begin: Begin, monkeypatch: Any) -> None:
    """Whatever the plan says: it always asks a person, and may have no undo."""
    monkeypatch.setattr(kind_named("notify"), "irreversible", True)
    final = "key: tell, kind: notify, with: {text: x}"
    assert drive(begin(final, PAUSE)).actions.get(step="pause").status == "waiting"
    with pytest.raises(Problem) as refused:
        begin(final + ", undo: {kind: resume_workflow}")
    assert [(error.field, error.code) for error in refused.value.errors] == [
        ("tell.undo", "irreversible")
    ]
