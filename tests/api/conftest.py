"""The cast, and rows for the API to show."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from copy import deepcopy
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from actions.models import Action
from ai.models import Decision
from incidents.models import Incident
from safety.services import ensure_default_rules
from tenants.models import Workflow
from tests.cast import Cast, make_cast

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def shared_cast(django_db_setup: None, django_db_blocker: Any) -> Iterator[Cast]:
    """The cast and the default rules, made once a module in a transaction that is rolled back."""
    with django_db_blocker.unblock(), transaction.atomic():
        ensure_default_rules()
        yield make_cast()
        transaction.set_rollback(True)


@pytest.fixture
def cast(shared_cast: Cast, db: None) -> Cast:
    """The cast as it was made: what a test does to it is rolled back."""
    return deepcopy(shared_cast)


def an_incident(workflow: Workflow, **fields: Any) -> Incident:
    """An open incident; `seen` is its last_seen_at, an hour after it opened."""
    number = next(_numbers)
    seen = fields.pop("seen", timezone.now())
    return Incident.objects.create(
        **{
            "tenant": workflow.tenant,
            "number": number,
            "workflow": workflow,
            "signature": f"signature-{number}",
            "signature_kind": "code",
            "signature_text": "payment_timeout",
            "title": f"Gateway timed out {number}",
            "status": "actioned",
            "first_seen_at": seen - timedelta(hours=1),
            "opened_at": seen - timedelta(hours=1),
            "last_seen_at": seen,
        }
        | fields
    )


def a_decision(incident: Incident, **fields: Any) -> Decision:
    return Decision.objects.create(
        **{
            "tenant": incident.tenant,
            "incident": incident,
            "type": "retry",
            "category": "transient_timeout",
            "severity": "high",
            "confidence": 0.7,
            "confidence_parts": {"parts": []},
            "hypotheses": [],
            "similar": [],
            "reasoning": "It times out.",
            "recommended_action": "Retry.",
            "parameters": {},
            "model": "local-1",
            "inputs": {},
            "created_at": timezone.now(),
        }
        | fields
    )


def an_action(incident: Incident, **fields: Any) -> Action:
    """A retry that waits for a person for 15 more minutes."""
    now = timezone.now()
    return Action.objects.create(
        **{
            "tenant": incident.tenant,
            "incident": incident,
            "decision": a_decision(incident),
            "kind": "retry",
            "status": "waiting",
            "created_at": now,
            "due_at": now,
            "expires_at": now + timedelta(minutes=15),
        }
        | fields
    )
