"""From a decision to a verified recovery, against a real HTTP endpoint [A1 A8 A9]."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from actions import asking, planning, sending, verification
from actions.models import Action
from awfdrs_site.kernel import work
from incidents.detecting.detection import detect
from incidents.models import Incident
from tenants.models import Workflow
from tests.actions.conftest import AT_ONCE, SECRET, a_decision, an_incident
from tests.actions.target import Target
from tests.builders import an_event

pytestmark = pytest.mark.django_db
Planned = Callable[..., Action]


def state(action: Action) -> str:
    return Action.objects.get(pk=action.pk).status


def report(workflow: Workflow, kind: str, order: str = "7") -> None:
    """The engine's own event about an order, and what follows from it."""
    code = f"code_{order}"
    an_event(workflow, kind, resource_type="order", resource_id=order, error_code=code)
    work.run_due("detect", detect)
    work.run_due("verify", verification.verify)


def test_a_sure_retry_is_sent_signed_and_verified(
    planned: Planned, target: Target, workflow: Workflow
) -> None:
    """Planned, sent once with a valid signature, verified by the success event, resolved."""
    action = planned()
    assert (action.status, action.receipt["outcome"]) == ("planned", "run")
    sending.run_due()
    assert state(action) == "verifying"
    [call] = target.calls
    assert call["key"] == str(action.pk)
    assert call["body"]["resources"] == [{"resource_type": "order", "resource_id": "7"}]
    headers = call["headers"]
    assert headers["webhook-id"] == str(action.pk)
    report(workflow, "success")
    incident = Incident.objects.get()
    assert (state(action), incident.status, incident.recovery) == (
        "succeeded",
        "resolved",
        "recovered",
    )


def test_the_signature_is_that_of_standard_webhooks() -> None:
    """`v1,` base64(HMAC-SHA256(secret, "id.timestamp.body")), by the specification's own words."""
    from actions.retry_call import sign

    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    expected = hmac.new(key, b'msg_1.1700000000.{"a":1}', hashlib.sha256).digest()
    assert sign(SECRET, "msg_1", 1700000000, b'{"a":1}') == (
        "v1," + base64.b64encode(expected).decode()
    )


def test_a_failed_retry_is_followed_by_the_next_and_then_by_a_person(
    planned: Planned, target: Target, workflow: Workflow
) -> None:
    """Three attempts are allowed: each fails again, then on-call is told; never a fourth call."""
    planned()
    for _ in range(3):
        sending.run_due()
        report(workflow, "failure")
    sending.run_due()
    rows = Action.objects.order_by("created_at", "pk").values_list("kind", "status", "attempt")
    assert list(rows) == [
        ("retry", "failed", 1),
        ("retry", "failed", 2),
        ("retry", "failed", 3),
        ("escalate", "succeeded", 1),
    ]
    assert len(target.calls) == len({call["key"] for call in target.calls}) == 3
    incident = Incident.objects.get()
    assert incident.recovery == "escalated"
    assert incident.escalated_at is not None


def test_no_success_in_the_window_counts_as_failed(planned: Planned, workflow: Workflow) -> None:
    action = planned()
    sending.run_due()
    Action.objects.update(verify_until=timezone.now() - timedelta(seconds=1))
    verification.verify([action.incident_id], timezone.now())
    assert state(action) == "failed"
    assert "No success within" in Action.objects.get(pk=action.pk).result["reason"]


def test_another_order_that_succeeds_verifies_nothing(planned: Planned, workflow: Workflow) -> None:
    action = planned()
    sending.run_due()
    report(workflow, "success", order="8")
    assert state(action) == "verifying"


@pytest.mark.parametrize(
    ("answer", "expected"), [(401, "failed"), (503, "failed"), (500, "unknown")]
)
def test_what_the_engine_says_decides(
    planned: Planned, target: Target, answer: int, expected: str
) -> None:
    """A refusal is certain: nothing ran. A 500 may come after the deed: it is in doubt."""
    target.answers = [answer]
    action = planned()
    sending.claim(timezone.now())
    claimed = Action.objects.get(pk=action.pk)
    sending.deliver(claimed)
    assert state(action) == expected


def test_a_lost_answer_is_asked_after_and_never_sent_again(
    planned: Planned, target: Target, workflow: Workflow
) -> None:
    """The connection drops after the engine took the call: it is asked, and says it has it."""
    target.answers = ["drop"]
    action = planned()
    sending.run_due()
    assert state(action) == "unknown"
    Action.objects.update(due_at=timezone.now())
    asking.run_due(timezone.now())
    assert state(action) == "verifying"
    assert target.asked == [str(action.pk)]
    assert len(target.calls) == 1
    report(workflow, "success")
    assert state(action) == "succeeded"


def test_a_call_that_never_arrived_gives_way_to_the_next_attempt(
    planned: Planned, target: Target
) -> None:
    """In doubt, and the engine says it never got the key: failed, and attempt 2 is planned."""
    target.answers = [500, 202]
    action = planned()
    sending.run_due()
    assert state(action) == "unknown"
    Action.objects.update(due_at=timezone.now())
    asking.run_due(timezone.now())
    assert state(action) == "failed"
    assert Action.objects.filter(kind="retry", status="planned", attempt=2).exists()


def test_an_engine_that_is_down_is_a_certain_failure(
    planned: Planned, target: Target, workflow: Workflow
) -> None:
    Workflow.objects.update(retry_url="http://127.0.0.1:9/retry")
    action = planned()
    sending.deliver(sending.claim(timezone.now()))
    assert state(action) == "failed"
    assert target.calls == []


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data",
        "http://user@127.0.0.1/",
        "file:///etc/passwd",
        "http://example.com/",
    ],
)
def test_it_calls_only_hosts_on_the_list(planned: Planned, url: str) -> None:
    """An address outside RETRY_ALLOWED_HOSTS is never connected to."""
    Workflow.objects.update(retry_url=url)
    action = planned()
    sending.deliver(sending.claim(timezone.now()))
    assert state(action) == "failed"
    detail = Action.objects.get(pk=action.pk).result["detail"]
    assert "RETRY_ALLOWED_HOSTS" in detail or "plain http(s)" in detail


def test_an_incident_that_is_over_is_not_retried(
    planned: Planned, target: Target, workflow: Workflow
) -> None:
    """The workflow recovered while the retry waited its turn: it is called off."""
    action = planned()
    report(workflow, "success")
    sending.run_due()
    assert state(action) == "cancelled"
    assert target.calls == []
    assert Incident.objects.get().recovery == ""


def test_a_workflow_without_an_endpoint_is_escalated(workflow: Workflow) -> None:
    Workflow.objects.update(retry_url="")
    incident = an_incident(Workflow.objects.get())
    planning.plan([a_decision(incident).pk], timezone.now())
    sending.run_due()
    assert Action.objects.get().kind == "escalate"
    assert Incident.objects.get().recovery == "escalated"


def test_a_rule_may_want_a_person_told_of_what_is_retried(planned: Planned, target: Target) -> None:
    """`notify`: on-call is told and the retry runs; the incident shows the recovery under way."""
    planned(parameters=AT_ONCE | {"notify": True})
    sending.run_due()
    kinds = Action.objects.order_by("kind").values_list("kind", "status")
    assert list(kinds) == [("escalate", "succeeded"), ("retry", "verifying")]
    assert len(target.calls) == 1
    incident = Incident.objects.get()
    assert incident.recovery == "verifying"
    assert incident.escalated_at is not None


def test_a_retry_that_waits_is_shown_again_when_its_incident_is_reopened(
    planned: Planned, workflow: Workflow
) -> None:
    """The approval from before is still the one to give; the incident's row says so."""
    waiting = planned(confidence=0.5)
    incident = Incident.objects.get()
    Incident.objects.update(status="analyzing", recovery="")
    planning.plan([a_decision(incident).pk], timezone.now())
    assert Incident.objects.get().recovery == "waiting"
    assert [state(waiting), Action.objects.count()] == ["waiting", 1]


def test_more_that_broke_meanwhile_is_analysed_again(planned: Planned, workflow: Workflow) -> None:
    """A new order fails while the first is retried: the first is verified, then a new look."""
    from awfdrs_site.kernel.models import Work

    action = planned()
    sending.run_due()
    an_event(workflow, resource_type="order", resource_id="8", error_code="code_7")
    report(workflow, "success", order="7")
    assert state(action) == "succeeded"
    incident = Incident.objects.get()
    assert incident.status == "actioned"
    assert Work.objects.filter(stage="analyse", subject_id=incident.pk).exists()
