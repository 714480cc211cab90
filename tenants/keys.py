"""API keys: how they look, and how they are recognised without being stored [P13].

`awf_<prefix>_<secret>`: the prefix finds the row, the secret is 192 random bits in hex, and of the
whole only SHA-256 is kept. A slow hash would add nothing: nobody guesses 192 bits.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass

SECRET_BYTES = 24
PREFIX_BYTES = 5
_KEY = re.compile(r"awf_([A-Za-z0-9]{4,16})_([A-Za-z0-9]{32,96})", re.ASCII)


@dataclass(frozen=True)
class Key:
    """A key in the clear: shown once when it is made, and held while a request is checked."""

    prefix: str
    secret: str

    def __str__(self) -> str:
        return f"awf_{self.prefix}_{self.secret}"

    def __repr__(self) -> str:
        return f"Key({self.prefix!r})"

    def hash(self) -> bytes:
        """The 32 bytes that are stored."""
        return hashlib.sha256(str(self).encode()).digest()

    def matches(self, stored: bytes | memoryview) -> bool:
        """Whether this is the key that `stored` was made of, in constant time."""
        return hmac.compare_digest(self.hash(), bytes(stored))


def make() -> Key:
    return Key(secrets.token_hex(PREFIX_BYTES), secrets.token_hex(SECRET_BYTES))


def looks_like_key(text: str) -> bool:
    """Whether the sender meant an API key (and not a JWT), well-formed or not."""
    return text.startswith("awf_")


def parse(text: str) -> Key | None:
    """The key in `text`, or None where it is garbled."""
    match = _KEY.fullmatch(text)
    return Key(match[1], match[2]) if match else None
