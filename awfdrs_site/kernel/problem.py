"""Errors as problem documents (RFC 9457), for every view alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import msgspec
import structlog
from django.core.exceptions import PermissionDenied
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpResponse
from rest_framework import exceptions as drf

from awfdrs_site.kernel import correlation

log = structlog.get_logger(__name__)
CONTENT_TYPE = "application/problem+json"
ECHO_CHARS = 64
# A hostile document can be wrong in thousands of places; the answer stays short.
MAX_ERRORS = 32


@dataclass(frozen=True)
class FieldError:
    """What is wrong with one field; `field` is a dotted path from the document's root."""

    field: str
    code: str
    detail: str


class Problem(Exception):  # noqa: N818  (a problem document is the standard's word)
    """An answer that refuses. Raised anywhere below a view; becomes the response.

    `code` is the stable word clients branch on (docs: api errors), `extra` members join the
    document, `headers` join the response. `page`, the name of a URL and its arguments: where
    people are taken instead.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        page: tuple[str, Any] | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(detail)
        self.page = page
        self.status, self.code, self.detail = status, code, detail
        self.errors, self.headers, self.extra = tuple(errors), dict(headers or {}), extra

    def document(self) -> dict[str, Any]:
        document: dict[str, Any] = {
            "type": f"urn:awfdrs:problem:{self.code}",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            "correlation_id": correlation.current(),
        }
        if self.errors:
            document["errors"] = [vars(error) for error in self.errors[:MAX_ERRORS]]
        return document | self.extra


def not_found(detail: str = "Nothing here that you may see.", code: str = "not_found") -> Problem:
    return Problem(404, code, detail)


def invalid(errors: Sequence[FieldError]) -> Problem:
    """400 `validation_error` with one entry a field, at most MAX_ERRORS."""
    fields = list(dict.fromkeys(e.field for e in errors if e.field)) or ["body"]
    named = ", ".join(fields[:5]) + (" and more" if len(fields) > 5 else "")
    return Problem(400, "validation_error", f"The request is not valid: {named}.", errors=errors)


def echo(value: object, limit: int = ECHO_CHARS) -> str:
    """A sender's value made safe to repeat in an error: escaped, at most `limit` characters."""
    # Cut before escaping too: the value may be a mebibyte.
    text = ascii(value[: limit + 1] if isinstance(value, str) else value)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def field_name(name: str) -> str:
    """A sender's key as the name of a field in an error: like `echo`, without the quotes."""
    text = ascii(name[: ECHO_CHARS + 1])[1:-1] or "''"
    return text if len(text) <= ECHO_CHARS else text[: ECHO_CHARS - 1] + "…"


def response(problem: Problem) -> HttpResponse:
    """The problem as a plain Django response, for middleware and Django's own error views."""
    return HttpResponse(
        msgspec.json.encode(problem.document()),
        status=problem.status,
        content_type=CONTENT_TYPE,
        headers=problem.headers,
    )


def exception_handler(exc: Exception, context: Mapping[str, Any]) -> HttpResponse:
    """DRF's hook: every exception below an API view as a problem document, never a stack trace.

    Not a DRF Response: the view's renderers (YAML, HTML) are for its results.
    """
    problem = problem_of(exc)
    if problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR and not isinstance(exc, Problem):
        log.error("request_failed", exc_info=exc)
    return response(problem)


def problem_of(exc: BaseException) -> Problem:
    """The problem an exception means to the caller; 500 `internal_error` for one nobody foresaw."""
    if isinstance(exc, Problem):
        return exc
    if isinstance(exc, Http404):
        return not_found()
    if isinstance(exc, PermissionDenied):
        return Problem(403, "permission_denied", "You may not do this.")
    if isinstance(exc, OperationalError | InterfaceError):
        # Not "nothing was stored": of a COMMIT whose answer is lost nobody here knows the end.
        detail = "The database does not answer. Repeating the request is safe for events."
        return Problem(503, "unavailable", detail, headers={"Retry-After": "5"})
    if isinstance(exc, drf.ValidationError):
        return invalid(list(_field_errors(exc.detail)))
    if isinstance(exc, drf.APIException):
        return _of_api_exception(exc)
    return Problem(500, "internal_error", "Something broke on our side. It has been logged.")


API_CODES = {
    400: "bad_request",
    401: "not_authenticated",
    403: "permission_denied",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    415: "unsupported_media_type",
    429: "rate_limited",
    503: "unavailable",
}


def _of_api_exception(exc: drf.APIException) -> Problem:
    headers: dict[str, str] = {}
    if challenge := getattr(exc, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    if wait := getattr(exc, "wait", None):
        headers["Retry-After"] = str(int(wait) + 1)
    detail = next(_field_errors(exc.detail), None)
    code = API_CODES.get(exc.status_code, "internal_error")
    text = detail.detail if detail else HTTPStatus(exc.status_code).phrase
    return Problem(exc.status_code, code, text, headers=headers)


def _field_errors(detail: Any, path: str = "") -> Iterator[FieldError]:
    """DRF's nested error detail, flat; a serializer's list item is `items[3].name`."""
    if isinstance(detail, Mapping):
        for key, value in detail.items():
            yield from _field_errors(value, _below(path, key))
    elif isinstance(detail, list):
        nested = any(isinstance(value, Mapping) for value in detail)
        for index, value in enumerate(detail):
            yield from _field_errors(value, _below(path, index) if nested else path)
    else:
        yield FieldError(path, getattr(detail, "code", "invalid"), str(detail))


def _below(path: str, key: str | int) -> str:
    if key == "non_field_errors":
        return path
    if isinstance(key, int):
        return f"{path}[{key}]"
    return f"{path}.{key}" if path else key
