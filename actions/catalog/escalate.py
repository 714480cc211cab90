"""Call people. Never held back: being unsure is a reason to call [A6]."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import structlog
from django.db import transaction

from actions.catalog.kind import Kind, Order, Outcome, Preview, Send
from actions.escalation.models import Page
from actions.escalation.services import call_people
from actions.states import ACTIVE
from awfdrs_site.kernel.actor import MACHINE
from incidents import announce
from incidents.models import TimelineKind
from incidents.services import set_recovery
from incidents.states import CLOSED, Recovery

log = structlog.get_logger(__name__)


class EscalateParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`reason`: a sentence for the person who is called."""

    reason: str
    channel: str = "log"


class Escalate(Kind):
    name = "escalate"
    label = "Escalate"
    says = "Calls a person."
    parameters = EscalateParameters
    tells_people = True

    def preview(self, order: Order, parameters: EscalateParameters) -> Preview:
        return Preview(says=f"Calls a person: {parameters.reason}", undo="Nothing to undo.")

    def run(self, order: Order, parameters: EscalateParameters) -> Outcome | Send:
        incident, reason = order.action.incident, parameters.reason
        retried = incident.actions.filter(kind="retry", status__in=ACTIVE).exists()
        goes_on = retried or incident.status in CLOSED
        recovery = incident.recovery if goes_on else Recovery.ESCALATED
        set_recovery(incident, recovery, escalated_at=order.now)
        text = f"{_says(call_people(order.action, order.now))}: {reason}"
        announce.note(incident, TimelineKind.ESCALATED, text, actor=MACHINE, now=order.now)
        fields = {"incident": incident.label, "title": incident.title, "reason": reason}
        transaction.on_commit(lambda: log.warning("escalation", **fields), robust=True)
        return Outcome("accepted", 0, text)


def _says(pages: Sequence[Page]) -> str:
    """Who is called first, and how many calls follow if nobody acknowledges."""
    if not pages:
        return "Escalated to the log channel"
    at_once = [page.channel.name for page in pages if page.due_at == pages[0].due_at]
    later = len(pages) - len(at_once)
    follow = f", {later} more call{'s' if later > 1 else ''} if nobody acknowledges"
    return f"Escalated, calling {', '.join(at_once)}{follow if later else ''}"


KIND = Escalate()
