"""Asking targets: about what is in doubt, and how far what they took has come [A8].

Part of stage `send`. A question changes nothing at the target, so it may be repeated; an answer
moves the action like an answer to the send would have.
"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from actions import planning, verification
from actions.catalog import kind_named, kinds
from actions.catalog.kind import Order, Outcome
from actions.connectors.services import keep_deliveries
from actions.lifecycle import lock_action
from actions.models import Action
from actions.sending import ASK_AGAIN, ASK_WORKING, LEASE, alone, settle
from actions.states import ActionStatus
from awfdrs_site.kernel import correlation
from incidents.models import Incident

ASKED_AT_ONCE = 20


def run_due(now: datetime) -> int:
    """Ask the targets about what is in doubt, or is being worked on; later and later."""
    settled = 0
    for _ in range(ASKED_AT_ONCE):
        asked = _claim_asked(now)
        if asked is None:
            break
        bound = correlation.bound(asked.correlation_id, asked.tenant_id)
        with bound, alone("question_failed", asked):
            settled += _settle_one(asked, now)
    return settled


def _settle_one(asked: Action, now: datetime) -> bool:
    """Ask about one action; whether that changed anything."""
    outcome = ask_target(asked, timezone.now())
    with transaction.atomic():
        incident, action = lock_action(asked.pk)
        keep_deliveries(action.tenant_id, action.pk, outcome)
        before = action.status
        if before != asked.status:
            return False
        settle(incident, action, outcome, timezone.now())
        if action.status != before:
            return True
        if before == ActionStatus.UNKNOWN:
            _ask_later(incident, action, now)
        else:
            _wait_for_end(action, now)
        return False


def _wait_for_end(action: Action, now: datetime) -> None:
    """The target is at it: asked again, until its time is over."""
    assert action.verify_until is not None
    if now >= action.verify_until:
        verification.fail(action, f"Not done within {action.timeout_seconds} s.", now)
        return
    action.due_at = min(now + ASK_WORKING, action.verify_until)
    action.save(update_fields=["due_at"])


def ask_target(action: Action, now: datetime) -> Outcome:
    """What the target says of an action it got, or may have got. Outside of any transaction."""
    kind = kind_named(action.kind)
    asked = kind.ask(Order(action, now), kind.read(action.parameters))
    return asked if isinstance(asked, Outcome) else asked()


@transaction.atomic
def _claim_asked(now: datetime) -> Action | None:
    """Take what has waited longest for a question; nobody else asks about it within a lease."""
    working = Q(status=ActionStatus.VERIFYING, kind__in=_asked_kinds())
    due = Action.objects.filter(Q(status=ActionStatus.UNKNOWN) | working, due_at__lte=now)
    due = due.order_by("due_at").select_for_update(skip_locked=True, of=("self",), no_key=True)
    action = due.select_related("incident__workflow").first()
    if action is not None:
        action.due_at = timezone.now() + LEASE
        action.save(update_fields=["due_at"])
    return action


def _asked_kinds() -> list[str]:
    return [name for name, kind in kinds().items() if kind.ends == "when_asked"]


def _ask_later(incident: Incident, action: Action, now: datetime) -> None:
    asked = action.result.get("asked", 0) + 1
    action.result |= {"asked": asked}
    action.due_at = now + ASK_AGAIN * 2 ** min(asked, 6)
    action.save(update_fields=["result", "due_at"])
    if asked == 3:
        reason = "A retry is in doubt and the engine does not say whether it got it."
        planning.escalate(incident, reason, decision=action.decision, now=now)
