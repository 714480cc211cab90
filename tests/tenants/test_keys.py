"""API keys: how they look and how they are recognised [P13]."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenants import keys


def test_it_makes_keys_with_at_least_192_random_bits() -> None:
    made = {keys.make() for _ in range(200)}
    assert len({key.secret for key in made}) == 200
    assert all(len(bytes.fromhex(key.secret)) * 8 >= 192 for key in made)


def test_it_reads_back_what_it_made() -> None:
    key = keys.make()
    assert keys.parse(str(key)) == key


def test_it_takes_the_demo_key() -> None:
    text = "awf_demo_5eedc0de5eedc0de5eedc0de5eedc0de5eedc0de5eedc0de"
    assert keys.parse(text) == keys.Key("demo", text.removeprefix("awf_demo_"))


def test_it_knows_a_key_by_its_hash_alone() -> None:
    """The hash is not the key, and no other key has it, not even with the same secret."""
    key = keys.make()
    other = keys.Key("0" * 10, key.secret)
    assert key.matches(key.hash())
    assert key.matches(memoryview(key.hash()))
    assert not other.matches(key.hash())
    assert key.secret.encode() not in key.hash()
    assert len(key.hash()) == 32


def test_it_never_shows_the_secret_in_a_traceback() -> None:
    key = keys.make()
    assert key.secret not in repr(key)


@pytest.mark.parametrize(
    "garbled",
    [
        "",
        "awf_",
        "awf_demo",
        "awf_demo_",
        "awf_demo_short",
        "awf__" + "a" * 48,
        "awf_de_" + "a" * 48,
        "awf_demo_" + "a" * 48 + "\n",
        "awf_demo_" + "a" * 47 + "\x00",
        "awf_dé_mo_" + "a" * 48,
        "AWF_demo_" + "a" * 48,
        "awf_demo_" + "a" * 500,
    ],
)
def test_it_refuses_garbled_keys(garbled: str) -> None:
    assert keys.parse(garbled) is None


@given(st.text())
def test_it_takes_any_text_without_raising(text: str) -> None:
    parsed = keys.parse("awf_" + text)
    assert parsed is None or str(parsed) == "awf_" + text
