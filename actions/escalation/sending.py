"""Stage `page`: every page that is due is sent at least once, until it arrives or is given up [A6].

    claim    pending → sending | stopped     short transaction, lease and fence taken
    call     the courier                     no transaction, no lock
    record   sending → delivered | pending | failed, only while the fence is still ours

What is found in `sending` after its lease is sent again, under the same key: unlike a recovery, a
page that arrives twice does no harm, and one that never does may.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from actions.escalation import dispatch
from actions.escalation.courier import Letter, Receipt
from actions.escalation.dispatch import DEADLINE_SECONDS
from actions.escalation.models import NOTIFY, Page
from actions.escalation.schedule import TAKEN, Standing, pause_seconds, reason_to_stop
from actions.escalation.services import note_outcome
from actions.escalation.states import TRANSITIONS, PageStatus
from awfdrs_site.kernel import correlation, live, work
from awfdrs_site.kernel.actor import MACHINE
from awfdrs_site.kernel.scrub import scrub_text
from awfdrs_site.kernel.sealing import SealBrokenError
from awfdrs_site.kernel.transition import change_status, lock
from incidents import announce
from incidents.models import Incident, TimelineKind
from incidents.states import CLOSED
from incidents.triage.snoozing import snoozed
from safety.models import Severity

if TYPE_CHECKING:
    from actions.models import Action

log = structlog.get_logger(__name__)

# The courier is ended at its deadline, so a worker whose lease is over was lost.
LEASE = timedelta(seconds=2 * DEADLINE_SECONDS)
# Where `reason_to_stop` may find one; it decides.
_MAYBE_NEEDLESS = ~Q(escalation__kind=NOTIFY) & (
    Q(incident__status__in=CLOSED)
    | Q(incident__merged_into__isnull=False)
    | Q(incident__acknowledged_at__gte=F("incident__opened_at"))
    | Q(incident__opened_at__gt=F("escalation__created_at"))
) | Q(incident__isnull=False, channel__enabled=False)
_URGENT = (Severity.CRITICAL, Severity.HIGH)


def run_due() -> int:
    """Send everything that is due; return how many were dealt with."""
    done = work.run_due("page", call_again)
    done += take_back_lost(timezone.now()) + stop_needless(timezone.now())
    while (page := claim(timezone.now())) is not None:
        if page.status == PageStatus.SENDING:
            deliver(page)
        done += 1
    return done


def call_again(incident_ids: Sequence[UUID], now: datetime) -> work.Postponed:
    """Go on with the calls about these incidents that an acknowledgement stopped, for it was taken
    back: each is as far ahead as it was then. Runs in the transaction of its work rows.

    Locks pending pages too: one that is being stopped at this moment is seen as stopped.
    """
    open_to_it = [PageStatus.PENDING, PageStatus.STOPPED]
    found = Page.objects.filter(incident__in=incident_ids, status__in=open_to_it).order_by("id")
    for page in found.select_for_update(of=("self",)):
        if page.status == PageStatus.STOPPED and page.detail == TAKEN and page.finished_at:
            due_at = page.due_at + (now - page.finished_at)
            _move(page, PageStatus.PENDING, now, due_at=due_at, finished_at=None, detail="")
    return {}


@transaction.atomic
def stop_needless(now: datetime) -> int:
    """Stop the pages that nobody needs any more before they are due; return how many."""
    found = Page.objects.filter(_MAYBE_NEEDLESS, status=PageStatus.PENDING).order_by("id")
    rows = list(found.select_for_update(skip_locked=True, of=("self",)))
    return sum(_stop(page, now) for page in rows)


@transaction.atomic
def claim(now: datetime) -> Page | None:
    """Take the page that has been due longest, with a lease; None when nothing is due.

    It comes back stopped if nobody needs it any more: what was said before this commits holds.
    Calls about a snoozed incident wait; a notice calls nobody and does not.
    """
    wanted = Q(escalation__kind=NOTIFY) | ~snoozed(now, "incident__")
    due = Page.objects.filter(wanted, status=PageStatus.PENDING, due_at__lte=now)
    due = due.order_by("due_at", "id")
    page = due.select_for_update(skip_locked=True, of=("self",)).first()
    if page is None or _stop(page, now):
        return page
    return _move(
        page,
        PageStatus.SENDING,
        now,
        attempts=page.attempts + 1,
        fence=page.fence + 1,
        leased_until=now + LEASE,
    )


def _stop(page: Page, now: datetime) -> bool:
    """Stop the locked page if there is a reason to; a test has none, a notice only its channel."""
    if page.incident is None or page.escalation is None:
        return False
    reason = "" if page.is_notice else reason_to_stop(_standing(page.incident, page.escalation))
    if not reason and not page.channel.enabled:
        reason = "the channel is switched off"
    if reason:
        _move(page, PageStatus.STOPPED, now, finished_at=now, detail=reason)
    return bool(reason)


def _standing(incident: Incident, escalation: Action) -> Standing:
    over = incident.status if incident.status in CLOSED else ""
    return Standing(
        over="merged" if incident.merged_into_id else over,
        opened_at=incident.opened_at,
        acknowledged_at=incident.acknowledged_at,
        escalated_at=escalation.created_at,
    )


def _move(page: Page, to: str, now: datetime, **fields: Any) -> Page:
    with correlation.bound(page.correlation_id, page.tenant_id):
        change_status(page, to, table=TRANSITIONS, actor=MACHINE, now=now, **fields)
        if page.incident_id:
            live.publish(page.tenant_id, f"incident:{page.incident_id}")
    return page


def deliver(page: Page) -> None:
    """Call, and record what came of it."""
    with correlation.bound(page.correlation_id, page.tenant_id):
        try:
            receipt = dispatch.send(letter_of(page))
        except SealBrokenError as error:
            receipt = Receipt(False, f"The address cannot be read: {error}")
        record(page, receipt, timezone.now())


def letter_of(page: Page) -> Letter:
    """What the page tells whom."""
    incident = page.incident
    if incident is None or page.escalation is None:
        title, body = "Test of a channel", f"“{page.channel.name}” of AWFDRS reaches you."
    elif page.is_notice:
        title = f"Notice: {incident.title} ({incident.label})"
        body = "\n".join(_facts(incident, str(page.escalation.parameters["text"])))
    else:
        title = f"{incident.get_severity_display()}: {incident.title} ({incident.label})"
        facts = _facts(incident, str(page.escalation.parameters.get("reason", "")))
        body = "\n".join([*facts, "To stop these calls, acknowledge it."])
    return Letter(
        url=page.channel.secret(),
        key=str(page.pk),
        title=title,
        body=f"{body}\nPage {page.pk}",
        urgent=incident is not None and incident.severity in _URGENT and not page.is_notice,
        allowed=tuple(settings.CHANNEL_ALLOWED_HOSTS),
    )


def _facts(incident: Incident, words: str) -> list[str]:
    return [
        f"{incident.label} of {incident.tenant.name}: {incident.title}",
        f"Workflow {incident.workflow.name}, {incident.event_count} events, {incident.state}.",
        scrub_text(words),
    ]


@transaction.atomic
def record(sent: Page, receipt: Receipt, now: datetime) -> None:
    """Write what became of the call, unless the lease was lost meanwhile (then another has it)."""
    page = lock(Page(pk=sent.pk))
    if page.fence != sent.fence or page.status != PageStatus.SENDING:
        log.warning("stale_page_dropped", page_id=str(sent.pk), fence=sent.fence)
        return
    detail = scrub_text(receipt.detail)[:300]
    note_outcome(page.channel_id, delivered=receipt.delivered, detail=detail, now=now)
    if receipt.delivered:
        _move(page, PageStatus.DELIVERED, now, finished_at=now, leased_until=None, detail="")
        done = "Told" if page.is_notice else "Called"
        _tell(page, f"{done} {page.channel.name} by {page.channel.get_kind_display()}", now)
    else:
        _try_again(page, detail, now)


def _try_again(page: Page, detail: str, now: datetime) -> None:
    pause = pause_seconds(page.attempts)
    if pause is None:
        _move(page, PageStatus.FAILED, now, finished_at=now, leased_until=None, detail=detail)
        times = f"{page.attempts} attempts"
        _tell(page, f"Could not call {page.channel.name} in {times}: {detail}", now)
        log.error("page_failed", page_id=str(page.pk), channel=page.channel.name)
    else:
        due_at = now + timedelta(seconds=pause)
        _move(page, PageStatus.PENDING, now, due_at=due_at, leased_until=None, detail=detail)


def _tell(page: Page, text: str, now: datetime) -> None:
    if page.incident is not None:
        data = {"page": str(page.pk), "status": page.status}
        kind = TimelineKind.ACTION if page.is_notice else TimelineKind.ESCALATED
        announce.note(page.incident, kind, text, actor=MACHINE, now=now, data=data)


@transaction.atomic
def take_back_lost(now: datetime) -> int:
    """Put what a worker left behind back in the queue: it may have arrived, and is sent again."""
    lost = Page.objects.filter(status=PageStatus.SENDING, leased_until__lte=now).order_by("id")
    rows = list(lost.select_for_update(skip_locked=True, of=("self",)))
    for page in rows:
        _try_again(page, "The worker that sent it was lost.", now)
    return len(rows)
