"""A standby engine runs a workflow's retries, until that is taken back [A1 A4 A8]."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from django.conf import settings
from django.utils import timezone

from actions import asking, deciding, sending
from actions.catalog import kind_named
from actions.catalog.kind import Order
from actions.models import Action
from actions.previewing import preview_of
from actions.retry_call import sign
from actions.reversing import reverse
from awfdrs_site.kernel.actor import MACHINE, Actor
from awfdrs_site.kernel.models import AuditEntry
from awfdrs_site.kernel.strict_json import encode
from safety.models import AutomationPolicy
from tenants.engines import fail_back, fail_over
from tenants.models import Workflow
from tests.actions.conftest import SECRET
from tests.actions.driving import BROKEN, RETRY, Begin, drive
from tests.actions.target import Target, a_target
from tests.threads import at_once

ANNA = Actor("person", "anna")
FAILOVER = "key: over, kind: failover"
STANDBY_SECRET = "whsec_" + "c3RhbmRieS1zdGFuZGJ5LXN0YW5kYnktMTI="
pytestmark = pytest.mark.django_db
Planned = Callable[..., Action]


@pytest.fixture
def standby(workflow: Workflow) -> Iterator[Target]:
    """The other engine, known to the workflow."""
    AutomationPolicy.objects.create(cooldown_seconds=0)
    with a_target() as other:
        workflow.standby_retry_url, workflow.standby_retry_secret = other.url, STANDBY_SECRET
        workflow.save()
        yield other


def switch_over(workflow: Workflow) -> None:
    by, action = "INC-1", Action.objects.latest("id").pk
    now = timezone.now()
    assert fail_over(workflow=workflow, by=by, action_id=action, actor=MACHINE, now=now)


def send_all() -> None:
    Action.objects.filter(status="planned").update(due_at=timezone.now())
    sending.run_due()


def engine(workflow: Workflow) -> str:
    return Workflow.objects.get(pk=workflow.pk).engine


def test_a_plan_fails_over_and_the_standby_gets_the_retry(
    begin: Begin, workflow: Workflow, target: Target, standby: Target
) -> None:
    """Signed with the standby's secret; which engine got it is stored, its secret is not."""
    recovery = drive(begin(FAILOVER, RETRY))
    assert (len(target.calls), len(standby.calls)) == (0, 1)
    stored = Workflow.objects.get(pk=workflow.pk)
    assert (stored.engine, stored.failed_over_by) == ("standby", recovery.incident.label)
    retry = recovery.actions.get(step="again")
    assert retry.parameters["engine"] == "standby"
    assert STANDBY_SECRET not in str(retry.parameters) + str(list(AuditEntry.objects.values()))
    headers = standby.calls[0]["headers"]
    stamp = int(headers["webhook-timestamp"])
    body = encode(standby.calls[0]["body"])
    assert headers["webhook-signature"] == sign(STANDBY_SECRET, str(retry.pk), stamp, body)


def test_the_engine_that_got_it_is_asked(
    planned: Planned, workflow: Workflow, target: Target, standby: Target
) -> None:
    """Its answer was lost, and the workflow failed over since: the standby knows nothing of it.

    Seen red with the engine of the moment in `retry._endpoint`: the standby was asked, had never
    heard of it, and the retry counted as not taken.
    """
    target.answers = ["drop"]
    action = planned()
    send_all()
    assert Action.objects.get(pk=action.pk).status == "unknown"
    switch_over(workflow)
    Action.objects.update(due_at=timezone.now())
    asking.run_due(timezone.now())
    assert (target.asked, standby.asked) == ([str(action.pk)], [])
    assert Action.objects.get(pk=action.pk).status == "verifying"


def test_a_failover_ends_the_approvals_given_before(
    planned: Planned, workflow: Workflow, target: Target, standby: Target
) -> None:
    """What was approved for one engine waits again, and neither engine is called.

    Seen red with the workflow's own address in `Retry.preview`: the standby was called.
    """
    action = planned(confidence=0.5)
    deciding.approve(action=action, user=None, actor=ANNA, now=timezone.now())
    switch_over(workflow)
    send_all()
    action.refresh_from_db()
    assert (action.status, action.decided_by_name) == ("waiting", "")
    assert (target.calls, standby.calls) == ([], [])
    deciding.approve(action=action, user=None, actor=ANNA, now=timezone.now())
    send_all()
    assert (len(target.calls), len(standby.calls)) == (0, 1)


def test_a_plan_that_fails_over_is_approved_once(
    begin: Begin, workflow: Workflow, standby: Target
) -> None:
    """Its own failover is part of what was approved: both engines are shown, before and after.

    Seen red without `retry._engines`: the retry waited for a second approval.
    """
    AutomationPolicy.objects.update(confidence_threshold=1.0)
    recovery = drive(begin(FAILOVER, RETRY))
    first = recovery.actions.get()
    assert first.status == "waiting"
    shown = preview_of(first, timezone.now())
    assert shown.lines[0].calls == (f"Retries: POST {standby.url}",)
    assert shown.lines[1].calls == (f"POST {workflow.retry_url}", f"POST {standby.url}")
    deciding.approve(
        action=first, user=None, actor=ANNA, now=timezone.now(), preview_hash=shown.hash
    )
    drive(recovery)
    assert len(standby.calls) == 1


def test_taken_back_its_own_engine_is_asked_again(
    begin: Begin, planned: Planned, workflow: Workflow, target: Target, standby: Target
) -> None:
    recovery = drive(begin(FAILOVER))
    reverse(action=recovery.actions.get(), actor=ANNA, now=timezone.now())
    drive(recovery)
    assert engine(workflow) == "primary"
    planned()
    send_all()
    assert (len(target.calls), len(standby.calls)) == (1, 0)


def test_a_plan_that_fails_fails_back(begin: Begin, workflow: Workflow, standby: Target) -> None:
    """Its kind knows the undo."""
    broken = BROKEN.replace("pause", "over")
    assert drive(begin(FAILOVER, broken)).status == "rolled_back"
    assert engine(workflow) == "primary"


def test_a_failover_of_another_is_left_alone(
    begin: Begin, workflow: Workflow, standby: Target
) -> None:
    """The second finds it done and takes nothing back; the first does.

    Seen red without the question of whose it is in `fail_back`.
    """
    first = drive(begin(FAILOVER, error_code="a"))
    second = drive(begin(FAILOVER, "key: back, kind: failback", error_code="b"))
    assert (second.status, engine(workflow)) == ("completed", "standby")
    assert not any("workflow" in action.result for action in second.actions.all())
    reverse(action=first.actions.get(), actor=ANNA, now=timezone.now())
    drive(first)
    assert engine(workflow) == "primary"


@pytest.mark.parametrize(
    ("url", "says"), [("", "has no standby engine"), ("http://10.0.0.1/x", "RETRY_ALLOWED_HOSTS")]
)
def test_without_a_standby_that_may_be_called_the_step_fails(
    begin: Begin, workflow: Workflow, standby: Target, url: str, says: str
) -> None:
    """And says why; nothing is switched."""
    Workflow.objects.update(standby_retry_url=url)
    recovery = drive(begin(FAILOVER))
    assert recovery.status == "failed"
    assert says in recovery.actions.get(step="over").result["reason"]
    assert engine(workflow) == "primary"


def test_a_standby_that_is_taken_away_leaves_the_own_engine(
    begin: Begin, workflow: Workflow, standby: Target
) -> None:
    drive(begin(FAILOVER))
    Workflow.objects.update(standby_retry_url="")
    assert engine(workflow) == "primary"


@pytest.mark.django_db(transaction=True)
def test_of_many_at_once_one_fails_over(
    planned: Planned, workflow: Workflow, standby: Target
) -> None:
    """And of many one back; each is audited once."""
    action, now = planned().pk, timezone.now()

    def over(_: int) -> object:
        return fail_over(workflow=workflow, by="x", action_id=action, actor=MACHINE, now=now)

    assert sorted(map(bool, at_once(8, over))) == [False] * 7 + [True]
    done = at_once(8, lambda _: fail_back(workflow=workflow, actor=MACHINE, now=now))
    assert sorted(map(bool, done)) == [False] * 7 + [True]
    verbs = AuditEntry.objects.filter(verb__startswith="failed_")
    assert sorted(verbs.values_list("verb", flat=True)) == ["failed_back", "failed_over"]


def test_its_preview_says_what_is_missing(planned: Planned, workflow: Workflow) -> None:
    found = kind_named("failover").preview(Order(planned(), timezone.now()), None)
    assert found.says == "Fails: payments.capture has no standby engine."
    assert settings.RETRY_ALLOWED_HOSTS and SECRET not in found.says
