"""What a rule that is being written would match, among what happened lately [S10 U3].

The rule is saved as an edit would save it, in a transaction that is rolled back; what the functions
that decide in life say with it is put beside what they say without. Bounded: the last 200 incidents
or decisions, or 1,000 events, of the tenants whose rows the person may see.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.db import Error, transaction
from django.db.models import Model, OuterRef, QuerySet, Subquery
from django.urls import reverse

from ai.classify import Classification, classify
from ai.models import Decision
from awfdrs_site.kernel.ui.wording import duration
from incidents.models import Incident, IncidentEvent
from ingestion.models import Event
from safety import rule_rows
from safety.gate import GATED
from safety.models import AutomationPolicy, EventTypeRule, RetryPolicy
from safety.rule_export import sections_of, to_yaml
from safety.rule_types import Ruleset, kind_of, matches_glob
from safety.rule_words import sentence

INCIDENTS = DECISIONS = 200
EVENTS = 1_000
EXAMPLES = 5
_DECISION = ("type", "confidence", "incident__number", "incident__workflow__name")


@dataclass(frozen=True, slots=True)
class Trial:
    """`finding` in a sentence; `examples`: (what, as it is, as it would be); `try_url`: the what-if
    page with this rule as its draft, empty for one that no import knows."""

    sentence: str
    finding: str
    examples: tuple[tuple[str, str, str], ...]
    try_url: str


def trial(row: Model, within: frozenset[UUID] | None, *, stored: bool) -> Trial:
    """The valid rule `row`; `stored`: as it is in force already, so nothing is written at all.

    `within`: the tenants that may be looked into; None: all.

    A rule of a tenant is tried on that tenant alone, a default on all of `within`.
    """
    tenant_id: UUID | None = row.tenant_id  # type: ignore[attr-defined]
    examples: list[tuple[str, str, str]] = []
    section, alone = rule_rows.as_ruleset(row)
    now = rule_rows.load(tenant_id)
    draft = now if stored else _with(row, tenant_id)
    if draft is None:
        finding = "Another rule has its key already."
    elif isinstance(row, EventTypeRule):
        finding, examples = _on_events(_of(Event.objects, tenant_id, within), row, now, draft)
    elif isinstance(row, AutomationPolicy):
        finding, examples = _on_decisions(_of(Decision.objects, tenant_id, within), row, now, draft)
    else:
        name = alone.retry_policies[0].name if isinstance(row, RetryPolicy) else _name(alone)
        found = _of(Incident.objects, tenant_id, within)
        finding, examples = _on_incidents(found, section, name, now, draft)
    address = f"{reverse('rules:page')}?{urlencode({'yaml': to_yaml(sections_of(alone))})}"
    return Trial(sentence(alone), finding, tuple(examples[:EXAMPLES]), f"{address}#draft")


def _of(manager: Any, tenant_id: UUID | None, within: frozenset[UUID] | None) -> QuerySet[Any]:
    rows: QuerySet[Any] = manager.order_by("-id")
    if tenant_id is not None:
        return rows.filter(tenant_id=tenant_id)
    return rows if within is None else rows.filter(tenant_id__in=within)


def _with(row: Model, tenant_id: UUID | None) -> Ruleset | None:
    """The rules as they would be with the row saved; None where its key is taken."""
    try:
        with transaction.atomic():
            copy(row).save()
            rules = rule_rows.load(tenant_id)
            transaction.set_rollback(True)
    except Error:
        return None
    return rules


def _name(rules: Ruleset) -> str:
    failures = [*rules.error_codes, *(one.failure for one in rules.message_patterns)]
    return failures[0].name


def _on_incidents(
    rows: QuerySet[Any], section: str, name: str, now: Ruleset, draft: Ruleset
) -> tuple[str, list[tuple[str, str, str]]]:
    newest = IncidentEvent.objects.filter(incident=OuterRef("pk")).order_by("-event")
    found = list(rows.annotate(newest=Subquery(newest.values("event")[:1]))[:INCIDENTS])
    events = Event.objects.in_bulk([row.newest for row in found if row.newest])
    matched, others = 0, []
    for row in found:
        event = events.get(row.newest)
        code, message = (event.error_code, event.error_message) if event else ("", row.title)
        was, then = classify(code, message, now), classify(code, message, draft)
        matched += _decided_by(then, section, name)
        if _words(was) != _words(then):
            others.append((f"{row.label} {row.title}", _words(was), _words(then)))
    verb = "would be retried by it" if section == "retry_policies" else "match"
    return _finding(matched, len(found), "incident", verb, len(others)), others


def _decided_by(found: Classification, section: str, name: str) -> bool:
    if section == "retry_policies":
        return not found.plan and found.policy_name == name
    source = "code" if section == "error_codes" else "pattern"
    return found.source == source and found.matched == name


def _words(found: Classification) -> str:
    policy = found.policy
    if found.plan:
        does = f"plan {found.plan}"
    elif policy.retryable:
        longest = duration(policy.max_delay_seconds)
        does = f"{policy.name}: {policy.max_retries} attempts, at most {longest} apart"
    else:
        does = "no retry"
    person = ", a person looks" if found.escalate else ""
    return f"{found.severity} {found.category.replace('_', ' ')}, {does}{person}"


def _on_events(
    rows: QuerySet[Any], row: EventTypeRule, now: Ruleset, draft: Ruleset
) -> tuple[str, list[tuple[str, str, str]]]:
    types = list(rows.values_list("event_type", flat=True)[:EVENTS])
    matched, others = 0, {}
    for name in types:
        was, then = kind_of(name, now), kind_of(name, draft)
        fitting = (one.pattern for one in draft.event_types if matches_glob(name, one.pattern))
        matched += next(fitting, "") == row.pattern
        if was != then:
            others[name] = (name, was, then)
    changed = sum(name in others for name in types)
    return _finding(matched, len(types), "event", "match", changed), list(others.values())


def _on_decisions(
    rows: QuerySet[Any], row: AutomationPolicy, now: Ruleset, draft: Ruleset
) -> tuple[str, list[tuple[str, str, str]]]:
    newest = rows.select_related("incident__workflow").only(*_DECISION)[:DECISIONS]
    own = row.workflow_id
    found = [one for one in newest if one.type in GATED]
    found = [one for one in found if own in (None, one.incident.workflow_id)]
    reach, others = 0, []
    for one in found:
        workflow = one.incident.workflow.name
        line = draft.automation_for(workflow).threshold_for(one.type)
        old = now.automation_for(workflow).threshold_for(one.type)
        reach += one.confidence >= line
        if (one.confidence >= old) != (one.confidence >= line):
            words = ("a person decides", "by itself")
            others.append((
                f"{one.incident.label} {one.type} at {one.confidence:.2f}",
                words[one.confidence >= old], words[one.confidence >= line],
            ))  # fmt: skip
    return _finding(reach, len(found), "decision to act", "reach the line", len(others)), others


def _finding(matched: int, of: int, what: str, verb: str, changed: int) -> str:
    if not of:
        return f"There is no {what} yet to try it on."
    whole = f"the last {what}" if of == 1 else f"the last {of:,} {_many(what)}"
    other = "Nothing" if not changed else f"{changed:,}"
    return f"Of {whole}, {matched:,} {verb}. {other} would be other than it is now."


def _many(what: str) -> str:
    first, _, rest = what.partition(" ")
    return f"{first}s {rest}".strip()
