"""`/api/v1/channels` and the ledger of calls."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from actions.escalation.models import Channel, Page
from actions.escalation.services import call_people
from awfdrs_site.kernel.models import AuditEntry
from tests.api.conftest import an_action, an_incident
from tests.cast import Cast

URL = "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#ops"
SECRET = "TIiajkdnlazkcOXrIdevi7FQ"


def post(cast: Cast, path: str, body: Any, key: str = "meridian-all") -> Any:
    return cast.api(key).post(f"/api/v1/{path}", body, content_type="application/json")


def a_channel(cast: Cast, **body: Any) -> Any:
    return post(cast, "channels", {"name": "Ops", "url": URL} | body)


def test_an_admin_adds_one_and_nobody_reads_its_address(cast: Cast) -> None:
    answer = a_channel(cast)
    assert answer.status_code == 201
    assert answer.json() == {
        "id": answer.json()["id"],
        "name": "Ops",
        "kind": "slack",
        "enabled": True,
        "failures": 0,
        "failing_since": None,
        "last_error": "",
        "last_delivered_at": None,
    }
    listed = cast.api("meridian-read").get("/api/v1/channels")
    assert listed.json()["results"] == [answer.json()]
    entry = AuditEntry.objects.get(subject_id=answer.json()["id"])
    assert (entry.verb, entry.after) == ("created", {"name": "Ops", "kind": "slack"})
    assert SECRET not in str(vars(entry)) + listed.content.decode()


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({"url": "jsons://127.0.0.1/x"}, "url_not_allowed", None),
        ({"url": "jsons://169.254.169.254/latest/meta-data/"}, "url_not_allowed", None),
        ({"url": "syslog://"}, "url_not_allowed", None),
        ({"url": "nothing"}, "validation_error", "url"),
        ({"url": ""}, "validation_error", "url"),
        ({"url": 7}, "validation_error", "url"),
        ({"url": None}, "validation_error", "url"),
        ({"url": "jsons://example.com/" + "x" * 2000}, "validation_error", "url"),
        ({"name": ""}, "validation_error", "name"),
        ({"name": "x" * 101}, "validation_error", "name"),
        ({"name": ["Ops"]}, "validation_error", "name"),
        ({"name": "Taken"}, "validation_error", "name"),
        ({"secret": "x"}, "validation_error", "secret"),
    ],
)
def test_it_refuses_what_is_wrong(
    cast: Cast, body: dict[str, Any], code: str, field: str | None
) -> None:
    a_channel(cast, name="Taken")
    answer = a_channel(cast, **body)
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    if field:
        assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert Channel.objects.count() == 1


def test_the_same_name_in_another_tenant_is_another_channel(cast: Cast) -> None:
    a_channel(cast)
    assert post(cast, "channels", {"name": "Ops", "url": URL}, "northwind-all").status_code == 201


def test_a_test_is_queued_and_its_row_can_be_looked_at(cast: Cast) -> None:
    channel = a_channel(cast).json()
    answer = post(cast, f"channels/{channel['id']}/test", {})
    assert answer.status_code == 202
    assert (answer.json()["status"], answer.json()["incident_id"]) == ("pending", None)
    ledger = cast.api("meridian-read").get(f"/api/v1/channels/{channel['id']}/pages").json()
    assert ledger["results"] == [answer.json()]
    assert post(cast, f"channels/{channel['id']}/test", {"x": 1}).status_code == 400


def test_the_ledger_of_an_incident_names_channels_and_outcomes(cast: Cast) -> None:
    a_channel(cast)
    incident = an_incident(cast.capture)
    action = an_action(incident, kind="escalate")
    [page] = call_people(action, timezone.now())
    Page.objects.update(status="failed", attempts=6, detail="error=500")
    answer = cast.api("meridian-read").get(f"/api/v1/incidents/{incident.pk}/pages")
    [row] = answer.json()["results"]
    assert (row["id"], row["channel"], row["action_id"]) == (str(page.pk), "Ops", str(action.pk))
    assert (row["status"], row["attempts"], row["detail"]) == ("failed", 6, "error=500")
    assert SECRET not in answer.content.decode()
