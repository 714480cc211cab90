"""What a kill switch does to actions: what it would stop, what is out, what it skipped [S6].

A switch may be an unsaved one, as a person is about to engage it. Of a global switch everything
here shows the tenant's part alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Literal
from uuid import UUID

from django.db import transaction
from django.db.models import Count, Q, QuerySet

from actions import services
from actions.lifecycle import lock_action
from actions.models import Action
from actions.selectors import actions_for
from actions.states import ActionStatus
from awfdrs_site.kernel.actor import Actor
from awfdrs_site.kernel.problem import Problem
from incidents.models import Incident
from safety.models import KillSwitch, SwitchBlocks, SwitchScope
from tenants.models import Tenant, Workflow

# The engine may be working on it: a stop does not call it back.
OUT = (ActionStatus.SENDING, ActionStatus.VERIFYING, ActionStatus.UNKNOWN)
UNSENT = (ActionStatus.WAITING, ActionStatus.PLANNED, ActionStatus.CLAIMED)
SHOWN = 20
NOTHING = Q(pk__in=[])
VENDOR_DAYS = timedelta(days=30)


def within_reach(switch: KillSwitch) -> Q:
    """The actions that `switch` stops, by what they are and belong to; people are always called."""
    if switch.blocks == SwitchBlocks.INGESTION:
        return NOTHING
    target = {
        SwitchScope.WORKFLOW: Q(incident__workflow_id=switch.workflow_id),
        SwitchScope.VENDOR: Q(incident__vendor__iexact=switch.vendor),
        SwitchScope.ACTION: Q(kind=switch.action_kind),
    }.get(SwitchScope(switch.scope), Q())
    return Q(acts=True) & target


def in_flight(tenant: Tenant, switch: KillSwitch | None = None) -> QuerySet[Action]:
    """What was sent and is not settled, within the switch's reach; without one, all. Newest first.

    After a stop these go on to their end; nothing is added to them.
    """
    reach = within_reach(switch) if switch else Q(acts=True)
    return actions_for(tenant).filter(reach, status__in=OUT)


def skipped_by(tenant: Tenant, switch: KillSwitch) -> QuerySet[Action]:
    """The ledger: all that the switch kept from starting, whatever became of it. Newest first."""
    return actions_for(tenant).filter(stopped_by=switch)


def held_by(tenant: Tenant, switch: KillSwitch) -> QuerySet[Action]:
    """Of the ledger, what nobody has decided on yet: still blocked."""
    return skipped_by(tenant, switch).filter(status=ActionStatus.BLOCKED)


def held_count(tenant: Tenant, switches: Sequence[KillSwitch]) -> int:
    """How many actions of the tenant these engaged switches keep from starting."""
    reach = NOTHING
    for switch in switches:
        reach |= within_reach(switch)
    blocked = Q(status=ActionStatus.BLOCKED, stopped_by__in=switches)
    rows = Action.objects.filter(tenant=tenant)
    return rows.filter(reach & Q(status__in=UNSENT) | blocked).count()


@dataclass(frozen=True, slots=True)
class InFlight:
    """One action that is out and will not be called back."""

    action_id: UUID
    incident_id: UUID
    incident: str
    workflow: str
    status: str
    sent_at: datetime | None


@dataclass(frozen=True, slots=True)
class Consequences:
    """What engaging a switch would mean for the tenant at this moment.

    `workflows`: names of those it reaches; for a vendor, those with an incident that names it in
    the last 30 days. `planned`: retries due now or later that it would skip. `sent_last_hour`: how
    many went out in its reach. `in_flight`: the latest of `in_flight_count`. `waiting`: approvals
    that could be given but would not run.
    """

    target: str
    stops_automation: bool
    stops_ingestion: bool
    workflows: tuple[str, ...]
    planned: int
    sent_last_hour: int
    in_flight_count: int
    in_flight: tuple[InFlight, ...]
    waiting: int
    goes_on: tuple[str, ...]


def consequences(tenant: Tenant, switch: KillSwitch, now: datetime) -> Consequences:
    """The facts for the question "stop this?". Five queries; writes nothing."""
    reached = Action.objects.filter(within_reach(switch), tenant=tenant)
    waits = Q(status=ActionStatus.WAITING)
    unsent = reached.filter(status__in=UNSENT).aggregate(
        planned=Count("pk", filter=~waits),
        waiting=Count("pk", filter=waits & Q(expires_at__gt=now)),
    )
    out = in_flight(tenant, switch)
    stops_ingestion = switch.blocks != SwitchBlocks.AUTOMATION
    return Consequences(
        target=switch.target(),
        stops_automation=switch.blocks != SwitchBlocks.INGESTION,
        stops_ingestion=stops_ingestion,
        workflows=tuple(_workflows(tenant, switch, now)),
        in_flight_count=out.count(),
        in_flight=tuple(map(_out, out[:SHOWN])),
        goes_on=("escalations",) if stops_ingestion else _WITH_EVENTS,
        sent_last_hour=reached.filter(sent_at__gt=now - timedelta(hours=1)).count(),
        **unsent,
    )


_WITH_EVENTS = ("ingestion", "detection", "analysis", "escalations")


def _workflows(tenant: Tenant, switch: KillSwitch, now: datetime) -> Iterable[str]:
    rows = Workflow.objects.filter(tenant=tenant, is_active=True)
    if switch.workflow_id is not None:
        rows = rows.filter(pk=switch.workflow_id)
    elif switch.scope == SwitchScope.VENDOR:
        named = Incident.objects.filter(
            tenant=tenant, vendor__iexact=switch.vendor, last_seen_at__gt=now - VENDOR_DAYS
        )
        rows = rows.filter(pk__in=named.values("workflow_id"))
    return rows.order_by("name").values_list("name", flat=True)


def _out(action: Action) -> InFlight:
    incident = action.incident
    return InFlight(
        action_id=action.pk,
        incident_id=incident.pk,
        incident=incident.label,
        workflow=incident.workflow.name,
        status=action.status,
        sent_at=action.sent_at,
    )


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one action of the ledger that a person chose.

    `done`: it was replayed or dropped. Else `unchanged` (it was not blocked any more, `status` says
    what it is), `refused` (`detail` says why) or `not_found` (not skipped by this switch).
    """

    action_id: UUID
    outcome: Literal["done", "unchanged", "refused", "not_found"]
    status: str = ""
    detail: str = ""


def replay(
    *, tenant: Tenant, switch: KillSwitch, action_ids: Iterable[UUID], actor: Actor, now: datetime
) -> list[Verdict]:
    """Run those skipped actions after all: each is planned and passes the gate once more.

    One verdict per action, each in a transaction of its own; asked again, nothing runs twice.
    Raises 409 `switch_engaged` while the switch stops them.
    """
    if KillSwitch.objects.get(pk=switch.pk).is_engaged(now):
        detail = "Resume it first: what it holds back cannot run while it is engaged."
        raise Problem(409, "switch_engaged", detail, kill_switch=str(switch.pk))
    return _each(tenant, switch, action_ids, partial(services.run, actor=actor, now=now))


def drop(
    *, tenant: Tenant, switch: KillSwitch, action_ids: Iterable[UUID], actor: Actor, now: datetime
) -> list[Verdict]:
    """Cancel those skipped actions, engaged or not: they will not run. Answers as `replay`."""
    return _each(tenant, switch, action_ids, partial(services.cancel, actor=actor, now=now))


def _each(
    tenant: Tenant, switch: KillSwitch, action_ids: Iterable[UUID], act: Callable[..., Action]
) -> list[Verdict]:
    ledger = skipped_by(tenant, switch)
    return [_one(ledger, action_id, act) for action_id in dict.fromkeys(action_ids)]


@transaction.atomic
def _one(ledger: QuerySet[Action], action_id: UUID, act: Callable[..., Action]) -> Verdict:
    if not ledger.filter(pk=action_id).exists():
        return Verdict(action_id, "not_found")
    _, action = lock_action(action_id)
    if action.status != ActionStatus.BLOCKED:
        return Verdict(action_id, "unchanged", action.status)
    try:
        action = act(action=action)
    except Problem as problem:
        return Verdict(action_id, "refused", action.status, problem.detail)
    return Verdict(action_id, "done", action.status)
