"""Signatures: what makes two failures one incident."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidents.detecting.signature import Signature, group_messages, signature_of
from safety.codes import normalise_code, telling_code
from tests.pure.strategies import many

W1, W2 = "10000000-0000-0000-0000-000000000001", "10000000-0000-0000-0000-000000000002"


def sign(
    workflow_id: str = W1,
    event_type: str = "payment.failed",
    code: str = "",
    message: str = "",
    fingerprint: str = "",
) -> Signature:
    return signature_of(
        workflow_id=workflow_id,
        event_type=event_type,
        error_code=code,
        error_message=message,
        fingerprint=fingerprint,
    )


WHICH = [
    (sign(code="X1", message="boom", fingerprint="abc"), ("fingerprint", "abc")),
    (sign(code="PaymentTimeout", message="boom"), ("code", "payment_timeout")),
    (sign(code="unknown", message="boom at 12"), ("template", "boom at <num>")),
    (sign(message="boom at 12"), ("template", "boom at <num>")),
    (sign(), ("template", "payment.failed")),
    (sign(code="-- ", message=" ", fingerprint=" "), ("template", "payment.failed")),
]


@pytest.mark.parametrize(("signature", "expected"), WHICH, ids=range(len(WHICH)))
def test_it_takes_the_first_that_the_event_has(
    signature: Signature, expected: tuple[str, str]
) -> None:
    assert (signature.kind, signature.text) == expected
    assert len(signature.digest) == 32
    assert set(signature.digest) <= set("0123456789abcdef")


SAME = [
    (sign(code="PaymentTimeout"), sign(code="payment-timeout", message="other", event_type="b.c")),
    (sign(message="Order 17 failed"), sign(message="order 18  failed", event_type="b.c")),
    (sign(fingerprint="tenant:db"), sign(workflow_id=W2, fingerprint="tenant:db")),
    (sign(fingerprint="a  b"), sign(fingerprint=" a b ", code="other")),
]
DIFFERENT = [
    (sign(code="a1"), sign(workflow_id=W2, code="a1")),
    (sign(message="boom"), sign(workflow_id=W2, message="boom")),
    (sign(fingerprint="db"), sign(workflow_id=W2, fingerprint="db")),
    (sign(fingerprint="timeout"), sign(code="timeout")),
    (sign(code="timeout"), sign(message="timeout")),
    (sign(), sign(event_type="refund.failed")),
    (sign(code="error", message="disk full"), sign(code="error", message="bad card")),
]


@pytest.mark.parametrize(("one", "other"), SAME, ids=range(len(SAME)))
def test_it_joins_equal_failures(one: Signature, other: Signature) -> None:
    assert one.digest == other.digest


@pytest.mark.parametrize(("one", "other"), DIFFERENT, ids=range(len(DIFFERENT)))
def test_it_keeps_unlike_failures_apart(one: Signature, other: Signature) -> None:
    assert one.digest != other.digest


def test_it_keeps_its_digests_between_releases() -> None:
    """A changed digest would open every incident anew: this is stored data."""
    assert sign(code="payment_timeout").digest == "1ad9af4f58ea01477ace417fabe647e6"
    assert sign(message="Order 17 failed").digest == "5f37672cfeed2d699bfa3546caff44ff"


@many
@given(st.text(max_size=60), st.text(max_size=60), st.text(max_size=60), st.text(max_size=20))
def test_it_takes_any_text(code: str, message: str, fingerprint: str, event_type: str) -> None:
    first = sign(code=code, message=message, fingerprint=fingerprint, event_type=event_type)
    again = sign(code=code, message=message, fingerprint=fingerprint, event_type=event_type)
    assert first == again


def test_it_groups_messages_one_by_one() -> None:
    """Streaming: the id of a message does not depend on the messages around it."""
    messages = ["Order 1 failed", "Disk full", "Order 22 failed"]
    ids = group_messages(messages)
    assert ids[0] == ids[2] != ids[1]
    assert ids == [group_messages([message])[0] for message in messages]


CODES = [
    ("RateLimitError", "rate_limit_error"),
    ("RATE_LIMIT-error ", "rate_limit_error"),
    ("HTTPError", "http_error"),
    ("http 429", "http_429"),
    ("ORA-00060", "ora_00060"),
    ("\uff46\uff55\uff4c\uff4c", "full"),
    ("Ошибка Сети", "ошибка_сети"),
    ("--", ""),
    ("x" * 500, "x" * 200),
]


@pytest.mark.parametrize(("code", "normal"), CODES, ids=[code[:12] for code, _ in CODES])
def test_it_spells_a_code_one_way(code: str, normal: str) -> None:
    assert normalise_code(code) == normal


@many
@given(st.text(max_size=250))
def test_it_changes_a_normal_code_no_further(code: str) -> None:
    assert normalise_code(normalise_code(code)) == normalise_code(code)


@pytest.mark.parametrize("code", ["unknown", "ERROR", "n/a", "None", "0", "general-error", ""])
def test_it_passes_over_codes_that_say_nothing(code: str) -> None:
    assert telling_code(code) == ""
