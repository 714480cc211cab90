"""May this event come in? Tenant, workflow, kill switch, rate limits, breaker, in that order [E4].

Schema and idempotency come before, storing after: see services.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from awfdrs_site.kernel.problem import Problem, echo
from ingestion import calls
from ingestion.schema import Draft
from safety import breakers, limiter
from safety.models import EventKind, KillSwitch, OnOpen, Vendor
from safety.selectors import event_kind, ingestion_switch, vendor_for
from safety.window import Use
from tenants.access import Identity
from tenants.models import Workflow


def probe_of(idempotency_key: str) -> str:
    """Who holds the probe on which an event came in; the same for every post of the event."""
    return f"event:{idempotency_key}"


class Admission:
    """The checks for the events of one request; each look-up is made once, however many ask.

    `use`: how much of the tighter limit is used, as the last event found it.
    """

    def __init__(self, identity: Identity, drafts: Iterable[Draft], now: datetime) -> None:
        self.tenant, self.now = identity.tenant, now
        # An empty set asks the database nothing.
        wanted = {draft.workflow_id for draft in drafts}
        rows = Workflow.objects.filter(tenant=self.tenant, is_active=True, pk__in=wanted)
        self.workflow_ids = set(rows.values_list("pk", flat=True))
        self._switches: dict[tuple[UUID, str], KillSwitch | None] = {}
        self._vendors: dict[str, Vendor | None] = {}
        self.use: Use | None = None
        self._looked_at: set[str] = set()
        self._saved: Counter[int] = Counter()

    def refuse(self, draft: Draft) -> Problem | None:
        """Why `draft` may not come in, or None; counts it against the limits if it may."""
        return (
            self._tenant(draft)
            or self._workflow(draft)
            or self._switch(draft)
            or self._rate(draft)
            or self._breaker(draft)
        )

    def _tenant(self, draft: Draft) -> Problem | None:
        if draft.tenant_id != self.tenant.pk:
            return Problem(403, "tenant_mismatch", "The tenant_id is not the key's tenant.")
        if not self.tenant.is_active:
            return Problem(403, "tenant_inactive", "The tenant is inactive.")
        return None

    def _workflow(self, draft: Draft) -> Problem | None:
        if draft.workflow_id in self.workflow_ids:
            return None
        return Problem(404, "workflow_not_found", "The tenant has no such active workflow.")

    def _switch(self, draft: Draft) -> Problem | None:
        target = (draft.workflow_id, draft.vendor)
        if target not in self._switches:
            self._switches[target] = ingestion_switch(self.tenant.pk, *target, self.now)
        switch = self._switches[target]
        if switch is None:
            return None
        detail = f"A kill switch keeps these events out: {switch.target()}."
        headers = {}
        if switch.expires_at is not None:
            seconds = (switch.expires_at - self.now).total_seconds()
            headers["Retry-After"] = str(max(1, int(seconds) + 1))
        return Problem(
            423,
            "kill_switch_active",
            detail,
            headers=headers,
            scope=switch.scope,
            reason=switch.reason,
        )

    def _rate(self, draft: Draft) -> Problem | None:
        """The tenant's limit and the vendor's; what one refuses counts against neither."""
        vendor = self._vendor(draft)
        limits = [limiter.events_of(self.tenant)]
        if vendor is not None:
            limits.append(limiter.events_naming(vendor))
        answer = limiter.take(*limits)
        self.use = answer.tightest
        if answer.over is None:
            return None
        who = f"vendor {echo(vendor.name)}" if vendor and answer.over else "tenant"
        return limiter.refusal(answer, f"events a minute of this {who}")

    def _breaker(self, draft: Draft) -> Problem | None:
        """A success always comes in: it is how a recovery is verified and a breaker closes."""
        vendor, now = self._vendor(draft), self.now
        if vendor is not None and vendor.on_open == OnOpen.RECORD:
            return None
        kind = event_kind(self.tenant.pk, draft.event_type)
        if kind == EventKind.SUCCESS:
            return None
        if kind == EventKind.FAILURE:
            vendor = self._vendor_now(draft)
        if vendor is None:
            return None
        permit = breakers.look(vendor, now)
        if permit.state in ("closed", "disabled"):
            return None
        if permit.state == "half_open" and kind == EventKind.FAILURE:
            permit = breakers.take(vendor, probe_of(draft.idempotency_key), now)
        if permit.allowed or (permit.state == "half_open" and kind != EventKind.FAILURE):
            return None
        self._saved[vendor.pk] += 1
        words = "half-open with every probe out" if permit.state == "half_open" else "open"
        detail = (
            f"The circuit breaker of vendor {echo(vendor.name)} is {words}; nothing was stored."
        )
        headers = {"Retry-After": str(permit.retry_after_seconds)}
        return Problem(503, "circuit_open", detail, headers=headers, vendor=vendor.name)

    def count_saved(self) -> None:
        """Add what the breakers refused to their counters; once, at the end."""
        for vendor_id, count in sorted(self._saved.items()):
            breakers.count_saved(vendor_id, self.now, count)

    def _vendor_now(self, draft: Draft) -> Vendor | None:
        """The vendor after a look at what it did lately; one look a request."""
        name = draft.vendor
        if name not in self._looked_at:
            self._looked_at.add(name)
            self._vendors[name] = calls.current(self.tenant.pk, name, self._vendor(draft), self.now)
        return self._vendors[name]

    def _vendor(self, draft: Draft) -> Vendor | None:
        if draft.vendor not in self._vendors:
            self._vendors[draft.vendor] = vendor_for(self.tenant.pk, draft.vendor)
        return self._vendors[draft.vendor]
