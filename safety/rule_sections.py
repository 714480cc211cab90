"""How each section of the rule files is read: its keys, their limits, their defaults."""

from __future__ import annotations

import re
from collections.abc import Set as AbstractSet

import re2

from safety.breaker import BreakerPolicy
from safety.codes import normalise_code
from safety.gate import GATED
from safety.rule_fields import Fields
from safety.rule_types import (
    BACKOFF_KINDS,
    CATEGORIES,
    EVENT_KINDS,
    MOST_HELD_BACK,
    ON_OPEN,
    RUNGS,
    SECOND_APPROVER,
    SEVERITIES,
    AutomationRule,
    EventTypeRule,
    FailureRule,
    MessageRule,
    RetryPolicy,
    VendorRule,
)

MAX_CODE_CHARS = 100
MAX_NAME_CHARS = 64
MAX_PATTERN_CHARS = 512
HOUR_SECONDS = 3600
DAY_SECONDS = 86_400
# Bytes RE2 may take for one pattern: room for 512 plain characters, not for a{1000}{1000}.
_PATTERN_MEMORY = 1024 * 1024
_SLUG = re.compile(r"[A-Za-z0-9_-]+")
_GLOB = re.compile(r"[a-z0-9_.*-]*[a-z0-9][a-z0-9_.*-]*")
# A pattern found in all of these says nothing about a message.
_ANY_TEXT = ("a", "0", " ", "-")


def check_pattern(pattern: str) -> str:
    """Why `pattern` may not be used on messages, or "" if it may."""
    if not pattern.strip():
        return "Must not be empty."
    if len(pattern) > MAX_PATTERN_CHARS:
        return f"Longer than {MAX_PATTERN_CHARS} characters."
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _PATTERN_MEMORY
    try:
        compiled = re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0] if error.args else ""
        text = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        return f"Not a usable RE2 pattern: {text}."
    if compiled.search("") or all(compiled.search(text) for text in _ANY_TEXT):
        return "Fits every message."
    return ""


def retry_policies(root: Fields) -> tuple[RetryPolicy, ...]:
    section = root.mapping("retry_policies")
    found = []
    for name, fields in section.entries():
        if not _SLUG.fullmatch(name) or len(name) > MAX_NAME_CHARS:
            section.wrong(name[:MAX_NAME_CHARS], "A name is 1 to 64 letters, digits, _ and -.")
        found.append(_retry_policy(name, fields))
        fields.done()
    return tuple(sorted(found, key=lambda policy: policy.name))


def _retry_policy(name: str, fields: Fields) -> RetryPolicy:
    """`retryable: false` is `kind: none`; `jitter: true` is half of the delay ("equal jitter")."""
    retryable = fields.flag("retryable", fields.peek("kind") != "none")
    kind = fields.choice("kind", BACKOFF_KINDS, "exponential" if retryable else "none")
    if retryable == (kind == "none"):
        fields.wrong("kind", f"`kind: {kind}` contradicts `retryable: {str(retryable).lower()}`.")
    least = 1 if retryable else 0
    initial = fields.number("initial_delay_seconds", 0.1 * least, DAY_SECONDS, float(least))
    longest = fields.number("max_delay_seconds", 0.1 * least, DAY_SECONDS, 300.0 * least)
    if longest < initial:
        fields.wrong("max_delay_seconds", "Is less than initial_delay_seconds.")
    return RetryPolicy(
        name=name,
        kind=kind,
        max_retries=fields.whole("max_retries", least, 20, 3 * least),
        initial_delay_seconds=initial,
        max_delay_seconds=longest,
        multiplier=fields.number("backoff_multiplier", 1.0, 10.0, 2.0),
        jitter_ratio=fields.ratio("jitter", default=0.5, when_true=0.5),
    )


def error_codes(root: Fields, policies: AbstractSet[str]) -> tuple[FailureRule, ...]:
    found: dict[str, FailureRule] = {}
    section = root.mapping("error_codes")
    for code, fields in section.entries():
        name = normalise_code(code)
        if not name or len(code) > MAX_CODE_CHARS:
            section.wrong(code[:64], "A code is 1 to 100 characters with a letter or a digit.")
        elif name in found:
            section.wrong(code, f"Is the same code as another one: {name}.")
        found[name] = _failure(fields, name, policies)
        fields.done()
    return tuple(found[name] for name in sorted(found))


def _failure(fields: Fields, name: str, policies: AbstractSet[str]) -> FailureRule:
    policy = fields.text("retry_policy", longest=MAX_NAME_CHARS)
    if policy and policy not in policies:
        fields.wrong("retry_policy", f"There is no retry policy {policy!r}.")
    return FailureRule(
        name=name,
        severity=fields.choice("severity", SEVERITIES),
        category=fields.choice("category", CATEGORIES, "unknown"),
        retry_policy=policy,
        escalate=fields.flag("escalate", False),
        recommended_action=fields.text("recommended_action", ""),
        description=fields.text("description", ""),
        plan=fields.text("plan", "", longest=MAX_NAME_CHARS),
    )


def message_patterns(root: Fields, policies: AbstractSet[str]) -> tuple[MessageRule, ...]:
    found: list[MessageRule] = []
    names: set[str] = set()
    for fields in root.items("message_patterns"):
        name = fields.text("name", longest=MAX_NAME_CHARS)
        if name in names:
            fields.wrong("name", "Stands in the list twice.")
        names.add(name)
        pattern = fields.text("pattern", longest=MAX_PATTERN_CHARS)
        if len(pattern) <= MAX_PATTERN_CHARS and (reason := pattern and check_pattern(pattern)):
            fields.wrong("pattern", reason)
        found.append(MessageRule(pattern, _failure(fields, name, policies)))
        fields.done()
    return tuple(found)


def vendors(root: Fields) -> tuple[VendorRule, ...]:
    found: dict[str, VendorRule] = {}
    for fields in root.items("vendors"):
        name = fields.text("name", longest=MAX_CODE_CHARS)
        if name.casefold() in found:
            fields.wrong("name", "Stands in the list twice.")
        breaker, limit = fields.mapping("circuit_breaker"), fields.mapping("rate_limit")
        found[name.casefold()] = VendorRule(
            name=name,
            requests_per_minute=limit.whole("requests_per_minute", 1, 1_000_000),
            breaker=_breaker(breaker),
            on_open=breaker.choice("on_open", ON_OPEN, "refuse"),
            release_per_second=breaker.whole("release_per_second", 1, 1000, 5),
        )
        for table in (fields, breaker, limit):
            table.done()
    return tuple(found[name] for name in sorted(found))


def _breaker(fields: Fields) -> BreakerPolicy:
    """`timeout_seconds`: how long it stays open."""
    base = BreakerPolicy()
    return BreakerPolicy(
        failure_threshold=fields.whole("failure_threshold", 1, 1000),
        window_seconds=fields.whole("window_seconds", 1, HOUR_SECONDS, base.window_seconds),
        minimum_calls=fields.whole("minimum_calls", 0, 1_000_000, base.minimum_calls),
        failure_ratio=fields.number("failure_ratio", 0.0, 1.0, base.failure_ratio),
        slow_call_ms=fields.whole("slow_call_ms", 0, 1000 * HOUR_SECONDS, base.slow_call_ms),
        open_seconds=fields.whole("timeout_seconds", 1, DAY_SECONDS),
        half_open_probes=fields.whole("half_open_probes", 1, 100, base.half_open_probes),
        probe_seconds=fields.whole("probe_seconds", 1, HOUR_SECONDS, base.probe_seconds),
    )


def event_types(root: Fields) -> tuple[EventTypeRule, ...]:
    found: list[EventTypeRule] = []
    patterns: set[str] = set()
    for fields in root.items("event_types"):
        pattern = fields.text("pattern", longest=100)
        if pattern and not _GLOB.fullmatch(pattern):
            fields.wrong("pattern", "May hold a-z, 0-9, . _ - and *, and a letter or digit.")
        if pattern in patterns:
            fields.wrong("pattern", "Stands in the list twice.")
        patterns.add(pattern)
        found.append(EventTypeRule(pattern, fields.choice("kind", EVENT_KINDS)))
        fields.done()
    return tuple(found)


def automation(root: Fields) -> tuple[AutomationRule, ...]:
    """`defaults` for every workflow, and `workflows` by name, which take from the defaults."""
    section = root.mapping("automation")
    defaults, found = AutomationRule(), []
    if "defaults" in section:
        fields = section.mapping("defaults")
        defaults = _automation_rule("", fields, defaults)
        fields.done()
    if "workflows" in section:
        workflows = section.mapping("workflows")
        for name, fields in workflows.entries():
            if not name.strip() or len(name) > MAX_CODE_CHARS:
                workflows.wrong(name[:64], "A workflow's name is 1 to 100 characters.")
            found.append(_automation_rule(name, fields, defaults))
            fields.done()
    section.done()
    return defaults, *sorted(found, key=lambda rule: rule.workflow)


def _automation_rule(workflow: str, fields: Fields, base: AutomationRule) -> AutomationRule:
    def seconds(name: str, low: int = 1, days: int = 1) -> int:
        return fields.whole(name, low, days * DAY_SECONDS, getattr(base, name))

    def count(name: str, high: int, low: int = 1) -> int:
        return fields.whole(name, low, high, getattr(base, name))

    threshold = fields.number("confidence_threshold", 0.01, 1.0, base.confidence_threshold)
    return AutomationRule(
        workflow=workflow,
        confidence_threshold=threshold,
        confidence_thresholds=_thresholds(fields, base),
        max_attempts=count("max_attempts", 20),
        max_actions_per_hour=count("max_actions_per_hour", 100_000),
        max_actions_per_day=count("max_actions_per_day", 1_000_000),
        max_incident_retries_per_day=count("max_incident_retries_per_day", 1000),
        max_workflow_retries_per_hour=count("max_workflow_retries_per_hour", 100_000),
        max_vendor_retries_per_hour=count("max_vendor_retries_per_hour", 100_000),
        cooldown_seconds=seconds("cooldown_seconds"),
        recurrence_seconds=seconds("recurrence_seconds"),
        max_ineffective=count("max_ineffective", 100),
        approval_seconds=seconds("approval_seconds", low=10, days=7),
        verify_seconds=seconds("verify_seconds"),
        dry_run=fields.flag("dry_run", base.dry_run),
        second_approver=fields.choice("second_approver", SECOND_APPROVER, base.second_approver),
        requester_may_approve=fields.flag("requester_may_approve", base.requester_may_approve),
        trust_successes=count("trust_successes", 100),
        trust_start_retry=fields.choice("trust_start_retry", RUNGS, base.trust_start_retry),
        trust_start_plan=fields.choice("trust_start_plan", RUNGS, base.trust_start_plan),
        held_back_percent=count("held_back_percent", MOST_HELD_BACK, low=0),
        held_back_seconds=seconds("held_back_seconds"),
        # The end is that of one row: a workflow's does not end with the defaults.
        expires_at=fields.instant("expires_at"),
    )


def _thresholds(fields: Fields, base: AutomationRule) -> tuple[tuple[str, float], ...]:
    if "confidence_thresholds" not in fields:
        return base.confidence_thresholds
    lines = fields.mapping("confidence_thresholds")
    found = tuple((kind, lines.number(kind, 0.01, 1.0)) for kind in sorted(GATED) if kind in lines)
    lines.done()
    return found
