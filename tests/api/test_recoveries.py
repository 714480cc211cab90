"""`/api/v1/recoveries`: how recoveries go, all failed ones of last week, taking one back [A3]."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from actions.models import Recovery
from awfdrs_site.kernel.models import AuditEntry, Work
from tests.api.conftest import an_action, an_incident
from tests.api.test_incidents import errors
from tests.cast import Cast
from tests.recoveries import a_plan, a_recovery, an_attempt

BASE = "/api/v1/recoveries"
DAY = timedelta(days=1)


@pytest.fixture
def api(cast: Cast) -> Client:
    return cast.api()


def test_it_lists_the_newest_first_and_narrows(api: Client, cast: Cast) -> None:
    """All failed recoveries of last week is one question; another tenant's are never in it."""
    now = timezone.now()
    incident, other = an_incident(cast.capture), an_incident(cast.contacts)
    own = a_plan(cast.meridian, name="own")
    old = a_recovery(incident, "failed", created_at=now - 9 * DAY)
    failed = a_recovery(incident, "failed", created_at=now - 2 * DAY)
    back = a_recovery(other, "rolled_back", created_at=now - DAY)
    done = a_recovery(other, "completed", plan=own)
    a_recovery(an_incident(cast.routing), "failed")

    def found(**query: Any) -> list[Recovery]:
        answer = api.get(BASE, query)
        assert answer.status_code == 200, answer.content
        rows = Recovery.objects.in_bulk([row["id"] for row in answer.json()["results"]])
        return [rows[key] for key in sorted(rows, reverse=True)]

    week = (now - 7 * DAY).isoformat()
    assert found() == [done, back, failed, old]
    assert found(state="failed,rolled_back", since=week) == [back, failed]
    assert found(until=week) == [old]
    assert found(incident=str(other.pk)) == [done, back]
    assert found(plan="own") == [done]
    assert found(plan="none") == []


@pytest.mark.parametrize(
    ("query", "field", "code"),
    [
        ({"state": "broken"}, "state", "invalid_choice"),
        ({"since": "last week"}, "since", "invalid_instant"),
        ({"until": "2026-01-01T00:00:00"}, "until", "invalid_instant"),
        ({"incident": "7"}, "incident", "invalid"),
        ({"status": "failed"}, "status", "unknown_parameter"),
        ({"page_size": "0"}, "page_size", "out_of_range"),
    ],
)
def test_a_query_that_means_nothing_is_refused(
    api: Client, query: dict[str, str], field: str, code: str
) -> None:
    assert errors(api.get(BASE, query)) == [(field, code)]


def test_it_shows_every_step_beside_its_attempts(api: Client, cast: Cast) -> None:
    """Steps, undos and the verification with their states; steps at once have one number."""
    recovery = a_recovery(an_incident(cast.capture), "rolling_back")
    an_attempt(recovery, "drain")
    an_attempt(recovery, "left", "failed")
    an_attempt(recovery, "left", attempt=2)
    an_attempt(recovery, "right", "verifying")
    an_attempt(recovery, "left", role="undo")
    document = api.get(f"{BASE}/{recovery.pk}").json()
    steps = [
        (one["key"], one["group"], one["state"], len(one["attempts"])) for one in document["steps"]
    ]
    assert steps == [
        ("drain", 1, "succeeded", 1),
        ("left", 2, "rolled_back", 2),
        ("right", 2, "verifying", 1),
    ]
    assert [one["undo"] and one["undo"]["state"] for one in document["steps"]] == [
        *("standby", "succeeded", None),
    ]
    verification = document["verification"]
    assert (verification["state"], verification["tries"]) == ("pending", 3)
    assert document["steps"][1]["attempts"][0]["reason"] == "left failed."
    assert [entry["state"] for entry in document["history"]][-1] == document["state"]
    assert (document["plan"], document["title"]) == ("mend", "Mend it")


def test_what_was_never_reached_says_so_once_it_is_over(api: Client, cast: Cast) -> None:
    recovery = a_recovery(an_incident(cast.capture), "failed")
    an_attempt(recovery, "drain", "failed")
    document = api.get(f"{BASE}/{recovery.pk}").json()
    assert [one["state"] for one in document["steps"]] == ["failed", "skipped", "skipped"]
    assert document["verification"]["state"] == "skipped"


def test_a_plain_retry_is_one_step(api: Client, cast: Cast) -> None:
    """Its attempts are the tries of that step; it has no plan and no undo."""
    incident = an_incident(cast.capture)
    recovery = a_recovery(incident, "failed", document={}, template=None)
    for number in (1, 2):
        an_action(incident, recovery=recovery, status="failed", attempt=number, max_attempts=2)
    document = api.get(f"{BASE}/{recovery.pk}").json()
    [step] = document["steps"]
    assert (step["kind"], step["state"], len(step["attempts"])) == ("retry", "failed", 2)
    assert (document["plan"], document["title"], step["undo"]) == (None, "Retry", None)
    answer = api.post(f"{BASE}/{recovery.pk}/undo", {}, content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (409, "invalid_transition")


def test_a_person_takes_it_back(api: Client, cast: Cast) -> None:
    """The stage is rung for it, once; asking again changes nothing."""
    recovery = a_recovery(an_incident(cast.capture))
    an_attempt(recovery, "drain")
    for _ in range(2):
        answer = cast.client_as("alice").post(
            f"{BASE}/{recovery.pk}/undo", {"comment": "Wrong host"}, content_type="application/json"
        )
        assert answer.status_code == 200, answer.content
        document = answer.json()
        assert (document["state"], document["undo_asked_by"]) == ("rolling_back", "alice")
        assert document["history"][-1]["reason"] == document["reason"] == "Wrong host"
    assert Work.objects.filter(stage="recover", subject_id=recovery.pk).count() == 1
    assert AuditEntry.objects.filter(subject_id=str(recovery.pk)).count() == 1


@pytest.mark.parametrize(
    ("body", "field", "code"),
    [
        ({"reason": "x"}, "reason", "unknown_field"),
        ({"comment": 1}, "comment", "invalid"),
        ({"comment": "x" * 5001}, "comment", "max_length"),
    ],
)
def test_an_undo_that_says_nothing_it_may_is_refused(
    api: Client, cast: Cast, body: Any, field: str, code: str
) -> None:
    recovery = a_recovery(an_incident(cast.capture))
    answer = api.post(f"{BASE}/{recovery.pk}/undo", body, content_type="application/json")
    assert errors(answer) == [(field, code)]
    recovery.refresh_from_db()
    assert recovery.status == "completed"


def test_many_recoveries_take_as_many_queries_as_few(api: Client, cast: Cast) -> None:
    incident = an_incident(cast.capture)

    def count() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert api.get(BASE).status_code == 200
        return len(queries)

    def more(number: int) -> None:
        for _ in range(number):
            recovery = a_recovery(incident)
            an_attempt(recovery, "drain")

    more(1)
    count()
    few = count()
    more(10)
    assert count() == few <= 4
