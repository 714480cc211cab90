"""Bad input is refused by a problem document, and nothing of it is stored [P23]."""

from __future__ import annotations

import json
from dataclasses import dataclass
from dataclasses import field as default
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from awfdrs_site.kernel.models import Work
from ingestion.models import Event
from tests.cast import Cast

URL = "/api/v1/events"
JSON = "application/json"


@dataclass(frozen=True)
class Bad:
    """One bad request: what is sent in place of a good one, and the answer it must get."""

    name: str
    status: int
    code: str
    field: str = ""
    body: bytes | None = None
    changes: dict[str, Any] = default(default_factory=dict)
    content_type: str = JSON
    headers: dict[str, str] = default(default_factory=dict)
    key: str = "meridian-all"


def _nested(depth: int) -> bytes:
    return b'{"payload": ' + b"[" * depth + b"]" * depth + b"}"


def _raw(name: str, body: bytes, **more: Any) -> Bad:
    return Bad(name, 400, "invalid_json", body=body, **more)


def _field(name: str, field: str, **changes: Any) -> Bad:
    return Bad(name, 400, "validation_error", field, changes=changes)


CASES = [
    # Not JSON, or not the JSON we take.
    _raw("empty body", b""),
    _raw("white space", b" \n\t "),
    _raw("half an object", b"{"),
    _raw("two values", b"{} {}"),
    _raw("byte order mark", b"\xef\xbb\xbf{}"),
    _raw("bad UTF-8", b'{"a": "\xff"}'),
    _raw("UTF-16", '{"a": 1}'.encode("utf-16")),
    _raw("NaN", b'{"payload": {"a": NaN}}'),
    _raw("Infinity", b'{"payload": {"a": -Infinity}}'),
    _raw("1e999", b'{"payload": {"a": 1e999}}'),
    _raw("a key twice", b'{"payload": {"a": 1, "a": 2}}'),
    _raw("too deep", _nested(20)),
    _raw("deep enough to break a parser", _nested(100_000)),
    _raw("deep objects", b'{"a":' * 1_000 + b"0" + b"}" * 1_000),
    _raw("single quotes", b"{'a': 1}"),
    # JSON, but no event.
    Bad("null", 400, "validation_error", "body", body=b"null"),
    Bad("a string", 400, "validation_error", "body", body=b'"event"'),
    Bad("an array", 400, "validation_error", "body", body=b"[]"),
    Bad("a number", 400, "validation_error", "body", body=b"5"),
    _field("no tenant", "tenant_id", tenant_id=None),
    _field("no key", "idempotency_key", idempotency_key=None),
    _field("an empty key", "idempotency_key", idempotency_key=""),
    _field("a key too long", "idempotency_key", idempotency_key="k" * 256),
    _field("5 for a string", "event_type", event_type=5),
    _field("'1' for a number", "payload.attempt", payload={"attempt": "1"}),
    _field("a version of tomorrow", "schema_version", schema_version="9.9.9"),
    _field("an unknown field", "tenantId", tenantId="x"),
    _field("a time without offset", "occurred_at", occurred_at="2026-01-01T00:00:00"),
    _field("month 13", "occurred_at", occurred_at="2026-13-01T00:00:00Z"),
    _field("year 1", "occurred_at", occurred_at="0001-01-01T00:00:00Z"),
    _field("past year 9999", "occurred_at", occurred_at="9999-12-31T23:00:00-14:00"),
    _field("a control character", "resource_id", resource_id="a\x07b"),
    _field("a bidi override", "payload.vendor", payload={"vendor": "str\u202eipe"}),
    # What PostgreSQL or a browser could not keep.
    Bad(
        "a NUL",
        400,
        "validation_error",
        "payload.a.b[0].c",
        changes={"payload": {"a": {"b": [{"c": "x\x00y"}]}}},
    ),
    Bad("a NUL in a key", 400, "validation_error", "payload", changes={"payload": {"\x00": 1}}),
    Bad(
        "a lone surrogate",
        400,
        "validation_error",
        "payload.a",
        body=b'{"payload": {"a": "\\ud800"}}',
    ),
    Bad("2^63", 400, "validation_error", "payload.a", changes={"payload": {"a": 2**63}}),
    Bad(
        "5,000 digits",
        400,
        "validation_error",
        "payload.a",
        body=b'{"payload": {"a": ' + b"9" * 5_000 + b"}}",
    ),
    # Too much.
    Bad("too many values", 413, "payload_too_large", changes={"payload": {"a": [0] * 5_000}}),
    Bad("over a mebibyte", 413, "payload_too_large", changes={"payload": {"a": "x" * 2**20}}),
    # Not in a form we take.
    Bad("text", 415, "unsupported_media_type", content_type="text/plain"),
    Bad("a form", 415, "unsupported_media_type", content_type="application/x-www-form-urlencoded"),
    Bad(
        "a multipart form",
        415,
        "unsupported_media_type",
        body=b"--x--",
        content_type="multipart/form-data; boundary=x",
    ),
    Bad("no content type", 415, "unsupported_media_type", content_type=""),
    Bad(
        "another charset",
        415,
        "unsupported_media_type",
        content_type="application/json; charset=latin-1",
    ),
    Bad(
        "an unknown charset",
        415,
        "unsupported_media_type",
        content_type='application/json; charset="x"',
    ),
    Bad("compressed", 415, "unsupported_media_type", headers={"Content-Encoding": "gzip"}),
    Bad(
        "chunked",
        411,
        "length_required",
        body=b"",
        headers={"Transfer-Encoding": "chunked", "Content-Length": ""},
    ),
    Bad("a length that is none", 400, "bad_request", headers={"Content-Length": "\u00b2"}),
    Bad(
        "a length beyond all numbers",
        413,
        "payload_too_large",
        headers={"Content-Length": "9" * 5_000},
    ),
    Bad("HTML wanted", 406, "not_acceptable", headers={"Accept": "text/html"}),
    # Not theirs.
    Bad("no credentials", 401, "not_authenticated", key="garbled"),
    Bad("no scope", 403, "permission_denied", key="meridian-read"),
    Bad("another tenant's key", 403, "tenant_mismatch", key="northwind-ingest"),
    Bad("an inactive tenant", 403, "tenant_inactive", key="dormant-ingest"),
    Bad(
        "an unknown workflow",
        404,
        "workflow_not_found",
        changes={"workflow_id": "00000000-0000-4000-8000-000000000000"},
    ),
]


def _send(cast: Cast, case: Bad) -> Any:
    changes = dict(case.changes)
    if case.code == "tenant_inactive":
        changes["tenant_id"] = str(cast.dormant.pk)
    body = case.body
    if body is None:
        body = json.dumps(cast.document(**changes)).encode()
    extra = {}
    headers = dict(case.headers)
    if (length := headers.pop("Content-Length", None)) is not None:
        extra["CONTENT_LENGTH"] = length
    client = cast.api(case.key, raise_request_exception=False)
    return client.generic("POST", URL, body, case.content_type, headers=headers, **extra)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_it_refuses(cast: Cast, case: Bad) -> None:
    response = _send(cast, case)
    assert response.status_code == case.status, response.content
    assert response.headers["Content-Type"] == "application/problem+json"
    document = response.json()
    assert document["code"] == case.code
    assert document["status"] == case.status
    assert {"type", "title", "detail"} <= document.keys()
    assert document["correlation_id"] == response.headers["X-Correlation-ID"]
    if case.field:
        assert case.field in [error["field"] for error in document["errors"]]
    assert len(response.content) < 8_000
    assert Event.objects.count() == 0
    assert Work.objects.count() == 0


def test_it_refuses_another_tenants_workflow_like_an_unknown_one(cast: Cast) -> None:
    """The answers are the same to the letter, so nobody learns which ids exist."""
    api = cast.api()
    unknown = "00000000-0000-4000-8000-000000000000"
    answers = []
    for workflow_id in (str(cast.routing.pk), unknown):
        document = cast.document(workflow_id=workflow_id)
        headers = {"X-Correlation-ID": "same"}
        answers.append(api.post(URL, document, content_type=JSON, headers=headers).json())
    assert answers[0] == answers[1]
    assert answers[0]["code"] == "workflow_not_found"


def test_it_refuses_a_workflow_that_is_switched_off(cast: Cast) -> None:
    cast.capture.is_active = False
    cast.capture.save()
    response = cast.api().post(URL, cast.document(), content_type=JSON)
    assert (response.status_code, response.json()["code"]) == (404, "workflow_not_found")


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_it_names_the_methods_it_has(cast: Cast, method: str) -> None:
    response = getattr(cast.api(), method)(URL)
    assert response.status_code == 405
    assert response.json()["code"] == "method_not_allowed"
    assert "POST" in response.headers["Allow"]


@pytest.mark.parametrize("sent", ["x" * 129, "two words", "é", "a\tb", ""])
def test_it_makes_a_correlation_id_where_the_sent_one_is_no_good(cast: Cast, sent: str) -> None:
    response = cast.api().get(URL, headers={"X-Correlation-ID": sent})
    assert response.status_code == 200
    assert response.headers["X-Correlation-ID"] not in ("", sent)


@pytest.mark.parametrize(
    "query",
    [
        "?workflow=%00",
        "?type=%00",
        "?correlation_id=%00",
        "?since=yesterday",
        "?since=2026-01-01T00:00:00",
        "?until=9999-12-31T23:00:00-14:00",
        "?page_size=0",
        "?page_size=201",
        "?page_size=x",
        "?cursor=nonsense",
        "?cursor=WzAsIngiLCJ5Il0",
        "?cursor=" + "A" * 5_000,
        "?wrokflow=1",
    ],
)
def test_it_refuses_a_bad_query(cast: Cast, query: str) -> None:
    response = cast.api(raise_request_exception=False).get(URL + query)
    assert response.status_code == 400, response.content
    assert response.json()["code"] == "validation_error"


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=25,
)
_names = st.sampled_from(
    [
        *("tenant_id", "workflow_id", "event_type", "payload", "idempotency_key", "occurred_at"),
        *("schema_version", "correlation_id", "resource_type", "resource_id", "fingerprint"),
    ]
)
_payloads = st.fixed_dictionaries(
    {
        "payload": st.dictionaries(
            st.sampled_from(["error_code", "vendor", "stack"]) | st.text(), _json
        )
    }
)
_changes = st.dictionaries(_names | st.text(), _json, max_size=3) | _payloads
_unlimited = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def _check(response: Any) -> None:
    assert response.status_code < 500, response.content
    if response.status_code == 201:
        assert Event.objects.filter(pk=response.json()["event_id"]).exists()
    else:
        assert response.headers["Content-Type"] == "application/problem+json"
        assert response.json()["status"] == response.status_code


@_unlimited
@given(changes=_changes)
def test_it_never_fails_on_any_document(cast: Cast, changes: dict[str, Any]) -> None:
    body = json.dumps(cast.document() | changes)
    api = cast.api(raise_request_exception=False)
    _check(api.generic("POST", URL, body.encode("utf-8", "surrogatepass"), JSON))


@_unlimited
@given(
    body=st.binary(max_size=200),
    content_type=st.sampled_from([JSON, "application/json;"])
    | st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40),
)
def test_it_never_fails_on_any_bytes(cast: Cast, body: bytes, content_type: str) -> None:
    _check(cast.api(raise_request_exception=False).generic("POST", URL, body, content_type))
