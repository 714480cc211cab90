"""Snoozing: an incident that nobody wants to hear of until a time, or until it recovers [I6].

Two stored instants say it, so nothing has to run when the time has come: `snoozed_at`, and
`snoozed_until` where it has an end by the clock. Automation goes on. It is over at once when
something else fails, when the incident is closed or opens anew, and by hand.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import Q

from awfdrs_site.kernel.actor import MACHINE, Actor
from awfdrs_site.kernel.problem import FieldError, invalid
from incidents import announce
from incidents.models import Incident, TimelineKind
from incidents.services import AWAKE, lock_standing, refuse_closed, set_fields
from ingestion.models import Event

LONGEST = timedelta(days=30)
SPANS = {"30m": timedelta(minutes=30), "2h": timedelta(hours=2)}
TOMORROW, RECOVERY = "tomorrow", "recovery"
MORNING = time(9)


def snoozed(now: datetime, path: str = "") -> Q:
    """The incidents (at `path` of the queried rows) that are snoozed at `now`."""
    endless = Q(**{f"{path}snoozed_until": None})
    lasts = endless | Q(**{f"{path}snoozed_until__gt": now})
    return Q(**{f"{path}snoozed_at__isnull": False}) & lasts


def until_of(choice: str, zone: ZoneInfo, now: datetime) -> datetime | None:
    """When a snooze offered on pages ends: `30m`, `2h`, `tomorrow` at nine in `zone`; None for
    `recovery`. Problem 400 for anything else."""
    if choice == RECOVERY:
        return None
    if choice == TOMORROW:
        tomorrow = now.astimezone(zone).date() + timedelta(days=1)
        return datetime.combine(tomorrow, MORNING, zone).astimezone(now.tzinfo)
    if choice not in SPANS:
        raise invalid([FieldError("for", "invalid_choice", "Say how long; nothing was changed.")])
    return now + SPANS[choice]


@transaction.atomic
def snooze(
    *,
    incident: Incident,
    until: datetime | None,
    user: AbstractBaseUser | None,
    actor: Actor,
    now: datetime,
    comment: str = "",
) -> Incident:
    """Be quiet about it until then, or (None) until it recovers. The last word holds.

    400 for a time that is past or over 30 days away; 409 `invalid_transition` where it is closed.
    """
    incident = lock_standing(incident)
    if until is not None and not now < until <= now + LONGEST:
        detail = f"A time within the next {LONGEST.days} days."
        raise invalid([FieldError("until", "out_of_range", detail)])
    refuse_closed(incident, "snoozed")
    fields = {"snoozed_at": now, "snoozed_until": until, "snoozed_by": user}
    data = set_fields(incident, actor, now, "snoozed", comment, **fields)
    data |= {"comment": comment, "until": until.isoformat() if until else None}
    words = f"snoozed it until {until:%d %b %H:%M} UTC" if until else "snoozed it until it recovers"
    announce.note(incident, TimelineKind.SNOOZED, words, actor=actor, now=now, data=data)
    return incident


@transaction.atomic
def wake(*, incident: Incident, actor: Actor, now: datetime) -> Incident:
    """End the snooze by hand. Idempotent."""
    incident = lock_standing(incident)
    rouse(incident, "woke it", actor, now)
    return incident


def rouse(incident: Incident, words: str, actor: Actor, now: datetime) -> None:
    """End the snooze of the locked `incident`, if it is in one."""
    if incident.is_snoozed(now):
        set_fields(incident, actor, now, "woken", **AWAKE)
        announce.note(incident, TimelineKind.WOKEN, words, actor=actor, now=now)


def rouse_for_help(incident: Incident, actor: Actor, now: datetime) -> None:
    """End the locked incident's snooze because somebody is called about it.

    A person's call is meant. Automation's ends only a snooze until it recovers: who waits for that
    must hear that it will not by itself; one with an end by the clock holds the call until then.
    """
    if actor.kind != MACHINE.kind or incident.snoozed_until is None:
        rouse(incident, "Woken: a person is called", actor, now)


def rouse_for_news(incident: Incident, events: Sequence[Event], now: datetime) -> None:
    """End the locked incident's snooze if one of these failures is of a thing that did not fail
    when it was snoozed. Failures that name nothing cannot be told apart: each is news.

    Called before they are marked as failing.
    """
    if incident.snoozed_at is None or not incident.is_snoozed(now):
        return
    failing = set(
        incident.resources.filter(recovered_at=None).values_list("resource_type", "resource_id")
    ) - {("", "")}
    since = [e for e in events if e.received_at > incident.snoozed_at]
    things = [(e.resource_type, e.resource_id) for e in since]
    news = next((thing for thing in things if thing not in failing), None)
    if news is not None:
        name = " ".join(filter(None, news))
        words = f"Woken: {name} fails too" if name else "Woken: it failed again"
        rouse(incident, words, MACHINE, now)
