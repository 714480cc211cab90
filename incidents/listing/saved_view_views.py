"""Forms beside the incident list: keep the query as a view, change it, delete it, take it back."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import resolve_url
from django.utils import timezone
from django.views.decorators.http import require_POST

from awfdrs_site.kernel.pages import SeeOther, back, posted, told
from awfdrs_site.kernel.problem import FieldError, invalid
from incidents.listing import saved_views
from incidents.listing.pages import GONE, SORTS, Asked
from incidents.listing.query import MOST_CHARS, parse
from incidents.models import SavedView
from tenants.access import Identity, require
from tenants.middleware import PageRequest
from tenants.models import Scope

LIST = "incidents:list"


@require_POST
def save(request: PageRequest) -> HttpResponse:
    """Keep the posted `q` and `sort` under `name`; then the list under that view."""
    identity, view = require(request.identity, Scope.READ), None
    with told(request, "The view is saved"):
        sort = posted(request, "sort", 20)
        if sort.removeprefix("-") not in SORTS:
            raise invalid([FieldError("sort", "invalid_choice", "No such order.")])
        view = saved_views.save_view(
            identity=identity,
            name=posted(request, "name"),
            text=posted(request, "q", MOST_CHARS),
            sort=sort,
            shared=bool(request.POST.get("shared")),
            now=timezone.now(),
        )
    return _shown(request, view)


@require_POST
def change(request: PageRequest, pk: UUID) -> HttpResponse:
    identity, view = _seen(request, pk)
    with told(request, "The view is changed"):
        saved_views.change_view(
            identity=identity,
            view=view,
            name=posted(request, "name"),
            shared=bool(request.POST.get("shared")),
            now=timezone.now(),
        )
    return back(request, LIST)


@require_POST
def delete(request: PageRequest, pk: UUID) -> HttpResponse:
    """The next list offers it back."""
    identity, view = _seen(request, pk)
    saved_views.delete_view(identity=identity, view=view, now=timezone.now())
    request.session[GONE] = {"id": str(view.pk), "name": view.name}
    return back(request, LIST)


@require_POST
def restore(request: PageRequest, pk: UUID) -> HttpResponse:
    identity, view = require(request.identity, Scope.READ), None
    with told(request, "The view is back"):
        view = saved_views.restore_view(identity=identity, pk=pk, now=timezone.now())
    return _shown(request, view)


def _seen(request: PageRequest, pk: UUID) -> tuple[Identity, SavedView]:
    identity = require(request.identity, Scope.READ)
    return identity, saved_views.get_view_for(identity.tenant, identity.user, pk)


def _shown(request: PageRequest, view: SavedView | None) -> SeeOther:
    """To the list under the view; where there is none after all, back."""
    if view is None:
        return back(request, LIST)
    return SeeOther(resolve_url(LIST) + Asked(parse(view.text).query, view.sort).url)
