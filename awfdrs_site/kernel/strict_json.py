"""JSON as senders may send it: strict on the way in, fast on the way out.

PostgreSQL and browsers disagree with Python about NaN, huge numbers, NUL and lone surrogates, and
two equal keys mean two things to two readers. So none of them passes the door.
"""

from __future__ import annotations

import json
import re
from codecs import BOM_UTF8
from collections.abc import Mapping
from typing import IO, Any, NoReturn

import msgspec
from rest_framework.parsers import BaseParser
from rest_framework.request import Request

from awfdrs_site.kernel.problem import FieldError, Problem, field_name, invalid

MAX_DEPTH = 20
MAX_NODES = 5_000
MAX_INTEGER = 2**53
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")

# Where a value stands: (place of what holds it, its key or index). Joined to text only for an
# error: keys are the sender's and may be as long as the body.
_Place = tuple[Any, str | int] | None


class InvalidJSON(ValueError):  # noqa: N818
    """Not the JSON we take; the message says why in one sentence."""


class TooManyNodes(ValueError):  # noqa: N818
    """More values than a document may hold."""


class UnstorableValue(ValueError):  # noqa: N818
    """A value PostgreSQL or JavaScript would refuse or change; `path` says where it is."""

    def __init__(self, path: str, detail: str) -> None:
        super().__init__(detail)
        self.path, self.detail = path, detail


def encode(value: Any) -> bytes:
    """Compact UTF-8 JSON; datetimes as RFC 3339, UUIDs as text."""
    return msgspec.json.encode(value)


def decode(body: bytes, *, max_nodes: int = MAX_NODES, max_depth: int = MAX_DEPTH) -> Any:
    """Parse `body` or raise InvalidJSON, TooManyNodes or UnstorableValue."""
    if not body.strip():
        raise InvalidJSON("The body is empty.")
    if body.startswith(BOM_UTF8):
        raise InvalidJSON("The body starts with a byte order mark.")
    try:
        value = _DECODER.decode(body.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise InvalidJSON(f"The body is not UTF-8 at byte {error.start}.") from None
    except json.JSONDecodeError as error:
        raise InvalidJSON(f"{error.msg} at line {error.lineno}, column {error.colno}.") from None
    except RecursionError:
        raise InvalidJSON(f"Nested deeper than {max_depth} levels.") from None
    _inspect(value, max_nodes, max_depth)
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise InvalidJSON("An object has the same key twice.")
    return value


def _integer(digits: str) -> int:
    # Longer than any number we keep; int() itself is quadratic in the digits.
    return int(digits[:20])


def _float(digits: str) -> float:
    value = float(digits)
    if value in (float("inf"), float("-inf")):
        raise InvalidJSON("A number is not finite.")
    return value


def _constant(name: str) -> NoReturn:
    raise InvalidJSON(f"{name} is not JSON.")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object,
    parse_int=_integer,
    parse_float=_float,
    parse_constant=_constant,
)


def _inspect(root: Any, max_nodes: int, max_depth: int) -> None:
    """Walk without recursion: count, measure depth, find what cannot be stored."""
    stack: list[tuple[Any, _Place, int]] = [(root, None, 1)]
    nodes = 0
    while stack:
        value, place, depth = stack.pop()
        nodes += 1
        if nodes > max_nodes:
            raise TooManyNodes(f"More than {max_nodes} values.")
        if isinstance(value, dict | list):
            if depth > max_depth:
                raise InvalidJSON(f"Nested deeper than {max_depth} levels.")
            items = value.items() if isinstance(value, dict) else enumerate(value)
            stack += [(item, (place, key), depth + 1) for key, item in items]
        if isinstance(value, dict):
            for key in value:
                _check_text(key, place)
        elif isinstance(value, str):
            _check_text(value, place)
        elif isinstance(value, int) and not -MAX_INTEGER <= value <= MAX_INTEGER:
            raise UnstorableValue(_path(place), "Integers beyond ±2^53 must be sent as strings.")


def _check_text(text: str, place: _Place) -> None:
    if _UNSTORABLE.search(text):
        raise UnstorableValue(_path(place), "Text may not hold NUL or lone surrogates.")


def _path(place: _Place) -> str:
    keys: list[str | int] = []
    while place is not None:
        place, key = place
        keys.append(key)
    steps = (f"[{key}]" if isinstance(key, int) else f".{field_name(key)}" for key in keys[::-1])
    return "".join(steps).lstrip(".")


class StrictJSONParser(BaseParser):
    """DRF parser for `application/json` in UTF-8; refuses by problem documents."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        return decode_or_problem(stream.read(), media_type or "")


def document_of(request: Request) -> Any:
    """The body of a request that must have one; DRF takes a missing body for `{}`."""
    if request.META.get("CONTENT_LENGTH") in (None, "", "0"):
        raise Problem(400, "invalid_json", "The body is empty.")
    return request.data


def decode_or_problem(body: bytes, media_type: str, **limits: int) -> Any:
    """`decode`, with every refusal as the Problem of the contract (400, 413, 415)."""
    charset = re.search(r"charset\s*=\s*\"?([^\s\";]*)", media_type, re.IGNORECASE)
    if charset and charset[1].lower() not in ("utf-8", "utf8"):
        raise Problem(415, "unsupported_media_type", "The charset must be utf-8.")
    try:
        return decode(body, **limits)
    except InvalidJSON as error:
        raise Problem(400, "invalid_json", str(error)) from None
    except TooManyNodes as error:
        raise Problem(413, "payload_too_large", str(error)) from None
    except UnstorableValue as error:
        raise invalid([FieldError(error.path or "body", "unstorable", error.detail)]) from None
