"""Signed calls of a service: what is sent, what is asked, what is certain [A7]."""

from __future__ import annotations

import pytest
from django.db import transaction

from actions.catalog import kind_named
from actions.retry_call import sign
from incidents.models import Incident
from tests.connectors.conftest import WHSEC, Perform, a_connector, ask, the_log
from tests.connectors.servers import Server

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def connector(incident: Incident, service: Server) -> None:
    settings = {"base_url": f"{service.url}/api", "status_url": f"{service.url}/calls"}
    a_connector(incident.tenant, settings=settings)


def test_it_is_signed_and_has_the_actions_id(perform: Perform, service: Server) -> None:
    action = perform("http", connector="my-http", path="/hosts/7", body={"up": True})
    [call] = service.calls
    assert (call.method, call.path, call.body) == ("POST", "/api/hosts/7", {"up": True})
    assert call.headers["idempotency-key"] == call.headers["webhook-id"] == str(action.pk)
    timestamp = int(call.headers["webhook-timestamp"])
    signature = sign(WHSEC, str(action.pk), timestamp, b'{"up":true}')
    assert call.headers["webhook-signature"] == signature
    assert action.status == "succeeded"
    assert the_log() == [("POST", 200, "accepted")]


@pytest.mark.parametrize(
    ("status", "state", "certainty"),
    [(409, "failed", "refused"), (500, "unknown", "unknown"), (302, "unknown", "unknown")],
)
def test_it_takes_the_targets_word(
    perform: Perform, service: Server, status: int, state: str, certainty: str
) -> None:
    service.answer = lambda call: (status, {})
    assert perform("http", connector="my-http").status == state
    assert the_log() == [("POST", status, certainty)]


@pytest.mark.parametrize(("status", "state"), [(200, "succeeded"), (404, "failed")])
def test_a_lost_answer_is_asked_after_and_not_repeated(
    perform: Perform, service: Server, status: int, state: str
) -> None:
    service.answer = lambda call: "drop" if call.method == "POST" else (status, {})
    action = perform("http", connector="my-http")
    assert action.status == "unknown"
    assert ask(action).status == state
    assert service.made() == [("POST", "/api"), ("GET", f"/calls/{action.pk}")]
    assert [row[0] for row in the_log()] == ["POST", "GET"]


def test_a_question_nobody_takes_proves_nothing(perform: Perform, service: Server) -> None:
    """Seen red with `asks=True` left out of `Connected.ask`: the action had failed."""
    service.answer = lambda call: "drop"
    action = perform("http", connector="my-http")
    service.answer = lambda call: (500, {})
    assert ask(action).status == "unknown"
    with transaction.atomic():
        connector = action.tenant.connectors.get()
        connector.settings = {"base_url": "https://10.0.0.1", "status_url": "https://10.0.0.1"}
        connector.save()
    assert ask(action).status == "unknown"


@pytest.mark.parametrize(
    "path",
    [
        *("hosts", "//evil.example/", "@evil.example/", "/../admin", "/a/../b", "/.", "/a?b=c"),
        *("/a#b", "/%2e%2e/x", "/a\\b", "/a b", "/a\n"),
    ],
)
def test_a_path_stays_below_the_base_address(path: str) -> None:
    given = {"connector": "my-http", "path": path}
    assert kind_named("http").check(given), path


def test_a_reply_that_echoes_the_secret_does_not_tell_it(perform: Perform, service: Server) -> None:
    """Seen red without `Link.masked`: the secret stood in the action's result."""
    service.answer = lambda call: (200, {"you_sent": WHSEC})
    action = perform("http", connector="my-http")
    assert action.status == "succeeded"
    assert WHSEC not in str(action.result)
