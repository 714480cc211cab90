"""Rules out to YAML and back: nothing is lost, and what differs is named."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from safety.codes import normalise_code
from safety.rule_diff import differences
from safety.rule_export import mistakes_in, sections_of, to_files, to_yaml
from safety.rule_types import (
    BACKOFF_KINDS,
    CATEGORIES,
    EVENT_KINDS,
    SEVERITIES,
    EventTypeRule,
    FailureRule,
    MessageRule,
    RetryPolicy,
    Ruleset,
    VendorRule,
)
from safety.ruleset import parse
from tests.pure.strategies import automation_rules, some, vendor_rules

slugs = st.from_regex(r"[A-Za-z0-9_-]{1,20}", fullmatch=True)
sentences = st.text(max_size=60).map(
    lambda text: "".join(c for c in text if c.isprintable() or c == "\n").strip()
)
names = sentences.filter(bool)


@st.composite
def policies(draw: st.DrawFn, name: str) -> RetryPolicy:
    kind = draw(st.sampled_from(BACKOFF_KINDS))
    if kind == "none":
        return RetryPolicy(name, kind, 0, 0.0, 0.0, 2.0, 0.5)
    first = draw(st.floats(0.1, 40_000.0))
    return RetryPolicy(
        name, kind, draw(st.integers(1, 20)), first, draw(st.floats(first, 86_400.0)),
        draw(st.floats(1.0, 10.0)), draw(st.floats(0.0, 1.0)),
    )  # fmt: skip


@st.composite
def rulesets(draw: st.DrawFn) -> Ruleset:
    """Any rules that files could hold, in the order in which they are read."""
    policy_names = sorted(draw(st.sets(slugs, min_size=1, max_size=4)))

    def failure(name: str) -> FailureRule:
        return FailureRule(
            name, draw(st.sampled_from(SEVERITIES)), draw(st.sampled_from(CATEGORIES)),
            draw(st.sampled_from(policy_names)), draw(st.booleans()), draw(sentences),
            draw(sentences),
        )  # fmt: skip

    codes = {normalise_code(code) for code in draw(st.sets(slugs, max_size=4))} - {""}
    vendors = draw(st.lists(names, max_size=3, unique_by=str.casefold))
    patterns = draw(st.lists(slugs, max_size=3, unique=True))
    types = draw(st.sets(st.from_regex(r"[a-z0-9_.*-]*[a-z0-9]\*?", fullmatch=True), max_size=3))
    workflows = sorted(draw(st.sets(names, max_size=3)))
    return Ruleset(
        error_codes=tuple(failure(code) for code in sorted(codes)),
        retry_policies=tuple(draw(policies(name)) for name in policy_names),
        vendors=tuple(
            replace(draw(vendor_rules), name=name) for name in sorted(vendors, key=str.casefold)
        ),
        message_patterns=tuple(
            MessageRule(f"{name}: \\d+ '\"#", failure(name)) for name in patterns
        ),
        event_types=tuple(
            EventTypeRule(t[:100], draw(st.sampled_from(EVENT_KINDS))) for t in sorted(types)
        ),
        automation=tuple(
            replace(draw(automation_rules), workflow=name) for name in ("", *workflows)
        ),
    )


@some
@given(rulesets())
def test_what_is_exported_reads_back_as_the_same_rules(rules: Ruleset) -> None:
    """As files and as one document; and compared with itself nothing differs."""
    assert mistakes_in(rules) == ()
    assert parse(to_files(rules)) == rules
    assert parse({"-": to_yaml(sections_of(rules))}) == rules
    assert differences(rules, rules) == []


@some
@given(rulesets(), rulesets())
def test_what_differs_one_way_differs_the_other_way(old: Ruleset, new: Ruleset) -> None:
    """What was added is removed on the way back; what changed, changed with the values turned."""
    there, back = differences(old, new), differences(new, old)
    turned = {"added": "removed", "removed": "added", "changed": "changed"}
    expected = {
        (one.section, one.name, turned[one.kind], *map(repr, (one.after, one.before)))
        for one in there
        if one.kind != "moved"
    }
    assert expected == {
        (one.section, one.name, one.kind, *map(repr, (one.before, one.after)))
        for one in back
        if one.kind != "moved"
    }
    moved = {one.section for one in there if one.kind == "moved"}
    assert moved == {one.section for one in back if one.kind == "moved"}
    assert bool(there) == (old != new)


def test_a_difference_names_the_old_and_the_new_value() -> None:
    old = Ruleset(vendors=(VendorRule("stripe", 100),))
    new = Ruleset(vendors=(VendorRule("stripe", 100, on_open="record"), VendorRule("visa", 1)))
    assert [str(one) for one in differences(old, new)] == [
        "changed vendors.stripe: circuit_breaker.on_open 'refuse' → 'record'",
        "added vendors.visa",
    ]


def test_the_order_of_what_matches_first_is_a_difference() -> None:
    one, two = EventTypeRule("*.failed", "failure"), EventTypeRule("a.*", "info")
    found = differences(Ruleset(event_types=(one, two)), Ruleset(event_types=(two, one)))
    assert [str(difference) for difference in found] == ["moved event_types.a.*"]


def test_rules_that_no_file_could_hold_are_named() -> None:
    rules = Ruleset(retry_policies=(RetryPolicy("p", "fixed", 3, 60.0, 30.0),))
    [mistake] = mistakes_in(rules)
    assert mistake.path == "retry_policies.p.max_delay_seconds"
