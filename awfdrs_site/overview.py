"""The first page: is it under control without me? [U1]"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from actions.selectors import approvals_for
from awfdrs_site.charts import DEFAULT_RANGE, RANGES
from awfdrs_site.figures import HOUR, newest_events, rate_chart, rates, window_of
from awfdrs_site.recovery_figures import recoveries
from awfdrs_site.shell import Shell, shell_of
from incidents.selectors import feed_for
from ingestion import counts
from safety.pages import vendors_by_state
from tenants.access import require
from tenants.middleware import PageRequest
from tenants.models import ApiKey, Scope

FEED = 50


@require_safe
def overview(request: PageRequest) -> HttpResponse:
    """Figures, the rate chart of `?range=`, vendors, feed; before the first event how to start."""
    identity = require(request.identity, Scope.READ)
    tenant, shell = identity.tenant, shell_of(request, identity)
    newest = newest_events(tenant)
    if not newest:
        context = {"first_run": True, "ingest": first_steps(request, shell)}
    else:
        chosen = RANGES.get(request.GET.get("range", ""), DEFAULT_RANGE)
        windows = [window_of(rng, shell.now) for rng in (HOUR, chosen)]
        hour, steps = counts.read(tenant, *windows)
        context = {
            "first_run": False,
            "kpis": figures(shell) | {"events": rates(hour, newest, shell.now)},
            "chart": rate_chart(tenant, chosen, shell.now, steps),
            "vendors": vendors_by_state(tenant),
            "feed": feed_for(tenant, FEED),
        }
    return render(request, "overview/page.html", context)


def first_steps(request: HttpRequest, shell: Shell) -> dict[str, Any]:
    """What to send where, with the tenant's own ids."""
    ingesting = ApiKey.objects.filter(
        tenant=shell.tenant, revoked_at=None, scopes__contains=[Scope.INGEST]
    )
    workflow = shell.tenant.workflows.filter(is_active=True).first()
    return {
        "url": request.build_absolute_uri("/api/v1/events"),
        "tenant_id": str(shell.tenant.pk),
        "workflow_id": str(workflow.pk) if workflow else "the id of a workflow",
        "has_key": any(key.is_usable(shell.now) for key in ingesting),
        "keys_href": reverse("settings:keys") if shell.can_admin else "",
    }


def figures(shell: Shell) -> dict[str, Any]:
    """Four of the five figures on top."""
    waiting = approvals_for(shell.tenant, shell.now)
    return {
        "open": shell.open_incidents,
        **recoveries(shell.tenant, shell.now, timezone.get_current_timezone()),
        "approvals": {"total": shell.counts["approvals"], "oldest": waiting.first()},
    }
