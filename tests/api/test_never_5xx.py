"""Whatever is sent: an answer below 500 that is a problem document, and nothing else [P23]."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.api.conftest import an_action, an_incident
from tests.cast import Cast

PROFILE = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
NAMES = st.sampled_from(
    ["status", "comment", "text", "assignee", "kind", "parameters", "scope", "workflow_id",
     "vendor", "blocks", "reason", "expires_at", "delay_seconds", "trait", "value"]
)  # fmt: skip
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
    | st.sampled_from(["retry", "new", "tenant", "vendor", "both", "9999-12-31T23:59:59-14:00"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
BODIES = st.dictionaries(NAMES | st.text(max_size=8), VALUES, max_size=4) | VALUES
COMMANDS = [
    ("PATCH", "incidents/{incident}/status"), ("POST", "incidents/{incident}/assign"),
    ("POST", "incidents/{incident}/comment"), ("POST", "incidents/{incident}/actions"),
    ("POST", "incidents/{incident}/split"),
    ("POST", "actions/{action}/approve"), ("POST", "kill-switches"),
]  # fmt: skip
PARAMETERS = {
    "incidents": ["status", "severity", "workflow", "vendor", "category", "assignee", "since",
                  "until", "q", "ordering", "cursor", "page_size"],
    "actions": ["status", "type", "incident", "since", "until", "cursor", "page_size"],
    "kill-switches": ["scope", "engaged", "cursor"],
    "vendors": ["breaker_state", "cursor"],
}  # fmt: skip


def check(answer: Any) -> None:
    assert answer.status_code < 500, answer.content
    if answer.status_code >= 400:
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert len(answer.content) < 16_000


@pytest.mark.parametrize(("method", "path"), COMMANDS)
def test_no_body_breaks_a_command(cast: Cast, method: str, path: str) -> None:
    api = cast.api()
    incident = an_incident(cast.capture)
    url = "/api/v1/" + path.format(incident=incident.pk, action=an_action(incident).pk)

    @PROFILE
    @given(body=BODIES)
    def send(body: Any) -> None:
        with transaction.atomic():
            check(api.generic(method, url, json.dumps(body), "application/json"))
            transaction.set_rollback(True)

    send()


@pytest.mark.parametrize("path", sorted(PARAMETERS))
def test_no_query_breaks_a_list(cast: Cast, path: str) -> None:
    api = cast.api()
    an_action(an_incident(cast.capture))
    values = (
        st.text(max_size=30) | st.integers().map(str) | st.uuids().map(str) | st.floats().map(str)
    )

    @PROFILE
    @given(query=st.dictionaries(st.sampled_from(PARAMETERS[path]), values, max_size=3))
    def read(query: dict[str, str]) -> None:
        clean = {name: value.encode("utf-8", "ignore").decode() for name, value in query.items()}
        check(api.get(f"/api/v1/{path}", clean))

    read()


def test_no_forged_cursor_breaks_a_list(cast: Cast) -> None:
    """Also one whose values are of the right number and the wrong kind."""
    api: Client = cast.api()
    an_incident(cast.capture)

    @PROFILE
    @given(
        values=st.lists(VALUES, min_size=2, max_size=2),
        ordering=st.sampled_from(["severity", "-event_count", "last_seen_at", "number"]),
    )
    def read(values: list[Any], ordering: str) -> None:
        text = json.dumps([0, *values])
        cursor = base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")
        query = {"cursor": cursor, "ordering": ordering}
        check(api.get("/api/v1/incidents", query))

    read()
