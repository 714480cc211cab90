"""A retry of many at a pace: chunk after chunk, none twice, no minute with more [A1 A8 A9]."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from actions import asking, deciding, sending, services
from actions.models import Action
from actions.verification import verify
from ai.models import Outcome
from awfdrs_site.kernel import work
from awfdrs_site.kernel.actor import Actor
from awfdrs_site.kernel.problem import Problem
from incidents.detecting.detection import detect
from incidents.models import Incident
from safety.models import AutomationPolicy
from safety.services import engage_switch, release_switch
from tenants.models import Workflow
from tests.actions.conftest import an_incident
from tests.actions.driving import Begin, drive
from tests.actions.target import Target
from tests.builders import an_event
from tests.threads import at_once

ANNA = Actor("person", "anna")
MANY, PACE = 7, 3
STEP = "key: again, kind: retry, with: {per_minute: 3}"
MINUTE = timedelta(minutes=1)
pytestmark = pytest.mark.django_db


@pytest.fixture
def incident(workflow: Workflow) -> Incident:
    """Seven orders of one signature fail; nobody has decided anything."""
    for number in range(MANY - 1):
        an_event(workflow, resource_type="order", resource_id=str(number))
    incident = an_incident(workflow, resource_id=str(MANY - 1))
    assert incident.resources.count() == MANY
    return incident


def ask(incident: Incident, **parameters: Any) -> Action:
    fields: dict[str, Any] = {"parameters": {"per_minute": PACE} | parameters}
    return services.request_action(
        incident=incident, kind="retry", actor=ANNA, now=timezone.now(), **fields
    )


def send() -> None:
    """All that a person or the clock would let go now."""
    Action.objects.filter(status="planned").update(due_at=timezone.now())
    sending.run_due()


def a_minute_passes() -> None:
    for action in Action.objects.exclude(sent_at=None):
        Action.objects.filter(pk=action.pk).update(sent_at=action.sent_at - MINUTE)  # type: ignore[operator]


def succeed(workflow: Workflow, target: Target) -> None:
    """The engine reports success of what the last call asked for; stage `verify` sees it."""
    for resource in target.calls[-1]["body"]["resources"]:
        an_event(workflow, "success", **resource)
    work.run_due("detect", detect)
    work.run_due("verify", verify)


def asked(target: Target) -> list[list[str]]:
    """The orders of each call."""
    return [[r["resource_id"] for r in call["body"]["resources"]] for call in target.calls]


def chunks() -> list[tuple[int, int, str]]:
    rows = Action.objects.filter(kind="retry").order_by("id")
    return list(rows.values_list("attempt", "chunk", "status"))


def test_it_asks_for_chunk_after_chunk(
    incident: Incident, workflow: Workflow, target: Target
) -> None:
    """Each a minute after the last and once that has worked; one attempt, remembered once."""
    ask(incident)
    for _ in range(3):
        send()
        succeed(workflow, target)
        a_minute_passes()
    assert asked(target) == [["0", "1", "2"], ["3", "4", "5"], ["6"]]
    assert chunks() == [(1, 1, "succeeded"), (1, 2, "succeeded"), (1, 3, "succeeded")]
    incident.refresh_from_db()
    assert incident.status == "resolved"
    recovery = incident.recoveries.get()
    assert (recovery.status, recovery.actions.count()) == ("completed", 3)
    assert Outcome.objects.filter(incident=incident).count() == 1


def test_no_minute_has_more_than_its_pace(
    incident: Incident, workflow: Workflow, target: Target
) -> None:
    """However early the next chunk is let go: it is put off to the minute's end.

    Seen red without `free_at` in `sending.start`: sent at once after the first.
    """
    ask(incident)
    send()
    succeed(workflow, target)
    send()
    assert (len(target.calls), chunks()[-1]) == (1, (1, 2, "planned"))
    held = Action.objects.get(chunk=2)
    assert timedelta(seconds=50) < held.due_at - timezone.now() <= MINUTE
    switch = engage_switch(tenant=None, scope="global", actor=ANNA, now=timezone.now())
    a_minute_passes()
    send()
    assert chunks()[-1] == (1, 2, "blocked")
    release_switch(switch=switch, reason="x", actor=ANNA, now=timezone.now())
    services.run(action=held, actor=ANNA, now=timezone.now())
    send()
    assert asked(target)[1:] == [["3", "4", "5"]]


def test_a_chunk_that_fails_ends_the_attempt(
    incident: Incident, workflow: Workflow, target: Target
) -> None:
    """Nothing more is asked for, and a person is called."""
    ask(incident)
    send()
    an_event(workflow, resource_type="order", resource_id="1")
    work.run_due("detect", detect)
    Action.objects.filter(kind="retry").update(verify_until=timezone.now())
    verify([incident.pk], timezone.now())
    assert chunks() == [(1, 1, "failed")]
    assert Action.objects.filter(kind="escalate").count() == 1


def test_a_lost_answer_is_asked_after_and_no_order_is_asked_for_twice(
    incident: Incident, workflow: Workflow, target: Target
) -> None:
    """Chunk by chunk: each in doubt once, each sent once."""
    target.answers = ["drop"]
    ask(incident)
    for _ in range(3):
        send()
        send()
        Action.objects.filter(status="unknown").update(due_at=timezone.now())
        asking.run_due(timezone.now())
        succeed(workflow, target)
        a_minute_passes()
    orders = Counter(order for call in asked(target) for order in call)
    assert orders == {str(number): 1 for number in range(MANY)}
    assert len(target.asked) == 3


class _CrashError(Exception):
    """The worker dies before its commit."""


@pytest.mark.django_db(transaction=True)
def test_a_crash_between_chunks_leaves_one_next_chunk(
    incident: Incident, workflow: Workflow, target: Target
) -> None:
    """The end of a chunk and the next one are one commit, and eight workers at once make one.

    Seen red without the locks of `verify`: several met the constraint of one active retry.
    """
    ask(incident)
    send()
    for resource in target.calls[-1]["body"]["resources"]:
        an_event(workflow, "success", **resource)
    work.run_due("detect", detect)
    with pytest.raises(_CrashError), transaction.atomic():
        verify([incident.pk], timezone.now())
        assert chunks()[-1] == (1, 2, "planned")
        raise _CrashError
    assert chunks() == [(1, 1, "verifying")]
    outcomes = at_once(8, lambda _: verify([incident.pk], timezone.now()))
    assert outcomes == [{}] * 8
    assert chunks() == [(1, 1, "succeeded"), (1, 2, "planned")]
    a_minute_passes()
    at_once(4, lambda _: send())
    assert asked(target) == [["0", "1", "2"], ["3", "4", "5"]]


def test_one_approval_holds_for_all_chunks(
    incident: Incident, workflow: Workflow, target: Target
) -> None:
    """Of who asked two people had to approve; the later chunks ask nobody again."""
    AutomationPolicy.objects.create(requester_may_approve=False, cooldown_seconds=300)
    first = ask(incident)
    assert first.status == "waiting"
    tunde = Actor("person", "tunde")
    deciding.approve(action=first, user=None, actor=tunde, now=timezone.now())
    send()
    succeed(workflow, target)
    a_minute_passes()
    send()
    second = Action.objects.get(chunk=2)
    assert (second.status, second.decided_by_name, second.requested_by) == (
        "verifying",
        "tunde",
        "anna",
    )
    Workflow.objects.update(retry_url=f"{target.url}/elsewhere")
    succeed(workflow, target)
    a_minute_passes()
    send()
    assert Action.objects.get(chunk=3).status == "waiting"


def test_a_plans_step_is_done_with_its_last_chunk(
    begin: Begin, workflow: Workflow, target: Target
) -> None:
    """Until then the plan's next step waits; undoing it between chunks sends no further one."""
    for number in range(4):
        an_event(workflow, resource_type="order", resource_id=f"a{number}")
    recovery = drive(begin(STEP, "key: tell, kind: notify, with: {text: done}"))
    succeed(workflow, target)
    recovery = drive(recovery)
    assert (recovery.status, [len(call) for call in asked(target)]) == ("executing", [3])
    assert not recovery.actions.filter(step="tell").exists()
    a_minute_passes()
    drive(recovery)
    succeed(workflow, target)
    recovery = drive(recovery)
    assert (recovery.status, [len(call) for call in asked(target)]) == ("completed", [3, 2])


@pytest.mark.parametrize("given", [0, 6_001, "fast", 1.5])
def test_it_says_what_is_wrong_with_the_pace(incident: Incident, given: Any) -> None:
    with pytest.raises(Problem) as refused:
        ask(incident, per_minute=given)
    assert [error.field for error in refused.value.errors] == ["parameters.per_minute"]


def test_without_a_pace_all_are_asked_for_at_once(incident: Incident, target: Target) -> None:
    services.request_action(incident=incident, kind="retry", actor=ANNA, now=timezone.now())
    send()
    assert [len(call) for call in asked(target)] == [MANY]
