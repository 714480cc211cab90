"""Two people for what is critical, and no word in one's own cause where the policy says so [A4]."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from actions import deciding, sending, services
from actions.models import Action
from awfdrs_site.kernel.actor import Actor
from awfdrs_site.kernel.models import AuditEntry
from awfdrs_site.kernel.problem import Problem
from incidents.models import Incident
from safety.models import AutomationPolicy
from tenants.models import Workflow
from tests.actions.conftest import an_incident
from tests.actions.target import Target
from tests.actions.test_guards import Planned
from tests.threads import at_once

pytestmark = pytest.mark.django_db
KEY = Actor("sender", "key of the pager")


@pytest.fixture
def people(db: None) -> list[Actor]:
    users = [User.objects.create(username=f"person-{n}") for n in range(3)]
    return [Actor("person", user.username, user.pk) for user in users]


@pytest.fixture
def critical(planned: Planned) -> Action:
    action = planned(confidence=0.5)
    Incident.objects.update(severity="critical")
    return Action.objects.get(pk=action.pk)


def approve(action: Action, actor: Actor) -> Action:
    return deciding.approve(action=action, user=None, actor=actor, now=timezone.now())


def refused(action: Action, actor: Actor) -> tuple[int, str]:
    with pytest.raises(Problem) as refusal:
        approve(action, actor)
    return refusal.value.status, refusal.value.code


def test_what_is_critical_runs_when_two_have_approved(
    critical: Action, people: list[Actor], target: Target
) -> None:
    """The first is recorded and leaves it waiting; the second lets it run; both are named.

    Seen red with `approvals_needed` always 1: planned after the first.
    """
    first = approve(critical, people[0])
    assert (first.status, first.decided_at) == ("waiting", None)
    assert [one["by"] for one in first.approvals] == ["person-0"]
    assert AuditEntry.objects.get(subject_id=str(critical.pk), verb="approved").after == "1 of 2"
    second = approve(critical, people[1])
    assert (second.status, second.decided_by_name) == ("planned", "person-0 and person-1")
    Action.objects.update(due_at=timezone.now())
    sending.run_due()
    assert len(target.calls) == 1


def test_one_person_is_not_two(critical: Action, people: list[Actor]) -> None:
    """Twice the same, or a key: refused, and it waits on."""
    approve(critical, people[0])
    assert refused(critical, people[0]) == (409, "already_approved")
    assert refused(critical, KEY) == (403, "permission_denied")
    assert Action.objects.get(pk=critical.pk).status == "waiting"


@pytest.mark.parametrize(
    ("word", "severity", "needed"),
    [("never", "critical", 1), ("critical", "high", 1), ("critical", "critical", 2),
     ("always", "low", 2)],
)  # fmt: skip
def test_the_policy_says_how_many(word: str, severity: str, needed: int) -> None:
    assert AutomationPolicy(second_approver=word).approvals_needed(severity) == needed


def test_an_approval_of_something_else_does_not_count(
    critical: Action, people: list[Actor], workflow: Workflow
) -> None:
    """The target changed between the two: the first must look again."""
    approve(critical, people[0])
    Workflow.objects.filter(pk=workflow.pk).update(retry_url=f"{workflow.retry_url}?other")
    again = approve(critical, people[1])
    assert (again.status, [one["by"] for one in again.approvals]) == ("waiting", ["person-1"])
    assert approve(critical, people[0]).status == "planned"


def test_a_no_of_anyone_is_a_no(critical: Action, people: list[Actor]) -> None:
    approve(critical, people[0])
    deciding.reject(action=critical, user=None, actor=people[1], now=timezone.now())
    assert refused(critical, people[2]) == (409, "already_decided")


def test_taken_back_it_needs_two_again(critical: Action, people: list[Actor]) -> None:
    for person in people[:2]:
        approve(critical, person)
    taken = deciding.take_back(action=critical, actor=people[2], now=timezone.now())
    assert (taken.status, taken.approvals) == ("waiting", [])


@pytest.mark.django_db(transaction=True)
def test_of_one_person_at_many_screens_one_word_counts(
    critical: Action, people: list[Actor]
) -> None:
    """Ten clicks of one person at once never make two approvals."""
    at_once(10, lambda _: approve(critical, people[0]))
    action = Action.objects.get(pk=critical.pk)
    assert (action.status, len(action.approvals)) == ("waiting", 1)


def test_what_a_dry_run_held_back_one_person_does_not_run(
    critical: Action, people: list[Actor]
) -> None:
    """Running it by hand is an approval too, so it needs two as well."""
    receipt = {"checks": [{"name": "dry_run", "verdict": "block"}]}
    Action.objects.update(status="blocked", receipt=receipt)
    with pytest.raises(Problem) as refusal:
        services.run(action=critical, actor=people[0], now=timezone.now())
    assert refusal.value.code == "second_approver_needed"
    AutomationPolicy.objects.create(tenant=critical.tenant, second_approver="never")
    assert services.run(action=critical, actor=people[0], now=timezone.now()).status == "planned"


@pytest.mark.parametrize(
    "policy", [{"second_approver": "always"}, {"requester_may_approve": False}]
)
def test_a_persons_own_retry_waits_for_another(
    workflow: Workflow, people: list[Actor], policy: dict[str, Any]
) -> None:
    """Their request is no approval; alone they cannot let it run."""
    AutomationPolicy.objects.create(tenant=workflow.tenant, **policy)
    action = services.request_action(
        incident=an_incident(workflow), kind="retry", actor=people[0], now=timezone.now()
    )
    assert action.status == "waiting"
    if "second_approver" in policy:
        assert approve(action, people[0]).status == "waiting"
    else:
        assert refused(action, people[0]) == (409, "own_request")
    assert approve(action, people[1]).status == "planned"
