"""A plan's document: what it may say, and a sentence with its place for everything it may not."""

from __future__ import annotations

import pytest

from actions.plans.document import Plan, PlanError, read_plan

KINDS = {"http": False, "notify": False, "codebuild": False, "probe_http": True}
REBUILD = """
name: rebuild_instance
steps:
  - key: rebuild
    kind: codebuild
    with: {project: recovery, instance: "${incident.resource_id}"}
    timeout_seconds: 900
    retries: {max_attempts: 2, pause_seconds: 10}
    on_failure: roll_back
    undo: {kind: codebuild, with: {project: teardown, build: "${steps.rebuild.build_id}"}}
  - parallel:
      - {key: page, kind: notify, with: {text: "Built ${steps.rebuild.build_id}"}}
      - {key: record, kind: http, irreversible: true}
verify: {kind: probe_http, with: {url: "https://app.example/up"}, tries: 3, pause_seconds: 20}
"""


def test_it_reads_a_plan() -> None:
    """Groups in order, the defaults filled in, and back from its JSON unchanged."""
    plan = read_plan(REBUILD, KINDS)
    assert [[step.key for step in group] for group in plan.groups] == [
        ["rebuild"],
        ["page", "record"],
    ]
    assert plan.step("rebuild").undo is not None
    assert plan.step("page").on_failure == "stop"
    assert plan.title == "Rebuild instance"
    assert plan.has_irreversible_step()
    assert Plan.from_json(plan.to_json()) == plan


@pytest.mark.parametrize(
    ("before", "after", "place", "words"),
    [
        ("rebuild_instance", "Rebuild!", "name", "Lower-case"),
        ("kind: codebuild\n", "kind: shell\n", "steps[0].kind", "no kind of step"),
        ("kind: codebuild\n", "kind: probe_http\n", "steps[0].kind", "no kind of step"),
        ("kind: probe_http", "kind: http", "verify.kind", "no probe"),
        ("timeout_seconds: 900", "timeout_seconds: 0", "steps[0].timeout_seconds", "From 1"),
        ("timeout_seconds: 900", "timeout_seconds: soon", "steps[0].timeout_seconds", "int"),
        ("max_attempts: 2", "max_attempts: 1000", "steps[0].retries.max_attempts", "From 1"),
        ("pause_seconds: 10", "pause_seconds: 1e9", "steps[0].retries.pause_seconds", "From 0"),
        ("on_failure: roll_back", "on_failure: shrug", "steps[0].on_failure", "shrug"),
        ("on_failure: roll_back", "on_failur: stop", "steps[0]", "unknown field"),
        ("key: record", "key: page", "steps", "twice"),
        ("${incident.resource_id}", "${incident.secret}", "steps[0].with", "names nothing"),
        ("${incident.resource_id}", "${steps.page.id}", "steps[0].with", "done before"),
        ("Built ${steps.rebuild.build_id}", "${steps.record.x}", "steps[1].with", "done before"),
        (
            "irreversible: true",
            "irreversible: true, undo: {kind: http}",
            "steps[1].undo",
            "no undo",
        ),
        ("tries: 3", "tries: 99", "verify.tries", "From 1"),
        ("steps:", "steps: []\nnotes:", "", "unknown field"),
        ("name: rebuild_instance", "", "", "name"),
        ("title", "title", "", ""),
    ],
)
def test_it_says_what_is_wrong_and_where(before: str, after: str, place: str, words: str) -> None:
    """One changed word, one sentence at its place; nothing wrong is taken for a default."""
    text = REBUILD.replace(before, after, 1)
    if text == REBUILD:
        assert read_plan(text, KINDS)
        return
    with pytest.raises(PlanError) as refused:
        read_plan(text, KINDS)
    assert any(place == at and words in said for at, said in refused.value.mistakes), str(
        refused.value
    )


@pytest.mark.parametrize("text", ["", "- a", "a: &x 1\nb: *x", "a: !!python/object x", "a: {", "5"])
def test_it_refuses_what_is_no_plan(text: str) -> None:
    """No document, no mapping, no plain data."""
    with pytest.raises(PlanError):
        read_plan(text, KINDS)


def test_it_doubles_the_pause_between_attempts() -> None:
    """None before the first; never more than an hour."""
    retries = read_plan(REBUILD, KINDS).step("rebuild").retries
    assert [retries.pause_before(number) for number in (1, 2, 3, 4, 40)] == [0, 10, 20, 40, 3600]
