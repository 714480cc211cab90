"""The rules that ship: they parse, and they say what the API promises."""

from functools import cache
from pathlib import Path

import pytest

from ai.classify import classify
from ai.decide import NEVER_RETRY
from safety.rule_types import Category, EventKind, Ruleset
from safety.ruleset import kind_of, parse

FOLDER = Path(__file__).parents[2] / "config" / "rules"


@cache
def default_rules() -> Ruleset:
    return parse({path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.yaml")})


def test_it_ships_rules_that_parse() -> None:
    rules = default_rules()
    assert len(rules.error_codes) >= 40
    assert len({rule.category for rule in rules.error_codes}) >= 10
    assert {vendor.name for vendor in rules.vendors} >= {"stripe", "salesforce", "netsuite"}
    assert rules.automation_for("any.workflow").confidence_threshold == 0.8
    assert rules.automation_for("any.workflow").cooldown_seconds == 300


def test_it_never_retries_by_default_what_no_retry_mends() -> None:
    rules = default_rules()
    found = [*rules.error_codes, *(one.failure for one in rules.message_patterns)]
    for rule in found:
        policy = rules.policy(rule.retry_policy)
        assert policy is not None
        if rule.category in NEVER_RETRY:
            assert not policy.retryable, rule.name
        assert rule.recommended_action.endswith("."), rule.name


def test_the_plans_that_its_rules_name_come_with_them() -> None:
    """A name that is none would only ever call a person."""
    rules = default_rules()
    found = [*rules.error_codes, *(one.failure for one in rules.message_patterns)]
    named = {rule.plan for rule in found if rule.plan}
    assert "rebuild_instance" in named
    assert named <= {path.stem for path in (FOLDER.parent / "plans").glob("*.yaml")}


KINDS: list[tuple[str, EventKind]] = [
    *((f"payment.{end}", "failure") for end in ("failed", "error", "timeout", "timed_out")),
    *((f"payment.{end}", "failure") for end in ("rejected", "aborted")),
    *((f"payment.{end}", "success") for end in ("succeeded", "completed", "recovered", "resolved")),
    ("deploy.finished", "change"),
    ("change.flag", "change"),
    ("payment.started", "info"),
]


@pytest.mark.parametrize(("event_type", "kind"), KINDS)
def test_it_knows_the_event_types_of_the_api(event_type: str, kind: EventKind) -> None:
    assert kind_of(event_type, default_rules()) == kind


MESSAGES: list[tuple[str, Category]] = [
    ("UNABLE_TO_LOCK_ROW: unable to obtain exclusive access to this record", "lock_contention"),
    ("Deadlock found when trying to get lock; try restarting transaction", "lock_contention"),
    ("Lock wait timeout exceeded; try restarting transaction", "lock_contention"),
    ("ERROR: could not serialize access due to concurrent update", "lock_contention"),
    ("Your card was declined.", "business_decline"),
    ("invalid_grant: expired access/refresh token", "credential_expired"),
    ("Session expired or invalid", "credential_expired"),
    ("401 Unauthorized", "credential_expired"),
    ("Too Many Requests", "vendor_rate_limit"),
    ("Rate limit exceeded, retry in 12 s", "vendor_rate_limit"),
    ("ThrottlingException: Rate exceeded", "vendor_rate_limit"),
    ("OSError: [Errno 28] No space left on device", "resource_exhausted"),
    ("java.lang.OutOfMemoryError: Java heap space", "resource_exhausted"),
    ("container was OOMKilled", "resource_exhausted"),
    ("getaddrinfo ENOTFOUND api.vendor.example", "network_failure"),
    ("read ECONNRESET", "network_failure"),
    ("connect ECONNREFUSED 10.0.0.1:5432", "network_failure"),
    ("upstream request timed out", "transient_timeout"),
    ("context deadline exceeded", "transient_timeout"),
    ("503 Service Unavailable", "vendor_outage"),
    ("502 Bad Gateway", "vendor_outage"),
    ("SSL handshake failed: self signed certificate", "configuration"),
    ("AccessDenied: not authorized to perform s3:PutObject", "configuration"),
    ("column amount does not exist", "bad_data"),
    ("Schema mismatch: expected v2, got v3", "bad_data"),
    ("email is not a valid address", "bad_data"),
    ("duplicate key value violates unique constraint", "bad_data"),
    ("TypeError: 'NoneType' object is not subscriptable", "code_defect"),
    ("customer not found", "bad_data"),
    ("something odd happened", "unknown"),
    ("", "unknown"),
]


@pytest.mark.parametrize(("message", "category"), MESSAGES)
def test_it_reads_everyday_messages(message: str, category: Category) -> None:
    assert classify("", message, default_rules()).category == category
