"""The page of where a person was named."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from incidents.triage.mentioned import mentions_for
from tenants.access import require
from tenants.middleware import PageRequest
from tenants.models import Scope

_NEWEST = 100


@require_safe
def mentions(request: PageRequest) -> HttpResponse:
    identity = require(request.identity, Scope.READ)
    rows = list(mentions_for(identity.tenant, request.user)[:_NEWEST])
    return render(request, "incidents/mentions.html", {"mentions": rows})
