"""Secrets are masked wherever they stand; what only looks a little like one stays [E10]."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from awfdrs_site.kernel.scrub import CARD_MASK, MASK, scrub, scrub_text

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NSJ9.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nIBAAKC\n-----END RSA PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("key awf_demo_5eedc0de5eedc0de5eedc0de!", f"key {MASK}!"),
        ("X_awf_demo_5eedc0de5eedc0de5eedc0de", f"X_{MASK}"),
        ("whsec_c2VjcmV0LXNlY3JldA==", MASK),
        ("use sk_live_4eC39HqLyjWDarjtT1zdp7dc", f"use {MASK}"),
        ("AKIAIOSFODNN7EXAMPLE", MASK),
        ("ghp_abcdefghijklmnopqrstuvwxyz0123", MASK),
        ("xoxb-1234567890-abcdef", MASK),
        (f"got {JWT}.", f"got {MASK}."),
        (f"before\n{PEM}\nafter", f"before\n{MASK}\nafter"),
        ("-----BEGIN PRIVATE KEY-----\ncut off", MASK),
        ("Authorization: Bearer abcdef123456", f"Authorization: Bearer {MASK}"),
        ("basic dXNlcjpwYXNzMQ==", f"basic {MASK}"),
        ("postgresql://app:hunter2@db/x", f"postgresql://app:{MASK}@db/x"),
        ("redis://:hunter2@cache:6379/0", f"redis://:{MASK}@cache:6379/0"),
        ("password=hunter2&x=1", f"password={MASK}&x=1"),
        ("{'password': 'hunter2', 'a': 1}", f"{{'password': '{MASK}', 'a': 1}}"),
        ('{"db_password": "hunter2"}', f'{{"db_password": "{MASK}"}}'),
        ('\\"api_key\\": \\"hunter2\\"', f'\\"api_key\\": \\"{MASK}\\"'),
        ("Set-Cookie: sessionid=abc123; Path=/", f"Set-Cookie: sessionid={MASK}; Path=/"),
        ("access_token=ya29a0Ael9", f"access_token={MASK}"),
        ("card 4111 1111 1111 1111.", f"card {CARD_MASK}."),
        ("5555-5555-5555-4444", CARD_MASK),
        ("378282246310005", CARD_MASK),
    ],
)
def test_it_masks_a_secret_in_a_text(text: str, masked: str) -> None:
    assert scrub_text(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "bearer authentication failed",
        "Basic authentication is off",
        "invalid token: expired",
        "the password was wrong",
        "https://example.org/path?x=1",
        "order 4111111111111112",
        "1767225600000",
        "1767225600000000",
        "id 00000000-0000-0000-0000-000000000001",
        "awf_demo_short",
        "12 345 678 901 234",
        "payment_timeout",
    ],
)
def test_it_leaves_an_innocent_text(text: str) -> None:
    assert scrub_text(text) == text


@pytest.mark.parametrize(
    "key",
    [
        *("password", "PASSWORD", "db_password", "passwd", "pwd", "client_secret", "secretKey"),
        *("api_key", "apiKey", "x-api-key", "Authorization", "access_token", "Cookie", "cvv"),
        *("Set-Cookie", "private_key", "aws_credentials", "session_id", "card_number", "pin"),
    ],
)
def test_it_masks_what_a_secret_key_names(key: str) -> None:
    assert scrub({"a": [{key: "x"}]}) == {"a": [{key: MASK}]}
    assert scrub({key: {"nested": 1}}) == {key: MASK}


@pytest.mark.parametrize(
    "key",
    [
        *("error_code", "error_message", "idempotency_key", "resource_id", "spinner", "panel"),
        *("next_page_token", "bypass", "tokens_used", "passenger", "author", "shipping"),
    ],
)
def test_it_leaves_what_an_innocent_key_names(key: str) -> None:
    assert scrub({key: "x", "n": 1}) == {key: "x", "n": 1}


def test_it_masks_card_numbers_sent_as_numbers_and_as_keys() -> None:
    value: Any = {"a": 4111111111111111, "b": True, "c": 4111, "4111111111111111": 1}
    assert scrub(value) == {"a": CARD_MASK, "b": True, "c": 4111, CARD_MASK: 1}


def test_it_does_not_change_what_it_was_given() -> None:
    value = {"password": "x", "list": [{"token": "y"}]}
    scrub(value)
    assert value == {"password": "x", "list": [{"token": "y"}]}


@given(st.text())
def test_it_masks_the_same_a_second_time(text: str) -> None:
    once = scrub_text(text)
    assert scrub_text(once) == once


@given(st.from_regex(r"[0-9a-f]{48}", fullmatch=True), st.text(), st.text())
def test_it_finds_a_key_in_any_text(secret: str, before: str, after: str) -> None:
    assert secret not in scrub_text(f"{before} awf_a1b2c3d4e5_{secret} {after}")
