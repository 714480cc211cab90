"""Hundreds of rows in every table that has an admin page, copied from the rows of a world."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from typing import Any

from axes.models import AccessAttempt
from django.contrib.auth.models import User
from django.db.models import Model

from actions.models import (
    Action,
    Channel,
    Connector,
    EscalationPolicy,
    Page,
    RecoveryPlan,
)
from awfdrs_site.kernel.ids import uuid7
from incidents.models import Incident
from ingestion.models import Event
from safety.models import (
    AutomationPolicy,
    ErrorCode,
    EventTypeRule,
    MessagePattern,
    RetryPolicy,
    Vendor,
)
from tenants.models import ApiKey, Membership, Tenant, Workflow
from tests.builders import a_tenant

# What the unique keys of a table make differ in the i-th copy of its row.
DIFFERS: dict[type[Model], Callable[[int], dict[str, Any]]] = {
    Tenant: lambda i: {"name": f"Tenant of many {i}"},
    Workflow: lambda i: {"name": f"many.{i}"},
    Membership: lambda i: {"user": User.objects.create(username=f"many-{i}")},
    ApiKey: lambda i: {"prefix": f"many{i}"},
    Vendor: lambda i: {"name": f"many-{i}"},
    RetryPolicy: lambda i: {"name": f"many-{i}"},
    ErrorCode: lambda i: {"code": f"many_{i}"},
    MessagePattern: lambda i: {"name": f"many-{i}"},
    EventTypeRule: lambda i: {"pattern": f"many.{i}"},
    AutomationPolicy: lambda i: {"workflow": None, "tenant": a_tenant()},
    Event: lambda i: {"idempotency_key": f"many-{i}"},
    Incident: lambda i: {"number": 1000 + i, "signature": f"many-{i}"},
    Action: lambda i: {"status": "succeeded"},
    Connector: lambda i: {"name": f"many-{i}"},
    Channel: lambda i: {"name": f"many-{i}"},
    EscalationPolicy: lambda i: {"tenant": a_tenant()},
    Page: lambda i: {"round": 10 + i},
    RecoveryPlan: lambda i: {"name": f"many-{i}"},
    User: lambda i: {"username": f"person-{i}"},
    AccessAttempt: lambda i: {"username": f"person-{i}"},
}


def copies_of(model: type[Model], first: int, count: int) -> None:
    """`count` more rows of the table, numbered from `first`."""
    row = model._default_manager.first()
    assert row is not None, model
    new = []
    for i in range(first, first + count):
        one = copy(row)
        one._state = copy(row._state)
        one._state.adding = True
        one._state.fields_cache = {}
        one.pk = uuid7() if model._meta.pk.get_internal_type() == "UUIDField" else None
        for name, value in DIFFERS.get(model, lambda i: {})(i).items():
            setattr(one, name, value)
        new.append(one)
    model._default_manager.bulk_create(new)
