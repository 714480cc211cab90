"""What is remembered, and of which action: retries, plans, and what people took back [D5]."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.utils import timezone

from actions import deciding
from actions.models import Action
from actions.plans import services as recoveries
from actions.reversing import reverse
from ai.cases import case_of
from ai.models import Outcome
from ai.services import remember
from awfdrs_site.kernel.actor import Actor
from incidents.models import Incident
from safety.selectors import policy_for, rules_for
from safety.services import ensure_default_rules
from tests.actions.driving import ANNA, BROKEN, PAUSE, Begin, drive

pytestmark = pytest.mark.django_db


def remembered() -> list[tuple[str, str]]:
    return list(Outcome.objects.order_by("at").values_list("action", "result"))


def test_a_rejected_retry_is_remembered_as_a_retry(planned: Callable[..., Action]) -> None:
    action = planned(confidence=0.4)
    deciding.reject(action=action, user=None, actor=ANNA, now=timezone.now())
    assert remembered() == [("retry", "rejected")]


def test_a_plan_that_rolled_back_is_remembered_by_its_name(begin: Begin) -> None:
    drive(begin(PAUSE, BROKEN))
    assert remembered() == [("plan:mend", "failed")]


def test_what_a_person_takes_back_was_no_success(begin: Begin) -> None:
    """One outcome a recovery, however often a person takes something of it back."""
    recovery = drive(begin(PAUSE))
    reverse(action=recovery.actions.get(), actor=ANNA, now=timezone.now())
    drive(recovery)
    recoveries.ask_undo(recovery=recovery, actor=ANNA, now=timezone.now())
    drive(recovery)
    assert remembered() == [("plan:mend", "reversed")]


def test_a_success_that_is_taken_back_turns(begin: Begin) -> None:
    """The row of the success says so from then on; there is no second one."""
    recovery = drive(begin(PAUSE))
    remember(recovery.incident, recovery.tried, "succeeded", timezone.now())
    recoveries.ask_undo(recovery=recovery, actor=ANNA, now=timezone.now())
    drive(recovery)
    assert remembered() == [("plan:mend", "reversed")]


def test_what_the_machine_takes_back_is_counted_as_what_it_was(begin: Begin) -> None:
    """A plan whose incident was closed under it is undone, and nothing is learnt."""
    recovery = drive(begin(PAUSE))
    machine = Actor("machine", "automation")
    recoveries.ask_undo(recovery=recovery, actor=machine, now=timezone.now())
    drive(recovery)
    assert remembered() == []


def test_a_plan_is_not_judged_by_retries(begin: Begin) -> None:
    """The history of a decision is that of the action it is about.

    Seen red without the filter by action in `ai.cases.case_of`.
    """
    ensure_default_rules()
    incident = begin(PAUSE).incident
    Incident.objects.filter(pk=incident.pk).update(opened_at=timezone.now())
    incident.refresh_from_db()
    for action, result in (("retry", "succeeded"), ("plan:mend", "failed"), ("wait", "succeeded")):
        remember(incident, action, result, incident.first_seen_at)
    policy = policy_for(incident.tenant_id, incident.workflow_id)
    case = case_of(incident, rules_for(incident.tenant_id), policy, timezone.now())
    assert (case.history.succeeded, case.history.failed) == (1, 0)
