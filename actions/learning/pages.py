"""What was learnt, for the page and the API: records, rungs, what heals alone [D5]."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Max, Q

from actions.pages import auto_lines, policy_in
from ai.ladder import Pair, climbs, trust_of
from ai.models import Outcome
from ai.record import RETRY, WAIT, Outcomes, wilson
from ai.selectors import newest_of_each
from ai.trust import LOOKED_BACK, Trust
from awfdrs_site.kernel.sql import Among
from incidents.models import Incident
from tenants.models import Tenant

# Of the tenant's outcomes so many are looked at, and so many actions are shown, the newest first.
LOOKED_AT = 5000
SHOWN = 100


@dataclass(frozen=True, slots=True)
class Learnt:
    """One action for one signature, on the signature's newest incident."""

    signature: str
    action: str
    incident: Incident
    record: Outcomes
    trust: Trust
    line: float
    last_at: datetime

    @property
    def what(self) -> str:
        return "Retry" if self.action == RETRY else self.action.removeprefix("plan:")

    @property
    def bounds(self) -> tuple[float, float]:
        return self.record.bounds()

    @property
    def share(self) -> float:
        return self.record.succeeded / self.record.runs if self.record.runs else 0.0


@dataclass(frozen=True, slots=True)
class Share:
    """How many of so many worked, and between which shares that is 90 % sure."""

    worked: int
    runs: int

    @property
    def bounds(self) -> tuple[float, float]:
        return wilson(self.worked, self.runs)


def learnt(tenant: Tenant, text: str, now: datetime) -> list[Learnt]:
    """The actions that ended last, of signatures whose incident says `text`. Six queries."""
    last_at = _newest_pairs(tenant, text)
    signatures = {signature for signature, _ in last_at}
    rows = Incident.objects.filter(tenant=tenant, signature__in=signatures)
    rows = rows.select_related("workflow").order_by("signature", "-last_seen_at")
    incidents = {one.signature: one for one in rows.distinct("signature")}
    ended = Outcome.objects.filter(
        tenant=tenant, signature__in=signatures, ends_recovery=True
    ).exclude(action=WAIT)
    results: dict[Pair, list[tuple[str, float | None]]] = defaultdict(list)
    for outcome in newest_of_each(ended, LOOKED_BACK):
        pair = outcome.signature, outcome.action
        results[pair].append((outcome.result, outcome.seconds_to_recover))
    earned, policies = climbs(tenant.pk, list(last_at)), auto_lines(tenant, now)
    found = []
    for pair, at in last_at.items():
        incident, kind = incidents[pair[0]], "retry" if pair[1] == RETRY else "plan"
        policy = policy_in(policies, incident.workflow_id)
        trust, line = trust_of(pair[1], earned[pair], policy), policy.threshold_for(kind)
        record = Outcomes.of(results[pair])
        found.append(Learnt(*pair, incident, record, trust, line, at))
    return found


def _newest_pairs(tenant: Tenant, text: str) -> dict[Pair, datetime]:
    """What was tried for which signature, and when it last ended; the newest first."""
    rows = Outcome.objects.filter(tenant=tenant).exclude(action=WAIT)
    if text:
        said = Q(incident__title__icontains=text) | Q(action__icontains=text)
        rows = rows.filter(said | Q(incident__workflow__name__icontains=text))
    newest = Outcome.objects.filter(Among(rows.order_by("-at")[:LOOKED_AT]))
    pairs = newest.values("signature", "action")
    last = pairs.annotate(last=Max("at")).order_by("-last", "signature", "action")[:SHOWN]
    return {(row["signature"], row["action"]): row["last"] for row in last}


def alone_and_retried(tenant: Tenant) -> tuple[Share, Share]:
    """What healed alone of the newest cases that were held back, and what retries reached."""
    newest = Outcome.objects.filter(tenant=tenant, action__in=[WAIT, RETRY], ends_recovery=True)
    looked_at = newest.exclude(result="rejected").order_by("-at")[:LOOKED_AT]
    worked = Q(result="succeeded")
    found = looked_at.aggregate(
        healed=Count("pk", filter=worked & Q(action=WAIT)),
        waited=Count("pk", filter=Q(action=WAIT)),
        mended=Count("pk", filter=worked & Q(action=RETRY)),
        retried=Count("pk", filter=Q(action=RETRY)),
    )
    return Share(found["healed"], found["waited"]), Share(found["mended"], found["retried"])


def learning_page(tenant: Tenant, text: str, now: datetime, *, may_set: bool) -> dict[str, Any]:
    """Everything `learning/page.html` asks for."""
    alone, retried = alone_and_retried(tenant)
    rows = learnt(tenant, text, now)
    return {"rows": rows, "text": text, "may_set": may_set, "alone": alone, "retried": retried}
