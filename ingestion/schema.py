"""What an event must look like (schema version 1.0.0): a sender's document in, a draft out.

Pure: no database, no clock. The document has passed `kernel.strict_json`, so it holds no NUL, no
lone surrogate and no number that PostgreSQL would refuse.

- Text that identifies something (keys, codes, names) is limited and free of control and
  bidirectional characters; longer is refused, never cut. Free text (`error_message`, `stack`) is
  limited by the size of the event alone.
- Optional fields may be missing, null or empty, which all mean "not given".
- Payload keys the system understands have fixed types; all others are kept as they are.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from awfdrs_site.kernel.correlation import VALID as CORRELATION_ID
from awfdrs_site.kernel.instants import parse_instant
from awfdrs_site.kernel.problem import MAX_ERRORS, FieldError, echo, field_name
from awfdrs_site.kernel.scrub import scrub

SCHEMA_VERSION = "1.0.0"
CODE_CHARS = 100
NAME_CHARS = 255
AHEAD = timedelta(minutes=5)
BEHIND = timedelta(days=30)

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_EVENT_TYPE = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*")
# C0 and C1 controls, line separators, the byte order mark, and everything that turns the direction
# of text: in an identifier they only ever deceive a reader.
_DECEPTIVE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


@dataclass(frozen=True)
class Draft:
    """A valid event that is not stored yet. `payload` is scrubbed; text not given is empty.

    `content_hash` (SHA-256) is of the document with that payload: of the sender's own it would let
    whoever reads the database try out the secret that was masked.
    """

    tenant_id: UUID
    workflow_id: UUID
    event_type: str
    payload: dict[str, Any]
    idempotency_key: str
    content_hash: bytes
    occurred_at: datetime
    clock_skew: bool
    schema_version: str
    correlation_id: str
    resource_type: str
    resource_id: str
    fingerprint: str
    error_code: str
    vendor: str


class _Wrong(ValueError):  # noqa: N818
    """A value is not what its field takes: a code for programs, a sentence for people."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code, self.detail = code, detail


_Parse = Callable[[Any], Any]


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise _Wrong("type", "Must be a string.")
    return value


def _identifier(limit: int) -> _Parse:
    def parse(value: Any) -> str:
        text = _string(value)
        if len(text) > limit:
            raise _Wrong("too_long", f"At most {limit} characters.")
        if _DECEPTIVE.search(text):
            raise _Wrong("characters", f"Control or bidirectional characters in {echo(text)}.")
        return text

    return parse


def _uuid(value: Any) -> UUID:
    text = _string(value)
    if not _UUID.fullmatch(text):
        raise _Wrong("uuid", f"Not a UUID: {echo(text)}.")
    return UUID(text)


def _event_type(value: Any) -> str:
    text: str = _identifier(CODE_CHARS)(value)
    if not _EVENT_TYPE.fullmatch(text):
        raise _Wrong("event_type", f"Lower-case words with dots between, not {echo(text)}.")
    return text


def _payload(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _Wrong("type", "Must be an object.")
    return value


def _key(value: Any) -> str:
    text: str = _identifier(NAME_CHARS)(value)
    if not text:
        raise _Wrong("empty", f"1 to {NAME_CHARS} characters.")
    return text


def _instant(value: Any) -> datetime:
    try:
        return parse_instant(_string(value))
    except _Wrong:
        raise
    except ValueError as error:
        raise _Wrong("time", str(error)) from None


def _version(value: Any) -> str:
    if _string(value) != SCHEMA_VERSION:
        raise _Wrong("schema_version", f"Known: {SCHEMA_VERSION}, not {echo(value)}.")
    return SCHEMA_VERSION


def _correlation(value: Any) -> str:
    text = _string(value)
    if text and not CORRELATION_ID.fullmatch(text):
        raise _Wrong("characters", "At most 128 printable ASCII characters, no space.")
    return text


def _duration(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise _Wrong("type", "Must be a number from 0.")
    return value


def _count(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise _Wrong("type", "Must be a whole number from 0.")
    return value


REQUIRED: Mapping[str, _Parse] = {
    "tenant_id": _uuid,
    "workflow_id": _uuid,
    "event_type": _event_type,
    "payload": _payload,
    "idempotency_key": _key,
    "occurred_at": _instant,
    "schema_version": _version,
}
OPTIONAL: Mapping[str, _Parse] = {
    "correlation_id": _correlation,
    "resource_type": _identifier(CODE_CHARS),
    "resource_id": _identifier(NAME_CHARS),
    "fingerprint": _identifier(NAME_CHARS),
}
UNDERSTOOD: Mapping[str, _Parse] = {
    "error_code": _identifier(CODE_CHARS),
    "error_message": _string,
    "vendor": _identifier(CODE_CHARS),
    "severity": _identifier(CODE_CHARS),
    "duration_ms": _duration,
    "stack": _string,
    "attempt": _count,
}


def validate(document: Any, now: datetime, correlation_id: str) -> Draft | list[FieldError]:
    """The draft of `document`, or everything that is wrong with it (never an empty list).

    `correlation_id` is taken where the sender gives none of its own.
    """
    if not isinstance(document, dict):
        return [FieldError("body", "type", "An event is a JSON object.")]
    errors = [
        FieldError(field_name(name), "unknown_field", "There is no such field.")
        for name in document
        if name not in REQUIRED and name not in OPTIONAL
    ][:MAX_ERRORS]
    values = {
        name: _read(document.get(name), name, parse, errors, required=True)
        for name, parse in REQUIRED.items()
    }
    values |= {
        name: _read(document.get(name), name, parse, errors) or ""
        for name, parse in OPTIONAL.items()
    }
    payload = values["payload"] or {}
    for name, parse in UNDERSTOOD.items():
        _read(payload.get(name), f"payload.{name}", parse, errors)
    if errors:
        return errors
    payload = scrub(payload)
    values |= {"payload": payload, "correlation_id": values["correlation_id"] or correlation_id}
    return Draft(
        **values,
        content_hash=_content_hash({**document, "payload": payload}),
        clock_skew=not now - BEHIND <= values["occurred_at"] <= now + AHEAD,
        error_code=_column(payload, "error_code"),
        vendor=_column(payload, "vendor"),
    )


def _column(payload: Mapping[str, Any], name: str) -> str:
    # A mask may be longer than what it hides.
    return str(payload.get(name) or "")[:CODE_CHARS]


def _read(
    value: Any, field: str, parse: _Parse, errors: list[FieldError], *, required: bool = False
) -> Any:
    """The parsed value, or None with an entry in `errors` (or where an optional one is missing)."""
    if value is None:
        if required:
            errors.append(FieldError(field, "required", "Must be given."))
        return None
    try:
        return parse(value)
    except _Wrong as wrong:
        errors.append(FieldError(field, wrong.code, wrong.detail))
        return None


def _content_hash(document: Mapping[str, Any]) -> bytes:
    return hashlib.sha256(msgspec.json.encode(document, order="sorted")).digest()
