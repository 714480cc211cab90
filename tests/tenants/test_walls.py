"""Nobody sees or touches another tenant's things, whatever URL they try [T2 T4 P12].

The URLs come from the URL table, so a new one is walked without being named here; one with a
parameter that has no id below fails until it gets one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.db import transaction
from django.test import Client, override_settings
from django.utils import timezone
from rest_framework.permissions import AllowAny

from actions.models import Channel
from awfdrs_site.health import worker_beat
from awfdrs_site.kernel.actor import MACHINE
from awfdrs_site.kernel.models import AuditEntry
from incidents.models import SavedView
from safety.models import Vendor
from safety.services import engage_switch
from tenants import keys
from tenants.access import SCOPES_OF
from tenants.models import Scope
from tenants.permissions import Scoped, scope_for
from tests.api.conftest import an_action, an_incident
from tests.builders import a_pin
from tests.cast import QUICK_HASHER, Cast, make_cast
from tests.connectors.conftest import a_connector
from tests.recoveries import a_plan, a_recovery
from tests.tenants.url_table import METHODS, Url, every_url

URLS = every_url()
API = [url for url in URLS if url.view is not None and url.route.startswith("api/v1/")]
PAGES = [url for url in URLS if url.view is None]
# What answers without credentials, and must.
PUBLIC = {
    *("api/v1/health", "api/v1/health/ready", "api/v1/auth/token", "api/v1/auth/token/refresh"),
    *("api/schema/", "api/docs/", "api/redoc/", "login", "logout", "theme"),
}
# Right bodies, where a wrong one would be refused before the wall is reached.
BODIES: dict[str, dict[str, Any]] = {
    "status": {"status": "ignored"},
    "assign": {"assignee": "mallory"},
    "comment": {"text": "x"},
    "actions": {"kind": "escalate"},
    "release": {"reason": "x"},
    "kill-switches": {"scope": "tenant"},
    "plans": {"source": "name: call\nsteps:\n  - {key: a, kind: escalate, with: {reason: x}}\n"},
    "preview": {"scope": "tenant"},
    "split": {"trait": "vendor", "value": "stripe"},
    "extend": {"expires_at": "2100-01-01T00:00:00Z"},
    "replay": {"action_ids": ["00000000-0000-4000-8000-000000000000"]},
    "drop": {"action_ids": ["00000000-0000-4000-8000-000000000000"]},
}


def _names(urls: list[Url]) -> list[str]:
    return [url.route or "/" for url in urls]


@pytest.fixture(scope="module")
def shared(django_db_setup: None, django_db_blocker: Any) -> Iterator[tuple[Cast, dict[str, Any]]]:
    """The cast and Meridian's things, made once in a transaction that is rolled back."""
    quick = override_settings(PASSWORD_HASHERS=[QUICK_HASHER])
    with quick, django_db_blocker.unblock(), transaction.atomic():
        cast = make_cast()
        yield cast, _things_of_meridian(cast)
        transaction.set_rollback(True)


@pytest.fixture
def cast(shared: tuple[Cast, dict[str, Any]], db: None) -> Cast:
    return shared[0]


@pytest.fixture
def ids(shared: tuple[Cast, dict[str, Any]], db: None) -> dict[str, Any]:
    """One of each of Meridian's things, by the word that stands before its id in a path."""
    return shared[1]


def _things_of_meridian(cast: Cast) -> dict[str, Any]:
    action = an_action(an_incident(cast.capture))
    Vendor.objects.create(tenant=cast.meridian, name="stripe")
    switch = engage_switch(
        tenant=cast.meridian,
        scope="workflow",
        workflow=cast.capture,
        actor=MACHINE,
        now=timezone.now(),
    )
    channel = Channel.objects.create(tenant=cast.meridian, name="Ops", kind="email", sealed=b"x")
    posted = cast.api().post("/api/v1/events", cast.document(), content_type="application/json")
    return {
        "actions": action.pk,
        "connectors": a_connector(cast.meridian).pk,
        "channels": channel.pk,
        "decisions": action.decision_id,
        "events": posted.json()["event_id"],
        "incidents": action.incident_id,
        "keys": keys.parse(cast.keys["meridian-read"]).prefix,  # type: ignore[union-attr]
        "members": "vera",
        "kill-switches": switch.pk,
        "pins": a_pin(cast.meridian).pk,
        "plans": a_plan(cast.meridian, name="meridians_own").name,
        "recoveries": a_recovery(action.incident).pk,
        "safety": switch.pk,
        "vendors": "stripe",
        "views": SavedView.objects.create(
            tenant=cast.meridian,
            owner=cast.people["alice"],
            name="Stripe",
            sort="severity",
            shared=True,
            created_at=timezone.now(),
        ).pk,
        "workflows": cast.capture.pk,
    }


def _call(client: Client, url: Url, method: str, ids: dict[str, Any]) -> Any:
    body = BODIES.get(url.route.rsplit("/", 1)[-1], {})
    path = url.fill(ids)
    if url.view is None and method == "POST":
        return client.post(path, dict.fromkeys(("comment", "reason", "tenant"), "x") | body)
    return client.generic(method, path, json.dumps(body), "application/json")


def _without_ids(response: Any) -> tuple[int, Any]:
    document = json.loads(response.content)
    document.pop("correlation_id")
    return response.status_code, document


def test_it_knows_an_id_for_every_parameter(ids: dict[str, Any]) -> None:
    """The walk below is only as good as its ids: add one here for a new kind of path."""
    for url in URLS:
        assert set(url.parameters) <= ids.keys(), url.route


def test_it_walks_what_there_is() -> None:
    assert {"api/v1/events/<uuid:pk>", "api/v1/incidents/<uuid:pk>", "login", ""} <= {
        url.route for url in URLS
    }


@pytest.mark.parametrize("url", API, ids=_names(API))
def test_it_declares_a_scope_for_every_method(url: Url) -> None:
    """Or is one of the few that are public by name."""
    assert url.view is not None
    if url.route in PUBLIC:
        assert list(url.view.permission_classes) == [AllowAny]
        return
    assert list(url.view.permission_classes) == [Scoped]
    for method in url.methods():
        assert scope_for(url.view, method) in Scope.values, method


@pytest.mark.parametrize("url", [u for u in URLS if u.parameters], ids=lambda u: u.route)
def test_it_tells_mallory_nothing_of_a_thing_of_meridian(
    cast: Cast, ids: dict[str, Any], url: Url
) -> None:
    """404 like for an id that does not exist, or 405; and nothing was changed."""
    before = AuditEntry.objects.count()
    nothing = dict.fromkeys(ids, uuid4())
    callers = [cast.client_as("mallory")]
    if url.view is not None:
        callers.append(cast.api("northwind-all"))
    for caller in callers:
        for method in METHODS:
            response = _call(caller, url, method, ids)
            assert response.status_code in (404, 405), (method, response.content[:300])
            if url.view is not None and response.status_code == 404:
                unknown = _call(caller, url, method, nothing)
                assert _without_ids(response) == _without_ids(unknown)
    assert AuditEntry.objects.count() == before


@pytest.mark.parametrize("url", [u for u in URLS if not u.parameters], ids=lambda u: u.route or "/")
def test_it_lists_mallory_nothing_of_meridian(cast: Cast, ids: dict[str, Any], url: Url) -> None:
    hidden = [*map(str, ids.values()), str(cast.meridian.pk), "Meridian", "payments.capture"]
    hidden += ["alice", "vera"]
    hidden.remove("stripe")
    worker_beat()
    response = _call(cast.client_as("mallory"), url, "GET", ids)
    assert response.status_code < 500
    text = response.content.decode()
    if not url.route.startswith(("api/schema", "api/docs", "api/redoc")):
        # As words: "several" is not vera.
        assert [word for word in hidden if re.search(rf"\b{re.escape(word)}\b", text)] == []


@pytest.mark.parametrize("url", URLS, ids=_names(URLS))
def test_it_lets_no_stranger_in(cast: Cast, ids: dict[str, Any], url: Url) -> None:
    for method in url.methods():
        response = _call(Client(), url, method, ids)
        if url.route in PUBLIC:
            assert response.status_code != 500
        elif url.view is not None:
            assert (response.status_code, response.json()["code"]) == (401, "not_authenticated")
        else:
            assert response.status_code == 302, method
            assert response.headers["Location"].startswith("/login?next=")


def test_it_marks_no_other_page_public() -> None:
    assert {url.route for url in PAGES if url.public} <= PUBLIC


@pytest.mark.parametrize("url", [u for u in API if u.route not in PUBLIC], ids=lambda u: u.route)
def test_it_refuses_exactly_those_without_the_scope(
    cast: Cast, ids: dict[str, Any], url: Url
) -> None:
    """Every role and every scope against every endpoint, from the views' own declarations."""
    members = (("vera", "viewer"), ("alice", "responder"), ("anna", "admin"))
    callers = [(cast.client_as(name), set(SCOPES_OF[role])) for name, role in members]
    callers += [(cast.api(f"meridian-{scope}"), {scope}) for scope in Scope.values]
    for method in url.methods():
        for client, scopes in callers:
            with transaction.atomic():
                response = _call(client, url, method, ids)
                transaction.set_rollback(True)
            refused = response.status_code in (401, 403)
            assert refused == (scope_for(url.view, method) not in scopes), response.content[:300]
