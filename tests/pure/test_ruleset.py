"""Rules as code: what is read, what is refused, and that every mistake is named."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safety.breaker import BreakerPolicy
from safety.rule_types import AutomationRule, EventTypeRule, RetryPolicy, Ruleset, VendorRule
from safety.ruleset import RulesetError, check_pattern, kind_of, parse
from tests.pure.strategies import many

POLICIES = """
retry_policies:
  backoff:
    retryable: true
    max_retries: 5
    initial_delay_seconds: 1
    max_delay_seconds: 300
    backoff_multiplier: 2.0
  never: {retryable: false}
"""


def test_it_reads_the_shape_of_the_first_release() -> None:
    """The three files as they were first published, without the keys that came later."""
    rules = parse(
        {
            "retry_policies.yaml": POLICIES,
            "error_codes.yaml": """
error_codes:
  payment_timeout:
    severity: high
    retry_policy: backoff
    description: "Payment gateway timeout"
""",
            "vendor_config.yaml": """
vendors:
  - name: stripe
    circuit_breaker: {failure_threshold: 10, timeout_seconds: 300}
    rate_limit: {requests_per_minute: 100}
""",
        }
    )
    rule = rules.failure_of_code("PaymentTimeout")
    assert rule is not None
    assert (rule.severity, rule.category, rule.escalate) == ("high", "unknown", False)
    assert rules.policy("backoff") == RetryPolicy("backoff", "exponential", 5, 1.0, 300.0, 2.0, 0.5)
    # Of its breaker the file names what a breaker cannot do without; the rest has its defaults.
    assert rules.vendor("Stripe") == VendorRule("stripe", 100, BreakerPolicy(10, open_seconds=300))
    never = rules.policy("never")
    assert never is not None
    assert (never.kind, never.retryable) == ("none", False)


def test_it_reads_patterns_types_and_automation() -> None:
    rules = parse(
        {
            "all.yaml": POLICIES
            + """
message_patterns:
  - {name: lock, pattern: '(?i)deadlock', category: lock_contention, severity: medium,
     retry_policy: backoff}
  - {name: any-error, pattern: 'error|deadlock', severity: low, retry_policy: never}
event_types:
  - {pattern: "*.failed", kind: failure}
  - {pattern: "deploy.*", kind: change}
automation:
  defaults: {confidence_threshold: 0.7}
  workflows:
    payments.capture: {cooldown_seconds: 60}
"""
        }
    )
    found = rules.failure_of_message("Deadlock found")
    assert found is not None
    assert found.name == "lock"
    assert rules.failure_of_message("fine") is None
    assert rules.automation_for("crm.sync") == AutomationRule(confidence_threshold=0.7)
    own = AutomationRule("payments.capture", confidence_threshold=0.7, cooldown_seconds=60)
    assert rules.automation_for("payments.capture") == own


def test_it_is_empty_but_usable_without_rules() -> None:
    rules = Ruleset()
    assert rules.failure_of_code("x") is None
    assert rules.failure_of_message("x") is None
    assert rules.automation_for("w") == AutomationRule()
    assert kind_of("a.failed", rules) == "info"


CODE = "error_codes: {{x: {{severity: high, retry_policy: never{0}}}}}"
PATTERN = "message_patterns: [{{name: n, severity: low, retry_policy: never, pattern: {0}}}]"
POLICY = "retry_policies: {{p: {{{0}}}}}"
VENDOR = (
    "vendors: [{{name: v, circuit_breaker: {{failure_threshold: {0}, timeout_seconds: {1}}},"
    " rate_limit: {{requests_per_minute: {2}}}}}]"
)
KNOB = (
    "vendors: [{{name: v, circuit_breaker: {{failure_threshold: 1, timeout_seconds: 1, {0}}},"
    " rate_limit: {{requests_per_minute: 1}}}}]"
)
EVENTS = "event_types: [{{pattern: {0}, kind: failure}}]"
AUTO = "automation: {{defaults: {{{0}}}}}"

NEVER = "{severity: low, retry_policy: never}"
TWICE = f"error_codes: {{a_b: {NEVER}, aB: {NEVER}}}"

WRONG = [
    (CODE.format(", sevrity: low"), "error_codes.x.sevrity", "Unknown key."),
    (CODE.format(", category: weird"), "error_codes.x.category", "Expected one of"),
    (CODE.format(", escalate: 'yes'"), "error_codes.x.escalate", "Expected true or false"),
    (CODE.format(", description: 5"), "error_codes.x.description", "Expected text"),
    ("error_codes: {x: {severity: high}}", "error_codes.x.retry_policy", "Is missing."),
    ("error_codes: {x: {retry_policy: never}}", "error_codes.x.severity", "Is missing."),
    ("error_codes: {x: {severity: high, retry_policy: gone}}",
     "error_codes.x.retry_policy", "There is no retry policy 'gone'."),
    ("error_codes: {'--': {severity: high, retry_policy: never}}",
     "error_codes.--", "with a letter or a digit"),
    (TWICE, "error_codes.aB", "Is the same code as another one"),
    ("error_codes: {x: high}", "error_codes.x", "Expected a mapping, found text."),
    ("error_codes: [x]", "error_codes", "Expected a mapping, found a list."),
    ("error_codes: null", "error_codes", "Is missing."),
    (PATTERN.format("''"), "message_patterns[0].pattern", "Must not be empty."),
    (PATTERN.format("'  '"), "message_patterns[0].pattern", "Must not be empty."),
    (PATTERN.format("'.*'"), "message_patterns[0].pattern", "Fits every message."),
    (PATTERN.format("'.'"), "message_patterns[0].pattern", "Fits every message."),
    (PATTERN.format("'a|'"), "message_patterns[0].pattern", "Fits every message."),
    (PATTERN.format("'(a)\\1'"), "message_patterns[0].pattern", "Not a usable RE2 pattern"),
    (PATTERN.format("'a(?=b)'"), "message_patterns[0].pattern", "Not a usable RE2 pattern"),
    (PATTERN.format("'(a'"), "message_patterns[0].pattern", "Not a usable RE2 pattern"),
    (PATTERN.format("'((a{100}){100}){100}'"), "message_patterns[0].pattern", "Not a usable RE2"),
    (PATTERN.format("'" + "a" * 513 + "'"), "message_patterns[0].pattern", "Longer than 512"),
    (POLICY.format("max_retries: -1"), "retry_policies.p.max_retries", "between 1 and 20"),
    (POLICY.format("max_retries: 0"), "retry_policies.p.max_retries", "between 1 and 20"),
    (POLICY.format("max_retries: 1000000000"), "retry_policies.p.max_retries", "between 1 and 20"),
    (POLICY.format("max_retries: 2.5"), "retry_policies.p.max_retries", "whole number"),
    (POLICY.format("max_retries: true"), "retry_policies.p.max_retries", "Expected a number"),
    (POLICY.format("initial_delay_seconds: 0"), "retry_policies.p.initial_delay_seconds", "betw"),
    (POLICY.format("initial_delay_seconds: 1e999"),
     "retry_policies.p.initial_delay_seconds", "between"),
    (POLICY.format("max_delay_seconds: 315360000"), "retry_policies.p.max_delay_seconds", "betw"),
    (POLICY.format("initial_delay_seconds: 9, max_delay_seconds: 8"),
     "retry_policies.p.max_delay_seconds", "Is less than initial_delay_seconds."),
    (POLICY.format("backoff_multiplier: 0.5"), "retry_policies.p.backoff_multiplier", "between"),
    (POLICY.format("jitter: 1.5"), "retry_policies.p.jitter", "between 0 and 1"),
    (POLICY.format("kind: cubic"), "retry_policies.p.kind", "Expected one of"),
    (POLICY.format("kind: linear, retryable: false"), "retry_policies.p.kind", "contradicts"),
    (POLICY.format("kind: none, retryable: true"), "retry_policies.p.kind", "contradicts"),
    ("retry_policies: {'a b': {}}", "retry_policies.a b", "1 to 64 letters"),
    (VENDOR.format(0, 300, 100), "vendors[0].circuit_breaker.failure_threshold", "between"),
    (VENDOR.format(-1, 300, 100), "vendors[0].circuit_breaker.failure_threshold", "between"),
    (VENDOR.format(1000000000, 300, 100), "vendors[0].circuit_breaker.failure_threshold", "betw"),
    (VENDOR.format(10, 0, 100), "vendors[0].circuit_breaker.timeout_seconds", "between"),
    (VENDOR.format(10, 300, 0), "vendors[0].rate_limit.requests_per_minute", "between"),
    (KNOB.format("window_seconds: 0"), "vendors[0].circuit_breaker.window_seconds", "1 and 3600"),
    (KNOB.format("minimum_calls: -1"), "vendors[0].circuit_breaker.minimum_calls", "between 0"),
    (KNOB.format("failure_ratio: 1.1"), "vendors[0].circuit_breaker.failure_ratio", "0 and 1"),
    (KNOB.format("failure_ratio: .nan"), "vendors[0].circuit_breaker.failure_ratio", "Expected a"),
    (KNOB.format("slow_call_ms: 0.5"), "vendors[0].circuit_breaker.slow_call_ms", "whole number"),
    (KNOB.format("half_open_probes: 0"), "vendors[0].circuit_breaker.half_open_probes", "1 and"),
    (KNOB.format("probe_seconds: 3601"), "vendors[0].circuit_breaker.probe_seconds", "1 and 3600"),
    (KNOB.format("on_open: drop"), "vendors[0].circuit_breaker.on_open", "one of refuse, record"),
    (KNOB.format("on_open: true"), "vendors[0].circuit_breaker.on_open", "one of refuse, record"),
    (KNOB.format("release_per_second: 0"),
     "vendors[0].circuit_breaker.release_per_second", "between 1 and 1000"),
    (KNOB.format("open_seconds: 5"), "vendors[0].circuit_breaker.open_seconds", "Unknown key."),
    ("vendors: [{name: v, rate_limit: {requests_per_minute: 1}}]",
     "vendors[0].circuit_breaker", "Is missing."),
    ("vendors: {v: 1}", "vendors", "Expected a list, found a mapping."),
    (EVENTS.format("''"), "event_types[0].pattern", "Must not be empty."),
    (EVENTS.format("'*'"), "event_types[0].pattern", "a letter or digit"),
    (EVENTS.format("'*.*'"), "event_types[0].pattern", "a letter or digit"),
    (EVENTS.format("'A.b'"), "event_types[0].pattern", "May hold a-z"),
    (AUTO.format("confidence_threshold: 0"),
     "automation.defaults.confidence_threshold", "between 0.01 and 1"),
    (AUTO.format("confidence_threshold: -1"), "automation.defaults.confidence_threshold", "betw"),
    (AUTO.format("cooldown_seconds: 0"), "automation.defaults.cooldown_seconds", "between"),
    (AUTO.format("cooldown_seconds: 315360000"), "automation.defaults.cooldown_seconds", "between"),
    ("automation: {workflows: {' ': {}}}", "automation.workflows. ", "1 to 100 characters"),
    ("automation: {rules: {}}", "automation.rules", "Unknown key."),
    ("error_code: {}", "", "Holds none of the sections"),
    ("event_types: []\nerror_code: {}", "error_code", "Unknown key."),
    ("[]", "", "Expected a mapping, found a list."),
    ("", "", "Expected a mapping, found nothing."),
    ("a: &x 1", "", "Anchors and aliases are not allowed."),
]  # fmt: skip


@pytest.mark.parametrize(("text", "path", "message"), WRONG, ids=range(len(WRONG)))
def test_it_refuses_what_is_wrong_and_says_where(text: str, path: str, message: str) -> None:
    files = {"changed.yaml": text}
    if "retry_policies" not in text:
        files["policies.yaml"] = POLICIES
    with pytest.raises(RulesetError) as caught:
        parse(files)
    found = {(error.file, error.path): error.message for error in caught.value.errors}
    assert message in found.get(("changed.yaml", path), f"only {sorted(found.items())}")


def test_it_names_all_mistakes_of_all_files_with_their_lines() -> None:
    with pytest.raises(RulesetError) as caught:
        parse(
            {
                "a.yaml": "error_codes:\n  x:\n    severity: bad\n    retry_policy: gone\n  y: 5\n",
                "b.yaml": "vendors:\n  - name: v\n    surprise: 1\n",
                "c.yaml": "error_codes: {}\n",
                "d.yaml": "a: *b",
            }
        )
    errors = [(error.file, error.path, error.line) for error in caught.value.errors]
    assert ("a.yaml", "error_codes.x.severity", 3) in errors
    assert ("a.yaml", "error_codes.x.retry_policy", 4) in errors
    assert ("a.yaml", "error_codes.y", 5) in errors
    assert ("b.yaml", "vendors[0].surprise", 3) in errors
    assert ("c.yaml", "error_codes", 1) in errors
    assert ("d.yaml", "", 1) in errors


def test_it_keeps_first_what_stands_first() -> None:
    """Patterns and event types are tried in the order of the file."""
    text = (
        POLICIES
        + "message_patterns:\n"
        + "".join(
            f"  - {{name: p{n}, pattern: boom, severity: low, retry_policy: never}}\n"
            for n in range(9)
        )
    )
    found = parse({"a.yaml": text}).failure_of_message("a boom")
    assert found is not None
    assert found.name == "p0"


GLOBS = [
    ("payment.failed", "failure"),
    ("a.b.timed_out", "failure"),
    ("failed", "info"),
    ("x.failed.later", "info"),
    ("deploy.started", "change"),
    ("deploy.failed", "change"),
    ("a.mid.z", "success"),
    ("a.z", "info"),
    ("exact", "success"),
    ("", "info"),
]
TYPES = (
    EventTypeRule("deploy.*", "change"),
    EventTypeRule("*.failed", "failure"),
    EventTypeRule("*.timed_out", "failure"),
    EventTypeRule("a.*.z", "success"),
    EventTypeRule("exact", "success"),
)


@pytest.mark.parametrize(("event_type", "kind"), GLOBS)
def test_it_takes_the_first_event_type_that_matches(event_type: str, kind: str) -> None:
    assert kind_of(event_type, Ruleset(event_types=TYPES)) == kind


@many
@given(st.text("ab.*", min_size=1, max_size=8), st.text("ab.", max_size=8))
def test_it_matches_globs_as_the_shell_does(pattern: str, text: str) -> None:
    """Against the standard library's translation to a regular expression."""
    import fnmatch
    import re

    expected = re.fullmatch(fnmatch.translate(pattern), text) is not None
    found = kind_of(text, Ruleset(event_types=(EventTypeRule(pattern, "failure"),)))
    assert (found == "failure") is expected


@many
@given(st.text(max_size=40))
def test_it_judges_any_pattern_without_falling_over(pattern: str) -> None:
    reason = check_pattern(pattern)
    assert reason == "" or reason.endswith(".")
