"""Invented rows for the templates: real model classes, never saved, one story on all pages."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

from django.contrib.auth.models import User

from actions.models import Action, Channel, Recovery
from actions.plans.document import read_plan
from actions.plans.progress import Progress, progress
from actions.previewing import Editable, Line, Shown, preview_of
from ai.models import Decision
from ai.trust import Trust
from incidents.models import Incident, TimelineEntry
from ingestion.models import Event
from safety.breaker import State, steps_by_hand
from safety.models import KillSwitch, Vendor
from tenants.models import ApiKey, Tenant, Workflow

NOW = datetime.now(UTC)
# Text a sender may choose; it must show as text wherever it stands.
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)> 'quoted' \"twice\" & so on"


def past(**parts: float) -> datetime:
    """That long ago."""
    return NOW - timedelta(**parts)


def uid(number: int) -> UUID:
    """A fixed id."""
    return UUID(int=number)


MERIDIAN = Tenant(id=uid(1), name="Meridian Commerce")
NORTHWIND = Tenant(id=uid(2), name="Northwind Logistics")
ALICE = User(pk=1, username="alice", first_name="Alice", last_name="Moreno")
ANNA = User(pk=2, username="anna", first_name="Anna", last_name="Berg")
VERA = User(pk=3, username="vera")

# Each line: title | workflow | vendor | severity | recovery | events | signature | taken
_STORY = (Path(__file__).parent / "incidents.txt").read_text(encoding="utf-8")


def incidents(hostile: bool = False) -> list[Incident]:
    """Eleven incidents, worst first; with `hostile` the texts are a sender's attack."""
    rows = []
    for index, line in enumerate(_STORY.splitlines()):
        title, workflow, vendor, severity, recovery, count, signature, taken = line.split(" | ")
        status = {"recovered": "resolved"}.get(recovery, "actioned")
        if index == 6:
            status = "analyzing"
        if index == 10:
            status = "ignored"
        row = Incident(
            id=uid(100 + index),
            tenant=MERIDIAN,
            number=4821 + index,
            severity=severity,
            title=HOSTILE if hostile else title,
            vendor=HOSTILE[:100] if hostile else vendor,
            workflow=Workflow(id=uid(50 + index), tenant=MERIDIAN, name=workflow),
            signature=f"a91f3c07{index:024x}",
            signature_kind="code",
            signature_text=HOSTILE if hostile else signature,
            status=status,
            recovery=recovery,
            event_count=int(count),
            first_seen_at=past(hours=1 + index),
            opened_at=past(hours=1 + index),
            last_seen_at=past(minutes=index),
            resolved_at=past(minutes=5) if status == "resolved" else None,
            category="vendor_rate_limit",
            acknowledged_at=past(minutes=9) if taken == "True" else None,
            acknowledged_by=ALICE if taken == "True" else None,
            assignee=ALICE if taken == "True" else None,
        )
        row.trend = [
            max(0, 10 + 8 * math.sin(step / 3 + index) * (1 + step / 10)) for step in range(20)
        ]
        rows.append(row)
    return rows


def decision(incident: Incident, confidence: float = 0.71) -> Decision:
    """A conclusion with three causes."""
    return Decision(
        id=uid(900),
        tenant=MERIDIAN,
        incident=incident,
        type="retry",
        category=incident.category,
        severity=incident.severity,
        confidence=confidence,
        model="local-1",
        created_at=past(minutes=8),
        confidence_parts={
            "low": confidence - 0.08,
            "high": min(1.0, confidence + 0.06),
            "parts": [
                {
                    "name": "classification",
                    "value": 0.78,
                    "reason": "Known code 429, vendor rate limit (0.97)",
                },
                {
                    "name": "own_history",
                    "value": -0.07,
                    "reason": "It worked 9 of 13 times for this signature",
                },
            ],
        },
        hypotheses=[
            {
                "cause": "vendor_limit",
                "title": "The vendor lowered its request limit",
                "share": 0.78,
                "evidence": [
                    {"text": "429 with retry_after on 96% of failures", "supports": True},
                    {"text": "Limit header fell from 100 to 60 at 19:49", "supports": True},
                    {"text": "Error text also fits a sharing rule change", "supports": False},
                ],
            },
            {
                "cause": "input",
                "title": "Burst from the evening payout batch",
                "share": 0.15,
                "evidence": [{"text": "Same batch yesterday caused no 429", "supports": False}],
            },
            {
                "cause": "contention",
                "title": "Retry storm from our own client",
                "share": 0.05,
                "evidence": [],
            },
        ],
        similar=[],
        parameters={},
        inputs={},
        reasoning="The code names a temporary limit, and like failures went away on a later try.",
        recommended_action="Retry the failed runs, one account at a time",
    )


RECEIPT: dict[str, Any] = {
    "outcome": "wait",
    "checks": [
        {"name": "kill_switch", "verdict": "pass", "reason": "none covers this workflow or vendor"},
        {"name": "breaker", "verdict": "pass", "reason": "salesforce is closed, 0 of 10 failures"},
        {"name": "rate_limit", "verdict": "pass", "reason": "3 of 60 calls this minute"},
        {"name": "cooldown", "verdict": "pass", "reason": "last run on this workflow 41 h ago"},
        {"name": "confidence", "verdict": "wait", "reason": "0.71 is under the auto line 0.80"},
    ],
}


def action(incident: Incident, status: str, index: int = 0, confidence: float = 0.71) -> Action:
    """One attempt in the given state."""
    sent = status in ("sending", "verifying", "succeeded", "failed", "unknown")
    over = status in ("succeeded", "failed", "rejected", "expired", "cancelled")
    row = Action(
        id=uid(700 + index),
        tenant=MERIDIAN,
        incident=incident,
        decision=decision(incident, confidence),
        kind="retry",
        status=status,
        attempt=1 + index % 3,
        max_attempts=3,
        receipt=RECEIPT,
        created_at=past(minutes=9),
        due_at=NOW + timedelta(seconds=40),
        expires_at=NOW + timedelta(seconds=221 + 400 * index) if status == "waiting" else None,
        sent_at=past(minutes=3) if sent else None,
        finished_at=past(minutes=1) if over else None,
        verify_until=NOW + timedelta(seconds=60) if status == "verifying" else None,
        decided_at=past(minutes=2) if status in ("rejected", "cancelled", "succeeded") else None,
        decided_by_name="Alice Moreno" if status in ("planned", "rejected", "cancelled") else "",
        decision_comment="vendor sandbox, ignore" if status == "rejected" else "",
    )
    row.threshold = 0.8
    row.runs = {"outcomes": [True, True, False, True, True, True, False, True, True], "worked": 7}
    row.blast = [
        ("Retries", "462 failed runs"),
        ("Workflow", incident.workflow.name),
        ("Undo", "the engine's own"),
        ("Attempt", "1 of 3"),
    ]
    row.trust = Trust("approve", 2, 5)
    row.preview = preview_of(row, NOW)
    return row


def plan_to_approve(row: Action) -> Action:
    """The action as the first step of a plan with values that may be changed."""

    def line(step: str, role: str, title: str, says: str, **more: Any) -> Line:
        calls = (f"POST https://mail.example/{step}",)
        fields = {"undo": "", "irreversible": False, "tries": 1, "timeout_seconds": 300} | more
        return Line(step, role, title, "http", {}, says, calls, **fields)

    size = Editable("resend.body.size", "Resend in batches: size", 200, "10 to 500", 10, 500, ())
    pace = ("gentle", "steady", "fast")
    words = "gentle, steady, fast"
    pacing = Editable(
        "resend.body.pace", "Resend in batches: pace", "steady", words, None, None, pace
    )
    lines = (
        line(
            "switch", "do", "Switch the sender", "Calls a service, signed.", undo="Switches back."
        ),
        line("switch", "undo", "Undo switch the sender", "Switches back."),
        line(
            *("resend", "do", "Resend in batches", "Calls a service, signed."),
            irreversible=True,
            undo="Cannot be undone.",
            number=2,
            editable=(size, pacing),
        ),
        line("verify", "verify", "Verify", "Watches that bounces stay away."),
    )
    row.preview = Shown(lines, "resend_receipts v3", 4)  # type: ignore[attr-defined]
    row.needed = 2  # type: ignore[attr-defined]
    return row


PLAN = """name: move_traffic
title: Move traffic off the slow vendor
steps:
  - {key: drain, kind: pause, title: Pause the workflow, undo: {kind: resume}}
  - parallel:
      - key: left
        kind: http
        title: Move the cards
        retries: {max_attempts: 2}
        undo: {kind: http}
      - {key: right, kind: http, title: Move the refunds, undo: {kind: http}}
  - {key: tell, kind: notify, title: Tell the payments team, irreversible: true}
verify: {kind: probe}
"""


def recovery(incident: Incident, status: str, index: int = 0, reason: str = "") -> Recovery:
    """A recovery of the incident under the plan above."""
    over = status in ("completed", "failed", "rolled_back", "needs_human")
    kinds = {"pause": False, "resume": False, "http": False, "notify": False, "probe": True}
    row = Recovery(
        id=uid(900 + index),
        tenant=MERIDIAN,
        incident=incident,
        document=read_plan(PLAN, kinds).to_json(),
        status=status,
        reason=reason or "Move the cards, Move the refunds",
        history=[
            {"state": "detecting", "at": past(minutes=9).isoformat(), "reason": ""},
            {"state": status, "at": past(minutes=2).isoformat(), "reason": reason},
        ],
        approved_by_name="Alice Moreno",
        created_at=past(minutes=9),
        finished_at=past(minutes=2) if over else None,
        correlation_id="c-0192",
    )
    row.progress = steps(row)
    return row


def steps(row: Recovery) -> Progress:
    """The first step done, one of two at once done at its second try, the other running."""
    incident, plan = row.incident, row.plan()
    assert plan is not None
    made = []
    for number, (step, status) in enumerate(
        (("drain", "succeeded"), ("left", "failed"), ("left", "succeeded"), ("right", "verifying"))
    ):
        one = action(incident, status, 100 + number)
        one.step, one.role, one.attempt = step, "do", 2 if number == 2 else 1
        one.result = {"reason": row.reason, "taken": True}
        made.append(one)
    return progress(plan, made)


def timeline(incident: Incident, hostile: bool = False) -> list[TimelineEntry]:
    """An incident's story, newest first."""
    story = [
        ("action", "machine", "Retry 1 of 3 sent, the engine accepted it", {"status": "sending"}),
        (
            "comment",
            "person",
            "Stripe support confirmed a temporary limit until 22:00.\nKeep it low, @anna.",
            {"mentions": ["anna"]},
        ),
        ("gate", "machine", "Retry 1 of 3 may run: 9 checks passed", {"outcome": "run"}),
        ("approval", "machine", "Needs approval: 0.71 is under the auto line 0.80", {}),
        ("acknowledged", "person", "acknowledged", {}),
        ("decided", "machine", "Recommended a retry, confidence 0.71", {}),
        ("classified", "machine", "Classified as vendor rate limit", {}),
        ("change", "sender", "deploy.finished on payments.capture, 4 minutes before", {}),
        ("events", "sender", "+62 events in the last minute", {}),
        ("escalated", "machine", "Escalated to on-call by log", {}),
        ("resolved", "machine", "Recovered by itself in 3 m 08 s", {}),
        ("opened", "machine", "Opened from 5 failures on payments.capture", {}),
    ]
    actor = {"machine": "automation", "person": "Alice Moreno", "sender": "engine"}
    return [
        TimelineEntry(
            pk=4000 - index,
            tenant=MERIDIAN,
            incident=incident,
            at=past(seconds=20 + index * 47),
            actor_kind=who,
            actor=actor[who],
            kind=kind,
            text=HOSTILE if hostile else text,
            data=data,
        )
        for index, (kind, who, text, data) in enumerate(story)
    ]


def events(incident: Incident, hostile: bool = False) -> list[Event]:
    """The newest events of an incident."""
    payload = {
        "error_code": "429",
        "error_message": HOSTILE if hostile else "Too many requests",
        "vendor": "stripe",
        "retry_after_s": 12,
        "card": "[masked: pan]",
        "final": False,
    }
    return [
        Event(
            id=uid(3000 + index),
            tenant=MERIDIAN,
            workflow=incident.workflow,
            payload=payload,
            event_type="payment.capture.succeeded" if index == 2 else "payment.capture.failed",
            kind="success" if index == 2 else "failure",
            error_code="" if index == 2 else "429",
            received_at=past(seconds=9 * index),
            occurred_at=past(seconds=9 * index),
            resource_type="payment",
            resource_id=f"pi_3QmT{index}x",
            correlation_id=f"run-77c1e{index}",
        )
        for index in range(8)
    ]


def vendors() -> list[Vendor]:
    """Worst first, as `safety.pages.vendors_by_state` makes them."""
    states = [
        ("salesforce", "open"),
        ("stripe", "half_open"),
        ("netsuite", "closed"),
        ("sendgrid", "closed"),
        ("adyen", "closed"),
        ("shippo", "closed"),
    ]
    rows = [
        Vendor(
            pk=index,
            tenant=MERIDIAN,
            name=name,
            breaker_state=state,
            open_seconds=300,
            breaker_changed_at=past(seconds=258),
            calls_saved=120 * (state == "open"),
        )
        for index, (name, state) in enumerate(states)
    ]
    for row, (_, state) in zip(rows, states, strict=True):
        row.failures, row.probes = row.pk, 2  # type: ignore[attr-defined]
        row.steps = steps_by_hand(cast(State, state))  # type: ignore[attr-defined]
    return rows


def stop() -> KillSwitch:
    """Vendor netsuite, stopped by hand."""
    return KillSwitch(
        id=uid(600),
        scope="vendor",
        tenant=MERIDIAN,
        vendor="netsuite",
        engaged_at=past(minutes=2),
        engaged_by="Tunde Okafor",
        reason="Ledger out of balance, hold until INC-4822 is clear",
        expires_at=NOW + timedelta(minutes=27, seconds=48),
    )


def shell(role: str = "responder", stops: bool = True) -> SimpleNamespace:
    """What the shell's context processor gives."""
    return SimpleNamespace(
        tenant=MERIDIAN,
        tenants=[MERIDIAN, NORTHWIND],
        role=role,
        role_name=role.capitalize(),
        can_act=role in ("responder", "admin"),
        can_admin=role == "admin",
        counts={"incidents": 23, "critical": 2, "approvals": 3, "running": 2},
        stops=[stop()] if stops else [],
        held=2 if stops else 0,
        all_stopped=False,
        failing=[a_failing_channel()] if stops else [],
        mentions=2 if stops else 0,
    )


def api_keys() -> list[dict[str, Any]]:
    """A key in use, one that nobody used yet, an expired and a revoked one, with a hostile name."""
    told: list[dict[str, Any]] = [
        {"name": "orders engine", "last_used_at": past(minutes=2)},
        {"name": "new monitor", "scopes": ["read", "act"], "expires_at": past(days=-40)},
        {"name": "spring audit", "scopes": ["read"], "expires_at": past(days=3)},
        {"name": HOSTILE[:100], "scopes": ["admin"], "revoked_at": past(hours=4)},
    ]
    rows = []
    for number, fields in enumerate(told):
        made = {"scopes": ["ingest"], "created_at": past(days=number)} | fields
        key = ApiKey(pk=number, tenant=MERIDIAN, prefix=f"9c41d0b2a{number}", **made)
        rows.append({"key": key, "usable": key.is_usable(NOW)})
    return rows


def a_failing_channel() -> Channel:
    return Channel(
        id=uid(700),
        tenant=MERIDIAN,
        name="On-call phone",
        kind="twilio",
        failures=4,
        failing_since=past(minutes=4),
    )
