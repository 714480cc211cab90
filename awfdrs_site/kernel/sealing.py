"""Secrets of others, sealed before they are stored (AES-256-GCM, NIST SP 800-38D).

The keys are not in the database (`AWFDRS_SEAL_KEYS`, newest first), so a dump of it opens nothing.
A seal is bound to the row it was made for: moved to another row, it does not open.

    format 1 | first 8 bytes of the key's SHA-256 | nonce, 12 bytes | text and tag
"""

from __future__ import annotations

import hashlib
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

_FORMAT = b"\x01"
_ID_BYTES, _NONCE_BYTES = 8, 12


class SealBrokenError(Exception):
    """The seal was made for another row, by a key that is no longer known, or was changed."""


def seal(text: str, *bound_to: object) -> bytes:
    """`text` sealed by the newest key, to be opened with the same `bound_to` only."""
    key = settings.SEAL_KEYS[0]
    nonce = secrets.token_bytes(_NONCE_BYTES)
    sealed = AESGCM(key).encrypt(nonce, text.encode(), _bound(bound_to))
    return _FORMAT + _id_of(key) + nonce + sealed


def unseal(sealed: bytes, *bound_to: object) -> str:
    """What was sealed. Raises SealBrokenError."""
    start = len(_FORMAT) + _ID_BYTES
    nonce, text = sealed[start : start + _NONCE_BYTES], sealed[start + _NONCE_BYTES :]
    for key in settings.SEAL_KEYS:
        if sealed[:start] == _FORMAT + _id_of(key):
            try:
                return AESGCM(key).decrypt(nonce, text, _bound(bound_to)).decode()
            except (InvalidTag, ValueError) as error:
                raise SealBrokenError("The seal is not of this row.") from error
    raise SealBrokenError("The key of the seal is not among AWFDRS_SEAL_KEYS.")


def is_newest(sealed: bytes) -> bool:
    """Whether the newest key made the seal: then no older one is needed for it."""
    return sealed.startswith(_FORMAT + _id_of(settings.SEAL_KEYS[0]))


def _id_of(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()[:_ID_BYTES]


def _bound(to: tuple[object, ...]) -> bytes:
    """UUIDs and numbers hold no colon, so no two rows have the same."""
    return ":".join(map(str, to)).encode()
