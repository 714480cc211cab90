"""Who may call what: every endpoint of these planes, every kind of caller [T2 T4 P12]."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from awfdrs_site.kernel.actor import MACHINE
from safety.models import Vendor
from safety.services import engage_switch
from tests.api.conftest import an_action, an_incident
from tests.cast import Cast

NOBODY = "00000000-0000-4000-8000-000000000000"
# method, path, body; {incident} and so on are Meridian's. Bodies are right, so that nothing but
# the caller can be wrong.
READS = [
    "incidents", "incidents/{incident}", "incidents/{incident}/events",
    "incidents/{incident}/timeline", "incidents/{incident}/grouping",
    "incidents/{incident}/related", "pins",
    "incidents/{incident}/decisions",
    "incidents/{incident}/similar", "incidents/{incident}/actions",
    "decisions", "decisions/{decision}", "actions", "actions/{action}", "approvals",
    "kill-switches", "kill-switches/{switch}", "kill-switches/{switch}/held",
    "kill-switches/{switch}/in-flight", "vendors", "vendors/{vendor}",
    "workflows", "workflows/{workflow}",
]  # fmt: skip
COMMANDS: list[tuple[str, str, dict[str, Any]]] = [
    ("PATCH", "incidents/{incident}/status", {"status": "ignored"}),
    ("POST", "incidents/{incident}/ignore", {}),
    ("POST", "incidents/{incident}/acknowledge", {}),
    ("POST", "incidents/{incident}/assign", {"assignee": "alice"}),
    ("POST", "incidents/{incident}/comment", {"text": "Looking."}),
    ("POST", "incidents/{incident}/escalate", {}),
    ("POST", "incidents/{incident}/actions", {"kind": "escalate"}),
    ("POST", "actions/{action}/approve", {}),
    ("POST", "actions/{action}/take-back", {}),
    ("POST", "actions/{action}/reject", {}),
    ("POST", "actions/{action}/cancel", {}),
    ("POST", "actions/{action}/run", {}),
    ("POST", "actions/{action}/reverse", {}),
    ("POST", "kill-switches", {"scope": "tenant"}),
    ("POST", "kill-switches/{switch}/extend", {"expires_at": None}),
    ("POST", "kill-switches/{switch}/release", {"reason": "over"}),
    ("POST", "kill-switches/{switch}/replay", {"action_ids": [NOBODY]}),
    ("POST", "kill-switches/{switch}/drop", {"action_ids": [NOBODY]}),
]
ALL = [*(("GET", path, None) for path in READS), *COMMANDS]
IDS = [f"{method} {path}" for method, path, _ in ALL]


@pytest.fixture
def ids(cast: Cast) -> dict[str, Any]:
    incident = an_incident(cast.capture)
    action = an_action(incident)
    Vendor.objects.create(tenant=cast.meridian, name="stripe")
    switch = engage_switch(
        tenant=cast.meridian,
        scope="workflow",
        workflow=cast.capture,
        expires_at=timezone.now() + timedelta(hours=1),
        actor=MACHINE,
        now=timezone.now(),
    )
    return {
        "incident": incident.pk, "action": action.pk, "decision": action.decision_id,
        "switch": switch.pk, "vendor": "stripe", "workflow": cast.capture.pk,
    }  # fmt: skip


def call(client: Client, method: str, path: str, body: Any, ids: dict[str, Any]) -> Any:
    url = "/api/v1/" + path.format(**ids)
    if method == "GET":
        return client.get(url)
    return client.generic(method, url, json.dumps(body), "application/json")


@pytest.mark.parametrize(("method", "path", "body"), ALL, ids=IDS)
def test_nobody_gets_in_without_credentials(
    cast: Cast, ids: dict[str, Any], method: str, path: str, body: Any
) -> None:
    answer = call(Client(), method, path, body, ids)
    assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize(("method", "path", "body"), ALL, ids=IDS)
def test_a_key_that_may_only_ingest_is_refused(
    cast: Cast, ids: dict[str, Any], method: str, path: str, body: Any
) -> None:
    answer = call(cast.api("meridian-ingest"), method, path, body, ids)
    assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")


@pytest.mark.parametrize(("method", "path", "body"), ALL, ids=IDS)
@pytest.mark.parametrize("caller", ["mallory", "northwind-all"])
def test_another_tenants_admin_finds_nothing(
    cast: Cast, ids: dict[str, Any], caller: str, method: str, path: str, body: Any
) -> None:
    """A row's path answers 404 like an unknown id; a list shows nothing of Meridian's."""
    client = cast.client_as(caller) if caller == "mallory" else cast.api(caller)
    answer = call(client, method, path, body, ids)
    if "{" in path:
        assert (answer.status_code, answer.headers["Content-Type"]) == (
            404, "application/problem+json",
        )  # fmt: skip
        unknown = dict.fromkeys(ids, NOBODY)
        same = call(client, method, path, body, unknown).json()
        assert answer.json() | {"correlation_id": ""} == same | {"correlation_id": ""}
    elif method == "GET":
        assert answer.status_code == 200
        assert not {str(pk) for pk in ids.values()} & {
            str(value) for row in answer.json()["results"] for value in row.values()
        }


@pytest.mark.parametrize(("method", "path", "body"), COMMANDS, ids=[i for i in IDS if i[0] == "P"])
@pytest.mark.parametrize("caller", ["vera", "meridian-read"])
def test_who_only_reads_changes_nothing(
    cast: Cast, ids: dict[str, Any], caller: str, method: str, path: str, body: Any
) -> None:
    client = cast.client_as(caller) if caller == "vera" else cast.api(caller)
    answer = call(client, method, path, body, ids)
    assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")


@pytest.mark.parametrize("path", READS)
@pytest.mark.parametrize("caller", ["vera", "alice", "meridian-read"])
def test_every_reader_reads_everything(
    cast: Cast, ids: dict[str, Any], caller: str, path: str
) -> None:
    client = cast.api(caller) if "-" in caller else cast.client_as(caller)
    answer = call(client, "GET", path, None, ids)
    assert answer.status_code == 200, answer.content
    assert answer.headers["X-Correlation-ID"]


@pytest.mark.parametrize(("method", "path", "body"), COMMANDS, ids=[i for i in IDS if i[0] == "P"])
def test_a_responder_gets_past_the_door(
    cast: Cast, ids: dict[str, Any], method: str, path: str, body: Any
) -> None:
    """2xx, or a 409 about the row: never 401, 403 or 404. With CSRF, as a browser must."""
    client = cast.client_as("alice", enforce_csrf_checks=True)
    refused = call(client, method, path, body, ids)
    assert refused.status_code == 403, "a browser's command without its CSRF token"
    answer = call(cast.client_as("alice"), method, path, body, ids)
    about_the_row = 409 if path.endswith(("/run", "/reverse", "/replay", "/take-back")) else 201
    assert answer.status_code in (200, about_the_row), answer.content


@pytest.mark.parametrize("path", sorted({path for _, path, _ in ALL}))
def test_other_methods_are_answered_405_with_allow(
    cast: Cast, ids: dict[str, Any], path: str
) -> None:
    offered = {method for method, other, _ in ALL if other == path}
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE"} - offered:
        answer = call(cast.api(), method, path, {}, ids)
        assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed"), method
        assert offered <= set(answer.headers["Allow"].split(", "))
