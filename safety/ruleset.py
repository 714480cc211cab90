"""Rules as code: YAML files to a `Ruleset`, strictly. [S1 S11]

A file may hold any of the sections `error_codes`, `retry_policies`, `vendors`, `message_patterns`,
`event_types`, `automation`; a section stands in one file only. The files under config/rules/ are
the defaults and show every key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from safety import rule_sections, strict_yaml
from safety.rule_fields import Fields, Mistakes, RuleError
from safety.rule_sections import check_pattern
from safety.rule_types import (
    AutomationRule,
    EventTypeRule,
    FailureRule,
    MessageRule,
    RetryPolicy,
    Ruleset,
    VendorRule,
    kind_of,
)

__all__ = [
    "AutomationRule",
    "EventTypeRule",
    "FailureRule",
    "MessageRule",
    "RetryPolicy",
    "RuleError",
    "Ruleset",
    "RulesetError",
    "VendorRule",
    "check_pattern",
    "kind_of",
    "parse",
]

SECTIONS = (
    *("error_codes", "retry_policies", "vendors"),
    *("message_patterns", "event_types", "automation"),
)

Rule = TypeVar("Rule")


class RulesetError(ValueError):
    """The files are not a ruleset; `errors` names every mistake found."""

    def __init__(self, errors: Iterable[RuleError]) -> None:
        self.errors = tuple(errors)
        first = self.errors[0]
        super().__init__(f"{first.file}: {first.path or 'the file'}: {first.message}")


def parse(files: Mapping[str, str], policies_elsewhere: Iterable[str] = ()) -> Ruleset:
    """The rules in `files` (name → text); a section that no file has is empty.

    A rule may name a retry policy of the files or one of `policies_elsewhere`.

    Raises RulesetError with the mistakes of all files (at most 100 a file).
    """
    mistakes = [Mistakes(file) for file in sorted(files)]
    roots = [_read(files[noted.file], noted) for noted in mistakes]
    sections = _sections([root for root in roots if root is not None])
    policies = _read_section(sections, "retry_policies", rule_sections.retry_policies)
    known = {policy.name for policy in policies}.union(policies_elsewhere)
    rules = Ruleset(
        error_codes=_read_section(
            sections, "error_codes", lambda root: rule_sections.error_codes(root, known)
        ),
        retry_policies=policies,
        vendors=_read_section(sections, "vendors", rule_sections.vendors),
        message_patterns=_read_section(
            sections, "message_patterns", lambda root: rule_sections.message_patterns(root, known)
        ),
        event_types=_read_section(sections, "event_types", rule_sections.event_types),
        automation=_read_section(sections, "automation", rule_sections.automation),
    )
    for root in roots:
        if root is not None:
            root.done()
    if errors := [error for noted in mistakes for error in noted.errors]:
        raise RulesetError(errors)
    return rules


def _read(text: str, mistakes: Mistakes) -> Fields | None:
    try:
        document = strict_yaml.load(text)
    except strict_yaml.StrictYamlError as error:
        mistakes.lines[""] = error.line
        mistakes.add("", error.message)
        return None
    mistakes.lines = document.lines
    root = Fields(document.value, "", mistakes)
    if root.readable and not any(name in root for name in SECTIONS):
        mistakes.add("", f"Holds none of the sections {', '.join(SECTIONS)}.")
    return root


def _sections(roots: list[Fields]) -> dict[str, Fields]:
    """The file each section stands in: the first by name; a second one is a mistake."""
    found: dict[str, Fields] = {}
    for root in roots:
        for name in SECTIONS:
            if name in root and name in found:
                root.wrong(name, f"Stands in {found[name].mistakes.file} already.")
                root.drop(name)
            elif name in root:
                found[name] = root
    return found


def _read_section(
    sections: Mapping[str, Fields], name: str, read: Callable[[Fields], tuple[Rule, ...]]
) -> tuple[Rule, ...]:
    return read(sections[name]) if name in sections else ()
