"""A `Ruleset` as the YAML that `ruleset.parse` reads: one document a section [S11].

What is written reads back as the same rules. `mistakes_in` uses that the other way round: rules
that were edited in a form must be such as a file could hold, so there is one set of limits.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict
from math import isfinite
from typing import Any

import yaml

from safety.rule_fields import RuleError
from safety.rule_types import AutomationRule, FailureRule, RetryPolicy, Ruleset, VendorRule
from safety.ruleset import RulesetError, parse

# The files of config/rules, by section.
FILES = {
    "error_codes": "error_codes.yaml",
    "retry_policies": "retry_policies.yaml",
    "vendors": "vendor_config.yaml",
    "message_patterns": "message_patterns.yaml",
    "event_types": "event_types.yaml",
    "automation": "automation.yaml",
}
# Text that no reader of YAML takes for anything else; all other text is quoted.
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")
_WORDS = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}
_NEVER_FOLD = 1_000_000


def sections_of(rules: Ruleset) -> dict[str, Any]:
    """The rules as plain data, by section; a section without rules is left out."""
    automation = {rule.workflow: _automation(rule) for rule in rules.automation}
    found: dict[str, Any] = {
        "error_codes": {rule.name: _failure(rule) for rule in rules.error_codes},
        "retry_policies": {rule.name: _policy(rule) for rule in rules.retry_policies},
        "vendors": [_vendor(rule) for rule in rules.vendors],
        "message_patterns": [
            {"name": rule.failure.name, "pattern": rule.pattern} | _failure(rule.failure)
            for rule in rules.message_patterns
        ],
        "event_types": [asdict(rule) for rule in rules.event_types],
    }
    if automation:
        workflows = {name: fields for name, fields in automation.items() if name}
        defaults = {"defaults": automation[""]} if "" in automation else {}
        found["automation"] = defaults | {"workflows": workflows}
    return {name: rows for name, rows in found.items() if rows}


def to_files(rules: Ruleset) -> dict[str, str]:
    """File name → YAML text, the files of config/rules; a section without rules has none."""
    return {FILES[name]: to_yaml({name: rows}) for name, rows in sections_of(rules).items()}


def to_yaml(sections: Mapping[str, Any]) -> str:
    """One document with these sections."""
    return yaml.dump(
        dict(sections), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=_NEVER_FOLD
    )


def mistakes_in(rules: Ruleset) -> tuple[RuleError, ...]:
    """Why the rules could not stand in a file; () if they could."""
    try:
        parse(to_files(rules))
    except RulesetError as error:
        return error.errors
    return ()


def _failure(rule: FailureRule) -> dict[str, Any]:
    return _without(asdict(rule), "name")


def _policy(rule: RetryPolicy) -> dict[str, Any]:
    return {
        "retryable": rule.kind != "none",
        "kind": rule.kind,
        "max_retries": rule.max_retries,
        "initial_delay_seconds": rule.initial_delay_seconds,
        "max_delay_seconds": rule.max_delay_seconds,
        "backoff_multiplier": rule.multiplier,
        "jitter": rule.jitter_ratio,
    }


def _vendor(rule: VendorRule) -> dict[str, Any]:
    breaker = asdict(rule.breaker)
    breaker["timeout_seconds"] = breaker.pop("open_seconds")
    breaker |= {"on_open": rule.on_open, "release_per_second": rule.release_per_second}
    return {
        "name": rule.name,
        "circuit_breaker": breaker,
        "rate_limit": {"requests_per_minute": rule.requests_per_minute},
    }


def _automation(rule: AutomationRule) -> dict[str, Any]:
    fields = _without(asdict(rule), "workflow")
    fields["confidence_thresholds"] = dict(rule.confidence_thresholds)
    ends = fields.pop("expires_at")
    return fields | ({"expires_at": ends.isoformat()} if ends else {})


def _without(fields: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if key != name}


class _Dumper(yaml.SafeDumper):
    """Writes no anchors, which the reader refuses."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    plain = _PLAIN.fullmatch(text) and text.casefold() not in _WORDS
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if plain else '"')


def _number(dumper: yaml.SafeDumper, number: float) -> yaml.ScalarNode:
    """Shortest form that reads back exactly; the reader takes at most 18 decimals.

    Infinity and NaN are no numbers to the reader: it names them as mistakes.
    """
    text = repr(number)
    if not isfinite(number):
        return _text(dumper, text)
    if len(text.partition(".")[2].partition("e")[0]) > 18:
        text = f"{number:.16e}"
    if "e" in text and "." not in text:
        text = text.replace("e", ".0e")
    return dumper.represent_scalar("tag:yaml.org,2002:float", text)


_Dumper.add_representer(str, _text)
_Dumper.add_representer(float, _number)
