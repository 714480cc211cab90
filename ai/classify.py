"""What kind of failure is this? The rules first, then what everybody knows. [D1]

In this order: the rule of the error code; the first message pattern found; the same patterns on
the words of the code; an HTTP status; a telling word of the code; nothing. `certainty` is how far
to trust the answer; the values are starting points which the reliability diagram may correct.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal

from safety.codes import telling_code
from safety.rule_types import (
    CAREFUL_RETRY,
    NO_RETRY,
    Category,
    FailureRule,
    RetryPolicy,
    Ruleset,
    Severity,
)

Source = Literal["code", "pattern", "heuristic", "none"]

CODE_CERTAINTY = 0.97
# The code says that a retry helps, but the message speaks of something that no retry mends.
CONTRADICTED_CERTAINTY = 0.7
PATTERN_CERTAINTY = 0.75
PATTERN_ON_CODE_CERTAINTY = 0.65
STATUS_CERTAINTY = 0.65
WORD_CERTAINTY = 0.55

# What goes away by itself; everything else needs something to be changed first.
TRANSIENT: frozenset[Category] = frozenset(
    (
        *("transient_timeout", "network_failure", "vendor_rate_limit"),
        *("vendor_outage", "lock_contention"),
    )
)

_STATUS = re.compile(
    r"(?i)\b(?:http(?:/\d(?:\.\d)?)?|status(?:[ _]code)?|error|code|returned|responded|failed)"
    r"(?: with)?[ :=#(]{1,3}([45]\d\d)\b"
)
_STATUS_CODE = re.compile(r"(?:^|_)([45]\d\d)(?:_|$)")
_BY_STATUS: dict[int, Category] = {
    401: "credential_expired",
    402: "business_decline",
    403: "configuration",
    407: "credential_expired",
    408: "transient_timeout",
    423: "lock_contention",
    425: "transient_timeout",
    429: "vendor_rate_limit",
    504: "transient_timeout",
    507: "resource_exhausted",
}
_BY_WORD: tuple[tuple[Category, frozenset[str]], ...] = (
    ("business_decline", frozenset(("declined", "decline", "refused_by_bank"))),
    ("credential_expired", frozenset(("expired", "unauthorized", "unauthenticated", "revoked"))),
    ("configuration", frozenset(("forbidden", "denied", "permission", "misconfigured", "config"))),
    ("vendor_rate_limit", frozenset(("throttled", "throttling", "throttle", "ratelimit"))),
    ("lock_contention", frozenset(("lock", "locked", "deadlock", "contention"))),
    ("resource_exhausted", frozenset(("memory", "oom", "disk", "quota", "exhausted", "capacity"))),
    ("transient_timeout", frozenset(("timeout", "timedout", "deadline"))),
    ("network_failure", frozenset(("connection", "network", "dns", "socket", "unreachable"))),
    ("vendor_outage", frozenset(("unavailable", "outage", "maintenance", "overloaded"))),
    ("bad_data", frozenset(("invalid", "schema", "validation", "missing", "malformed", "parse"))),
    ("code_defect", frozenset(("assertion", "typeerror", "nullpointer", "attributeerror"))),
)
_SEVERITY: dict[Category, Severity] = {
    "vendor_outage": "high",
    "credential_expired": "high",
    "configuration": "high",
    "code_defect": "high",
    "resource_exhausted": "high",
    "business_decline": "low",
}


@dataclass(frozen=True, slots=True)
class Classification:
    """The class of a failure. `matched`: the code, pattern, status or word that decided, or "".

    `certainty` 0 to 1; `escalate`: a rule wants a person to look, whatever else is done; `doubt`:
    the pattern that contradicts the code, or "". `plan`: the recovery plan its rule names, or "".
    """

    category: Category
    severity: Severity
    source: Source
    matched: str
    certainty: float
    policy: RetryPolicy
    escalate: bool = False
    recommended_action: str = ""
    doubt: str = ""
    plan: str = ""

    @property
    def retryable(self) -> bool:
        return self.policy.retryable

    @property
    def policy_name(self) -> str:
        return self.policy.name


def classify(error_code: str, error_message: str, rules: Ruleset) -> Classification:
    """The class of one failure. Pure; absent texts are ""."""
    by_message = rules.failure_of_message(error_message)
    if rule := rules.failure_of_code(error_code):
        return _by_code(rule, by_message, rules)
    if by_message:
        return _of(by_message, "pattern", PATTERN_CERTAINTY, rules)
    code = telling_code(error_code)
    if rule := rules.failure_of_message(code.replace("_", " ")):
        return _of(rule, "pattern", PATTERN_ON_CODE_CERTAINTY, rules)
    if status := _status(code, error_message):
        category = _BY_STATUS.get(status, "vendor_outage" if status >= 500 else "bad_data")
        return _guess(category, f"HTTP {status}", STATUS_CERTAINTY)
    words = set(code.split("_"))
    for category, telling in _BY_WORD:
        if found := sorted(words & telling):
            return _guess(category, found[0], WORD_CERTAINTY)
    return Classification("unknown", "medium", "none", "", 0.0, NO_RETRY)


def _by_code(rule: FailureRule, by_message: FailureRule | None, rules: Ruleset) -> Classification:
    found = _of(rule, "code", CODE_CERTAINTY, rules)
    if by_message is None or not found.retryable:
        return found
    if _policy(by_message, rules).retryable:
        return found
    return replace(found, certainty=CONTRADICTED_CERTAINTY, doubt=by_message.name)


def _of(rule: FailureRule, source: Source, certainty: float, rules: Ruleset) -> Classification:
    return Classification(
        category=rule.category,
        severity=rule.severity,
        source=source,
        matched=rule.name,
        certainty=certainty,
        policy=_policy(rule, rules),
        escalate=rule.escalate,
        recommended_action=rule.recommended_action,
        plan=rule.plan,
    )


def _policy(rule: FailureRule, rules: Ruleset) -> RetryPolicy:
    """The rule's policy; no retry if it is not there: a missing rule never makes things bolder."""
    return rules.policy(rule.retry_policy) or NO_RETRY


def _guess(category: Category, matched: str, certainty: float) -> Classification:
    policy = CAREFUL_RETRY if category in TRANSIENT else NO_RETRY
    severity = _SEVERITY.get(category, "medium")
    return Classification(category, severity, "heuristic", matched, certainty, policy)


def _status(code: str, message: str) -> int:
    """An HTTP status of 400 or more in the code or the message, else 0."""
    found = _STATUS_CODE.search(code) or _STATUS.search(message[:2048])
    return int(found[1]) if found else 0
