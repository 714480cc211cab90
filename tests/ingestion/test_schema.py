"""What an event must look like [E3]: the pure validation."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from awfdrs_site.kernel.problem import FieldError
from ingestion.schema import OPTIONAL, REQUIRED, UNDERSTOOD, Draft, validate

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
GOOD: dict[str, Any] = {
    "tenant_id": "00000000-0000-0000-0000-000000000001",
    "workflow_id": "10000000-0000-0000-0000-000000000001",
    "event_type": "payment.failed",
    "payload": {"error_code": "payment_timeout", "vendor": "stripe", "amount": 12.5},
    "idempotency_key": "order-1",
    "occurred_at": "2026-03-01T11:59:30Z",
    "schema_version": "1.0.0",
}


def draft(**changes: Any) -> Draft:
    result = validate(GOOD | changes, NOW, "from-the-request")
    assert isinstance(result, Draft), result
    return result


def errors(document: Any) -> list[FieldError]:
    result = validate(document, NOW, "from-the-request")
    assert isinstance(result, list)
    assert result
    return result


def test_it_takes_a_plain_event() -> None:
    made = draft()
    assert str(made.tenant_id) == GOOD["tenant_id"]
    assert made.occurred_at == datetime(2026, 3, 1, 11, 59, 30, tzinfo=UTC)
    assert (made.error_code, made.vendor) == ("payment_timeout", "stripe")
    assert (made.resource_type, made.resource_id, made.fingerprint) == ("", "", "")
    assert made.payload == GOOD["payload"]


@pytest.mark.parametrize("name", REQUIRED)
def test_it_names_a_missing_field(name: str) -> None:
    for document in ({k: v for k, v in GOOD.items() if k != name}, GOOD | {name: None}):
        assert [(e.field, e.code) for e in errors(document)] == [(name, "required")]


@pytest.mark.parametrize("name", OPTIONAL)
def test_it_takes_a_missing_null_or_empty_optional_field_alike(name: str) -> None:
    for value in (None, ""):
        assert getattr(draft(**{name: value}), name) == getattr(draft(), name)


def test_it_takes_the_requests_correlation_id_where_the_event_has_none() -> None:
    assert draft().correlation_id == "from-the-request"
    assert draft(correlation_id="run-7").correlation_id == "run-7"


@pytest.mark.parametrize("document", [None, [], [GOOD], "event", 5, True, 1.5])
def test_it_takes_objects_alone(document: Any) -> None:
    assert [e.field for e in errors(document)] == ["body"]


@pytest.mark.parametrize("name", sorted(REQUIRED.keys() - {"payload"}) + sorted(OPTIONAL))
@pytest.mark.parametrize("value", [5, 1.5, True, [], {}, ["x"]])
def test_it_takes_strings_for_strings(name: str, value: Any) -> None:
    assert [(e.field, e.code) for e in errors(GOOD | {name: value})] == [(name, "type")]


@pytest.mark.parametrize("value", ["{}", [], 5, True])
def test_it_takes_an_object_for_a_payload(value: Any) -> None:
    assert [(e.field, e.code) for e in errors(GOOD | {"payload": value})] == [("payload", "type")]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("tenant_id", "5"),
        ("tenant_id", "00000000000000000000000000000001"),
        ("tenant_id", "{00000000-0000-0000-0000-000000000001}"),
        ("workflow_id", "10000000-0000-0000-0000-00000000000g"),
        ("workflow_id", ""),
        ("event_type", ""),
        ("event_type", "Payment.Failed"),
        ("event_type", "payment..failed"),
        ("event_type", ".failed"),
        ("event_type", "payment failed"),
        ("event_type", "a" * 101),
        ("event_type", "payment.failed\n"),
        ("idempotency_key", ""),
        ("idempotency_key", "k" * 256),
        ("idempotency_key", "a\x01b"),
        ("idempotency_key", "a\u202eb"),
        ("schema_version", ""),
        ("schema_version", "1.0"),
        ("schema_version", "1.0.1"),
        ("schema_version", "2.0.0"),
        ("correlation_id", "c" * 129),
        ("correlation_id", "two words"),
        ("correlation_id", "é"),
        ("correlation_id", "a\x7f"),
        ("resource_type", "r" * 101),
        ("resource_type", "a\u2066b"),
        ("resource_id", "r" * 256),
        ("resource_id", "a\tb"),
        ("fingerprint", "f" * 256),
        ("fingerprint", "a\u200fb"),
        ("occurred_at", ""),
        ("occurred_at", "yesterday"),
        ("occurred_at", "2026-03-01"),
        ("occurred_at", "2026-03-01T11:59:30"),
        ("occurred_at", "2026-13-01T11:59:30Z"),
        ("occurred_at", "2026-02-30T11:59:30Z"),
        ("occurred_at", "2026-03-01T25:00:00Z"),
        ("occurred_at", "2026-03-01T11:59:30+99:00"),
        ("occurred_at", "0001-01-01T00:00:00Z"),
        ("occurred_at", "0001-01-01T00:00:00+14:00"),
        ("occurred_at", "9999-12-31T23:59:59-14:00"),
        ("occurred_at", "1772366370"),
        ("occurred_at", "20260301T115930Z"),
        ("occurred_at", "2026-W09-7T11:59:30Z"),
    ],
)
def test_it_refuses_a_bad_value_by_its_field(name: str, value: str) -> None:
    assert [e.field for e in errors(GOOD | {name: value})] == [name]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, 5) for name in ("error_code", "error_message", "vendor", "severity", "stack")),
        *((name, "1") for name in ("duration_ms", "attempt")),
        *((name, True) for name in UNDERSTOOD),
        *((name, -1) for name in ("duration_ms", "attempt")),
        ("attempt", 1.5),
        ("error_code", "c" * 101),
        ("error_code", "a\u202eb"),
        ("vendor", "v" * 101),
        ("vendor", "a\x00b"),
        ("severity", ["high"]),
    ],
)
def test_it_refuses_a_bad_value_of_an_understood_payload_key(name: str, value: Any) -> None:
    assert [e.field for e in errors(GOOD | {"payload": {name: value}})] == [f"payload.{name}"]


def test_it_keeps_payload_keys_it_does_not_understand() -> None:
    payload = {"anything": [1, {"x": None}], "duration_ms": 0.5, "attempt": 0, "vendor": None}
    assert draft(payload=payload).payload == payload
    assert draft(payload=payload).vendor == ""


def test_it_refuses_fields_it_does_not_know() -> None:
    wrong = errors(GOOD | {"event_typ": "x", "priority": 1})
    assert [(e.field, e.code) for e in wrong] == [
        ("event_typ", "unknown_field"),
        ("priority", "unknown_field"),
    ]


def test_it_echoes_at_most_64_escaped_characters() -> None:
    hostile = "\u202e<script>" + "x" * 100_000
    document = GOOD | {hostile: 1, "schema_version": hostile, "tenant_id": hostile}
    for error in errors(document):
        assert len(error.field) <= 64
        assert len(error.detail) <= 120
        assert (error.field + error.detail).isascii() or "…" in error.field + error.detail
        assert "\u202e" not in error.field + error.detail


def test_it_reports_many_mistakes_but_not_thousands() -> None:
    document = GOOD | {f"unknown{i}": i for i in range(4_000)}
    assert len(errors(document)) <= 40


@pytest.mark.parametrize(
    ("offset", "flagged"),
    [
        (timedelta(minutes=5), False),
        (timedelta(minutes=5, seconds=1), True),
        (timedelta(days=-30), False),
        (timedelta(days=-30, seconds=-1), True),
        (timedelta(0), False),
    ],
)
def test_it_flags_clocks_that_are_far_off(offset: timedelta, flagged: bool) -> None:
    """Stored all the same: order and windows go by the receipt."""
    assert draft(occurred_at=(NOW + offset).isoformat()).clock_skew is flagged


def test_it_reads_offsets_and_fractions() -> None:
    made = draft(occurred_at="2026-03-01T13:00:00.123456789+01:30")
    assert made.occurred_at == datetime(2026, 3, 1, 11, 30, 0, 123456, tzinfo=UTC)


def test_it_scrubs_secrets_out_of_the_payload() -> None:
    payload = {
        "error_message": "401 for Bearer abcdef0123456789",
        "headers": {"Authorization": "x1", "X-Request-Id": "7"},
        "card": 4111111111111111,
        "error_code": "sk_live_abcdefgh12345678",
    }
    made = draft(payload=payload)
    assert made.payload == {
        "error_message": "401 for Bearer [masked]",
        "headers": {"Authorization": "[masked]", "X-Request-Id": "7"},
        "card": "[masked card]",
        "error_code": "[masked]",
    }
    assert made.error_code == "[masked]"


def test_it_hashes_the_content_and_not_its_order() -> None:
    turned = dict(reversed(GOOD.items())) | {"payload": dict(reversed(GOOD["payload"].items()))}
    same = validate(turned, NOW, "another-request")
    assert isinstance(same, Draft)
    assert same.content_hash == draft().content_hash
    for changed in ({"resource_id": "2"}, {"payload": {}}, {"occurred_at": "2026-03-01T11:59:31Z"}):
        assert draft(**changed).content_hash != draft().content_hash


def test_it_keeps_no_hash_that_a_masked_secret_could_be_tried_against() -> None:
    """Only the mask is in the hash: two documents that differ in the secret alone are the same."""
    one, other = ({"card": number} for number in ("4111111111111111", "5555555555554444"))
    assert draft(payload=one).content_hash == draft(payload=other).content_hash


_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False)
    | st.text(),
    lambda children: (
        st.lists(children, max_size=4) | st.dictionaries(st.text(), children, max_size=4)
    ),
    max_leaves=20,
)
_names = st.sampled_from([*REQUIRED, *OPTIONAL]) | st.text(max_size=8)


@given(st.dictionaries(_names, _json, max_size=14))
def test_it_judges_any_document_without_raising(changes: dict[str, Any]) -> None:
    result = validate(GOOD | changes, NOW, "c")
    assert isinstance(result, Draft) or (result and all(e.field and e.detail for e in result))


@given(st.dictionaries(st.sampled_from([*UNDERSTOOD]) | st.text(max_size=8), _json, max_size=8))
def test_it_judges_any_payload_without_raising(payload: dict[str, Any]) -> None:
    result = validate(GOOD | {"payload": payload}, NOW, "c")
    if isinstance(result, Draft):
        assert len(result.error_code) <= 100
        assert len(result.vendor) <= 100
    else:
        assert all(error.field.startswith("payload.") for error in result)
