"""Dry runs, and connectors that cannot be used: nothing leaves [A7]."""

from __future__ import annotations

from typing import Any

import pytest

from actions.catalog import kind_named
from actions.catalog.kind import Order
from incidents.models import Incident
from tests.builders import a_tenant
from tests.connectors.conftest import Perform, a_connector, the_log
from tests.connectors.servers import Server

pytestmark = pytest.mark.django_db


@pytest.fixture
def given(service: Server) -> dict[str, Any]:
    return {"settings": {"base_url": service.url}}


def test_a_dry_run_calls_nobody_and_says_what_it_would(
    incident: Incident, perform: Perform, service: Server, given: dict[str, Any]
) -> None:
    """It is no success: nothing was mended, so nothing may count as recovered.

    Seen red without the question in `Connected.run`: the service was called.
    """
    a_connector(incident.tenant, dry_run=True, **given)
    action = perform("http", connector="my-http", path="/x")
    assert service.calls == []
    assert action.status == "failed"
    assert f"Dry run of my-http: POST {service.url}/x was not sent" in action.result["detail"]
    assert the_log() == [("POST", 0, "dry_run")]


def test_a_new_connector_runs_dry(incident: Incident) -> None:
    assert incident.tenant.connectors.create(kind="http", name="new").dry_run


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"is_enabled": False}, "disabled"),
        ({"name": "other"}, "no connector"),
        ({"kind": "github", "name": "my-http"}, "no connector"),
        ({"secret": "not a secret"}, "no secret"),
        ({"settings": {}}, "settings of my-http are wrong"),
    ],
)
def test_a_connector_that_cannot_be_used_is_a_refusal(
    incident: Incident,
    perform: Perform,
    service: Server,
    given: dict[str, Any],
    fields: dict[str, Any],
    words: str,
) -> None:
    a_connector(incident.tenant, **given | fields)
    action = perform("http", connector="my-http")
    assert (action.status, service.calls) == ("failed", [])
    assert words in action.result["detail"]


def test_another_tenants_connector_is_none(
    perform: Perform, service: Server, given: dict[str, Any]
) -> None:
    a_connector(a_tenant(), **given)
    assert perform("http", connector="my-http").status == "failed"
    assert service.calls == []


def test_an_address_inside_is_not_called(incident: Incident, perform: Perform) -> None:
    a_connector(incident.tenant, settings={"base_url": "https://169.254.169.254"})
    action = perform("http", connector="my-http")
    assert action.status == "failed"
    assert "not public" in action.result["detail"]
    assert the_log() == [("POST", 0, "refused")]


def test_its_preview_says_whom_it_calls(
    incident: Incident, perform: Perform, service: Server, given: dict[str, Any]
) -> None:
    a_connector(incident.tenant, dry_run=True, **given)
    action = perform("http", connector="my-http")
    kind = kind_named("http")
    said = kind.preview(
        Order(action, action.created_at), kind.read({"connector": "my-http", "path": "/x"})
    )
    assert said.calls == (f"POST {service.url}/x",)
    assert "dry run" in said.says
