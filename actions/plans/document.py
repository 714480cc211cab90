"""A recovery plan as it is written, as frozen data, and everything that can be wrong with it [A2].

    name: rebuild_instance
    title: Rebuild a terminated instance
    steps:
      - key: rebuild
        kind: codebuild
        with: {project: recovery, environment: {SIZE: small, HOST: "${incident.resource_id}"}}
        editable: {environment.SIZE: {one_of: [small, large]}}
        timeout_seconds: 900
        retries: {max_attempts: 2, pause_seconds: 10}
        on_failure: roll_back
        undo: {kind: codebuild, with: {project: teardown}}
      - parallel:
          - {key: page, kind: notify, with: {text: "Rebuilt ${incident.resource_id}"}}
          - {key: record, kind: http, with: {url: "https://cmdb.example/hosts"}}
    verify: {kind: probe_http, with: {url: "https://app.example/up"}, tries: 3, pause_seconds: 20}

Rules name the plan that their failures get (`plan` of an error code). What a kind of step accepts
in `with` is the catalog's to say (`actions/catalog`); here it is known only that the kind exists.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

import msgspec

from actions.plans import ranges
from actions.plans.expression import ExpressionError, objection, references
from actions.plans.ranges import Range
from safety.strict_yaml import StrictYamlError, load

OnFailure = Literal["stop", "continue", "roll_back"]

MOST_STEPS = 50


class PlanError(ValueError):
    """What is wrong with a document: pairs of a path (`steps[0].kind`) and a sentence."""

    def __init__(self, mistakes: tuple[tuple[str, str], ...]) -> None:
        super().__init__(
            "; ".join(f"{path}: {words}" if path else words for path, words in mistakes)
        )
        self.mistakes = mistakes


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Fields not in the class are refused: a misspelt `on_failure` must not mean the default."""


class Call(_Part, frozen=True):
    """What to do: a kind of the catalog and its parameters, with references still in them."""

    kind: str
    parameters: dict[str, Any] = msgspec.field(name="with", default_factory=dict)


class StepRetries(_Part, frozen=True):
    """How often a step is tried, and the pause before the second attempt; it doubles each time."""

    max_attempts: int = msgspec.field(default=1)
    pause_seconds: float = 5.0

    def pause_before(self, number: int) -> float:
        """Seconds to wait before attempt `number`, from 1."""
        return 0.0 if number <= 1 else min(self.pause_seconds * 2 ** min(number - 2, 20), 3600.0)


class Step(_Part, frozen=True):
    """One step. `irreversible`: once it was sent nothing is undone any more. `editable`: what an
    approver may change of `with`, and the range."""

    key: str
    kind: str
    title: str = ""
    parameters: dict[str, Any] = msgspec.field(name="with", default_factory=dict)
    editable: dict[str, Range] = msgspec.field(default_factory=dict)
    timeout_seconds: int = 300
    retries: StepRetries = StepRetries()
    on_failure: OnFailure = "stop"
    undo: Call | None = None
    irreversible: bool = False

    @property
    def label(self) -> str:
        return self.title or self.key.replace("_", " ").capitalize()


class Verification(_Part, frozen=True):
    """The probe that says whether the plan helped; asked up to `tries` times."""

    kind: str
    parameters: dict[str, Any] = msgspec.field(name="with", default_factory=dict)
    tries: int = 3
    pause_seconds: float = 20.0
    timeout_seconds: int = 60
    on_failure: Literal["stop", "roll_back"] = "roll_back"


class Plan(msgspec.Struct, frozen=True):
    """A checked plan. `groups` run one after the other, the steps of a group at once."""

    name: str
    title: str
    groups: tuple[tuple[Step, ...], ...]
    verify: Verification | None = None
    approval: Literal["by_confidence", "always"] = "by_confidence"
    description: str = ""

    def steps(self) -> Iterator[Step]:
        for group in self.groups:
            yield from group

    def step(self, key: str) -> Step:
        return next(step for step in self.steps() if step.key == key)

    def has_irreversible_step(self) -> bool:
        """Such a plan is never run without a person."""
        return any(step.irreversible for step in self.steps())

    def to_json(self) -> dict[str, Any]:
        data: dict[str, Any] = msgspec.to_builtins(self)
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Plan:
        """The plan that `to_json` gave. Raises msgspec.ValidationError."""
        return msgspec.convert(data, cls)


class _Parallel(_Part, frozen=True):
    parallel: tuple[Step, ...]


class _Written(_Part, frozen=True):
    name: str
    steps: list[dict[str, Any]]
    title: str = ""
    description: str = ""
    verify: Verification | None = None
    approval: Literal["by_confidence", "always"] = "by_confidence"


def read_plan(text: str, kinds: Mapping[str, bool]) -> Plan:
    """The plan in a YAML document. `kinds`: each kind there is, and whether it is a probe.

    Raises PlanError with everything that is wrong, each with its place.
    """
    try:
        value = load(text).value
    except StrictYamlError as error:
        where = f"line {error.line}" if error.line else ""
        raise PlanError(((where, error.message),)) from error
    try:
        written = msgspec.convert(value, _Written)
    except msgspec.ValidationError as error:
        raise PlanError((_placed(error, ""),)) from error
    groups = tuple(_group(entry, f"steps[{at}]") for at, entry in enumerate(written.steps))
    plan = Plan(
        name=written.name,
        title=written.title or written.name.replace("_", " ").capitalize(),
        groups=groups,
        verify=written.verify,
        approval=written.approval,
        description=written.description,
    )
    if mistakes := tuple(_mistakes(plan, kinds)):
        raise PlanError(mistakes)
    return plan


def _group(entry: dict[str, Any], path: str) -> tuple[Step, ...]:
    try:
        if "parallel" in entry:
            return msgspec.convert(entry, _Parallel).parallel
        return (msgspec.convert(entry, Step),)
    except msgspec.ValidationError as error:
        raise PlanError((_placed(error, path),)) from error


def _placed(error: msgspec.ValidationError, path: str) -> tuple[str, str]:
    """msgspec's sentence ends in " - at `$.steps[0].kind`"; the place goes in front."""
    words, _, place = str(error).partition(" - at `$")
    return (path + place.rstrip("`")).lstrip("."), f"{words}."


def _mistakes(plan: Plan, kinds: Mapping[str, bool]) -> Iterator[tuple[str, str]]:
    if not _is_name(plan.name):
        yield "name", "Lower-case letters, digits and underscores, a letter first, at most 64."
    keys = [step.key for step in plan.steps()]
    if not keys:
        yield "steps", "A plan needs a step."
    if len(keys) > MOST_STEPS:
        yield "steps", f"More than {MOST_STEPS} steps."
    for key in sorted({key for key in keys if keys.count(key) > 1}):
        yield "steps", f"The key {key!r} stands here twice."
    done: frozenset[str] = frozenset()
    for at, group in enumerate(plan.groups):
        if not group:
            yield f"steps[{at}].parallel", "A group needs a step."
        for step in group:
            yield from _step_mistakes(step, f"steps[{at}]", done, kinds)
        done |= {step.key for step in group}
    yield from _verify_mistakes(plan, done, kinds)


def _step_mistakes(
    step: Step, path: str, done: frozenset[str], kinds: Mapping[str, bool]
) -> Iterator[tuple[str, str]]:
    if not _is_name(step.key):
        yield f"{path}.key", "Lower-case letters, digits and underscores, a letter first."
    yield from _kind_mistakes(step.kind, f"{path}.kind", kinds, probe=False)
    yield from _number(step.timeout_seconds, 1, 86_400, f"{path}.timeout_seconds")
    yield from _number(step.retries.max_attempts, 1, 10, f"{path}.retries.max_attempts")
    yield from _number(step.retries.pause_seconds, 0, 3_600, f"{path}.retries.pause_seconds")
    yield from _reference_mistakes(step.parameters, f"{path}.with", done)
    yield from ranges.mistakes(step.editable, step.parameters, f"{path}.editable")
    if step.undo is not None:
        yield from _kind_mistakes(step.undo.kind, f"{path}.undo.kind", kinds, probe=False)
        own = done | {step.key}
        yield from _reference_mistakes(step.undo.parameters, f"{path}.undo.with", own)
        if step.irreversible:
            yield f"{path}.undo", "A step that cannot be undone has no undo."


def _verify_mistakes(
    plan: Plan, done: frozenset[str], kinds: Mapping[str, bool]
) -> Iterator[tuple[str, str]]:
    verify = plan.verify
    if verify is None:
        return
    yield from _kind_mistakes(verify.kind, "verify.kind", kinds, probe=True)
    yield from _number(verify.tries, 1, 10, "verify.tries")
    yield from _number(verify.pause_seconds, 0, 3_600, "verify.pause_seconds")
    yield from _number(verify.timeout_seconds, 1, 86_400, "verify.timeout_seconds")
    yield from _reference_mistakes(verify.parameters, "verify.with", done)


def _kind_mistakes(
    kind: str, path: str, kinds: Mapping[str, bool], *, probe: bool
) -> Iterator[tuple[str, str]]:
    fitting = sorted(name for name, is_probe in kinds.items() if is_probe == probe)
    if kind not in fitting:
        what = "probe" if probe else "kind of step"
        yield path, f"{kind[:64]!r} is no {what}; there are {', '.join(fitting)}."


def _reference_mistakes(value: Any, path: str, done: frozenset[str]) -> Iterator[tuple[str, str]]:
    try:
        for name in references(value):
            if words := objection(name, done):
                yield path, words
    except ExpressionError as error:
        yield path, str(error)


def _number(value: float, least: float, most: float, path: str) -> Iterator[tuple[str, str]]:
    if not least <= value <= most:  # also NaN
        yield path, f"From {least:g} to {most:g}."


def _is_name(text: str) -> bool:
    head, rest = text[:1], text[1:]
    return (
        len(text) <= 64
        and head.isascii()
        and head.islower()
        and all(
            char.isascii() and (char.islower() or char.isdigit() or char == "_") for char in rest
        )
    )
