"""The rules as frozen data, and the look-ups over them. Built by `ruleset.parse` or from rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Literal, get_args

import re2

from safety.breaker import BreakerPolicy
from safety.codes import normalise_code

Severity = Literal["critical", "high", "medium", "low"]
Category = Literal[
    "transient_timeout",
    "network_failure",
    "vendor_rate_limit",
    "vendor_outage",
    "lock_contention",
    "resource_exhausted",
    "credential_expired",
    "bad_data",
    "business_decline",
    "configuration",
    "code_defect",
    "unknown",
]
# The vendor answered as it should: the failure is ours or the customer's.
NOT_THE_VENDORS: frozenset[Category] = frozenset(
    {"credential_expired", "bad_data", "business_decline", "configuration", "code_defect"}
)
BackoffKind = Literal["exponential", "linear", "fixed", "none"]
EventKind = Literal["failure", "success", "change", "info"]
# What becomes of events of a vendor whose breaker is open.
SecondApprover = Literal["never", "critical", "always"]
OnOpen = Literal["refuse", "record"]
# How far an action may go for a signature, the least first; docs/learning.md.
Rung = Literal["observe", "suggest", "approve", "automatic"]

SEVERITIES: tuple[Severity, ...] = get_args(Severity)
CATEGORIES: tuple[Category, ...] = get_args(Category)
BACKOFF_KINDS: tuple[BackoffKind, ...] = get_args(BackoffKind)
EVENT_KINDS: tuple[EventKind, ...] = get_args(EventKind)
SECOND_APPROVER: tuple[SecondApprover, ...] = get_args(SecondApprover)
RUNGS: tuple[Rung, ...] = get_args(Rung)
ON_OPEN: tuple[OnOpen, ...] = get_args(OnOpen)

# Of a hundred cases, at most so many may wait to show what heals alone.
MOST_HELD_BACK = 20

MAX_SEARCHED_CHARS = 4096
# Bytes the compiled patterns and their automaton may take together.
_PATTERN_MEMORY = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how far apart. `max_retries` counts attempts; delays in seconds.

    `jitter_ratio`: the share of a delay that is random, 0 (none) to 1 (all of it).
    """

    name: str
    kind: BackoffKind
    max_retries: int
    initial_delay_seconds: float
    max_delay_seconds: float
    multiplier: float = 2.0
    jitter_ratio: float = 0.5

    @property
    def retryable(self) -> bool:
        return self.kind != "none" and self.max_retries > 0


@dataclass(frozen=True, slots=True)
class FailureRule:
    """What a failure means. `name`: the normalised code, or the name of the pattern.

    `plan`: the recovery plan it gets instead of a retry, "" for none.
    """

    name: str
    severity: Severity
    category: Category
    retry_policy: str
    escalate: bool = False
    recommended_action: str = ""
    description: str = ""
    plan: str = ""


@dataclass(frozen=True, slots=True)
class MessageRule:
    """A failure without a known code: `pattern` (RE2) is searched in its message."""

    pattern: str
    failure: FailureRule


@dataclass(frozen=True, slots=True)
class VendorRule:
    """One vendor's breaker, what it does while open and once closed again, and its rate limit.

    `release_per_second`: how many held recoveries start each second after it closed.
    """

    name: str
    requests_per_minute: int
    breaker: BreakerPolicy = field(default_factory=BreakerPolicy)
    on_open: OnOpen = "refuse"
    release_per_second: int = 5


@dataclass(frozen=True, slots=True)
class EventTypeRule:
    """What an event type means; `*` in the pattern stands for any characters."""

    pattern: str
    kind: EventKind


@dataclass(frozen=True, slots=True)
class AutomationRule:
    """What automation may do by itself; `workflow` "" holds for every workflow.

    `confidence_thresholds`: (kind of action, its own line), sorted by kind.
    """

    workflow: str = ""
    confidence_threshold: float = 0.8
    confidence_thresholds: tuple[tuple[str, float], ...] = ()
    max_attempts: int = 5
    max_actions_per_hour: int = 600
    max_actions_per_day: int = 5000
    max_incident_retries_per_day: int = 20
    max_workflow_retries_per_hour: int = 300
    max_vendor_retries_per_hour: int = 300
    cooldown_seconds: int = 300
    recurrence_seconds: int = 3600
    max_ineffective: int = 3
    approval_seconds: int = 900
    verify_seconds: int = 60
    dry_run: bool = False
    second_approver: SecondApprover = "critical"
    requester_may_approve: bool = True
    trust_successes: int = 5
    trust_start_retry: Rung = "automatic"
    trust_start_plan: Rung = "approve"
    held_back_percent: int = 0
    held_back_seconds: int = 600
    expires_at: datetime | None = None

    def threshold_for(self, action_kind: str) -> float:
        """From which confidence on automation may do this by itself."""
        return dict(self.confidence_thresholds).get(action_kind, self.confidence_threshold)

    def trust_start_for(self, action_kind: str) -> Rung:
        """On which rung an action begins that nothing is known of."""
        return self.trust_start_plan if action_kind == "plan" else self.trust_start_retry


# A careful policy for a transient failure whose rule names none (or is not there any more).
CAREFUL_RETRY = RetryPolicy("careful", "exponential", 3, 30.0, 600.0, 2.0, 0.5)
NO_RETRY = RetryPolicy("none", "none", 0, 0.0, 0.0, 1.0, 0.0)


@dataclass(frozen=True)
class Ruleset:
    """All rules of one tenant. In the tuples the first match wins."""

    error_codes: tuple[FailureRule, ...] = ()
    retry_policies: tuple[RetryPolicy, ...] = ()
    vendors: tuple[VendorRule, ...] = ()
    message_patterns: tuple[MessageRule, ...] = ()
    event_types: tuple[EventTypeRule, ...] = ()
    automation: tuple[AutomationRule, ...] = ()

    def failure_of_code(self, code: str) -> FailureRule | None:
        """The rule of an error code in any spelling."""
        return self._failures.get(normalise_code(code))

    def failure_of_message(self, message: str) -> FailureRule | None:
        """The first pattern's rule that is found in the message's first 4,096 characters."""
        if not self.message_patterns:
            return None
        text = message[:MAX_SEARCHED_CHARS].encode("utf-8", "replace").decode()
        found = self._patterns.Match(text)
        return self.message_patterns[min(found)].failure if found else None

    def blames_vendor(self, code: str, message: str) -> bool:
        """Whether such a failure counts against its vendor: unless a rule calls it ours."""
        rule = self.failure_of_code(code) if code else None
        rule = rule or self.failure_of_message(message)
        return rule is None or rule.category not in NOT_THE_VENDORS

    def policy(self, name: str) -> RetryPolicy | None:
        return self._policies.get(name)

    def vendor(self, name: str) -> VendorRule | None:
        return self._vendors.get(name.casefold())

    def automation_for(self, workflow: str) -> AutomationRule:
        """The workflow's own rule, else the one for every workflow, else the defaults."""
        return self._automation.get(workflow) or self._automation.get("") or AutomationRule()

    @cached_property
    def _failures(self) -> dict[str, FailureRule]:
        return {normalise_code(rule.name): rule for rule in reversed(self.error_codes)}

    @cached_property
    def _policies(self) -> dict[str, RetryPolicy]:
        return {policy.name: policy for policy in reversed(self.retry_policies)}

    @cached_property
    def _vendors(self) -> dict[str, VendorRule]:
        return {vendor.name.casefold(): vendor for vendor in reversed(self.vendors)}

    @cached_property
    def _automation(self) -> dict[str, AutomationRule]:
        return {rule.workflow: rule for rule in reversed(self.automation)}

    @cached_property
    def _patterns(self) -> re2.Set:
        options = re2.Options()
        options.log_errors = False
        options.max_mem = _PATTERN_MEMORY
        patterns = re2.Set.SearchSet(options)
        for rule in self.message_patterns:
            patterns.Add(rule.pattern)
        patterns.Compile()
        return patterns


def kind_of(event_type: str, rules: Ruleset) -> EventKind:
    """What an event type means; `info` when no rule fits."""
    for rule in rules.event_types:
        if matches_glob(event_type, rule.pattern):
            return rule.kind
    return "info"


def matches_glob(text: str, pattern: str) -> bool:
    """Whether `text` is `pattern`, in which `*` stands for any characters (also none)."""
    first, *rest = pattern.split("*")
    if not rest:
        return text == pattern
    if not text.startswith(first) or not text[len(first) :].endswith(rest[-1]):
        return False
    at, end = len(first), len(text) - len(rest[-1])
    for part in rest[:-1]:
        at = text.find(part, at, end)
        if at < 0:
            return False
        at += len(part)
    return True
