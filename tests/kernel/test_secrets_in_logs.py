"""No secret gets into a log line, an error or an answer, at any level [P19]."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from io import StringIO
from typing import Any

import pytest
import structlog
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import include, path

from awfdrs_site import urls
from awfdrs_site.kernel import correlation
from awfdrs_site.kernel.logs import formatter
from tenants import keys
from tests.cast import Cast

CANARIES = {
    "api key": "awf_canary1_" + "c0ffee11" * 6,
    "password": "password=canary-password-2",
    "signing secret": "whsec_Y2FuYXJ5LXNlY3JldC0z",
    "bearer token": "Bearer canary4canary4canary4",
    "jwt": "eyJjYW5hcnkiOjV9aaaa.eyJjYW5hcnkiOjV9bbbb.Y2FuYXJ5NQ",
    "database url": "postgresql://app:canary-password-6@db/x",
    "card": "4111 1111 1111 1111",
    "aws key": "AKIACANARY8CANARY8CA",
    "private key": "-----BEGIN PRIVATE KEY-----\ncanary9\n-----END PRIVATE KEY-----",
    "github token": "ghp_canary10canary10canary10",
    "slack token": "xoxb-canary11-canary11",
    "session": "sessionid=canary12canary12canary12",
}
# What must not be found again: the part of each that is the secret.
GREP = [
    *("c0ffee11c0ffee11", "canary-password-2", "Y2FuYXJ5LXNlY3JldC0z", "canary4", "Y2FuYXJ5NQ"),
    *("canary-password-6", "4111 1111", "CANARY8", "canary9", "canary10", "canary11", "canary12"),
]


def _crash(request: HttpRequest, name: str) -> HttpResponse:
    secret = CANARIES[name]
    raise RuntimeError(f"could not use {secret} for {{'password': 'canary-password-2'}}")


urlpatterns = [
    path("crash/<str:name>", login_not_required(_crash)),
    path("", include(urls)),
]
handler500 = urls.handler500

pytestmark = pytest.mark.urls(__name__)


@pytest.fixture
def lines() -> Iterator[Callable[[], str]]:
    """Everything that is logged from here on, at DEBUG, as the product renders it."""
    stream = StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter())
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield stream.getvalue
    root.removeHandler(handler)
    root.setLevel(level)


def _assert_clean(text: str) -> None:
    assert [word for word in GREP if word in text] == []


def _parsed(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize("name", CANARIES)
def test_it_masks_a_canary_however_it_is_logged(lines: Callable[[], str], name: str) -> None:
    """Seen red for each way with the scrubbing processor removed."""
    secret = CANARIES[name]
    log, plain = structlog.get_logger("canary"), logging.getLogger("canary")
    log.debug(f"in the text {secret}")  # noqa: G004
    log.info("as a value", value=secret, nested={"deep": [secret]}, pair=("x", secret))
    log.info("as an object", value=RuntimeError(secret), raw=secret.encode())
    plain.debug("by position %s", secret)
    plain.info("in a mapping %(it)s", {"it": secret})
    try:
        raise ValueError(secret) from RuntimeError(secret)  # noqa: TRY301
    except ValueError:
        log.exception("with a traceback")
        plain.exception("with a traceback too")
    _assert_clean(lines())
    assert len(_parsed(lines())) == 7, "every line is still one JSON object"


def test_it_masks_values_by_their_names(lines: Callable[[], str]) -> None:
    structlog.get_logger("canary").info("named", password="canary-password-2", api_key="canary10")
    _assert_clean(lines())
    assert _parsed(lines())[0]["password"] == "[masked]"


@pytest.mark.parametrize("name", CANARIES)
def test_it_masks_a_canary_in_a_crash(db: None, lines: Callable[[], str], name: str) -> None:
    client = Client(raise_request_exception=False)
    for accept in ("text/html", "application/json"):
        response = client.get(f"/crash/{name}", headers={"Accept": accept})
        assert response.status_code == 500
        _assert_clean(response.content.decode())
    _assert_clean(lines())
    assert "could not use" in lines(), "the crash is logged, only without the secret"


def test_it_keeps_secrets_of_requests_out_of_the_log(cast: Cast, lines: Callable[[], str]) -> None:
    """Keys, passwords, tokens and payloads, accepted and refused, at DEBUG."""
    password = "wrong horse battery staple"
    api = cast.api()
    document = cast.document(payload={"password": password, "note": CANARIES["card"]})
    stored = api.post("/api/v1/events", document, content_type="application/json")
    shown = api.get(f"/api/v1/events/{stored.json()['event_id']}").content.decode()
    client = Client()
    client.post("/login", {"username": "alice", "password": password})
    answer = client.post(
        "/api/v1/auth/token",
        {"username": "alice", "password": password},
        content_type="application/json",
    )
    unknown = keys.make()
    client.get("/api/v1/events", headers={"Authorization": f"Bearer {unknown}"})
    client.get("/api/v1/events", headers={"X-API-Key": CANARIES["api key"]})
    text = lines() + shown + answer.content.decode()
    secret = cast.keys["meridian-all"].rsplit("_", 1)[1]
    for word in (password, secret, unknown.secret):
        assert word not in text
    _assert_clean(text)
    assert _parsed(lines())


def test_it_puts_both_ids_on_every_line(lines: Callable[[], str]) -> None:
    structlog.contextvars.clear_contextvars()
    correlation.bind("run-1", "tenant-1")
    structlog.get_logger("x").info("ours")
    logging.getLogger("y").warning("another library's")
    structlog.contextvars.clear_contextvars()
    for line in _parsed(lines()):
        assert (line["correlation_id"], line["tenant_id"]) == ("run-1", "tenant-1")
        assert {"event", "level", "logger", "timestamp"} <= line.keys()


def test_it_puts_the_tenant_on_the_lines_of_a_request(
    cast: Cast, lines: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from ingestion import services

    log = structlog.get_logger("in the request")
    monkeypatch.setattr(services, "event_kind", lambda *_: (log.info("seen"), "info")[1])
    api = cast.api()
    headers = {"X-Correlation-ID": "req-5"}
    document = cast.document()
    api.post("/api/v1/events", document, content_type="application/json", headers=headers)
    seen = [line for line in _parsed(lines()) if line["event"] == "seen"]
    assert [(line["correlation_id"], line["tenant_id"]) for line in seen] == [
        ("req-5", str(cast.meridian.pk))
    ]
