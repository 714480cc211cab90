"""A seal opens for the row it was made for, with a key that is known, and never otherwise [A7]."""

from __future__ import annotations

import pytest
from pytest_django import Settings

from awfdrs_site.kernel.sealing import SealBrokenError, is_newest, seal, unseal

SECRET = "canary-of-the-seal"
OLD, NEW = b"old-key-of-thirty-two-bytes-0001", b"new-key-of-thirty-two-bytes-0002"


@pytest.fixture(autouse=True)
def keys(settings: Settings) -> None:
    settings.SEAL_KEYS = (NEW, OLD)


def test_it_opens_what_it_sealed() -> None:
    sealed = seal(SECRET, "tenant", "row")
    assert unseal(sealed, "tenant", "row") == SECRET
    assert SECRET.encode() not in sealed
    assert seal(SECRET, "tenant", "row") != sealed, "each seal has a nonce of its own"


@pytest.mark.parametrize("row", [("tenant", "other"), ("other", "row"), ("tenant",), ()])
def test_it_does_not_open_in_another_row(row: tuple[str, ...]) -> None:
    """Seen red without the binding (`None` in the place of `_bound`): it opened."""
    with pytest.raises(SealBrokenError):
        unseal(seal(SECRET, "tenant", "row"), *row)


@pytest.mark.parametrize("at", [0, 1, 8, 9, 20, 21, -1])
def test_it_does_not_open_once_it_was_changed(at: int) -> None:
    sealed = bytearray(seal(SECRET, "tenant", "row"))
    sealed[at] ^= 1
    with pytest.raises(SealBrokenError):
        unseal(bytes(sealed), "tenant", "row")


@pytest.mark.parametrize("length", [0, 1, 9, 12, 21, 30])
def test_it_does_not_open_when_cut_short(length: int) -> None:
    with pytest.raises(SealBrokenError):
        unseal(seal(SECRET, "tenant", "row")[:length], "tenant", "row")


def test_an_older_key_opens_and_the_newest_seals(settings: Settings) -> None:
    settings.SEAL_KEYS = (OLD,)
    sealed = seal(SECRET, "row")
    settings.SEAL_KEYS = (NEW, OLD)
    assert unseal(sealed, "row") == SECRET
    assert (is_newest(sealed), is_newest(seal(SECRET, "row"))) == (False, True)
    settings.SEAL_KEYS = (NEW,)
    with pytest.raises(SealBrokenError, match="AWFDRS_SEAL_KEYS"):
        unseal(sealed, "row")
