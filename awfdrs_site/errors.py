"""Django's own error answers, as problem documents or pages like all others."""

from __future__ import annotations

import sys

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse

from awfdrs_site.kernel.problem import Problem, not_found, problem_of
from awfdrs_site.kernel.refusal import answer


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    # Which rule was broken is in the log; the sender's value is not repeated.
    return answer(request, Problem(400, "bad_request", "The request was not understood."))


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    return answer(request, problem_of(exception))


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return answer(request, not_found())


@login_not_required
def unknown_api_path(request: HttpRequest, rest: str = "") -> HttpResponse:
    """The last of the API's URLs: with DEBUG on Django would answer with a page of its own."""
    return answer(request, not_found("There is nothing at this path."))


def server_error(request: HttpRequest) -> HttpResponse:
    """500, or 503 where it was the database. Django calls this inside its `except`."""
    return answer(request, problem_of(sys.exception() or RuntimeError()))


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    detail = "The form was too old, or cookies are off. Load the page again and repeat."
    return answer(request, Problem(403, "csrf_failed", detail))
