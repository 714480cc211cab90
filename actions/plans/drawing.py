"""A plan as a picture: forwards what it does, and backwards what rolling back undoes [A2].

Pure: a plan and what is known of its kinds in, boxes, arrows and sentences out; a template paints
them. Down the left go the steps, those of a group side by side. Up the right goes the way back,
each undo in the row of its step: the arrows say what `engine.advance` does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from actions.plans.document import Plan, Step, StepRetries, Verification
from actions.plans.layout import (
    LANE,
    Arrow,
    Box,
    Row,
    Text,
    arrows,
    lane_of,
    placed,
)  # fmt: skip
from awfdrs_site.kernel.ui.wording import duration

_FAILS = {
    "stop": ("If it fails, a person is called", "user", ""),
    "continue": ("If it fails, the plan goes on", "arrow-down", ""),
    "roll_back": ("If it fails, all is rolled back", "undo", "orange"),
}


@dataclass(frozen=True, slots=True)
class Manner:
    """What is known of a kind of step: what it does, and what its own undo does or why it has
    none; `undoes`: whether it knows one."""

    says: str = ""
    undo: str = ""
    undoes: bool = False
    glyph: str = "bolt"


@dataclass(frozen=True, slots=True)
class Drawing:
    """`frames`: (x, y, width, height) round the steps of a group; `people`: (x, y) where one is
    called; `label`: the finding; `forward`, `back`: the same in sentences, in order."""

    width: int
    height: int
    lane_x: int
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]
    frames: tuple[tuple[int, int, int, int], ...]
    people: tuple[tuple[int, int], ...]
    label: str
    forward: tuple[str, ...]
    back: tuple[str, ...]


def draw(plan: Plan, manners: Mapping[str, Manner]) -> Drawing:
    """The picture of `plan`; `manners`: of each kind there is. A kind that is none is drawn too."""
    rows = placed([
        Row((_start(plan),), (_rolled_back(),)),
        *(_group(group, manners) for group in plan.groups),
        *([_verify(plan.verify, manners)] if plan.verify else []),
        Row((_end(plan),)),
    ])  # fmt: skip
    lane, back = lane_of(rows), [box for row in rows for box in row.back]
    return Drawing(
        width=lane + LANE + 1,
        height=rows[-1].foot + 1,
        lane_x=lane,
        boxes=tuple(box for row in rows for box in (*row.ahead, *row.back)),
        arrows=tuple(arrows(rows)),
        frames=tuple((row.x, row.y, row.width, row.height) for row in rows if row.edge),
        people=tuple(row.person for row in rows if "stop" in row.exits),
        label=_label(plan, back),
        forward=tuple(box.sentence() for row in rows for box in row.ahead),
        back=tuple(box.sentence() for box in reversed(back)),
    )


# What the boxes say


def _start(plan: Plan) -> Box:
    if plan.has_irreversible_step():
        why = "A step of it cannot be undone, so it never begins by itself."
    elif plan.approval == "always":
        why = "Its author wants one, however sure automation is."
    else:
        words = "Where the confidence reaches the line and the gate agrees; else a person is asked."
        return Box("start", (Text("title", "Begins by itself", "bolt"), Text("words", words)))
    title = Text("title", "A person approves it first", "approve", "yellow")
    return Box("start", (title, Text("words", why)))


def _group(group: Sequence[Step], manners: Mapping[str, Manner]) -> Row:
    return Row(
        tuple(_step(step, manners.get(step.kind, Manner())) for step in group),
        tuple(_undo(step, manners) for step in group),
        frozenset(step.on_failure for step in group),
    )


def _step(step: Step, manner: Manner) -> Box:
    final = Text("note", "Point of no return: cannot be undone", "st-blocked", "orange")
    texts = (
        Text("title", step.label, manner.glyph),
        Text("code", f"{step.key} · {step.kind}"),
        *([Text("words", manner.says)] if manner.says else []),
        Text("note", _tries(step.retries, step.timeout_seconds), "ago"),
        Text("note", *_FAILS[step.on_failure]),
        *([final] if step.irreversible else []),
    )
    return Box("step", texts, step.key)


def _tries(retries: StepRetries, timeout_seconds: float) -> str:
    most = duration(timeout_seconds)
    if retries.max_attempts == 1:
        return f"One try, at most {most}"
    return f"{retries.max_attempts} tries, {duration(retries.pause_seconds)} between, {most} each"


def _undo(step: Step, manners: Mapping[str, Manner]) -> Box:
    """What rolling back does at the step, as `engine.advance` decides it."""
    own = manners.get(step.kind, Manner())
    if step.irreversible:
        title = Text("title", "Stops here: a person is called", "user", "orange")
        words = f"{step.label} cannot be undone; what came before it stays."
        return Box("stop", (title, Text("words", words)), step.key)
    if step.undo is None and not own.undoes:
        title = Text("title", f"{step.label} stays")
        return Box("stays", (title, Text("words", own.undo or "It is left as it is.")), step.key)
    words = manners.get(step.undo.kind, Manner()).says if step.undo else own.undo
    kind = step.undo.kind if step.undo else "as its kind knows"
    texts = (
        Text("title", f"Undo: {step.label}", "undo"),
        Text("code", kind),
        *([Text("words", words)] if words else []),
    )
    return Box("undo", texts, step.key)


def _verify(verify: Verification, manners: Mapping[str, Manner]) -> Row:
    manner = manners.get(verify.kind, Manner())
    tries = StepRetries(verify.tries, verify.pause_seconds)
    texts = (
        Text("title", "Verify: has it helped?", "shield"),
        Text("code", verify.kind),
        *([Text("words", manner.says)] if manner.says else []),
        Text("note", _tries(tries, verify.timeout_seconds), "ago"),
        Text("note", *_FAILS[verify.on_failure]),
    )
    return Row((Box("verify", texts),), exits=frozenset({verify.on_failure}))


def _end(plan: Plan) -> Box:
    title = "Completed: verified" if plan.verify else "Completed, unverified"
    words = "It counts as a success." if plan.verify else "Every step succeeded; no probe looks."
    return Box("end", (Text("title", title, "st-resolved", "green"), Text("words", words)))


def _rolled_back() -> Box:
    words = "Each thing that took effect is undone once. An undo that fails calls a person."
    return Box("back", (Text("title", "Rolled back", "st-undone", "orange"), Text("words", words)))


def _label(plan: Plan, back: Sequence[Box]) -> str:
    count, undone = len(list(plan.steps())), sum(box.role == "undo" for box in back)
    asks = plan.has_irreversible_step() or plan.approval == "always"
    parts = [
        f"{plan.title}: {count} step{'' if count == 1 else 's'}",
        "a person approves it first" if asks else "begins by itself where it may",
        "verified at the end" if plan.verify else "not verified",
    ]
    stops = [box.texts[1].text for box in reversed(back) if box.role == "stop"]
    return " ".join((
        f"{', '.join(parts)}.",
        f"Rolling back undoes {undone} of {count}, the last first.",
        *(f"It stops there: {words}" for words in stops[:1]),
    ))  # fmt: skip
