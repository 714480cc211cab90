"""References in a step's parameters: checked when saved, filled without holes, nothing else."""

from __future__ import annotations

import pytest

from actions.plans.expression import ExpressionError, fill, objection, references

FACTS = {
    "incident": {"resource_id": "i-1", "number": 7, "vendor": None},
    "steps": {"rebuild": {"build_id": "b:1", "logs": {"url": "https://l"}, "list": [1]}},
}


@pytest.mark.parametrize(
    ("value", "filled"),
    [
        ("plain", "plain"),
        ("${incident.resource_id}", "i-1"),
        ("${incident.number}", 7),
        ("no ${ incident.number }!", "no 7!"),
        ("${steps.rebuild.logs}", {"url": "https://l"}),
        ("at ${steps.rebuild.logs.url}", "at https://l"),
        ("[${incident.vendor}]", "[]"),
        ("$${incident.number}", "${incident.number}"),
        ("a $${x} ${incident.number}", "a ${x} 7"),
        ("${} is no reference" + "$", None),
        ({"a": ["${incident.number}", 1, True, None]}, {"a": [7, 1, True, None]}),
        ("{{ incident.number }} {% x %}", "{{ incident.number }} {% x %}"),
    ],
)
def test_it_fills_references_and_nothing_else(value: object, filled: object) -> None:
    """A text that is one reference keeps the value's type; other syntax is text."""
    if filled is None:
        with pytest.raises(ExpressionError):
            fill(value, FACTS)
    else:
        assert fill(value, FACTS) == filled


@pytest.mark.parametrize(
    "text",
    ["${incident.nothing}", "${steps.later.id}", "${incident}", "x ${steps.rebuild.list}"],
)
def test_it_never_runs_with_a_hole(text: str) -> None:
    """What names nothing, or is no text within a text, stops the step."""
    if text == "${incident}":
        assert fill(text, FACTS) == FACTS["incident"]
        return
    with pytest.raises(ExpressionError):
        fill(text, FACTS)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("incident.resource_id", ""),
        ("decision.confidence", ""),
        ("steps.rebuild.build_id", ""),
        ("steps.rebuild", "which of the step's results"),
        ("steps.later.id", "no step that is done before"),
        ("incident.__class__", "names nothing"),
        ("incident.secret", "names nothing"),
        ("incident.resource_id.upper", "names nothing"),
        ("settings.SECRET_KEY", "not a name with dots"),
        ("env.home", "must begin with"),
        ("incident", "not a name with dots"),
        ("incident.resource_id()", "not a name with dots"),
    ],
)
def test_it_says_what_a_reference_may_not_name(path: str, words: str) -> None:
    """Nothing but the listed names, and results of steps that are done before."""
    found = objection(path, frozenset({"rebuild"}))
    assert (words in found) if words else not found


def test_it_finds_every_reference_in_the_data() -> None:
    """In lists, mappings and longer texts; an escaped one is none."""
    value = {"a": "${incident.number} ${incident.label}", "b": [{"c": "$${x} ${steps.a.b}"}]}
    assert list(references(value)) == ["incident.number", "incident.label", "steps.a.b"]


def test_it_refuses_what_is_too_deep_or_too_long() -> None:
    """Neither reads a document without end."""
    deep: object = "x"
    for _ in range(12):
        deep = [deep]
    for value in (deep, "x" * 5_000):
        with pytest.raises(ExpressionError):
            list(references(value))
