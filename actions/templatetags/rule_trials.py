"""What the admin's form of a rule says beside its fields: the rule in words, and on the past."""

from __future__ import annotations

from copy import copy
from typing import Any

from django import template
from django.http import HttpRequest

from actions.plans.models import RecoveryPlan
from actions.whatif.rule_trial import Trial, trial
from tenants.administering import administered

register = template.Library()
MOST_PLANS = 100


@register.simple_tag
def trial_of(form: Any, request: HttpRequest) -> Trial | None:
    """Of what was typed, else of what is stored; None where there is neither or a mistake."""
    if form.is_bound and form.errors:
        return None
    row = form.instance
    if row._state.adding and not form.is_bound:
        return None
    return trial(copy(row), administered(request), stored=not form.is_bound)


@register.simple_tag
def mistakes_of(form: Any) -> list[tuple[str, str]]:
    """(field, what is wrong with it); the field is empty for what concerns several."""
    return [
        (form.fields[name].label or name if name in form.fields else "", said)
        for name, texts in form.errors.items()
        for said in texts
    ]


@register.simple_tag
def plan_names(request: HttpRequest) -> list[str]:
    """Plans in use that a rule of this person's may name; at most 100."""
    mine = administered(request)
    rows = RecoveryPlan.objects.filter(retired_at=None)
    if mine is not None:
        rows = rows.filter(tenant=None) | rows.filter(tenant__in=mine)
    return list(rows.values_list("name", flat=True).distinct().order_by("name")[:MOST_PLANS])
