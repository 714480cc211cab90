"""A problem as the caller can read it: a document for programs, a page for people."""

from __future__ import annotations

import structlog
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import resolve_url
from django.template import TemplateDoesNotExist
from django.template.loader import select_template
from django.utils.html import escape

from awfdrs_site.kernel import correlation
from awfdrs_site.kernel.pages import SeeOther
from awfdrs_site.kernel.problem import Problem, response

log = structlog.get_logger(__name__)

# Where the templates themselves are missing or broken.
_BARE_PAGE = (
    '<!doctype html><html lang="en"><title>{title} · AWFDRS</title>'
    "<h1>{title}</h1><p>{detail}</p><p>Correlation id: {correlation_id}</p></html>"
)


def wants_page(request: HttpRequest) -> bool:
    """Whether a person's browser asks: outside /api/, and HTML is what it would rather have."""
    if request.path.startswith(("/api/", "/ws/")):
        return False
    offered = ["text/html", "application/json", "application/problem+json"]
    return request.get_preferred_type(offered) == "text/html"


def answer(request: HttpRequest, problem: Problem, template: str = "") -> HttpResponse:
    """`problem` for whoever asks: problem+json, or a page: `template`, else `errors/<status>.html`.

    One with a `page` takes people there, and says its sentence.
    `errors/error.html` stands in for a status without one. Templates get `problem` (the document)
    and `reason`, its sentence. Never raises: a page that cannot be rendered is replaced by a bare
    one.
    """
    if not wants_page(request):
        return response(problem)
    if problem.page:
        messages.info(request, problem.detail)
        return SeeOther(resolve_url(*problem.page))
    document = problem.document()
    # A page for a server error must not need what may just have broken, so it gets no request.
    context_of = request if problem.status < 500 else None
    names = [template, f"errors/{problem.status}.html", "errors/error.html"]
    try:
        page = select_template([name for name in names if name])
        html = page.render({"problem": document, "reason": problem.detail}, context_of)
    except TemplateDoesNotExist:
        html = _bare(document)
    except Exception as error:  # whatever a template raises, the answer stands
        log.error("error_page_failed", exc_info=error)
        html = _bare(document)
    return HttpResponse(html, status=problem.status, headers=problem.headers)


def _bare(document: dict[str, object]) -> str:
    shown = {key: escape(str(document[key])) for key in ("title", "detail")}
    return _BARE_PAGE.format(**shown, correlation_id=escape(correlation.current()))
