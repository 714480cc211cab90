"""What the rules page shows: the rules in force, a draft, and what it would have done [S10 S11]."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from actions.models import WhatIfRun
from awfdrs_site.kernel.problem import not_found
from safety import rule_rows
from safety.retry_picture import picture, words
from safety.rule_types import Ruleset
from tenants.access import Identity
from tenants.models import Scope, Tenant

MOST_RULES = 500
DAYS = (1, 7, 14, 30)
# (name, label, what less of it is: good, bad, or neither)
FIGURES = (
    ("incidents", "Incidents", "good"),
    ("reopened", "of which came back", "good"),
    ("retries", "Retries without a person", ""),
    ("approvals", "Approvals asked", "good"),
    ("escalations", "Escalations", "good"),
    ("deferred", "Attempts put off", ""),
    ("blocked", "Attempts blocked", ""),
    ("open_calls", "Calls into open breakers", "good"),
)


def rules_page(
    identity: Identity, query: str, policy: str, run_id: UUID | None, yaml: str = ""
) -> dict[str, Any]:
    """Everything `rules/page.html` asks for; `yaml`: a draft to begin with.

    Raises Problem 404 for a run there is not.
    """
    tenant = identity.tenant
    rules = rule_rows.load(tenant.pk)
    run = run_of(tenant, run_id) if run_id else None
    return {
        "query": query,
        "groups": groups(rules, query),
        "automation": rules.automation_for(""),
        "workflows": sorted(tenant.workflows.values_list("name", flat=True)),
        "policies": sorted(one.name for one in rules.retry_policies),
        "simulated": simulated(rules, policy),
        "days": DAYS,
        "may_try": Scope.ACT in identity.scopes,
        "draft": run.draft if run else {"yaml": yaml} if yaml else {},
        "run": run,
        "replay": replay_of(run) if run else None,
    }


def run_of(tenant: Tenant, pk: UUID) -> WhatIfRun:
    """The tenant's run, or the 404 of one that never was."""
    run = WhatIfRun.objects.filter(tenant=tenant, pk=pk).first()
    if run is None:
        raise not_found("No such replay.")
    return run


def simulated(rules: Ruleset, name: str) -> dict[str, Any] | None:
    """The policy of that name, else the first one, as a picture and a sentence."""
    found = rules.policy(name) or next(
        iter(sorted(rules.retry_policies, key=lambda one: (not one.retryable, one.name))), None
    )
    if found is None:
        return None
    return {"name": found.name, "words": words(found), "picture": picture(found), "policy": found}


def groups(rules: Ruleset, query: str) -> list[dict[str, Any]]:
    """The rules by kind, those that `query` is in; {title, rows: [{name, detail, note}], more}."""
    wanted = query.casefold()

    def group(title: str, rows: Iterable[tuple[str, str, str]]) -> dict[str, Any]:
        found = [row for row in rows if wanted in " ".join(row).casefold()]
        shown = [dict(zip(("name", "detail", "note"), row, strict=True)) for row in found]
        return {"title": title, "rows": shown[:MOST_RULES], "total": len(found)}

    failures = [(rule.name, rule) for rule in sorted(rules.error_codes, key=lambda r: r.name)]
    patterns = [(rule.pattern, rule.failure) for rule in rules.message_patterns]
    return [
        group("Automation", [
            (rule.workflow or "every workflow",
             f"from {rule.confidence_threshold:g}, {rule.max_attempts} attempts",
             f"cooldown {rule.cooldown_seconds} s, {rule.max_actions_per_hour} an hour")
            for rule in rules.automation
        ]),
        group("Error codes", [
            (name, f"{rule.severity}, {rule.category.replace('_', ' ')}",
             rule.retry_policy + (", a person looks" if rule.escalate else ""))
            for name, rule in failures
        ]),
        group("Message patterns", [
            (name, f"{rule.severity}, {rule.category.replace('_', ' ')}", rule.retry_policy)
            for name, rule in patterns
        ]),
        group("Event types", [(rule.pattern, rule.kind, "") for rule in rules.event_types]),
        group("Vendors", [
            (rule.name, f"opens at {rule.breaker.failure_threshold} failures",
             f"{rule.breaker.open_seconds} s open, {rule.requests_per_minute} a minute")
            for rule in rules.vendors
        ]),
    ]  # fmt: skip


def replay_of(run: WhatIfRun) -> dict[str, Any]:
    """Progress of a run, and its report as the page shows it."""
    shown: dict[str, Any] = {"percent": 100 * run.done / run.total if run.total else 0}
    report = run.report
    if report is None:
        return shown
    figures = [
        _figure(label, good, report["now"][name], report["draft"][name])
        for name, label, good in FIGURES
    ]
    days = [
        {"day": day["day"], "now": day["now"]["incidents"], "draft": day["draft"]["incidents"],
         "now_retries": day["now"]["retries"], "draft_retries": day["draft"]["retries"]}
        for day in report["per_day"]
    ]  # fmt: skip
    return shown | {
        "report": report,
        "figures": figures,
        "chart": {"finding": _finding(report), "days": days},
    }


def _figure(label: str, less_is: str, now: int, draft: int) -> dict[str, Any]:
    most, delta = max(now, draft) or 1, draft - now
    tone = ""
    if delta and less_is:
        tone = "green" if delta < 0 else "red"
    return {
        "label": label, "now": now, "draft": draft, "delta": abs(delta), "more": delta > 0,
        "tone": tone, "now_width": round(100 * now / most),
        "draft_width": round(100 * draft / most),
    }  # fmt: skip


def _finding(report: dict[str, Any]) -> str:
    now, draft = report["now"], report["draft"]
    return (
        f"In {report['days']} days {now['incidents']:,} incidents now and {draft['incidents']:,} "
        f"with the draft; {now['retries']:,} retries now and {draft['retries']:,} with the draft."
    )
