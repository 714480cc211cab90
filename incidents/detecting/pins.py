"""A person beats the grouper: a pin splits the failures with one trait off their signature. Pure.

The signature that a pin gives is derived from the one it splits, the trait and its value, so it is
the same for every failure that fits, now and later, and may be split in turn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from incidents.detecting.signature import Signature, digest_of
from incidents.detecting.template import shape_of, template_of
from safety.codes import normalise_code

# What a failure has beside its signature, and how it is called.
TRAITS: Mapping[str, str] = {
    "message": "message",
    "error_code": "error code",
    "vendor": "vendor",
    "resource_type": "resource type",
    "event_type": "event type",
}


@dataclass(frozen=True, slots=True)
class Traits:
    """An event's fields as they came, by the names of TRAITS."""

    message: str
    error_code: str
    vendor: str
    resource_type: str
    event_type: str

    def value(self, trait: str) -> str:
        return value_of(trait, getattr(self, trait))


@dataclass(frozen=True, slots=True)
class Pin:
    """Failures of the signature `splits` whose `trait` has this value are of `signature`."""

    splits: str
    trait: str
    value: str
    signature: Signature


# By the digest of what they split; the first made comes first.
Pins = Mapping[str, Sequence[Pin]]


def value_of(trait: str, raw: str) -> str:
    """What of a field is compared: of a message its shape, of a code and a vendor no habits."""
    if trait == "message":
        return shape_of(template_of(raw))
    if trait == "error_code":
        return normalise_code(raw)
    return " ".join(raw.casefold().split()) if trait == "vendor" else raw


def shown(trait: str, raw: str) -> str:
    """The same for people."""
    words = template_of(raw) if trait == "message" else raw
    return words or "none"


def pinned_to(base: Signature, trait: str, value: str, words: str) -> Signature:
    """The signature of the failures of `base` whose `trait` has this value; `words`: as shown."""
    text = f"{base.text}, {TRAITS[trait]}: {words}"
    return Signature("pin", text, digest_of("pin", base.digest, trait, value))


def pinned_signature(base: Signature, traits: Traits, pins: Pins) -> Signature:
    """Where people have pinned a failure for which the grouper says `base`; `base` if nowhere.

    Of several pins on one signature the first made decides: what it took away was not there any
    more when the others were made.
    """
    if base.digest not in pins:
        return base
    value, found = cache(traits.value), base
    while pin := next((p for p in pins.get(found.digest, ()) if value(p.trait) == p.value), None):
        found = pin.signature
    return found
