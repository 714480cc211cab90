"""Pages of workflows: all of them, one of them, and failing one back to its own engine."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from awfdrs_site.charts import DEFAULT_RANGE, RANGES
from awfdrs_site.kernel.pages import back, told
from awfdrs_site.shell import shell_of
from awfdrs_site.workflow_pages import get_workflow_for, list_page, workflow_page
from tenants.access import require
from tenants.engines import fail_back
from tenants.middleware import PageRequest
from tenants.models import Scope


@require_safe
def workflow_list(request: PageRequest) -> HttpResponse:
    identity = require(request.identity, Scope.READ)
    shell = shell_of(request, identity)
    return render(request, "workflows/list.html", list_page(shell.tenant, shell.stops, shell.now))


@require_safe
def workflow(request: PageRequest, pk: UUID) -> HttpResponse:
    """One workflow, its rate chart over `?range=`."""
    identity = require(request.identity, Scope.READ)
    shell = shell_of(request, identity)
    found = get_workflow_for(identity.tenant, pk)
    rng = RANGES.get(request.GET.get("range", ""), DEFAULT_RANGE)
    context = workflow_page(identity, found, shell.stops, rng, shell.now)
    return render(request, "workflows/detail.html", context)


@require_POST
def failback(request: PageRequest, pk: UUID) -> HttpResponse:
    """Let the workflow's own engine run its retries again, whoever failed it over."""
    identity = require(request.identity, Scope.ACT)
    found = get_workflow_for(identity.tenant, pk)
    with told(request, f"Retries of {found.name} go to its own engine again"):
        fail_back(workflow=found, actor=identity.actor, now=timezone.now())
    return back(request, "workflows:detail", pk)
