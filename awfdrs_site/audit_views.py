"""The audit log: who changed what, for the tenant's admins [T4 T6]."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from awfdrs_site.audit_pages import EXPORTED, FORMATS, audit_page, narrowed
from awfdrs_site.kernel.problem import FieldError, Problem, invalid
from tenants.access import Identity, require
from tenants.audit_log import ORDER
from tenants.middleware import PageRequest
from tenants.models import Scope


@require_safe
def page(request: PageRequest) -> HttpResponse:
    identity = _admin(request)
    return render(request, "audit/page.html", audit_page(request, identity.tenant, timezone.now()))


@require_safe
def export(request: PageRequest) -> HttpResponse:
    """The newest 10,000 entries that the filters let through, as a file of `format`."""
    identity, wanted = _admin(request), request.GET.get("format", "")
    if wanted not in FORMATS:
        raise invalid([FieldError("format", "invalid_choice", f"One of {', '.join(FORMATS)}.")])
    write, content_type = FORMATS[wanted]
    now = timezone.now()
    entries = narrowed(request, identity.tenant, now).order_by(*ORDER)[:EXPORTED]
    name = f"audit-{now:%Y%m%d-%H%M%S}.{wanted}"
    return HttpResponse(
        write(entries),
        content_type=content_type,
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _admin(request: PageRequest) -> Identity:
    identity = require(request.identity, Scope.READ)
    if Scope.ADMIN not in identity.scopes:
        raise Problem(403, "permission_denied", "Only admins read the audit log.")
    return identity
