"""The life of a page: its states and the one table of legal steps."""

from __future__ import annotations

from django.db import models


class PageStatus(models.TextChoices):
    PENDING = "pending", "Pending"
    SENDING = "sending", "Sending"
    DELIVERED = "delivered", "Delivered"
    FAILED = "failed", "Failed"
    STOPPED = "stopped", "Stopped"


S = PageStatus
TRANSITIONS: dict[str, frozenset[str]] = {
    S.PENDING: frozenset({S.SENDING, S.STOPPED}),
    # Back to pending: it did not arrive, or its worker was lost. It is sent again, with its key.
    S.SENDING: frozenset({S.PENDING, S.DELIVERED, S.FAILED}),
    S.DELIVERED: frozenset(),
    S.FAILED: frozenset(),
    # Who had it has it no more.
    S.STOPPED: frozenset({S.PENDING}),
}
