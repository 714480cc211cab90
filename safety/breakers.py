"""Every write of the breakers: one row a vendor, moved only under its lock [S3 P10].

The row is the truth for all processes at once. A look takes no lock, for a closed breaker needs
none; who takes a probe, reports calls or moves it by hand locks the row (always the last lock of
its transaction, several by id). Judging is pure: breaker.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Q
from django.db.models.functions import Lower

from awfdrs_site.kernel import audit, live, work
from awfdrs_site.kernel.actor import MACHINE, Actor
from awfdrs_site.kernel.problem import FieldError, invalid
from awfdrs_site.kernel.transition import IllegalTransition, lock
from safety import breaker as pure
from safety.breaker import Breaker, Outcome, Permit, Second, State
from safety.models import BreakerChange, BreakerState, Vendor

REASON_CHARS = 300
PROBE_NOW = "Asked for probes at once."
# A sender that makes up names fills no table: over this, only an admin adds vendors.
MOST_VENDORS_FOUND = 200
_Step = tuple[State, State, datetime, str]
_COUNT_SAVED = """
WITH vendor AS (
  UPDATE safety_vendor SET calls_saved = calls_saved + %(calls)s WHERE id = %(vendor)s
  RETURNING id, tenant_id
)
INSERT INTO safety_savedcalls AS kept (tenant_id, vendor_id, at, calls)
SELECT tenant_id, id, date_bin('15 minutes', %(now)s, 'epoch'), %(calls)s FROM vendor
ON CONFLICT (tenant_id, at, vendor_id) DO UPDATE SET calls = kept.calls + EXCLUDED.calls
"""


@dataclass(frozen=True, slots=True)
class Call:
    """How one call to a vendor ended, as far as anybody said. `outcome` None: it says nothing
    about the vendor, and a probe it holds is given back. `only_probe`: counts only if its holder
    has a probe out (its own events are counted already).
    """

    tenant_id: UUID
    vendor: str
    at: datetime
    outcome: Outcome | None
    duration_ms: float = 0.0
    holder: str = ""
    only_probe: bool = False


def look(vendor: Vendor, now: datetime) -> Permit:
    """What the row as it was read permits now. Takes no lock and no probe."""
    return pure.permit(vendor.breaker(), vendor.policy(), now)[1]


def as_of(vendor: Vendor, now: datetime) -> Breaker:
    """The breaker of the row as it was read, at `now`."""
    return pure.as_of(vendor.breaker(), vendor.policy(), now)


def steps_by_hand(vendor: Vendor, now: datetime) -> list[State]:
    """What `set_by_hand` may set it to now: what buttons offer and the API lists."""
    return pure.steps_by_hand(as_of(vendor, now).state)


@transaction.atomic
def take(vendor: Vendor, holder: str, now: datetime) -> Permit:
    """May `holder` call the vendor now? While half-open it then has one of the probes.

    Idempotent by the holder. Locks the row only if the breaker is half-open.
    """
    permit = look(vendor, now)
    if permit.state != "half_open":
        return permit
    vendor = lock(vendor)
    policy, old = vendor.policy(), vendor.breaker()
    new, permit = pure.permit(old, policy, now, holder)
    _write(vendor, old, new, _by_time(old, new), MACHINE, now)
    return permit


@transaction.atomic
def record_calls(calls: Sequence[Call], now: datetime) -> None:
    """Count how these calls ended, in order of `at`; one update a vendor.

    A caller's transaction locks nothing after this. Locks: the vendors, by id. A vendor
    that fails and is not known yet gets a row with the defaults.
    """
    by_vendor: dict[tuple[UUID, str], list[Call]] = {}
    for call in sorted(calls, key=lambda call: call.at):
        if call.vendor and "\x00" not in call.vendor:
            by_vendor.setdefault((call.tenant_id, call.vendor.lower()), []).append(call)
    if not by_vendor:
        return
    vendors = _locked(by_vendor)
    unknown = {
        key: calls[0].vendor
        for key, calls in by_vendor.items()
        if key not in vendors and any(call.outcome == "failure" for call in calls)
    }
    if unknown and _add_unknown(unknown):
        vendors = _locked(by_vendor)
    for key, vendor in vendors.items():
        _count(vendor, by_vendor[key], now)


@transaction.atomic
def open_by_events(
    tenant_id: UUID, name: str, since: datetime | None, window: Second, at: datetime, now: datetime
) -> Vendor | None:
    """Open the closed breaker of the vendor as of `at`, when the calls of `window` were too many.

    Only if it is still in the state that began at `since`: somebody else may have counted them, or
    reset it. Returns the row as it is then; None for an unknown vendor beyond the limit of those.
    Locks the row.
    """
    key = tenant_id, name.lower()
    vendors = _locked([key]) or (_add_unknown({key: name}) and _locked([key]))
    if not vendors:
        return None
    vendor = vendors[key]
    old, policy = vendor.breaker(), vendor.policy()
    if old.state == "closed" and old.since == since and pure.too_many(window, policy):
        step: _Step = ("closed", "open", at, _words(window, policy))
        _write(vendor, old, Breaker("open", at), [step], MACHINE, now)
    return vendor


def _locked(names: Iterable[tuple[UUID, str]]) -> dict[tuple[UUID, str], Vendor]:
    wanted = Q()
    for tenant_id, name in names:
        wanted |= Q(tenant_id=tenant_id, lower_name=name)
    rows = Vendor.objects.annotate(lower_name=Lower("name")).filter(wanted).order_by("pk")
    locked = rows.select_for_update(of=("self",), no_key=True)
    return {(row.tenant_id, row.name.lower()): row for row in locked}


def _add_unknown(names: Mapping[tuple[UUID, str], str]) -> bool:
    """Insert rows for vendors that fail and have none; True if there was one to insert."""
    new = [Vendor(tenant_id=tenant_id, name=name) for (tenant_id, _), name in names.items()]
    counts = {row.tenant_id: Vendor.objects.filter(tenant_id=row.tenant_id).count() for row in new}
    few = [row for row in new if counts[row.tenant_id] < MOST_VENDORS_FOUND]
    Vendor.objects.bulk_create(few, ignore_conflicts=True)
    return bool(few)


def _count(vendor: Vendor, calls: Sequence[Call], now: datetime) -> None:
    policy, first = vendor.policy(), vendor.breaker()
    breaker, steps = first, list[_Step]()
    for call in calls:
        before = breaker
        if call.only_probe and not pure.holds(pure.as_of(before, policy, call.at), call.holder):
            continue
        outcome = call.outcome
        if outcome is None:
            breaker = pure.give_back(before, call.holder)
            continue
        if outcome == "success" and 0 < policy.slow_call_ms <= call.duration_ms:
            outcome = "slow"
        breaker = pure.record(before, policy, outcome, call.at, call.holder)
        if breaker.state != before.state or breaker.since != before.since:
            between = pure.as_of(before, policy, call.at)
            steps += _by_time(before, between)
            if breaker.state != between.state:
                steps += [_by_report(between, breaker, policy, outcome)]
    _write(vendor, first, breaker, steps, MACHINE, now)


def _by_time(old: Breaker, new: Breaker) -> list[_Step]:
    if old.state == "open" and new.state == "half_open" and new.since is not None:
        return [("open", "half_open", new.since, "Its open time is over.")]
    return []


def _by_report(old: Breaker, new: Breaker, policy: pure.BreakerPolicy, outcome: Outcome) -> _Step:
    assert new.since is not None
    if new.state == "closed":
        why = f"{policy.half_open_probes} of {policy.half_open_probes} probes succeeded."
    elif old.state == "half_open":
        why = "A probe was slow." if outcome == "slow" else "A probe failed."
    else:
        before = pure.in_window(old, policy, new.since)
        window = replace(before, calls=before.calls + 1, failures=before.failures + 1)
        why = _words(window, policy)
    return old.state, new.state, new.since, why


def _words(window: Second, policy: pure.BreakerPolicy) -> str:
    bad = window.failures + window.slow
    return f"{bad} of {window.calls} calls in {policy.window_seconds} s failed."


def _write(
    vendor: Vendor,
    old: Breaker,
    new: Breaker,
    steps: Sequence[_Step],
    actor: Actor,
    now: datetime,
) -> None:
    """Save what changed of the locked row; keep the steps, and tell who waits for the vendor."""
    if new == old:
        return
    vendor.breaker_state, vendor.breaker_changed_at = new.state, new.since
    vendor.breaker_data = new.to_json()
    vendor.save(update_fields=["breaker_state", "breaker_changed_at", "breaker_data"])
    changes = [
        BreakerChange(
            tenant_id=vendor.tenant_id,
            vendor=vendor,
            at=at,
            before=before,
            after=after,
            why=why,
            actor=actor.name,
        )
        for before, after, at, why in steps
    ]
    BreakerChange.objects.bulk_create(changes)
    if not changes:
        return
    if new.state not in pure.SHUT:
        work.enqueue("release", vendor.tenant_id, [changes[-1].pk], now)
    live.publish(vendor.tenant_id, "safety")


@transaction.atomic
def set_by_hand(*, vendor: Vendor, to: str, reason: str, actor: Actor, now: datetime) -> Vendor:
    """Trip ("open"), reset ("closed"), probe now ("half_open"), keep open ("forced_open") or let
    pass ("disabled").

    The state it is in already stays as it is, unrecorded. Audited. To probe needs no reason: it
    comes to that by itself, only later. Raises Problem 400 for a missing reason or another word,
    409 for a step that is not in the table.
    """
    reason = reason.strip() or (PROBE_NOW if to == BreakerState.HALF_OPEN else "")
    errors = []
    if to not in BreakerState.values:
        detail = f"One of {', '.join(BreakerState.values)}."
        errors.append(FieldError("state", "invalid_choice", detail))
    if not reason or len(reason) > REASON_CHARS:
        detail = f"Say why, in at most {REASON_CHARS} characters."
        errors.append(FieldError("reason", "required", detail))
    if errors:
        raise invalid(errors)
    vendor = lock(vendor)
    old = vendor.breaker()
    between = pure.as_of(old, vendor.policy(), now)
    legal = pure.steps_by_hand(between.state)
    if to != between.state and to not in legal:
        raise IllegalTransition("breaker", between.state, to, frozenset(legal))
    new = pure.force(between, to, now)
    steps = _by_time(old, between)
    if new.state != between.state:
        steps.append((between.state, new.state, now, reason))
        audit.record(
            tenant_id=vendor.tenant_id,
            actor=actor,
            verb=f"breaker_{to}",
            subject=vendor,
            now=now,
            before=between.state,
            after=to,
            comment=reason,
        )
    _write(vendor, old, new, steps, actor, now)
    return vendor


def count_saved(vendor_id: int, now: datetime, calls: int = 1) -> None:
    """Add calls that the open breaker kept back; after the commit, a statistic and no promise.

    To the vendor's sum and to its quarter of an hour, by one statement. It does not wait for the
    disk: a storm of refusals must not queue up behind this row.
    """

    def add() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL synchronous_commit = off")
            cursor.execute(_COUNT_SAVED, {"vendor": vendor_id, "calls": calls, "now": now})

    transaction.on_commit(add, robust=True)
