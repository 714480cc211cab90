"""One correlation id through request, logs, rows and response [E6]."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog
from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest, HttpResponse

HEADER = "X-Correlation-ID"
# Printable ASCII without the space; also what an event may carry as its correlation_id.
VALID = re.compile(r"[\x21-\x7e]{1,128}")


def current() -> str:
    """The correlation id of the work at hand; empty outside any."""
    return str(structlog.contextvars.get_contextvars().get("correlation_id", ""))


def bind(correlation_id: str, tenant_id: object = None) -> None:
    """Put the ids on every log line of this thread or task from here on."""
    structlog.contextvars.bind_contextvars(correlation_id=correlation_id)
    if tenant_id is not None:
        bind_tenant(tenant_id)


@contextmanager
def bound(correlation_id: str, tenant_id: object) -> Iterator[None]:
    """Like `bind`, for the block only: a worker's thread goes on to other work."""
    with structlog.contextvars.bound_contextvars(
        correlation_id=correlation_id, tenant_id=str(tenant_id)
    ):
        yield


def bind_tenant(tenant_id: object) -> None:
    """Put the tenant's id on every log line of this thread or task from here on."""
    structlog.contextvars.bind_contextvars(tenant_id=str(tenant_id))


class _Correlation:
    """Middleware, outermost: takes the sender's id if it is valid, else makes one."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if self.is_async:
            return self._async(request)  # type: ignore[return-value]
        correlation_id = _enter(request)
        return _leave(self.get_response(request), correlation_id)

    async def _async(self, request: HttpRequest) -> HttpResponse:
        correlation_id = _enter(request)
        return _leave(await self.get_response(request), correlation_id)  # type: ignore[misc]


def _enter(request: HttpRequest) -> str:
    sent = request.headers.get(HEADER, "")
    correlation_id = sent if VALID.fullmatch(sent) else str(uuid.uuid4())
    structlog.contextvars.clear_contextvars()
    bind(correlation_id)
    return correlation_id


def _leave(response: HttpResponse, correlation_id: str) -> HttpResponse:
    # Not `current()`: the view may have bound the id of the work it did.
    response.headers[HEADER] = correlation_id
    return response


correlation_middleware = _Correlation
