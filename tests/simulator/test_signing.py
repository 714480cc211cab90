"""Standard Webhooks signatures: what is accepted, and every reason for a refusal."""

import pytest

from simulator.signing import (
    SignatureError,
    check_signature,
    new_secret,
    secret_key,
    signature,
    signed_headers,
)
from tests.simulator.retry_client import sign

# The example the specification's own libraries are tested with.
VECTOR_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
VECTOR_ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
VECTOR_BODY = b'{"test": 2432232314}'
VECTOR_SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="

NOW = 1_732_184_000
SECRET = "whsec_" + "c2ltdWxhdG9yLXRlc3Qtc2VjcmV0LTAwMDE="
OTHER_SECRET = "whsec_" + "YW5vdGhlci10ZXN0LXNlY3JldC0wMDAwMDI="
BODY = b'{"action_id":"a1"}'
GOOD = sign(SECRET, "a1", NOW, BODY)


def headers(**changes: str) -> dict[str, str]:
    """Headers signed at NOW, changed."""
    fresh = {"webhook-id": "a1", "webhook-timestamp": str(NOW), "webhook-signature": GOOD}
    return fresh | {name.replace("_", "-"): value for name, value in changes.items()}


def test_it_signs_the_published_example() -> None:
    """Any receiver with a Standard Webhooks library understands it."""
    assert signature(VECTOR_SECRET, VECTOR_ID, 1614265330, VECTOR_BODY) == VECTOR_SIGNATURE


def test_it_accepts_what_it_signed() -> None:
    """Sign and check are each other's inverse."""
    fresh = signed_headers(SECRET, "a1", NOW, BODY)
    assert check_signature(SECRET, fresh, BODY, now=NOW) == "a1"


@pytest.mark.parametrize(
    ("given", "now"),
    [
        pytest.param(headers(), NOW, id="as signed"),
        pytest.param(headers(), NOW + 300, id="five minutes old"),
        pytest.param(headers(), NOW - 300, id="five minutes ahead"),
        pytest.param(
            headers(webhook_signature=f"v1,AAAA v1a,xyz {GOOD}"), NOW, id="one of several matches"
        ),
    ],
)
def test_it_accepts(given: dict[str, str], now: int) -> None:
    """A signature by the secret's holder within five minutes, alone or among others."""
    assert check_signature(SECRET, given, BODY, now=now) == "a1"


@pytest.mark.parametrize(
    ("given", "body", "now"),
    [
        pytest.param(headers(), BODY, NOW + 301, id="too old"),
        pytest.param(headers(), BODY, NOW - 301, id="too far ahead"),
        pytest.param(headers(), BODY + b" ", NOW, id="body changed"),
        pytest.param(headers(webhook_id="a2"), BODY, NOW, id="id changed"),
        pytest.param(headers(webhook_timestamp=str(NOW + 1)), BODY, NOW, id="time changed"),
        pytest.param(headers(webhook_timestamp="now"), BODY, NOW, id="time no number"),
        pytest.param(headers(webhook_timestamp=f"{NOW}.5"), BODY, NOW, id="time a fraction"),
        pytest.param(headers(webhook_timestamp=f"-{NOW}"), BODY, NOW, id="time negative"),
        pytest.param(headers(webhook_timestamp="9" * 400), BODY, NOW, id="time endless"),
        pytest.param(headers(webhook_timestamp="\u0661\u0662"), BODY, NOW, id="foreign digits"),
        pytest.param(headers(webhook_timestamp=""), BODY, NOW, id="time missing"),
        pytest.param(headers(webhook_id=""), BODY, NOW, id="id missing"),
        pytest.param(headers(webhook_signature=""), BODY, NOW, id="signature missing"),
        pytest.param(headers(webhook_signature=GOOD[3:]), BODY, NOW, id="version missing"),
        pytest.param(headers(webhook_signature="v2" + GOOD[2:]), BODY, NOW, id="other version"),
        pytest.param(headers(webhook_signature=GOOD[:-4]), BODY, NOW, id="cut off"),
        pytest.param(headers(webhook_signature="v1,\u00e9"), BODY, NOW, id="not ASCII"),
        pytest.param(
            headers(webhook_signature=sign(OTHER_SECRET, "a1", NOW, BODY)),
            BODY,
            NOW,
            id="other secret",
        ),
        pytest.param({}, BODY, NOW, id="no headers"),
    ],
)
def test_it_refuses(given: dict[str, str], body: bytes, now: int) -> None:
    """Anything else is refused, and never with another error."""
    with pytest.raises(SignatureError):
        check_signature(SECRET, given, body, now=now)


@pytest.mark.parametrize(
    "secret", ["", "secret", "whsec_", "whsec_***", "whsec_c2hvcnQ=", "WHSEC_" + "A" * 44]
)
def test_it_refuses_a_secret_that_is_none(secret: str) -> None:
    """A secret is whsec_ and the base64 of at least 16 bytes."""
    with pytest.raises(ValueError, match="signing secret"):
        secret_key(secret)


def test_it_draws_secrets_of_32_bytes() -> None:
    """Each is new."""
    first, second = new_secret(), new_secret()
    assert first != second
    assert len(secret_key(first)) == 32
