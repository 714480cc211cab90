"""Bodies are measured before anything reads them."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from awfdrs_site.kernel.problem import Problem
from awfdrs_site.kernel.refusal import answer

EVENT_BYTES = 1024 * 1024
BATCH_BYTES = 10 * 1024 * 1024
BATCH_PATHS = ("/api/v1/events/batch", "/api/v1/ingest/")


def _refusal(request: HttpRequest) -> Problem | None:
    length = request.META.get("CONTENT_LENGTH") or ""
    if not length and request.headers.get("Transfer-Encoding"):
        return Problem(411, "length_required", "Send a Content-Length; chunked is not taken.")
    if length and not (length.isascii() and length.isdigit()):
        return Problem(400, "bad_request", "The Content-Length is not a number.")
    if request.headers.get("Content-Encoding", "").lower() not in ("", "identity"):
        return Problem(415, "unsupported_media_type", "Send the body without Content-Encoding.")
    limit = BATCH_BYTES if request.path.startswith(BATCH_PATHS) else EVENT_BYTES
    if len(length) > 18 or int(length or 0) > limit:
        return Problem(413, "payload_too_large", f"The body may have at most {limit} bytes.")
    if int(length or 0) and not request.META.get("CONTENT_TYPE"):
        # DRF would take such a body for an empty one.
        return Problem(415, "unsupported_media_type", "Say what the body is: Content-Type.")
    return None


def body_limit_middleware(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Refuse a body of unknown length (411), over the limit (413), encoded or unnamed (415).

    A chunked body has no length, and Django would show it to the views as an empty one. The
    server in front has read exactly Content-Length bytes, so the number is the size.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        problem = _refusal(request)
        return answer(request, problem) if problem else get_response(request)

    return middleware
