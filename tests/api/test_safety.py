"""`/api/v1/kill-switches`, `/vendors`, `/workflows` [S3 S6]."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from awfdrs_site.kernel.actor import MACHINE
from awfdrs_site.kernel.models import AuditEntry
from safety.models import KillSwitch, Vendor
from safety.services import engage_switch
from tenants.models import Workflow
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
    assert not KillSwitch.objects.exists()


def test_another_tenants_workflow_cannot_be_named(api: Client, cast: Cast) -> None:
    body = {"scope": "workflow", "workflow_id": str(cast.routing.pk)}
    answer = post(api, BASE, body)
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
    assert "retry_secret" not in capture
    answer = api.get(f"/api/v1/workflows/{cast.routing.pk}")
    assert (answer.status_code, answer.json()["code"]) == (404, "workflow_not_found")
