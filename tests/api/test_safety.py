"""`/api/v1/kill-switches`, `/vendors`, `/workflows` [S3 S6]."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from awfdrs_site.kernel.actor import MACHINE
from awfdrs_site.kernel.instants import parse_instant
from awfdrs_site.kernel.models import AuditEntry
from safety.models import KillSwitch, Vendor
from safety.services import engage_switch
from tenants.models import Workflow
from tests.api.conftest import an_action, an_incident
from tests.api.test_incidents import errors
from tests.cast import Cast

BASE = "/api/v1/kill-switches"
HOUR = timedelta(hours=1)


@pytest.fixture
def api(cast: Cast) -> Client:
    return cast.api()


def post(client: Client, path: str, body: Any) -> Any:
    return client.post(path, body, content_type="application/json")


@pytest.mark.parametrize("blocks", ["automation", "ingestion", "both"])
def test_each_scope_can_be_stopped(cast: Cast, blocks: str) -> None:
    """201 with the switch; the same again is 200 and the same switch."""
    alice = cast.client_as("alice")
    targets: list[tuple[Client, dict[str, Any], str]] = [
        (alice, {"scope": "tenant"}, "all of Meridian Commerce"),
        (
            alice,
            {"scope": "workflow", "workflow_id": str(cast.capture.pk)},
            "workflow payments.capture",
        ),
        (alice, {"scope": "vendor", "vendor": "stripe"}, "vendor stripe"),
        *(
            [(alice, {"scope": "action", "action_kind": "retry"}, "all retries")]
            * (blocks == "automation")
        ),
        (cast.client_as("olga"), {"scope": "global"}, "everything"),
    ]
    for client, target, words in targets:
        body = target | {"blocks": blocks, "reason": "drill"}
        answer = post(client, BASE, body)
        document = answer.json()
        assert answer.status_code == 201, answer.content
        assert (document["target"], document["blocks"]) == (words, blocks)
        assert (document["engaged"], document["reason"]) == (True, "drill")
        again = post(client, BASE, body)
        assert (again.status_code, again.json()["id"]) == (200, document["id"])


@pytest.mark.parametrize("caller", ["alice", "anna", "meridian-all"])
def test_a_global_stop_and_its_release_are_for_operators(cast: Cast, caller: str) -> None:
    """Neither a tenant's admin nor any key may stop, or start, every tenant."""
    client = cast.api(caller) if caller in cast.keys else cast.client_as(caller)
    answer = post(client, BASE, {"scope": "global"})
    assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")
    switch = engage_switch(tenant=None, scope="global", actor=MACHINE, now=timezone.now())
    answer = post(client, f"{BASE}/{switch.pk}/release", {"reason": "over"})
    assert answer.status_code == 403
    operator = cast.client_as("olga")
    assert post(operator, f"{BASE}/{switch.pk}/release", {"reason": "over"}).status_code == 200


@pytest.mark.parametrize(
    ("body", "field", "code"),
    [
        ({}, "scope", "required"),
        ({"scope": "all"}, "scope", "invalid_choice"),
        ({"scope": "workflow"}, "workflow", "required"),
        ({"scope": "vendor"}, "vendor", "required"),
        ({"scope": "vendor", "vendor": ""}, "vendor", "blank"),
        ({"scope": "vendor", "vendor": 5}, "vendor", "invalid"),
        ({"scope": "vendor", "vendor": "x" * 101}, "vendor", "max_length"),
        ({"scope": "tenant", "vendor": "stripe"}, "vendor", "unexpected"),
        ({"scope": "action"}, "action_kind", "required"),
        ({"scope": "action", "action_kind": "escalate"}, "action_kind", "invalid_choice"),
        ({"scope": "action", "action_kind": "retry", "blocks": "both"}, "blocks", "unexpected"),
        ({"scope": "tenant", "action_kind": "retry"}, "action_kind", "unexpected"),
        ({"scope": "tenant", "tenant_id": "x"}, "tenant_id", "unknown_field"),
        ({"scope": "workflow", "workflow_id": "x"}, "workflow_id", "invalid"),
        ({"scope": "workflow", "workflow_id": 5}, "workflow_id", "invalid"),
        ({"scope": "tenant", "blocks": "all"}, "blocks", "invalid_choice"),
        ({"scope": "tenant", "reason": "x" * 301}, "reason", "max_length"),
        ({"scope": "tenant", "expires_at": "soon"}, "expires_at", "invalid_instant"),
        ({"scope": "tenant", "expires_at": "2030-01-01T00:00:00"}, "expires_at", "invalid_instant"),
        ({"scope": "tenant", "expires_at": 5}, "expires_at", "invalid_instant"),
        ({"scope": "tenant", "expires_at": "2020-01-01T00:00:00Z"}, "expires_at", "past"),
    ],
)
def test_a_stop_without_a_clear_target_is_refused(
    api: Client, body: Any, field: str, code: str
) -> None:
    assert errors(post(api, BASE, body)) == [(field, code)]
    assert errors(post(api, f"{BASE}/preview", body)) == [(field, code)]
    assert not KillSwitch.objects.exists()


def test_another_tenants_workflow_cannot_be_named(api: Client, cast: Cast) -> None:
    body = {"scope": "workflow", "workflow_id": str(cast.routing.pk)}
    for path in (BASE, f"{BASE}/preview"):
        answer = post(api, path, body)
        assert (answer.status_code, answer.json()["code"]) == (404, "workflow_not_found")


def test_a_release_needs_a_reason_and_happens_once(cast: Cast, api: Client) -> None:
    switch = post(api, BASE, {"scope": "tenant"}).json()
    url = f"{BASE}/{switch['id']}/release"
    for body, code in (({}, "required"), ({"reason": " "}, "blank"), ({"reason": 5}, "invalid")):
        assert errors(post(api, url, body)) == [("reason", code)]
    released = post(cast.client_as("anna"), url, {"reason": "vendor is back"}).json()
    assert (released["engaged"], released["released_by"]) == (False, "anna")
    assert released["release_reason"] == "vendor is back"
    again = post(api, url, {"reason": "me too"})
    assert (again.status_code, again.json()["code"]) == (409, "invalid_transition")
    assert again.json()["released_by"] == "anna"
    verbs = AuditEntry.objects.filter(subject_id=switch["id"]).order_by("pk")
    assert [entry.verb for entry in verbs] == ["engaged", "released"]


def test_an_end_is_only_ever_put_off(api: Client, cast: Cast) -> None:
    """By those who may stop; ending it sooner is a release, which wants a reason."""
    ends = (timezone.now() + HOUR).replace(microsecond=0)
    switch = post(api, BASE, {"scope": "tenant", "expires_at": ends.isoformat()}).json()
    url = f"{BASE}/{switch['id']}/extend"
    for value, code in (
        (ends, "not_later"),
        (ends - HOUR / 2, "not_later"),
        ("soon", "invalid_instant"),
        (5, "invalid_instant"),
    ):
        text = value if isinstance(value, str | int) else value.isoformat()
        assert errors(post(api, url, {"expires_at": text})) == [("expires_at", code)]
    assert errors(post(api, url, {})) == [("expires_at", "required")]
    later = post(api, url, {"expires_at": (ends + HOUR).isoformat()})
    assert parse_instant(later.json()["expires_at"]) == ends + HOUR
    assert post(api, url, {"expires_at": None}).json()["expires_at"] is None
    assert errors(post(api, url, {"expires_at": None})) == [("expires_at", "not_later")]
    post(api, f"{BASE}/{switch['id']}/release", {"reason": "over"})
    answer = post(api, url, {"expires_at": None})
    assert (answer.status_code, answer.json()["code"]) == (409, "invalid_transition")
    verbs = AuditEntry.objects.filter(subject_id=switch["id"]).order_by("pk")
    assert [entry.verb for entry in verbs] == ["engaged", "extended", "extended", "released"]


def test_only_operators_put_off_the_end_of_a_global_stop(cast: Cast) -> None:
    now = timezone.now()
    switch = engage_switch(
        tenant=None, scope="global", expires_at=now + HOUR, actor=MACHINE, now=now
    )
    url = f"{BASE}/{switch.pk}/extend"
    assert post(cast.client_as("anna"), url, {"expires_at": None}).status_code == 403
    assert post(cast.client_as("olga"), url, {"expires_at": None}).status_code == 200


def test_a_preview_tells_what_a_stop_would_mean_and_writes_nothing(cast: Cast) -> None:
    """To every reader; of a global stop, the part of the reader's tenant."""
    out = an_action(an_incident(cast.capture), status="verifying")
    an_action(an_incident(cast.contacts), status="planned")
    vera = cast.client_as("vera")
    document = post(vera, f"{BASE}/preview", {"scope": "global"}).json()
    assert document == {
        "target": "everything",
        "stops_automation": True,
        "stops_ingestion": False,
        "workflows": ["crm.contact-sync", "payments.capture"],
        "planned": 1,
        "sent_last_hour": 0,
        "in_flight_count": 1,
        "in_flight": [
            {
                "action_id": str(out.pk),
                "incident_id": str(out.incident_id),
                "incident": out.incident.label,
                "workflow": "payments.capture",
                "status": "verifying",
                "sent_at": None,
            }
        ],
        "waiting": 0,
        "goes_on": ["ingestion", "detection", "analysis", "escalations"],
    }
    assert not KillSwitch.objects.exists()
    theirs = post(cast.client_as("mallory"), f"{BASE}/preview", {"scope": "global"}).json()
    assert (theirs["workflows"], theirs["in_flight"]) == (["fleet.routing"], [])


def test_what_a_stop_skipped_is_listed_and_run_or_dropped_by_hand(cast: Cast, api: Client) -> None:
    """Not while it is engaged, and never by itself; each chosen action gets its verdict."""
    switch = post(api, BASE, {"scope": "tenant"}).json()
    url = f"{BASE}/{switch['id']}"
    out = an_action(an_incident(cast.capture), status="unknown")
    run, dropped, other = (
        an_action(an_incident(cast.capture), status="blocked", stopped_by_id=switch["id"])
        for _ in range(3)
    )
    rows = api.get(f"{url}/held").json()["results"]
    assert [row["id"] for row in rows] == [str(a.pk) for a in (other, dropped, run)]
    assert [row["id"] for row in api.get(f"{url}/in-flight").json()["results"]] == [str(out.pk)]
    chosen = {"action_ids": [str(run.pk), str(out.pk)]}
    engaged = post(api, f"{url}/replay", chosen)
    assert (engaged.status_code, engaged.json()["code"]) == (409, "switch_engaged")
    post(api, f"{url}/release", {"reason": "over"})
    assert post(api, f"{url}/replay", chosen).json()["results"] == [
        {"action_id": str(run.pk), "outcome": "done", "status": "planned", "detail": ""},
        {"action_id": str(out.pk), "outcome": "not_found", "status": "", "detail": ""},
    ]
    [verdict] = post(api, f"{url}/drop", {"action_ids": [str(dropped.pk)]}).json()["results"]
    assert (verdict["outcome"], verdict["status"]) == ("done", "cancelled")
    held = api.get(f"{url}/held", {"status": "blocked"}).json()["results"]
    assert [row["id"] for row in held] == [str(other.pk)]


@pytest.mark.parametrize(
    ("body", "field", "code"),
    [
        ({}, "action_ids", "required"),
        ({"action_ids": []}, "action_ids", "min_length"),
        ({"action_ids": None}, "action_ids", "null"),
        ({"action_ids": "all"}, "action_ids", "not_a_list"),
        ({"action_ids": ["all"]}, "action_ids[0]", "invalid"),
        ({"action_ids": [5]}, "action_ids[0]", "invalid"),
        (
            {"action_ids": ["00000000-0000-4000-8000-000000000000"] * 501},
            "action_ids",
            "max_length",
        ),
        ({"all": True}, "all", "unknown_field"),
    ],
)
@pytest.mark.parametrize("verb", ["replay", "drop"])
def test_a_choice_names_its_actions(
    api: Client, verb: str, body: Any, field: str, code: str
) -> None:
    """None means none, never all."""
    switch = post(api, BASE, {"scope": "tenant"}).json()
    assert errors(post(api, f"{BASE}/{switch['id']}/{verb}", body)) == [(field, code)]


def test_the_list_shows_own_and_global_switches_and_whether_they_stop_now(
    api: Client, cast: Cast
) -> None:
    now = timezone.now()
    fields: dict[str, Any] = {"actor": MACHINE, "now": now - 2 * HOUR}
    over = engage_switch(tenant=cast.meridian, scope="tenant", expires_at=now - HOUR, **fields)
    theirs = engage_switch(tenant=cast.northwind, scope="tenant", **fields)
    everywhere = engage_switch(tenant=None, scope="global", actor=MACHINE, now=now)

    def found(**query: str) -> list[str]:
        return [row["id"] for row in api.get(BASE, query).json()["results"]]

    assert found() == [str(everywhere.pk), str(over.pk)]
    assert found(engaged="true") == found(scope="global") == [str(everywhere.pk)]
    assert found(engaged="false") == [str(over.pk)]
    assert api.get(f"{BASE}/{over.pk}").json()["engaged"] is False
    assert api.get(f"{BASE}/{theirs.pk}").status_code == 404


def test_vendors_with_their_breakers(api: Client, cast: Cast) -> None:
    now = timezone.now()
    Vendor.objects.create(tenant=cast.meridian, name="stripe")
    Vendor.objects.create(
        tenant=cast.meridian, name="NetSuite", breaker_state="open", breaker_changed_at=now
    )
    Vendor.objects.create(tenant=cast.northwind, name="dhl")
    rows = api.get("/api/v1/vendors").json()["results"]
    assert [row["name"] for row in rows] == ["NetSuite", "stripe"]
    assert [r["name"] for r in api.get("/api/v1/vendors?breaker_state=open").json()["results"]] == [
        "NetSuite"
    ]
    document = api.get("/api/v1/vendors/netsuite").json()
    half_open = (now + timedelta(seconds=300)).isoformat().replace("+00:00", "Z")
    assert (document["breaker_state"], document["half_open_at"]) == ("open", half_open)
    for name in ("dhl", "nobody", "x%00y"):
        answer = api.get(f"/api/v1/vendors/{name}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_workflows_tell_what_stops_them(api: Client, cast: Cast) -> None:
    Workflow.objects.filter(pk=cast.capture.pk).update(retry_url="http://127.0.0.1:9100/retry")
    fields: dict[str, Any] = {"actor": MACHINE, "now": timezone.now()}
    one = engage_switch(tenant=cast.meridian, scope="workflow", workflow=cast.capture, **fields)
    everywhere = engage_switch(tenant=None, scope="global", **fields)
    engage_switch(tenant=cast.meridian, scope="vendor", vendor="stripe", **fields)
    contacts, capture = api.get("/api/v1/workflows").json()["results"]
    assert (contacts["name"], contacts["can_retry"]) == ("crm.contact-sync", False)
    assert contacts["stopped_by"] == [str(everywhere.pk)]
    assert (capture["name"], capture["can_retry"]) == ("payments.capture", True)
    assert capture["stopped_by"] == [str(everywhere.pk), str(one.pk)]
    assert api.get(f"/api/v1/workflows/{cast.capture.pk}").json() == capture
    assert "retry_secret" not in capture and "standby_retry_secret" not in capture
    answer = api.get(f"/api/v1/workflows/{cast.routing.pk}")
    assert (answer.status_code, answer.json()["code"]) == (404, "workflow_not_found")


def test_it_lists_the_limits_and_their_use(cast: Cast, api: Client) -> None:
    """The caps on automation, the tenant's events, and each of its vendors; of nobody else."""
    vendor = Vendor.objects.create(tenant=cast.meridian, name="stripe", requests_per_minute=2)
    Vendor.objects.create(tenant=cast.northwind, name="maps")
    for _ in range(2):
        assert api.get(f"/api/v1/vendors/{vendor.name}/permit").status_code == 200
    rows = api.get("/api/v1/safety/limits").json()["limits"]
    assert [(row["kind"], row["subject"], row["window_seconds"]) for row in rows] == [
        ("automated_actions", "", 3600),
        ("automated_actions", "", 86_400),
        ("tenant_events", "", 60),
        ("vendor_events", "stripe", 60),
        ("vendor_calls", "stripe", 60),
    ]
    reset = rows[-1].pop("reset_seconds")
    assert 1 <= reset <= 60
    assert rows[-1] == {
        "kind": "vendor_calls",
        "subject": "stripe",
        "used": 2,
        "limit": 2,
        "remaining": 0,
        "window_seconds": 60,
        "level": "over",
        "is_local": False,
        "throttled_until": None,
        "throttled_by": None,
    }
    assert (rows[2]["used"], rows[2]["reset_seconds"], rows[2]["level"]) == (0, 0, "ok")


def test_a_caller_fails_a_workflow_back(cast: Cast, api: Client) -> None:
    """Whoever failed it over; again, it stays as it is. Another tenant's is not there."""
    at = timezone.now()
    Workflow.objects.filter(pk=cast.capture.pk).update(
        standby_retry_url="http://127.0.0.1:9100/y", failed_over_at=at, failed_over_by="INC-12"
    )
    path = f"/api/v1/workflows/{cast.capture.pk}"
    shown = api.get(path).json()
    assert (shown["engine"], shown["failed_over_by"]) == ("standby", "INC-12")
    for _ in range(2):
        back = api.post(f"{path}/failback", content_type="application/json")
        assert (back.status_code, back.json()["engine"]) == (200, "primary")
        assert back.json()["failed_over_at"] is None
    other = f"/api/v1/workflows/{cast.routing.pk}/failback"
    assert api.post(other, content_type="application/json").status_code == 404
