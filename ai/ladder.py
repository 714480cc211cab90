"""The trust in actions, from what is stored: their outcomes, and the rungs that people set [D5]."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from django.db import transaction

from ai.models import Outcome, TrustSetting
from ai.record import RETRY
from ai.selectors import newest_of_each
from ai.trust import LOOKED_BACK, Climb, Trust
from awfdrs_site.kernel import audit
from awfdrs_site.kernel.actor import Actor
from awfdrs_site.kernel.problem import FieldError, invalid, not_found
from incidents.models import Incident
from safety.models import AutomationPolicy
from safety.rule_types import RUNGS, AutomationRule, Rung
from tenants.models import Tenant

# A signature and what was tried for it.
Pair = tuple[str, str]


def trust_in(
    tenant_id: UUID, signature: str, action: str, policy: AutomationPolicy | AutomationRule
) -> Trust:
    """How far the action may go for the signature, under the policy. Two queries."""
    return trust_of(action, climbs(tenant_id, [(signature, action)])[signature, action], policy)


def trust_of(action: str, climb: Climb, policy: AutomationPolicy | AutomationRule) -> Trust:
    """The same for what was loaded by `climbs`."""
    kind = "retry" if action == RETRY else "plan"
    return climb.trust(policy.trust_start_for(kind), policy.trust_successes)


def climbs(
    tenant_id: UUID, pairs: Collection[Pair], before: datetime | None = None
) -> Mapping[Pair, Climb]:
    """What the trust in each is made from: the newest outcomes since it was set, as it stood
    `before`. Two queries."""
    wanted: dict[str, Any] = {
        "tenant_id": tenant_id,
        "signature__in": {signature for signature, _ in pairs},
        "action__in": {action for _, action in pairs},
    }
    wanted |= {"at__lt": before} if before else {}
    rows = TrustSetting.objects.filter(**wanted).order_by("signature", "action", "-at", "-pk")
    settings = {(s.signature, s.action): s for s in rows.distinct("signature", "action")}
    results: dict[Pair, list[str]] = defaultdict(list)
    ended = Outcome.objects.filter(**wanted, ends_recovery=True)
    for outcome in newest_of_each(ended, LOOKED_BACK):
        pair = outcome.signature, outcome.action
        setting = settings.get(pair)
        if setting is None or outcome.at > setting.at:
            results[pair].append(outcome.result)
    return {pair: _climb(results[pair], settings.get(pair)) for pair in pairs}


def _climb(results: list[str], setting: TrustSetting | None) -> Climb:
    if setting is None:
        return Climb(tuple(results))
    return Climb(tuple(results), cast(Rung, setting.rung), setting.set_by)


@transaction.atomic
def set_trust(
    *,
    tenant: Tenant,
    signature: str,
    action: str,
    rung: str,
    reason: str,
    actor: Actor,
    now: datetime,
) -> TrustSetting:
    """Put the action on a rung for the signature; what is earned or lost counts from now on.

    Raises 404 for a signature that the tenant never had, 400 `validation_error` for what is no
    rung, no action (`retry` or `plan:` and a name) or no reason. Setting it again undoes it.
    """
    if not Incident.objects.filter(tenant=tenant, signature=signature).exists():
        raise not_found("No such signature.")
    named = action.startswith("plan:") and len(action) in range(6, 81)
    mistakes = [
        *([] if rung in RUNGS else [FieldError("rung", "invalid", f"One of {', '.join(RUNGS)}.")]),
        *([] if action == RETRY or named else [FieldError("action", "invalid", "No such action.")]),
        *([] if reason.strip() else [FieldError("reason", "required", "Say why.")]),
    ]
    if mistakes:
        raise invalid(mistakes)
    before = TrustSetting.objects.filter(tenant=tenant, signature=signature, action=action)
    last = before.order_by("-at", "-pk").first()
    setting = TrustSetting.objects.create(
        tenant=tenant,
        signature=signature,
        action=action,
        rung=rung,
        reason=reason.strip()[:500],
        set_by=actor.name,
        at=now,
    )
    audit.record(
        tenant_id=tenant.pk,
        actor=actor,
        verb="trust_set",
        subject=setting,
        now=now,
        before=last.rung if last else None,
        after=f"{action} of {signature}: {rung}",
        comment=setting.reason,
    )
    return setting
