"""Random but valid inputs of the pure modules."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st

from ai.classify import Classification
from ai.decide import Case
from ai.evidence import CauseFacts, Change
from ai.record import Outcomes
from ai.similarity import IncidentText, PastIncident, Similar
from safety.breaker import BreakerPolicy
from safety.caps import BLAST_RADIUS, RETRIES
from safety.gate import GATED, GateFacts, SwitchFact
from safety.rule_types import (
    BACKOFF_KINDS,
    CATEGORIES,
    ON_OPEN,
    RUNGS,
    SECOND_APPROVER,
    SEVERITIES,
    AutomationRule,
    RetryPolicy,
    VendorRule,
)

# The machine's load must not decide whether a test passes.
many = settings(deadline=None, max_examples=200)
some = settings(deadline=None, max_examples=60)

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)

names = st.sampled_from(["stripe", "salesforce", "netsuite", "Sendgrid"])
shares = st.floats(0.0, 1.0)
counts = st.integers(0, 3000)
words = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=40)
moments = st.integers(-100_000, 100_000).map(lambda s: NOW + timedelta(seconds=s))


@st.composite
def policies(draw: st.DrawFn) -> RetryPolicy:
    first = draw(st.floats(0.1, 1000.0))
    return RetryPolicy(
        name=draw(st.sampled_from(["quick", "slow"])),
        kind=draw(st.sampled_from(BACKOFF_KINDS)),
        max_retries=draw(st.integers(0, 20)),
        initial_delay_seconds=first,
        max_delay_seconds=first + draw(st.floats(0.0, 80_000.0)),
        multiplier=draw(st.floats(1.0, 10.0)),
        jitter_ratio=draw(shares),
    )


similar = st.builds(
    Similar,
    incident_id=st.uuids().map(str),
    number=st.integers(1, 9999),
    score=shares,
    outcome=st.sampled_from(["recovered", "failed", "by_hand", "rejected", "unknown"]),
    action_kind=st.sampled_from(["retry", "escalate", ""]),
    seconds_to_recover=st.none() | st.floats(0.0, 1e6),
    same_signature=st.booleans(),
)
changes = st.builds(
    Change,
    label=st.sampled_from(["deploy 2.3", "flag on", "config 7"]),
    minutes_before=st.floats(-10.0, 1000.0),
    same_workflow=st.booleans(),
)
facts = st.builds(
    CauseFacts,
    category=st.sampled_from(CATEGORIES),
    certainty=shares,
    workflow=st.just("payments.capture"),
    vendor=names | st.just(""),
    other_workflows_failing=st.integers(0, 5),
    other_workflows=st.integers(0, 9),
    other_vendors_failing=st.integers(0, 4),
    vendor_failure_share=st.none() | shares,
    changes=st.lists(changes, max_size=4).map(tuple),
    changes_known=st.booleans(),
    failures=st.integers(1, 5000),
    failing_resources=counts,
    recovered_resources=counts,
    successes_since=counts,
    reopen_count=st.integers(0, 9),
    past_incidents=st.integers(0, 50),
)
classifications = st.builds(
    Classification,
    category=st.sampled_from(CATEGORIES),
    severity=st.sampled_from(SEVERITIES),
    source=st.sampled_from(["code", "pattern", "heuristic", "none"]),
    matched=st.sampled_from(["payment_timeout", "HTTP 503", ""]),
    certainty=shares,
    policy=policies(),
    escalate=st.booleans(),
    recommended_action=st.sampled_from(["", "Renew the key.", "Wait"]),
    doubt=st.sampled_from(["", "card-declined"]),
)
outcomes = st.builds(
    Outcomes, succeeded=st.integers(0, 99), failed=st.integers(0, 99), rejected=st.integers(0, 9)
)
cases = st.builds(
    Case,
    incident=st.just("INC-7"),
    classification=classifications,
    facts=facts,
    history=outcomes,
    similar=st.lists(similar, max_size=6, unique_by=lambda one: one.incident_id).map(tuple),
    failed_attempts=st.integers(0, 8),
    max_attempts=st.integers(0, 20),
    ineffective=st.integers(0, 5),
    max_ineffective=st.integers(1, 5),
    reported_severity=st.sampled_from(["", *SEVERITIES]),
)
texts = st.builds(
    IncidentText,
    signature=st.sampled_from(["", "aa", "bb", "cc"]),
    message=words,
    error_code=st.sampled_from(["", "payment_timeout", "card_declined"]),
    vendor=names | st.just(""),
    workflow=st.sampled_from(["payments.capture", "crm.contact-sync"]),
    category=st.sampled_from(["", *CATEGORIES]),
)
past_incidents = st.lists(
    st.builds(
        PastIncident,
        incident_id=st.uuids().map(str),
        number=st.integers(1, 9999),
        text=texts,
        outcome=st.sampled_from(["recovered", "failed", "by_hand", "rejected", "unknown"]),
        action_kind=st.sampled_from(["retry", "escalate", ""]),
        seconds_to_recover=st.none() | st.floats(0.0, 1e6),
    ),
    max_size=12,
    unique_by=lambda one: one.incident_id,
)
switches = st.builds(
    SwitchFact,
    scope=st.sampled_from(["global", "tenant", "workflow", "vendor"]),
    blocks=st.sampled_from(["automation", "ingestion", "both"]),
    tenant_id=st.sampled_from(["", "t1", "t2"]),
    workflow_id=st.sampled_from(["", "w1", "w2"]),
    vendor=names | st.just(""),
    reason=words,
    engaged_by=st.sampled_from(["", "anna"]),
    expires_at=st.none() | moments,
)
gate_facts = st.builds(
    GateFacts,
    now=moments,
    tenant_id=st.just("t1"),
    workflow_id=st.sampled_from(["w1", "w2"]),
    workflow=st.just("payments.capture"),
    action_kind=st.sampled_from(["retry", "escalate", "none"]),
    vendor=names | st.just(""),
    switches=st.lists(switches, max_size=3).map(tuple),
    switches_readable=st.booleans(),
    breaker_state=st.sampled_from(["closed", "open", "half_open", "unreadable"]),
    breaker_until=st.none() | moments,
    probes_free=st.integers(0, 3),
    vendor_calls=st.none() | st.integers(0, 20),
    vendor_calls_per_minute=st.none() | st.integers(0, 20),
    vendor_calls_until=st.none() | moments,
    attempt=st.integers(0, 8),
    max_attempts=st.integers(0, 8),
    actions_last_hour=st.none() | st.integers(0, 20),
    max_actions_per_hour=st.integers(1, 20),
    **{
        number: st.none() | st.integers(0, 20)
        for cap in (*BLAST_RADIUS[1:], *RETRIES)
        for number in (cap.count, cap.limit)
    },
    dry_run=st.booleans(),
    last_recovery_at=st.none() | moments,
    last_recovery_label=st.sampled_from(["", "INC-3"]),
    cooldown_seconds=st.integers(0, 5000),
    confidence=st.none() | st.floats(),
    confidence_threshold=st.floats(0.01, 1.0),
    approved_by=st.sampled_from(["", "anna"]),
    trust=st.sampled_from(["", *RUNGS]),
    severity=st.sampled_from(SEVERITIES),
    opened_at=st.none() | moments,
    lot=st.floats(0.0, 99.0),
    held_back_percent=st.integers(0, 20),
    held_back_seconds=st.integers(1, 5000),
)
# Rules as files may hold them; their names are given by who draws them.
days = st.integers(1, 86_400)
lines = st.floats(0.01, 1.0)
hours = st.integers(1, 3600)
vendor_rules = st.builds(
    VendorRule, name=st.just(""), requests_per_minute=st.integers(1, 10**6),
    breaker=st.builds(
        BreakerPolicy, failure_threshold=st.integers(1, 1000), window_seconds=hours,
        minimum_calls=st.integers(0, 10**6), failure_ratio=st.floats(0.0, 1.0),
        slow_call_ms=st.integers(0, 3_600_000), open_seconds=days,
        half_open_probes=st.integers(1, 100), probe_seconds=hours,
    ),
    on_open=st.sampled_from(ON_OPEN), release_per_second=st.integers(1, 1000),
)  # fmt: skip
automation_rules = st.builds(
    AutomationRule, confidence_threshold=lines,
    confidence_thresholds=st.dictionaries(st.sampled_from(GATED), lines).map(
        lambda found: tuple(sorted(found.items()))
    ),
    max_attempts=st.integers(1, 20), max_actions_per_hour=st.integers(1, 100_000),
    max_actions_per_day=st.integers(1, 10**6),
    max_incident_retries_per_day=st.integers(1, 1000),
    max_workflow_retries_per_hour=st.integers(1, 100_000),
    max_vendor_retries_per_hour=st.integers(1, 100_000),
    cooldown_seconds=days, recurrence_seconds=days, max_ineffective=st.integers(1, 100),
    approval_seconds=st.integers(10, 604_800), verify_seconds=days, dry_run=st.booleans(),
    second_approver=st.sampled_from(SECOND_APPROVER), requester_may_approve=st.booleans(),
    trust_successes=st.integers(1, 100), trust_start_retry=st.sampled_from(RUNGS),
    trust_start_plan=st.sampled_from(RUNGS), held_back_percent=st.integers(0, 20),
    held_back_seconds=days,
    expires_at=st.none() | st.datetimes(timezones=st.just(UTC)),
)  # fmt: skip
