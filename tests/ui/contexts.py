"""The invented context of each page; the shapes are those that the templates state."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

from django.contrib.auth.models import User
from django.contrib.messages import constants
from django.contrib.messages.storage.base import Message

from actions.controls.safety_pages import Lever
from actions.controls.stop_pages import breaker_question
from actions.controls.stopping import Consequences, InFlight
from actions.learning.pages import Learnt, Share
from actions.models import Channel, EscalationPolicy, WhatIfRun
from actions.whatif import rule_pages
from ai.record import Outcomes
from ai.trust import Trust
from awfdrs_site import places
from awfdrs_site.audit_pages import row_of
from awfdrs_site.kernel.models import AuditEntry
from awfdrs_site.places import Hit, matching
from awfdrs_site.search import Group
from awfdrs_site.workflow_pages import Fare, Traffic
from incidents.detail.correlation import Case, finding_of, picture_of, relate
from incidents.detail.related import Related
from incidents.listing import pages
from incidents.listing.chips import chips_of
from incidents.listing.facets import SPANS, Facet
from incidents.listing.query import KEYS, parse
from incidents.models import FailingResource, GroupingPin, Incident, Mention, SavedView
from incidents.regrouping.grouping import Grouping, Part, PinRow
from incidents.regrouping.variants import Difference, Variant, Variants
from incidents.selectors import Broken
from safety.limits_in_use import LimitInUse
from safety.models import AutomationPolicy, KillSwitch, SwitchScope
from safety.pages import Line
from safety.rule_types import AutomationRule, FailureRule, RetryPolicy, Ruleset
from safety.throttle import Throttle
from tenants.key_views import LIFETIMES
from tenants.models import Density, Membership, Role, Scope, Theme, Workflow
from tenants.preferences import zones
from tenants.profile_views import MAY
from tests.ui import cast

CURVE = [0, 0, 1, 2, 5, 12, 26, 40, 44, 38, 30, 21, 15, 10, 8, 6, 4, 3, 2, 1]


def search(hostile: bool = False, empty: bool = False, palette: bool = False) -> dict[str, Any]:
    """What a word found: an incident of each severity, a page, commands, a person."""
    rows = cast.incidents(hostile)[:4]
    hits = [
        Hit(f"sev-{row.severity}", f"{row.label} {row.title}", "/incidents/", row.workflow.name)
        for row in rows
    ]
    scopes = frozenset(Scope.values)
    groups = [
        Group("Incidents", hits),
        Group("Pages", matching(places.PAGES, ["set"], scopes)),
        Group("Commands", matching(places.COMMANDS, [], scopes)),
        Group("People", [Hit("user", "Alice Moreno", "/incidents/", "alice")]),
    ]
    query = cast.HOSTILE if hostile else "warehouse"
    found = {"groups": [] if empty else groups, "query": query}
    return found | {"palette": palette, "here": "/search"}


def _chart() -> dict[str, Any]:
    steps = 144
    points = []
    for step in range(steps):
        peak = (
            math.exp(-(((step - 112) / 6) ** 2)) * 0.2 + math.exp(-(((step - 44) / 5) ** 2)) * 0.14
        )
        count = round(1600 + 240 * math.sin(step / 16) + 60 * math.sin(step * 1.7))
        points.append(
            {
                "at": cast.past(minutes=5 * (steps - step)),
                "events": count,
                "failed": round(count * (0.01 + peak)),
                "recovered": round(count * peak * 0.7),
            }
        )
    return {
        "range": "12h",
        "step_words": "5 min",
        "step_seconds": 300,
        "points": points,
        "finding": "1,842 events a minute now, 4.1% failing; the peak was 21% at 17:00.",
        "markers": [
            {"at": cast.past(minutes=500), "label": "High 4798", "tone": "orange"},
            {"at": cast.past(minutes=160), "label": "Critical 4821", "tone": "red"},
            {"at": cast.past(minutes=300), "label": "Deploy", "tone": "slate"},
        ],
    }


def overview() -> dict[str, Any]:
    """A busy wall view."""
    wave = [10 + 6 * math.sin(step / 4) for step in range(40)]
    waiting = cast.action(cast.incidents()[2], "waiting")
    return {
        "first_run": False,
        "chart": _chart(),
        "vendors": cast.vendors(),
        "feed": cast.timeline(cast.incidents()[0]) * 1,
        "kpis": {
            "open": {"total": 23, "last_hour": 4, "critical": 2, "high": 5, "medium": 9, "low": 7},
            "auto": {"share": 78.4, "recovered": 142, "total": 181, "delta": 3.1, "trend": wave},
            "recover": {
                "median_seconds": 372,
                "p90_seconds": 1865,
                "delta_seconds": -48,
                "trend": wave,
            },
            "approvals": {"total": 3, "oldest": waiting},
            "events": {"per_minute": 1842, "failing": 4.1, "trend": wave, "lag_seconds": 0.4},
        },
    }


def overview_empty() -> dict[str, Any]:
    """Before the first event."""
    return {
        "first_run": True,
        "ingest": {
            "url": "http://localhost:8000/api/v1/events",
            "has_key": True,
            "tenant_id": cast.MERIDIAN.pk,
            "workflow_id": cast.uid(50),
            "keys_href": "",
        },
    }


def _query_bar(text: str) -> dict[str, Any]:
    query = parse(text).query
    asked = pages.Asked(query, "severity", text, parse(text).mistakes)
    counts = {
        "status": {"open": 23, "snoozed": 2, "resolved": 841},
        "severity": {"critical": 2, "high": 5, "medium": 9, "low": 7},
        "workflow": {"payments.capture": 9, "crm.contact-sync": 4},
        "vendor": {"stripe": 9, "none": 3},
        "category": {"timeout": 8, "rate_limit": 6},
        "owner": {"me": 3, "none": 17, "anna": 1},
        "seen": {"1h": 4, "24h": 12, "7d": 23},
    }
    facets = {key: Facet(found, key == "status") for key, found in counts.items()}
    return {
        "asked": asked,
        "mistakes": pages.mistakes_of(asked),
        "chips": chips_of(query, facets, [cast.ALICE, cast.ANNA], asked.link),
        "keys": KEYS.values(),
        "spans": SPANS,
        "sorts": pages.sorts_of(asked),
        "sort_words": pages.sort_words(asked.sort),
    }


def incident_list(empty: str = "", hostile: bool = False) -> dict[str, Any]:
    """The list, or one of its three empty states."""
    rows = [] if empty else cast.incidents(hostile)
    return {
        "views": [
            {"label": "Triage", "href": "?view=triage", "count": 17, "current": True},
            {"label": "Mine", "href": "?view=mine", "count": 3, "current": False},
            {"label": "Critical and high", "href": "?view=top", "count": 7, "current": False},
            {"label": "Needs approval", "href": "?view=waiting", "count": 4, "current": False},
            {"label": "Resolved today", "href": "?view=resolved", "count": None, "current": False},
        ],
        "saved": SavedView(pk=cast.uid(820), name=cast.HOSTILE[:60], shared=True)
        if hostile
        else None,
        "gone": {"id": cast.uid(821), "name": cast.HOSTILE[:60]} if hostile else None,
        **_query_bar(cast.HOSTILE if hostile else "status:open vendor:stripe -severity:low"),
        "people": [cast.ALICE, cast.ANNA],
        "clear_all_url": "?",
        "incidents": rows,
        "total": 23,
        "newer_url": "",
        "older_url": "?before=1" if rows else "",
        "empty": empty,
        "last_resolved": cast.incidents()[8],
        "resolved_today": 4,
        "hints": [{"words": "without vendor:stripe", "href": "?q=x", "count": 4}],
    }


def grouping(incident: Incident, hostile: bool = False) -> Grouping:
    """By the shape of a message, with two incidents that were merged into it."""
    merged = cast.incidents(hostile)[1:3]
    for one in merged:
        one.merged_into, one.merged_at = incident, cast.past(minutes=4)
    return Grouping(
        "template",
        "Their messages are the same in the same workflow, but for what varies.",
        [
            Part("message", incident.signature_text),
            Part("workflow", incident.workflow.name),
        ],
        [("<num>", "4711"), ("<email>", cast.HOSTILE if hostile else "bob@example.org")],
        cast.events(incident, hostile)[0],
        merged,
        _pins(hostile),
    )


def _pins(hostile: bool) -> list[PinRow]:
    """What was split off just now, and one whose incidents are over."""
    rows = cast.incidents(hostile)
    pin = {
        "created_by": "alice",
        "created_at": cast.past(minutes=6),
        "shown": cast.HOSTILE if hostile else "adyen",
        "reason": cast.HOSTILE if hostile else "Two outages: they end at different times.",
    }
    return [
        PinRow(GroupingPin(pk=cast.uid(901), trait="vendor", **pin), False, rows[4], True),
        PinRow(GroupingPin(pk=cast.uid(902), trait="message", **pin), False, None, False),
    ]


def split(hostile: bool = False, refused: bool = False, alike: bool = False) -> dict[str, Any]:
    """By message and by vendor; what cannot be split now, and one with nothing to choose."""
    incident = cast.incidents(hostile)[0]
    words = cast.HOSTILE if hostile else "Payment gateway timeout after <amount>"
    said = cast.HOSTILE * 4 if hostile else "Payment gateway timeout after 30.2 s"

    def variant(trait: str, text: str, events: int, example: str = said) -> Variant:
        value = "" if text == "none" else text
        return Variant(trait, value, text, events, example, cast.past(minutes=events / 20))

    differences = [
        Difference(
            "message",
            "message",
            [
                variant("message", words, 812),
                variant(
                    "message",
                    "Connection refused by <host>",
                    139,
                    "Connection refused by 10.0.4.17",
                ),
                variant("message", "none", 6, ""),
            ],
            27,
        ),
        Difference(
            "vendor",
            "vendor",
            [variant("vendor", "stripe", 818), variant("vendor", "adyen", 139)],
            0,
        ),
    ]
    return {
        "incident": incident,
        "found": Variants([] if alike else differences, 957, 957 if alike else 12_480),
        "refused": f"A recovery of {incident.label} is under way (recovering): let it end first."
        if refused
        else "",
    }


def related(hostile: bool = False) -> Related:
    """A cascade that began before, one that came of it, and the same vendor elsewhere."""
    rows = cast.incidents(hostile)
    gaps = [0, -9, 4, 21]
    cases = [
        Case(row.pk, row.label, row.workflow.name, "stripe", cast.past(minutes=40 - gap))
        for row, gap in zip(rows, gaps, strict=False)
    ]
    relations = relate(cases[0], cases[1:])
    known = {row.pk: row for row in rows}
    found = [(relation, known[relation.other.id]) for relation in relations]
    return Related(finding_of(relations), found, picture_of(cases[0], relations, cast.NOW))


def merge(hostile: bool = False, one: bool = False) -> dict[str, Any]:
    """Three that were ticked, of two workflows, and what else is open; or one alone."""
    rows = cast.incidents(hostile)
    if one:
        return {"chosen": rows[:1], "others": [], "workflows": [rows[0].workflow.name]}
    names = sorted({row.workflow.name for row in rows[:3]})
    return {"chosen": rows[:3], "others": rows[3:6], "workflows": names}


def mentions(hostile: bool = False) -> dict[str, Any]:
    """Two comments that name the reader, one of them new; and an Undo of what was done before."""
    named = [e for e in cast.timeline(cast.incidents()[0], hostile) if e.kind == "comment"] * 2
    rows = [
        Mention(pk=n, entry=entry, user=cast.ALICE, seen_at=cast.past(minutes=4) if n else None)
        for n, entry in enumerate(named)
    ]
    done = Message(constants.SUCCESS, "INC-4821 is acknowledged", extra_tags="undo:12,13")
    return {"mentions": rows, "messages": [done]}


def incident_detail(
    hostile: bool = False, viewer: bool = False, fresh: bool = False
) -> dict[str, Any]:
    """An incident in the middle of its second attempt; or `fresh`, that nobody has taken on."""
    row = cast.incidents(hostile)[0]
    if hostile or fresh:
        row.acknowledged_at = row.acknowledged_by = None
    if fresh:
        row.recovery, row.assignee = "", None
    plan = [cast.action(row, "failed", 0, 0.91), cast.action(row, "verifying", 1, 0.91)]
    others = cast.incidents()
    decision = cast.decision(row, 0.91)
    decision.similar = [{}] * 3
    return {
        "incident": row,
        "people": [cast.ALICE, cast.ANNA],
        "admins": ["Anna Berg"],
        "allowed": set()
        if viewer
        else {
            "acknowledge",
            "assign",
            "comment",
            "ignore",
            "resolve",
            "escalate",
            "snooze",
            "merge",
        },
        "facts": [
            {"label": "Events", "value": "1,284", "note": "the last 4 s ago"},
            {"label": "Still failing", "value": "83", "note": "of 214 that failed"},
            {"label": "Share failing", "value": "2.2%", "note": "was 23.6% at the peak"},
            {"label": "Attempts", "value": "2 of 3", "note": "the next in 40 s"},
        ],
        "peak": "peak 356 per min",
        "trend": {
            "values": CURVE,
            "from": cast.past(minutes=18),
            "to": cast.NOW,
        },
        "curve": {
            "finding": "328 failures from 19:45:00 to 20:03:41 UTC; most, 44 in 54 s.",
            "step_words": "54 s",
            "points": [
                {"at": cast.past(seconds=54 * (20 - step)), "failed": failed}
                for step, failed in enumerate(CURVE)
            ],
            "until": cast.NOW,
            "markers": [
                {"at": cast.past(minutes=17, seconds=30), "label": "Opened", "tone": "red"},
                {"at": cast.past(minutes=17, seconds=20), "label": "Decided", "tone": "violet"},
                {
                    "at": cast.past(minutes=17),
                    "label": cast.HOSTILE if hostile else "Attempt 1 failed",
                    "tone": "red",
                },
                {"at": cast.past(minutes=12), "label": "Acknowledged", "tone": "blue"},
                {"at": cast.past(minutes=4), "label": "Attempt 2", "tone": "violet"},
            ],
        },
        "broken": Broken(
            214,
            83,
            [
                FailingResource(
                    resource_type="order", resource_id="4711", failed_at=cast.past(minutes=9)
                )
            ],
        ),
        "plan": plan,
        "recovery": None,
        "singles": plan,
        "current": {"action": plan[1], "verbs": set() if viewer else {"cancel", "run"}},
        "reversible": set() if viewer else {plan[0].pk},
        "decision": decision,
        "threshold": 0.85,
        "trust": Trust("suggest", 0, 5, "Anna Berg"),
        "gate": cast.RECEIPT,
        "runs": {
            "outcomes": [True] * 5 + [False] + [True] * 4 + [False] + [True] * 3,
            "worked": 12,
            "median_seconds": 485,
        },
        "story": {
            "timeline": cast.timeline(row, hostile),
            "tabs": [
                {"label": "Timeline", "count": 26, "href": "?", "current": True},
                {"label": "Decisions", "count": 3, "href": "?story=decisions", "current": False},
                {"label": "Comments", "count": 4, "href": "?story=comments", "current": False},
            ],
            "following": True,
            "newer_url": "",
            "older_url": "?cursor=x",
        },
        "events": cast.events(row, hostile),
        "event_total": 1284,
        "event_rows": range(8),
        "grouping": grouping(row, hostile),
        "related": Related("", [], None) if viewer else related(hostile),
        "similar": [
            {
                "incident": others[3],
                "score": 0.94,
                "outcome": "Recovered",
                "worked": True,
                "seconds": 432,
            },
            {
                "incident": others[4],
                "score": 0.88,
                "outcome": "Failed",
                "worked": False,
                "seconds": 1860,
            },
            {
                "incident": others[5],
                "score": 0.83,
                "outcome": "By hand",
                "worked": None,
                "seconds": 1080,
            },
        ],
    }


# What comes later by itself, by the part that has it.
LATER = {
    "failures": ("trend", "peak", "curve", "events", "event_total"),
    "precedents": ("runs", "trust", "similar"),
    "around": ("grouping", "related"),
}


def incident_first(hostile: bool = False) -> dict[str, Any]:
    """An incident as its page is before the rest has come."""
    later = {name for names in LATER.values() for name in names}
    return {k: v for k, v in incident_detail(hostile).items() if k not in later}


def incident_part(part: str, hostile: bool = False) -> dict[str, Any]:
    """One part on a page of its own."""
    all_of_it = incident_detail(hostile)
    shown = {name: all_of_it[name] for name in ("incident", "allowed", *LATER[part])}
    return {**shown, "part": part, "title": part.capitalize(), "around": "base.html"}


def incident_events(hostile: bool = False) -> dict[str, Any]:
    """All events of an incident, the first page."""
    row = cast.incidents(hostile)[0]
    events = cast.events(row, hostile)
    return {"incident": row, "events": events, "newer_url": "", "older_url": "?cursor=x"}


def approvals(empty: bool = False) -> dict[str, Any]:
    """Three cards, or none."""
    rows = cast.incidents()
    cards = (
        []
        if empty
        else [
            cast.action(rows[2], "waiting", 0),
            cast.action(rows[3], "waiting", 1, 0.79),
            cast.action(rows[7], "waiting", 2, 0.58),
        ]
    )
    starting = cast.action(rows[5], "planned", 20)
    if cards:
        cards[1] = cast.plan_to_approve(cards[1])
    return {
        "queue": [starting, *cards] if cards else [],
        "last_approved": starting.pk,
        "cards": cards,
        "sort": "expiring",
        "admins": ["Anna Berg"],
        "today": {
            "decided": 31,
            "approved": 26,
            "verified": 24,
            "rejected": 5,
            "expired": 1,
            "median_wait_seconds": 138,
            "last_at": cast.past(minutes=41),
        },
        "decided": [
            cast.action(rows[0], "succeeded", 10),
            cast.action(rows[1], "rejected", 11),
            cast.action(rows[4], "cancelled", 12),
        ],
    }


def action_list(empty: bool = False) -> dict[str, Any]:
    """An action in every state."""
    from actions.states import ActionStatus

    rows = cast.incidents()
    made = [
        cast.action(rows[index % len(rows)], status, index)
        for index, status in enumerate(ActionStatus.values)
    ]
    views = [
        {"label": "All", "href": "?", "count": 13, "current": True},
        {"label": "Running", "href": "?status=running", "count": 2, "current": False},
    ]
    return {
        "views": views,
        "filters": [
            {
                "name": "type",
                "label": "Kind",
                "value": "retry",
                "clear_url": "?",
                "options": [("notify", "Notify"), ("retry", "Retry")],
            }
        ],
        "clear_all_url": "" if empty else "/actions/",
        "actions": [] if empty else made,
        "newer_url": "",
        "older_url": "" if empty else "?before=1",
    }


def learning(empty: bool = False, hostile: bool = False) -> dict[str, Any]:
    """An action on every rung, or none; an admin reads."""
    rows = [] if empty else cast.incidents(hostile)
    trusts = [Trust("automatic"), Trust("approve", 2), Trust("suggest", 0, 5, "Anna Berg")]
    made = [
        Learnt(
            row.signature,
            "plan:move_traffic" if index % 3 else "retry",
            row,
            Outcomes(9 * (index % 2), 1, 1, recurred=1, median_seconds=42.0),
            trusts[index % 3],
            0.8,
            cast.past(minutes=index),
        )
        for index, row in enumerate(rows)
    ]
    alone, retried = (Share(0, 0), Share(0, 0)) if empty else (Share(3, 10), Share(90, 100))
    return {"rows": made, "text": "", "may_set": True, "alone": alone, "retried": retried}


def recovery_list(empty: str = "", hostile: bool = False) -> dict[str, Any]:
    """A recovery in every state, or one of its three empty states."""
    from actions.plans.states import RecoveryState

    rows = cast.incidents(hostile)
    reason = cast.HOSTILE if hostile else ""
    made = [
        cast.recovery(rows[index % len(rows)], status, index, reason)
        for index, status in enumerate(RecoveryState.values)
    ]
    state = {
        "name": "state",
        "label": "State",
        "value": "failed",
        "clear_url": "?",
        "options": [("failed", "Failed")],
    }
    return {
        "views": [
            {"label": "All", "href": "?", "count": None, "current": False},
            {"label": "Under way", "href": "?state=executing", "count": 2, "current": True},
        ],
        "filters": [state],
        "clear_all_url": "/recoveries/",
        "recoveries": [] if empty else made,
        "newer_url": "",
        "older_url": "" if empty else "?cursor=x",
        "empty": empty,
    }


def recovery(viewer: bool = False, hostile: bool = False) -> dict[str, Any]:
    """A recovery in the middle of two steps at once, with a way back."""
    row = cast.recovery(
        cast.incidents(hostile)[0], "executing", reason=cast.HOSTILE if hostile else ""
    )
    found = cast.steps(row)
    return {
        "recovery": row,
        "progress": found,
        "undos": found.undos(),
        "history": [
            {"state": "executing", "at": cast.past(minutes=2), "reason": row.reason},
            {"state": "detecting", "at": cast.past(minutes=9), "reason": ""},
        ],
        "undoable": True,
        "may_undo": not viewer,
        "admins": ["Anna Berg"] if viewer else [],
    }


def workflow_list(hostile: bool = False) -> dict[str, Any]:
    """One in trouble and failed over, one that is stopped, quiet ones."""
    rows = [row.workflow for row in cast.incidents(hostile)[:5]]
    busy = Traffic([0] * 18 + [2, 9, 14, 6, 3, 12], [120] * 24)
    for row in rows:
        row.last_event_at = cast.past(minutes=3)
        row.retry_url = "http://engine.example/retry"
        row.description = cast.HOSTILE if hostile else "Charges what was ordered"
    _fail_over(rows[0], hostile)
    sent = cast.action(cast.incidents()[0], "failed", 0, 0.91)
    sent.sent_at, sent.result = cast.past(minutes=9), {"status": 503}
    fares = [Fare(row, Traffic(), 0, None, None) for row in rows]
    fares[0] = Fare(rows[0], busy, 3, None, sent)
    fares[1] = Fare(rows[1], busy, 0, cast.stop(), None)
    return {"fares": fares}


def _fail_over(workflow: Workflow, hostile: bool = False) -> None:
    workflow.standby_retry_url = "http://standby.example/retry"
    workflow.failed_over_at = cast.past(minutes=40)
    workflow.failed_over_by = cast.HOSTILE if hostile else "INC-12"


def workflow(viewer: bool = False, hostile: bool = False) -> dict[str, Any]:
    """One that runs on its standby, with incidents and recoveries."""
    fare = workflow_list(hostile)["fares"][0]
    rows = cast.incidents(hostile)
    return {
        "workflow": fare.workflow,
        "stop": None,
        "reply": fare.reply,
        "hosts": ["engine.example", "standby.example"],
        "chart": _chart(),
        "incidents": rows[:4],
        "recoveries": [cast.recovery(rows[0], "executing"), cast.recovery(rows[1], "failed")],
        "policy": AutomationPolicy(confidence_thresholds={"plan": 0.9}),
        "admins": ["Anna Berg"] if viewer else [],
    }


def audit(empty: bool = False, hostile: bool = False) -> dict[str, Any]:
    """A status that moved, a policy that was changed, a long list of values, and what is gone."""
    words = cast.HOSTILE if hostile else "Ledger out of balance, hold until INC-4822 is clear"
    made: list[tuple[str, str, str, Any, Any]] = [
        ("automation", "moved", "actions.action", "planned", "sending"),
        ("Tunde Okafor", "engaged", "safety.killswitch", None, {"reason": words}),
        ("Anna Berg", "changed", "safety.automationpolicy",
         {"confidence_threshold": 0.85, "dry_run": False, words[:60]: words},
         {"confidence_threshold": 0.8, "dry_run": True, words[:60]: [words, {"a": words * 4}]}),
        (words[:150], "created", "tenants.workflow", None, {f"field_{n}": n for n in range(8)}),
        ("Anna Berg", "deleted", "gone.model", {"name": "x" * 300}, None),
    ]  # fmt: skip
    entries = [
        AuditEntry(
            pk=index, at=cast.past(hours=9 * index), actor=actor, verb=verb, subject_type=kind,
            subject_id=str(cast.uid(600 + index)), before=before, after=after,
            comment=words if index % 2 else "",
        )
        for index, (actor, verb, kind, before, after) in enumerate(made)
    ]  # fmt: skip
    who = {"name": "actor", "label": "Who", "value": words if hostile else "", "clear_url": "?"}
    return {
        "filters": [who | {"options": [("Anna Berg", "Anna Berg"), (words, words)]}],
        "clear_all_url": "",
        "rows": [] if empty else [row_of(entry) for entry in entries],
        "newer_url": "",
        "older_url": "" if empty else "?cursor=x",
        "export_query": "kind=actions.action&since=7d",
        "exported": 10_000,
    }


def rules(running: bool = False) -> dict[str, Any]:
    """A finished replay of a draft with a sender's markup in it, or one that is on its way."""
    policy = RetryPolicy("backoff", "exponential", 4, 2.0, 60.0, 2.0, 0.5)
    tally = {name: 12 for name, _, _ in rule_pages.FIGURES}
    change = {
        "incident": {"id": str(cast.uid(100)), "number": 4702},
        "words": "a person is asked → runs by itself, 1 sent",
        "really": "A person rejected it",
        "wrong": True,
    }
    report = {
        "days": 7,
        "events": 41_209,
        "seconds": 1.9,
        "rules": ["changed automation.defaults: confidence_threshold 0.85 → 0.8"],
        "now": tally,
        "draft": tally | {"incidents": 9, "approvals": 14},
        "per_day": [{"day": "2026-11-20", "now": tally, "draft": tally}],
        "changed_incidents": 2,
        "would_have_gone_wrong": 1,
        "changes": [change, change | {"incident": None, "wrong": False, "really": ""}],
    }
    run = WhatIfRun(status="running" if running else "done", done=50, total=200)
    run.report = None if running else report
    known = Ruleset(
        retry_policies=(policy,),
        error_codes=(FailureRule("<script>alert(1)", "high", "unknown", "backoff"),),
        automation=(AutomationRule(),),
    )
    return {
        "query": "",
        "groups": rule_pages.groups(known, ""),
        "automation": AutomationRule(),
        "workflows": ["payments.capture"],
        "policies": ["backoff"],
        "simulated": rule_pages.simulated(known, "backoff"),
        "days": rule_pages.DAYS,
        "may_try": True,
        "draft": {"yaml": "automation: {}"},
        "run": run,
        "replay": rule_pages.replay_of(run),
    }


def safety(viewer: bool = False) -> dict[str, Any]:
    """One vendor stopped, one limit near its line, one at it."""

    def lever(
        scope: str, target: str, label: str, note: str, engaged: KillSwitch | None = None
    ) -> Lever:
        pk = f"switch-{scope}-{target}"
        may = not viewer and scope != "global"
        return Lever(pk, SwitchScope(scope), target, label, note, engaged, 2, may)

    slowed = Throttle(30, cast.past(minutes=-9), "INC-12", "")

    def limit(label: str, used: int, most: int, **more: Any) -> LimitInUse:
        return LimitInUse("vendor_calls", label, label, used, most, 60, 12, **more)

    return {
        "levers": [
            lever("global", "", "Every tenant, workflow and vendor", "The whole installation."),
            lever("tenant", str(cast.MERIDIAN.pk), "Meridian Commerce", "3 in flight."),
            lever("workflow", str(cast.uid(50)), "payments.capture", "1 in flight."),
            lever("vendor", "netsuite", "netsuite", "", cast.stop()),
            lever("vendor", "stripe", "stripe", "1 in flight. Its breaker is half-open."),
            lever("action", "retry", "Retries", "People are still called."),
        ],
        "left_out": 12,
        "failed_over": [workflow_list()["fares"][0].workflow],
        "undecided": [{"stop": cast.stop(), "held": 7}],
        "limits": [
            limit("Automated actions", 18, 60),
            limit("Events", 0, 6_000),
            limit("Calls to stripe", 47, 50),
            limit("Calls to adyen", 100, 100, is_local=True),
            limit("Calls to netsuite", 4, 30, throttle=slowed),
        ],
        "vendors": cast.vendors(),
        "admins": ["Anna Berg"] if viewer else [],
        "history": [
            Line(
                cast.past(minutes=2),
                "Tunde Okafor",
                "stopped vendor netsuite",
                "Ledger out of balance",
                True,
                cast.uid(600),
            ),
            Line(cast.past(hours=4), "Jin Li", "moved breaker twilio to closed", "fixed", False),
        ],
    }


def ask_stop() -> dict[str, Any]:
    """The question before stripe is stopped, with more in flight than is listed."""
    lever = KillSwitch(scope="vendor", tenant=cast.MERIDIAN, vendor="stripe")
    out = [
        InFlight(cast.uid(700 + n), cast.uid(100 + n), f"INC-{4821 + n}", "payments.capture",
                 "verifying", cast.past(minutes=n))
        for n in range(7)
    ]  # fmt: skip
    facts = Consequences(
        target="vendor stripe",
        stops_automation=True,
        stops_ingestion=False,
        workflows=("payments.capture", "payments.refund"),
        planned=2,
        sent_last_hour=6,
        in_flight=tuple(out),
        in_flight_count=9,
        waiting=1,
        goes_on=("ingestion", "detection", "analysis", "escalations"),
    )
    return {"lever": lever, "target": "stripe", "facts": facts}


def ask_what() -> dict[str, Any]:
    """The question what to stop."""
    return {"groups": [("Vendor", safety()["levers"][3:5])]}


def ask_about_a_stop() -> dict[str, Any]:
    """The questions before a stop is extended or ended."""
    return {"stop": cast.stop(), "held": 7}


def ask_breaker() -> dict[str, Any]:
    """The question before a breaker is tripped."""
    return breaker_question(cast.vendors()[2], "open")


def switch(viewer: bool = False) -> dict[str, Any]:
    """A stop that is over and skipped three recoveries."""
    stop, rows = cast.stop(), cast.incidents()
    stop.released_at, stop.released_by, stop.release_reason = cast.NOW, "Jin Li", "Balanced"
    return {
        "stop": stop,
        "engaged": False,
        "ended_at": cast.NOW,
        "held": [cast.action(rows[n], "blocked", n) for n in range(2)],
        "held_count": 2,
        "decided": [cast.action(rows[2], "cancelled", 2)],
        "may_use": not viewer,
        "may_drop": not viewer,
        "may_run": not viewer,
    }


def stops() -> dict[str, Any]:
    """One that lasts and one that is over."""
    engaged, over = cast.stop(), switch()["stop"]
    return {
        "rows": [
            {"stop": engaged, "engaged": True, "skipped": 2, "held": 2},
            {"stop": over, "engaged": False, "skipped": 3, "held": 0},
        ],
        "newer_url": "",
        "older_url": "?before=1",
    }


def profile() -> dict[str, Any]:
    """A responder who is a viewer elsewhere."""
    places = [(cast.MERIDIAN, Role.RESPONDER), (cast.NORTHWIND, Role.VIEWER)]
    return {
        "zones": zones(),
        "themes": [("", "As this browser"), *Theme.choices],
        "densities": Density.choices,
        "name_chars": 70,
        "memberships": [
            (Membership(tenant=tenant, user=cast.ALICE, role=role), MAY[role])
            for tenant, role in places
        ],
        "tenant": cast.MERIDIAN,
    }


def members() -> dict[str, Any]:
    """One of each role."""
    people = [(cast.ALICE, Role.RESPONDER), (cast.ANNA, Role.ADMIN), (cast.VERA, Role.VIEWER)]
    return {
        "members": [
            Membership(pk=number, tenant=cast.MERIDIAN, user=user, role=role)
            for number, (user, role) in enumerate(people)
        ],
        "roles": Role.choices,
        "people": [User(username="tunde", first_name="Tunde", last_name="Okafor")],
        "admins": ["Anna Berg"],
    }


def notification() -> dict[str, Any]:
    """A channel that fails, one that works and one that is off; one policy."""
    well = {"tenant": cast.MERIDIAN, "kind": "email", "last_delivered_at": cast.past(hours=2)}
    steps = [{"after_seconds": 0, "channels": ["On-call phone"]}]
    steps.append({"after_seconds": 600, "channels": ["Team", cast.HOSTILE[:90]]})
    return {
        "channels": [
            cast.a_failing_channel(),
            Channel(id=cast.uid(701), name="Team", **well),
            Channel(id=cast.uid(702), name=cast.HOSTILE[:90], enabled=False, **well),
        ],
        "policies": [
            EscalationPolicy(tenant=cast.MERIDIAN, severity="critical", steps=steps),
        ],
        "admins": ["Anna Berg"],
    }


def keys(issued: bool = False, empty: bool = False) -> dict[str, Any]:
    """One in use, one never used, one that expired and one revoked."""
    return {
        "rows": [] if empty else cast.api_keys(),
        "newer_url": "",
        "older_url": "" if empty else "?cursor=x",
        "issued": {"name": "orders engine", "text": f"awf_9c41d0b2aa_{'5e' * 24}"}
        if issued
        else None,
        "scopes": Scope.choices,
        "lifetimes": LIFETIMES,
        "admins": ["Anna Berg"],
    }


def login() -> dict[str, Any]:
    """Sign-in after a wrong password."""
    form = SimpleNamespace(
        non_field_errors=["User name or password is wrong."],
        errors=True,
        username=SimpleNamespace(value=lambda: "alice"),
    )
    return {
        "form": form,
        "next": "/incidents/",
        "demo_users": [{"name": "alice", "role": "responder"}, {"name": "anna", "role": "admin"}],
        "demo_password": "awfdrs-demo",
    }
