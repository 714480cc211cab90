"""A plan's picture says what the engine does, forwards and backwards [A2]. Pure."""

from __future__ import annotations

import itertools
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from actions.plans.document import Call, Plan, Step, StepRetries, Verification
from actions.plans.drawing import Drawing, Manner, draw
from actions.plans.engine import VERIFY, Attempt, advance
from actions.plans.layout import Box
from actions.plans.reading import STARTER, difference, line_of
from actions.plans.reference import drawn, kinds_in_plans
from actions.plans.templates import check_plan
from awfdrs_site.kernel.ui import glyphs

MANNERS = {
    "touch": Manner("Touches it.", "", False, "plug"),
    "hold": Manner("Holds it.", "Lets it go.", True, "pause"),
    "look": Manner("Looks at it.", glyph="search"),
}
BACK = ("undo", "stays", "stop")
TITLES = ["", "Mend", "Mend the second <half> of it & all that waits for it", "x" * 90, "漢" * 60]
# Without their keys, which are unique in a plan.
steps = st.builds(
    lambda title, kind, tries, fails, undo, final: Step(
        "", kind, title, retries=StepRetries(tries), on_failure=fails,
        undo=None if final else undo, irreversible=final,
    ),
    st.sampled_from(TITLES),
    st.sampled_from(["touch", "hold", "no_such_kind"]),
    st.integers(1, 10),
    st.sampled_from(["stop", "continue", "roll_back"]),
    st.sampled_from([None, Call("touch")]),
    st.sampled_from([False, False, False, True]),
)  # fmt: skip
groups = st.lists(st.lists(steps, min_size=1, max_size=3), min_size=1, max_size=4)
verifications: st.SearchStrategy[Any] = st.sampled_from(
    [None, Verification("look"), Verification("look", on_failure="stop")]
)


def _plan(drawn_groups: list[list[Step]], verify: Verification | None, approval: Any) -> Plan:
    numbers = itertools.count()
    keyed = tuple(tuple(replace(s, key=f"s{next(numbers)}") for s in one) for one in drawn_groups)
    return Plan("p", "P", keyed, verify, approval)


plans = st.builds(_plan, groups, verifications, st.sampled_from(["by_confidence", "always"]))


def boxes(drawing: Drawing, *roles: str) -> list[Box]:
    return [box for box in drawing.boxes if box.role in roles]


def way_back(drawing: Drawing) -> list[Box]:
    """From the last to the first, as the arrows go up."""
    return sorted(boxes(drawing, *BACK), key=lambda box: -box.y)


@given(plans)
def test_it_draws_every_step_once_and_its_undo_beside_it(plan: Plan) -> None:
    """In order from top to bottom, those of a group at one height; the way back in reverse."""
    drawing = draw(plan, MANNERS)
    keys = [step.key for step in plan.steps()]
    assert [box.key for box in boxes(drawing, "step")] == keys
    heights = [{box.y for box in boxes(drawing, "step") if box.key in {s.key for s in group}}
               for group in plan.groups]  # fmt: skip
    assert all(len(found) == 1 for found in heights)
    assert heights == sorted(heights, key=min)
    assert [box.key for box in way_back(drawing)] == keys[::-1]
    assert len(boxes(drawing, "verify")) == (plan.verify is not None)


@given(plans)
def test_no_box_lies_on_another_or_outside(plan: Plan) -> None:
    drawing = draw(plan, MANNERS)
    for box in drawing.boxes:
        assert box.x >= 0
        assert box.y >= 0
        assert box.x + box.width <= drawing.width
        assert box.foot <= drawing.height
        assert all(0 < foot < box.height for text in box.texts for foot, _ in text.lines)
    for one in drawing.boxes:
        for other in drawing.boxes:
            apart = (
                one.x + one.width <= other.x or other.x + other.width <= one.x
                or one.foot <= other.y or other.foot <= one.y
            )  # fmt: skip
            assert apart or one is other


@given(plans)
def test_the_way_back_is_the_engines(plan: Plan) -> None:
    """Everything took effect, the last thing failed, and each undo works: what the engine undoes,
    in that order, is what is drawn up to the first stop.

    Seen red with the undos drawn in the plan's order, and with a stop drawn as passed over.
    """
    attempts = [
        Attempt(step.key, "do", 1, "succeeded", True, has_undo=step.kind == "hold")
        for step in plan.steps()
    ]
    undone = []
    while (found := advance(plan, attempts, undo_asked=True)).starts:
        (start,) = found.starts
        undone.append(start.step)
        attempts.append(Attempt(start.step, "undo", start.number, "succeeded"))
    lane = way_back(draw(plan, MANNERS))
    stops = [at for at, box in enumerate(lane) if box.role == "stop"]
    until = stops[0] if stops else len(lane)
    assert undone == [box.key for box in lane[:until] if box.role == "undo"]
    assert (found.state == "needs_human") is bool(stops)


@given(plans)
def test_where_a_failure_leads_is_the_engines(plan: Plan) -> None:
    """A last try that fails: a person, on, or back; as the arrows of the row say."""
    drawing = draw(plan, MANNERS)
    for at, group in enumerate(plan.groups):
        ahead = [s for other in plan.groups[:at] for s in other]
        for step in group:
            done = [Attempt(s.key, "do", 1, "succeeded") for s in (*ahead, *group) if s != step]
            failed = Attempt(step.key, "do", step.retries.max_attempts, "failed")
            state = advance(plan, [*done, failed]).state
            (box,) = [one for one in boxes(drawing, "step") if one.key == step.key]
            said = box.sentence()
            person = any(y == row_y(drawing, box) + 20 for _, y in drawing.people)
            if state == "failed":
                assert "a person is called" in said
                assert person
            elif state == "rolled_back":
                assert "all is rolled back" in said
                assert any(arrow.role == "fail" for arrow in drawing.arrows)
            else:
                assert "the plan goes on" in said


def row_y(drawing: Drawing, box: Box) -> int:
    """The top of the box's row: of its frame, if it is in one."""
    found = [y for _, y, _, high in drawing.frames if y <= box.y < y + high]
    return found[0] if found else box.y


def test_a_verification_that_fails_leads_back_or_to_a_person() -> None:
    for on_failure, back in (("roll_back", True), ("stop", False)):
        verify = Verification("look", tries=1, on_failure=on_failure)  # type: ignore[arg-type]
        plan = Plan("p", "P", ((Step("a", "hold", on_failure="continue"),),), verify)
        done = [Attempt("a", "do", 1, "succeeded", True, has_undo=True)]
        state = advance(plan, [*done, Attempt(VERIFY, "verify", 1, "failed")]).state
        assert state == ("rolling_back" if back else "failed")
        drawing = draw(plan, MANNERS)
        assert bool(drawing.people) is not back
        assert any(arrow.role == "fail" and "V" in arrow.path for arrow in drawing.arrows) is back


def test_it_says_its_finding_in_a_sentence_and_all_of_it_in_a_list() -> None:
    final = Step("send", "touch", "Tell the customers", irreversible=True)
    plan = Plan("p", "Mend", ((Step("hold", "hold"),), (final,)), Verification("look"))
    drawing = draw(plan, MANNERS)
    assert drawing.label == (
        "Mend: 2 steps, a person approves it first, verified at the end. Rolling back undoes 1 of"
        " 2, the last first. It stops there: Tell the customers cannot be undone; what came before"
        " it stays."
    )
    assert drawing.forward[1] == (
        "Hold (hold): Holds it. One try, at most 5 m. If it fails, a person is called."
    )
    assert "Point of no return: cannot be undone." in drawing.forward[2]
    assert drawing.back[0].startswith("Stops here: a person is called: Tell the customers cannot")
    assert drawing.back[1] == "Undo: Hold: Lets it go."


def test_a_long_title_is_cut_in_its_box_and_whole_in_the_list() -> None:
    title = "Rebuild " + "x" * 200
    drawing = draw(Plan("p", "P", ((Step("a", "touch", title),),)), MANNERS)
    (box,) = boxes(drawing, "step")
    assert box.texts[0].lines[-1][1].endswith("…")
    assert title in drawing.forward[1]


def test_the_catalogs_kinds_are_drawn_with_glyphs_that_there_are() -> None:
    """The starter is a good plan, and every kind's picture has a glyph of the sprite."""
    drawing = drawn(check_plan(STARTER))
    used = {text.glyph for box in drawing.boxes for text in box.texts if text.glyph}
    for row in kinds_in_plans():
        step = Step("a", row.name)
        picture = drawn(Plan("p", "P", ((step,),)))
        used |= {text.glyph for box in picture.boxes for text in box.texts if text.glyph}
    assert all(glyphs.known(name) for name in used), used
    assert [box.role for box in way_back(drawing)] == ["stays", "stays", "stays", "undo"]
    assert "Resumes it" in drawing.back[3]


def test_the_parameters_of_a_kind_are_said_with_their_limits() -> None:
    rows = {row.name: row for row in kinds_in_plans()}
    said = {
        (name, one.name): (one.type, one.required, one.default)
        for name, row in rows.items()
        for one in row.parameters
    }
    assert said["pause_workflow", "seconds"] == ("whole number, from 1 to 86400", False, "3600")
    assert said["notify", "text"] == ("text, at most 500 characters", True, "")
    assert said["http", "method"] == ("POST or PUT", False, '"POST"')
    assert said["airflow_clear", "task_ids"] == ("list of text", False, "[]")
    assert rows["probe_quiet"].probe
    assert [row.probe for row in rows.values()] == sorted(row.probe for row in rows.values())


def test_a_mistake_is_found_on_its_line() -> None:
    """By place or by the step's key, also in a group; the nearest place that there is."""
    lines = STARTER.splitlines()
    expected = {
        "steps[0].kind": "kind: pause_workflow", "again.with.seconds": "key: again",
        "settle.with.seconds": "key: settle", "verify.with": "verify:", "name": "name:",
        "steps[1].retries.max_attempts": "max_attempts",
    }  # fmt: skip
    for path, words in expected.items():
        assert words in lines[line_of(STARTER, path) - 1], path
    assert line_of(STARTER, "source") == 0
    assert line_of("a: 1\n- b", "x") == 2
    assert line_of("- 1", "steps[0]") == 0


@given(st.lists(st.sampled_from(["a", "b", "c", "-x", "+y", "--- z"])),
       st.lists(st.sampled_from(["a", "b", "c", "-x", "+y", "--- z"])))  # fmt: skip
def test_a_difference_has_what_was_added_and_what_was_removed(
    old: list[str], new: list[str]
) -> None:
    lines = difference("\n".join(old), "\n".join(new))
    assert (not lines) is (old == new)
    for kind, sign, mine, theirs in (("added", "+", new, old), ("removed", "-", old, new)):
        found = [line.text[1:] for line in lines if line.kind == kind]
        assert all(text in mine for text in found), (sign, found)
        assert len(found) >= len(mine) - len(theirs)
