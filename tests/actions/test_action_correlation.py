"""What is written about an action carries its own correlation id, not the last one's [E6]."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
import structlog
from django.utils import timezone

from actions import sending
from actions.models import Action
from awfdrs_site.kernel.models import AuditEntry
from tests.actions.target import Target

pytestmark = pytest.mark.django_db


def test_a_lost_or_doubtful_action_is_audited_under_its_own_id(
    planned: Callable[..., Action], target: Target
) -> None:
    """One is lost while sending, one is sent, and the lost one is asked after, in one thread."""
    structlog.contextvars.clear_contextvars()
    lost = planned()
    claimed = sending.claim(timezone.now())
    assert claimed is not None
    sending.start(claimed, timezone.now())
    Action.objects.update(leased_until=timezone.now() - timedelta(seconds=1))
    other = planned()
    sending.run_due()
    Action.objects.filter(pk=lost.pk).update(due_at=timezone.now())
    target.known.add(str(lost.pk))
    sending.deliver(sending.change_holder(planned(), "claimed", timezone.now()))
    sending.run_due()
    entries = AuditEntry.objects.filter(subject_type="actions.action").exclude(after="claimed")
    for action in (lost, other):
        rows = entries.filter(subject_id=str(action.pk)).exclude(before="claimed")
        assert set(rows.values_list("correlation_id", flat=True)) == {action.correlation_id}
    assert structlog.contextvars.get_contextvars() == {}
