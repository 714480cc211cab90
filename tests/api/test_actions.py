"""`/api/v1/actions`, `/approvals` and `/decisions`: what is done, and who lets it [A4 A5 D4]."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from actions.models import Action
from tests.api.conftest import a_decision, an_action, an_incident
from tests.api.test_incidents import errors
from tests.cast import Cast

BASE = "/api/v1/actions"
MINUTE = timedelta(minutes=1)


@pytest.fixture
def api(cast: Cast) -> Client:
    return cast.api()


@pytest.fixture
def waiting(cast: Cast) -> Action:
    return an_action(an_incident(cast.capture))


def post(client: Client, action: Action, verb: str, body: Any = None) -> Any:
    url = f"{BASE}/{action.pk}/{verb}"
    return client.post(url, body or {}, content_type="application/json")


def test_lists_show_the_newest_first_and_narrow(api: Client, cast: Cast) -> None:
    first, second = an_incident(cast.capture), an_incident(cast.contacts)
    old = an_action(first, status="succeeded", created_at=timezone.now() - 60 * MINUTE)
    new = an_action(second)
    stop = an_action(second, kind="escalate", status="succeeded")

    def found(**query: str) -> list[str]:
        answer = api.get(BASE, query)
        assert answer.status_code == 200, answer.content
        return [row["id"] for row in answer.json()["results"]]

    half_an_hour_ago = (timezone.now() - 30 * MINUTE).isoformat()
    assert found() == [str(stop.pk), str(new.pk), str(old.pk)]
    assert found(status="waiting") == [str(new.pk)]
    assert found(status="waiting,succeeded", type="retry") == [str(new.pk), str(old.pk)]
    assert found(type="escalate") == [str(stop.pk)]
    assert found(type="http,notify") == []
    assert found(workflow=first.workflow.name) == found(workflow=str(first.workflow_id))
    assert found(workflow="none.such") == []
    assert found(incident=str(first.pk)) == [str(old.pk)]
    assert found(until=half_an_hour_ago) == [str(old.pk)]
    assert found(since=half_an_hour_ago) == [str(stop.pk), str(new.pk)]
    rows = api.get(f"/api/v1/incidents/{second.pk}/actions").json()["results"]
    assert [row["id"] for row in rows] == [str(stop.pk), str(new.pk)]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("status=done", "status"),
        ("type=undo", "type"),
        ("type=retry,undo", "type"),
        ("incident=1", "incident"),
        ("x=1", "x"),
    ],
)
def test_a_query_that_means_nothing_is_refused(api: Client, query: str, field: str) -> None:
    assert errors(api.get(f"{BASE}?{query}"))[0][0] == field


def test_approvals_are_what_waits_and_has_not_expired_the_next_to_expire_first(
    api: Client, cast: Cast
) -> None:
    now = timezone.now()
    incidents = [an_incident(cast.capture) for _ in range(4)]
    late = an_action(incidents[0], expires_at=now + 10 * MINUTE)
    soon = an_action(incidents[1], expires_at=now + MINUTE)
    an_action(incidents[2], expires_at=now - MINUTE)
    an_action(incidents[3], status="planned")
    rows = api.get("/api/v1/approvals").json()["results"]
    assert [row["id"] for row in rows] == [str(soon.pk), str(late.pk)]


def test_an_approved_action_is_planned_and_names_who_decided(cast: Cast, waiting: Action) -> None:
    body = {"comment": "go", "parameters": {"delay_seconds": 60}}
    answer = post(cast.client_as("alice"), waiting, "approve", body)
    document = answer.json()
    assert (answer.status_code, document["status"]) == (200, "planned")
    assert (document["decided_by"], document["decision_comment"]) == ("alice", "go")
    waiting.refresh_from_db()
    assert waiting.decided_by == cast.people["alice"]
    assert waiting.due_at > timezone.now() + timedelta(seconds=50)


@pytest.mark.parametrize("first", ["approve", "reject"])
@pytest.mark.parametrize("second", ["approve", "reject"])
def test_the_second_decision_is_told_who_was_first(
    cast: Cast, waiting: Action, first: str, second: str
) -> None:
    assert post(cast.client_as("alice"), waiting, first).status_code == 200
    answer = post(cast.client_as("anna"), waiting, second)
    document = answer.json()
    assert (answer.status_code, document["code"]) == (409, "already_decided")
    assert document["decided_by"] == "alice"
    assert document["decided_at"] is not None


@pytest.mark.parametrize("verb", ["approve", "reject"])
def test_an_expired_approval_is_gone(api: Client, cast: Cast, verb: str) -> None:
    action = an_action(an_incident(cast.capture), expires_at=timezone.now() - MINUTE)
    answer = post(api, action, verb)
    assert (answer.status_code, answer.json()["code"]) == (410, "approval_expired")


@pytest.mark.parametrize("verb", ["approve", "reject"])
def test_what_does_not_wait_cannot_be_decided(api: Client, cast: Cast, verb: str) -> None:
    answer = post(api, an_action(an_incident(cast.capture), status="succeeded"), verb)
    assert (answer.status_code, answer.json()["code"]) == (409, "invalid_transition")


@pytest.mark.parametrize(
    ("status", "code"),
    [("waiting", 200), ("planned", 200), ("blocked", 200), ("sending", 409), ("succeeded", 409)],
)
def test_only_what_is_not_sent_is_cancelled(
    api: Client, cast: Cast, status: str, code: int
) -> None:
    action = an_action(an_incident(cast.capture), status=status)
    answer = post(api, action, "cancel", {"comment": "changed my mind"})
    assert answer.status_code == code
    if code == 409:
        assert answer.json()["code"] == "invalid_transition"
        assert "cancelled" not in answer.json()["legal"]
    else:
        assert answer.json()["status"] == "cancelled"


def test_a_blocked_action_runs_again_through_the_gate(api: Client, cast: Cast) -> None:
    action = an_action(an_incident(cast.capture), status="blocked")
    assert post(api, action, "run").json()["status"] == "planned"


@pytest.mark.parametrize("status", ["succeeded", "failed", "cancelled", "sending"])
def test_a_finished_action_does_not_run_again(api: Client, cast: Cast, status: str) -> None:
    answer = post(api, an_action(an_incident(cast.capture), status=status), "run")
    assert (answer.status_code, answer.json()["code"]) == (409, "invalid_transition")


@pytest.mark.parametrize("kind", ["retry", "escalate", "none"])
def test_what_cannot_be_taken_back_says_so(api: Client, cast: Cast, kind: str) -> None:
    action = an_action(an_incident(cast.capture), kind=kind, status="succeeded")
    assert api.get(f"{BASE}/{action.pk}").json()["is_reversible"] is False
    answer = post(api, action, "reverse")
    assert (answer.status_code, answer.json()["code"]) == (409, "not_reversible")
    action.refresh_from_db()
    assert action.status == "succeeded"


def test_a_pause_is_reversed_by_another_action(api: Client, cast: Cast) -> None:
    incident = an_incident(cast.capture)
    result = {"taken": True, "switch": "x"}
    pause = an_action(incident, kind="pause_workflow", status="succeeded", result=result)
    assert api.get(f"{BASE}/{pause.pk}").json()["is_reversible"] is True
    answer = post(api, pause, "reverse")
    undo = answer.json()
    assert (answer.status_code, undo["kind"]) == (201, "resume_workflow")
    assert undo["reverses_id"] == str(pause.pk)
    assert api.get(f"{BASE}/{pause.pk}").json()["is_reversible"] is False
    again = post(api, pause, "reverse")
    assert (again.status_code, again.json()["code"]) == (409, "already_reversed")
    assert again.json()["reversed_by"] == undo["id"]


def test_a_persons_own_retry_is_gated_and_unique(api: Client, cast: Cast) -> None:
    incident = an_incident(cast.capture)
    url = f"/api/v1/incidents/{incident.pk}/actions"
    answer = api.post(url, {"kind": "retry"}, content_type="application/json")
    document = answer.json()
    assert (answer.status_code, document["kind"], document["status"]) == (201, "retry", "planned")
    assert {check["name"] for check in document["receipt"]["checks"]} >= {"kill_switch"}
    again = api.post(url, {"kind": "retry"}, content_type="application/json")
    assert (again.status_code, again.json()["code"]) == (409, "action_active")


def test_nothing_is_done_to_an_incident_that_is_over(api: Client, cast: Cast) -> None:
    incident = an_incident(cast.capture, status="resolved", resolved_at=timezone.now())
    url = f"/api/v1/incidents/{incident.pk}/actions"
    answer = api.post(url, {"kind": "retry"}, content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (409, "invalid_transition")


@pytest.mark.parametrize(
    ("verb", "body", "field", "code"),
    [
        ("approve", {"comments": "x"}, "comments", "unknown_field"),
        ("approve", {"comment": 1}, "comment", "invalid"),
        ("approve", {"parameters": "x"}, "parameters", "not_a_dict"),
        ("approve", {"parameters": {"delay": 1}}, "parameters.delay", "unknown_field"),
        (
            "approve",
            {"parameters": {"delay_seconds": 4000}},
            "parameters.delay_seconds",
            "out_of_range",
        ),
        (
            "approve",
            {"parameters": {"delay_seconds": True}},
            "parameters.delay_seconds",
            "out_of_range",
        ),
        ("reject", {"reason": "x"}, "reason", "unknown_field"),
        ("cancel", {"comment": "x" * 5001}, "comment", "max_length"),
        ("run", {"now": True}, "now", "unknown_field"),
        ("reverse", {"now": True}, "now", "unknown_field"),
    ],
)
def test_a_body_that_means_nothing_is_refused(
    api: Client, waiting: Action, verb: str, body: Any, field: str, code: str
) -> None:
    assert errors(post(api, waiting, verb, body)) == [(field, code)]
    waiting.refresh_from_db()
    assert waiting.status == "waiting"


def test_decisions_are_listed_and_shown_with_their_evidence(api: Client, cast: Cast) -> None:
    incident = an_incident(cast.capture)
    retry = a_decision(incident, hypotheses=[{"cause": "slow vendor"}], confidence=0.66)
    stop = a_decision(an_incident(cast.contacts), type="escalate")

    def found(**query: str) -> list[str]:
        return [row["id"] for row in api.get("/api/v1/decisions", query).json()["results"]]

    assert found() == [str(stop.pk), str(retry.pk)]
    assert found(type="retry") == found(incident=str(incident.pk)) == [str(retry.pk)]
    assert found(until=retry.created_at.isoformat()) == []
    document = api.get(f"/api/v1/decisions/{retry.pk}").json()
    assert (document["confidence"], document["model"]) == (0.66, "local-1")
    assert document["hypotheses"] == [{"cause": "slow vendor"}]


@pytest.mark.parametrize("path", ["actions", "approvals", "decisions"])
def test_lists_take_as_many_queries_for_many_rows_as_for_few(
    api: Client, cast: Cast, path: str
) -> None:
    def count() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert api.get(f"/api/v1/{path}").status_code == 200
        return len(queries)

    an_action(an_incident(cast.capture))
    count()
    few = count()
    for _ in range(20):
        an_action(an_incident(cast.capture))
    assert count() == few <= 3
