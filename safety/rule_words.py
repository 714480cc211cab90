"""A rule as the sentence it reads as, for whoever is writing it. Pure [S1]."""

from __future__ import annotations

from awfdrs_site.kernel.ui.wording import duration
from safety.retry_picture import starts
from safety.rule_types import AutomationRule, EventKind, FailureRule, RetryPolicy, Ruleset

_OF_KIND: dict[EventKind, str] = {
    "failure": "a failure: it opens an incident or counts in one",
    "success": "a success: it ends what failed before for the same thing",
    "change": "a change: it is named as a possible cause of failures after it",
    "info": "information: it is stored, and nothing follows from it",
}


def sentence(rules: Ruleset) -> str:
    """What the one rule of `rules` says; a failure's retry policy is in it beside it."""
    if rules.error_codes:
        (rule,) = rules.error_codes
        return f"When a failure has the code {rule.name}, {_failure(rule, rules)}"
    if rules.message_patterns:
        (pattern,) = rules.message_patterns
        when = f"When a failure's code has no rule and “{pattern.pattern}” is found in its message"
        return f"{when}, {_failure(pattern.failure, rules)}"
    if rules.event_types:
        (kind,) = rules.event_types
        return f"When an event's type is {_glob(kind.pattern)}, it is {_OF_KIND[kind.kind]}."
    if rules.retry_policies:
        (policy,) = rules.retry_policies
        return f"Whatever is retried as {policy.name} says: {_retry(policy)}."
    return " ".join(_automation(rule) for rule in rules.automation)


def _failure(rule: FailureRule, rules: Ruleset) -> str:
    meant = f"it is {_a(rule.category.replace('_', ' '))} of {rule.severity} severity: "
    policy = rules.policy(rule.retry_policy)
    if rule.plan:
        does = f"run the recovery plan {rule.plan}"
    else:
        does = _retry(policy) if policy else "no retry"
    person = ", and a person looks in any case" if rule.escalate else ""
    return f"{meant}{does}{person}."


def _retry(policy: RetryPolicy) -> str:
    found = starts(policy)
    if not found:
        return "no retry"
    times = "once" if len(found) == 1 else f"up to {len(found)} times"
    first, last = duration(found[0].earliest_seconds), duration(found[-1].latest_seconds)
    return f"retry {times}, the first from {first} after the failure, the last by {last}"


def _automation(rule: AutomationRule) -> str:
    where = f"In workflow {rule.workflow}" if rule.workflow else "In every workflow without its own"
    own = "".join(f" ({kind} from {line:g})" for kind, line in rule.confidence_thresholds)
    line = f"from a confidence of {rule.confidence_threshold:g}{own}"
    person = f"below it a person has {duration(rule.approval_seconds)} to decide"
    most = f"at most {rule.max_attempts} attempts an incident"
    hourly = f"{rule.max_actions_per_hour} actions an hour"
    apart = f"{duration(rule.cooldown_seconds)} apart for the same thing"
    limits = f"It makes {most} and {hourly}, {apart}."
    said = f"{where} automation acts by itself {line}; {person}. {limits}"
    dry = " It is a dry run: what would run is written down and not sent." if rule.dry_run else ""
    return said + dry


def _glob(pattern: str) -> str:
    return f"like {pattern} (* stands for anything)" if "*" in pattern else pattern


def _a(words: str) -> str:
    return f"{'an' if words[:1] in 'aeiou' else 'a'} {words}"
