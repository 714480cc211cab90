"""What people and the machine do to an incident; every write but detection's.

Each function is its own transaction, locks the incident first, writes the timeline, and announces.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction

from awfdrs_site.kernel import audit, work
from awfdrs_site.kernel.actor import MACHINE, Actor
from awfdrs_site.kernel.problem import FieldError, Problem, invalid
from awfdrs_site.kernel.transition import IllegalTransition, lock
from awfdrs_site.kernel.transition import change_status as step
from incidents import announce
from incidents.models import Incident, TimelineEntry, TimelineKind
from incidents.selectors import broken_by, refuse_merged
from incidents.states import CLOSED, TRANSITIONS, IncidentStatus, Recovery
from incidents.triage import mentioned

COMMENT_LIMIT = 5_000
_VERBS = {
    IncidentStatus.RESOLVED: ("resolved it", TimelineKind.RESOLVED),
    IncidentStatus.IGNORED: ("ignores it from now on", TimelineKind.STATUS),
    IncidentStatus.NEW: ("opened it again", TimelineKind.REOPENED),
}
# What ends a snooze: whatever closes the incident or opens it anew.
AWAKE: dict[str, Any] = {"snoozed_at": None, "snoozed_until": None, "snoozed_by": None}


@transaction.atomic
def change_status(
    *, incident: Incident, to: str, actor: Actor, now: datetime, comment: str = ""
) -> Incident:
    """Take a step of the life cycle by hand; 409 `invalid_transition` where the table has none.

    Resolving what still fails needs a comment, else 400. Opening again queues an analysis;
    resolving or ignoring lets the recovery see that it is over.
    """
    incident = lock_standing(incident)
    if to == IncidentStatus.RESOLVED:
        _want_a_reason(incident, comment)
        move(incident, to, actor=actor, now=now, comment=comment, resolved_at=now)
        incident.resources.filter(recovered_at=None).update(recovered_at=now)
    elif to == IncidentStatus.NEW:
        _open_again(incident, actor=actor, now=now, comment=comment)
    elif to in (IncidentStatus.ANALYZING, IncidentStatus.ACTIONED):
        _refuse_machine_step(incident, to)
    else:
        move(incident, to, actor=actor, now=now, comment=comment)
    words, kind = _VERBS[IncidentStatus(to)]
    announce.note(incident, kind, words, actor=actor, now=now, data={"comment": comment})
    work.enqueue("verify", incident.tenant_id, [incident.pk], now)
    return incident


def _want_a_reason(incident: Incident, comment: str) -> None:
    failing = 0 if comment.strip() else broken_by(incident).failing
    if failing:
        what = "1 thing still fails" if failing == 1 else f"{failing} things still fail"
        detail = f"{what}: say why it is resolved all the same. Nothing was changed."
        raise invalid([FieldError("comment", "required", detail)])


def _refuse_machine_step(incident: Incident, to: str) -> None:
    legal = sorted(set(_VERBS) & TRANSITIONS[incident.status])
    detail = f"Only automation moves an incident to {to}."
    raise Problem(409, "invalid_transition", detail, current=incident.status, legal=legal)


def _open_again(incident: Incident, **step_fields: Any) -> None:
    closed = incident.timeline.filter(kind=TimelineKind.RESOLVED).order_by("-id").first()
    if incident.status == IncidentStatus.RESOLVED and closed and closed.actor_kind != MACHINE.kind:
        # Only somebody's word said that these had recovered, and it is taken back.
        incident.resources.filter(recovered_at=incident.resolved_at).update(recovered_at=None)
    move(
        incident,
        IncidentStatus.NEW,
        recovery=Recovery.NONE,
        reopen_count=incident.reopen_count + 1,
        opened_at=step_fields["now"],
        escalated_at=None,
        acknowledged_at=None,
        **step_fields,
    )
    work.enqueue("analyse", incident.tenant_id, [incident.pk], step_fields["now"])


def move(incident: Incident, to: str, **fields: Any) -> Incident:
    """One audited step of the locked `incident`, announced; raises IllegalTransition."""
    if to in _VERBS:
        fields |= AWAKE
    step(incident, to, table=TRANSITIONS, **fields)
    announce.changed(incident)
    return incident


def ignore(*, incident: Incident, actor: Actor, now: datetime, comment: str = "") -> Incident:
    """Stop acting on it; its events are still counted."""
    to = IncidentStatus.IGNORED
    return change_status(incident=incident, to=to, actor=actor, now=now, comment=comment)


def resolve(*, incident: Incident, actor: Actor, now: datetime, comment: str = "") -> Incident:
    to = IncidentStatus.RESOLVED
    return change_status(incident=incident, to=to, actor=actor, now=now, comment=comment)


def reopen(*, incident: Incident, actor: Actor, now: datetime, comment: str = "") -> Incident:
    to = IncidentStatus.NEW
    return change_status(incident=incident, to=to, actor=actor, now=now, comment=comment)


@transaction.atomic
def acknowledge(
    *, incident: Incident, user: AbstractBaseUser | None, actor: Actor, now: datetime
) -> Incident:
    """Say that somebody has it. Idempotent: the first acknowledgement stands.

    409 `invalid_transition` where it is closed: there is nothing to have.
    """
    incident = lock_standing(incident)
    refuse_closed(incident, "acknowledged")
    if incident.acknowledged_at is None:
        taken: dict[str, Any] = {"acknowledged_at": now, "acknowledged_by": user}
        data = set_fields(incident, actor, now, "acknowledged", **taken)
        kind = TimelineKind.ACKNOWLEDGED
        announce.note(incident, kind, "acknowledged", actor=actor, now=now, data=data)
    return incident


def lock_standing(incident: Incident) -> Incident:
    """The incident, locked and read again; 409 `incident_merged` if it was merged meanwhile."""
    incident = lock(incident)
    refuse_merged(incident)
    return incident


def refuse_closed(incident: Incident, wanted: str) -> None:
    """409 `invalid_transition` for a locked incident that is resolved or ignored."""
    if incident.status in CLOSED:
        raise IllegalTransition("incident", incident.status, wanted, TRANSITIONS[incident.status])


@transaction.atomic
def assign(
    *, incident: Incident, user: AbstractBaseUser | None, actor: Actor, now: datetime
) -> Incident:
    """Give it to `user`, a member of the tenant; None takes it from everybody."""
    incident = lock_standing(incident)
    member = user is None or incident.tenant.memberships.filter(user_id=user.pk).exists()
    if not member:
        raise invalid([FieldError("assignee", "not_a_member", "Not a member of this tenant.")])
    if incident.assignee_id != (user.pk if user else None):
        data = set_fields(incident, actor, now, "assigned", assignee=user)
        words = f"assigned it to {user.get_username()}" if user else "took the owner off"
        announce.note(incident, TimelineKind.ASSIGNED, words, actor=actor, now=now, data=data)
    return incident


def set_fields(
    incident: Incident, actor: Actor, now: datetime, verb: str, comment: str = "", **fields: Any
) -> dict[str, Any]:
    """Set fields of the locked `incident` beside its status: saved, audited and announced.

    Returns the columns `before` and `after`, as data of the timeline's line: see undoing.py.
    """
    known = Incident._meta.concrete_fields
    columns = [f.attname for f in known if f.name in fields or f.attname in fields]
    before = announce.values_of(incident, columns)
    for name, value in fields.items():
        setattr(incident, name, value)
    incident.save(update_fields=columns)
    after = {name: str(value) for name, value in fields.items()}
    audit.record(
        tenant_id=incident.tenant_id,
        actor=actor,
        verb=verb,
        subject=incident,
        now=now,
        after=after,
        comment=comment,
    )
    announce.changed(incident)
    return {"before": before, "after": announce.values_of(incident, columns)}


@transaction.atomic
def comment(*, incident: Incident, text: str, actor: Actor, now: datetime) -> TimelineEntry:
    """Add a remark of 1 to 5,000 characters to the timeline; members whom it names hear of it.

    The line's data says who that was: `mentions`, user names. Other names are plain words.
    """
    text = text.strip()
    if not 1 <= len(text) <= COMMENT_LIMIT:
        detail = f"Between 1 and {COMMENT_LIMIT} characters."
        raise invalid([FieldError("text", "invalid_length", detail)])
    named = mentioned.named_members(incident, text)
    data = {"mentions": [user.username for user in named]}
    entry = announce.note(incident, TimelineKind.COMMENT, text, actor=actor, now=now, data=data)
    mentioned.tell(entry, named, actor, now)
    announce.changed(incident)
    return entry


def set_recovery(incident: Incident, recovery: str, **fields: Any) -> None:
    """Note how far the recovery of the locked `incident` is (called by the actions plane)."""
    incident.recovery = recovery
    for name, value in fields.items():
        setattr(incident, name, value)
    incident.save(update_fields=["recovery", *fields])
    announce.changed(incident)


def resolve_verified(incident: Incident, words: str, now: datetime) -> None:
    """End the locked `incident` because a recovery was verified (called by the actions plane)."""
    incident.resources.filter(recovered_at=None).update(recovered_at=now)
    fields = {"resolved_at": now, "recovery": Recovery.RECOVERED}
    move(incident, IncidentStatus.RESOLVED, actor=MACHINE, now=now, **fields)
    announce.note(incident, TimelineKind.RESOLVED, f"Resolved: {words}", actor=MACHINE, now=now)
