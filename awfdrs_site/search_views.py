"""Search: a page of its own, and the part of it that the palette shows."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from awfdrs_site.search import search as found_by
from tenants.access import require
from tenants.middleware import PageRequest
from tenants.models import Scope


@require_safe
@vary_on_headers("X-Palette")
def search(request: PageRequest) -> HttpResponse:
    """What `?q=` finds. With the header `X-Palette`, the page it is shown on, only the results."""
    identity = require(request.identity, Scope.READ)
    query, palette = request.GET.get("q", ""), "X-Palette" in request.headers
    groups = found_by(identity, query)
    context = {
        "groups": groups,
        "query": query,
        "palette": palette,
        "here": request.headers.get("X-Palette", request.get_full_path()),
    }
    return render(request, "search/_found.html" if palette else "search/page.html", context)
