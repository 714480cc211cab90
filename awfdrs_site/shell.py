"""What every page shows around its content: tenant, role, counts, and what is stopped."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from django.db.models import Count, Q
from django.http import HttpRequest
from django.utils import timezone

from actions.controls.stopping import held_count
from actions.escalation.models import Channel
from actions.escalation.selectors import failing_channels
from actions.models import Action
from actions.pages import IN_FLIGHT
from actions.selectors import still_to_decide
from actions.states import ActionStatus
from incidents.models import Incident
from incidents.states import OPEN
from incidents.triage.mentioned import mentions_for
from incidents.triage.snoozing import snoozed
from safety.models import KillSwitch, Severity, SwitchBlocks, SwitchScope
from safety.selectors import engaged_switches
from tenants.access import Identity
from tenants.models import Role, Scope
from tenants.selectors import admins_of

_LAST_HOUR = timedelta(hours=1)


class Shell:
    """The shell of one request; each part is read when a template first shows it."""

    def __init__(self, identity: Identity, now: datetime) -> None:
        self.identity, self.now = identity, now
        self.tenant, self.tenants = identity.tenant, identity.tenants
        self.role = identity.membership_role or Role.VIEWER
        self.role_name = Role(self.role).label
        self.can_act = Scope.ACT in identity.scopes
        self.can_admin = Scope.ADMIN in identity.scopes

    @cached_property
    def open_incidents(self) -> dict[str, int]:
        """How many are open and not snoozed: in all, by severity, opened in the last hour."""
        rows = Incident.objects.filter(tenant=self.tenant, status__in=OPEN)
        rows = rows.exclude(snoozed(self.now))
        by_severity = {s.value: Count("pk", filter=Q(severity=s)) for s in Severity}
        opened = Count("pk", filter=Q(opened_at__gt=self.now - _LAST_HOUR))
        return rows.aggregate(total=Count("pk"), last_hour=opened, **by_severity)

    @cached_property
    def counts(self) -> dict[str, int]:
        """What the navigation counts: open and critical incidents, approvals, running actions."""
        actions = Action.objects.filter(
            tenant=self.tenant, status__in=[ActionStatus.WAITING, *IN_FLIGHT]
        ).aggregate(
            approvals=Count("pk", filter=still_to_decide(self.now)),
            running=Count("pk", filter=Q(status__in=IN_FLIGHT)),
        )
        incidents = self.open_incidents
        return actions | {"incidents": incidents["total"], "critical": incidents["critical"]}

    @cached_property
    def stops(self) -> list[KillSwitch]:
        """The engaged switches that concern the tenant, the widest first."""
        return engaged_switches(self.tenant, self.now)

    @property
    def all_stopped(self) -> bool:
        """Whether one of them stops the automation of the whole tenant, or of everything."""
        return any(
            stop.scope in (SwitchScope.GLOBAL, SwitchScope.TENANT)
            and stop.blocks != SwitchBlocks.INGESTION
            for stop in self.stops
        )

    @cached_property
    def held(self) -> int:
        """How many actions they keep from starting."""
        return held_count(self.tenant, self.stops) if self.stops else 0

    @cached_property
    def mentions(self) -> int:
        """How often the person was named where they have not looked since."""
        user = self.identity.user
        return mentions_for(self.tenant, user).filter(seen_at=None).count() if user else 0

    @cached_property
    def admins(self) -> list[str]:
        """Who can give another role, for the page that refuses."""
        return admins_of(self.tenant)

    @cached_property
    def failing(self) -> list[Channel]:
        """The tenant's channels that reach nobody at present."""
        return failing_channels(self.tenant)


def shell_of(request: HttpRequest, identity: Identity) -> Shell:
    """The request's one shell, so that what it has read is not read again."""
    shell = getattr(request, "shell", None)
    if not isinstance(shell, Shell):
        shell = Shell(identity, timezone.now())
        request.shell = shell  # type: ignore[attr-defined]
    return shell


def shell_context(request: HttpRequest) -> dict[str, Any]:
    """Context processor: `shell` for a signed-in person in a tenant, nothing before that."""
    identity: Identity | None = getattr(request, "identity", None)
    if identity is None or identity.membership_role is None:
        return {}
    return {"shell": shell_of(request, identity)}
