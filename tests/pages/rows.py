"""Incidents made by hand, for pages that only show them."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from incidents.models import Incident
from tenants.models import Workflow

_numbers = itertools.count(1000)


def an_incident_row(workflow: Workflow, **fields: Any) -> Incident:
    """An open incident of the workflow; `resolved_at` makes it a resolved one."""
    number = next(_numbers)
    seen: datetime = fields.pop("last_seen_at", timezone.now())
    if "resolved_at" in fields:
        fields.setdefault("status", "resolved")
    defaults = {
        "tenant": workflow.tenant,
        "workflow": workflow,
        "number": number,
        "signature": f"digest-{number}",
        "signature_kind": "code",
        "signature_text": f"code_{number}",
        "title": f"Incident {number}",
        "status": "new",
        "first_seen_at": seen - timedelta(minutes=5),
        "opened_at": seen - timedelta(minutes=5),
        "last_seen_at": seen,
    }
    return Incident.objects.create(**defaults | fields)
