"""The rules page: the rules in force, a draft tried on the past, and a policy's schedule."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from actions.whatif import stage as whatif_stage
from actions.whatif.rule_pages import rules_page
from actions.whatif.runs import MAX_DAYS
from awfdrs_site.kernel.pages import SeeOther, posted, told
from awfdrs_site.kernel.problem import FieldError, invalid, not_found
from safety.strict_yaml import MAX_BYTES
from tenants.access import require
from tenants.middleware import PageRequest
from tenants.models import Scope

PAGE = "rules:page"
QUERY_CHARS = 100
_NUMBERS = {"confidence_threshold": float, "cooldown_seconds": int, "max_attempts": int}


@require_safe
def page(request: PageRequest) -> HttpResponse:
    identity = require(request.identity, Scope.READ)
    query = request.GET.get("q", "").strip()[:QUERY_CHARS]
    context = rules_page(
        identity,
        query,
        request.GET.get("policy", "")[:QUERY_CHARS],
        _run_id(request),
        request.GET.get("yaml", "")[:MAX_BYTES],
    )
    return render(request, "rules/page.html", context)


def _run_id(request: PageRequest) -> UUID | None:
    text = request.GET.get("run", "")
    try:
        return UUID(text) if text else None
    except ValueError:
        raise not_found("No such replay.") from None


@require_POST
def replay(request: PageRequest) -> HttpResponse:
    """Leave a replay of the draft to the workers, and show the page that follows it."""
    identity = require(request.identity, Scope.ACT)
    run = None
    with told(request, "The replay has started"):
        run = whatif_stage.ask(
            tenant=identity.tenant,
            draft=_draft(request),
            days=_days(request),
            actor=identity.actor,
            now=timezone.now(),
        )
    address = reverse(PAGE)
    return SeeOther(f"{address}?run={run.pk}" if run else address)


def _draft(request: PageRequest) -> dict[str, Any]:
    """YAML if there is any, else the fields of the automation policy."""
    text = posted(request, "yaml", MAX_BYTES)
    if text:
        return {"yaml": text}
    fields: dict[str, Any] = {"workflow": posted(request, "workflow", 100)}
    for name, number in _NUMBERS.items():
        try:
            fields[name] = number(posted(request, name, 20))
        except ValueError:
            raise invalid([FieldError(name, "invalid", f"{name}: expected a number.")]) from None
    return {"automation": fields}


def _days(request: PageRequest) -> int:
    text = posted(request, "days", 3)
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= MAX_DAYS):
        raise invalid([FieldError("days", "out_of_range", f"From 1 to {MAX_DAYS} days.")])
    return int(text)
