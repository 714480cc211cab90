"""What a plan does next, over every way its attempts may end [A2 P9]."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from actions.plans.document import Call, Plan, Step, StepRetries, Verification
from actions.plans.engine import Attempt, Next, Start, advance

UNDO = Call("http")


def plan_of(*groups: tuple[Step, ...], verify: Verification | None = None) -> Plan:
    return Plan("p", "P", groups, verify)


def step(key: str, on_failure: str = "stop", *, tries: int = 1, undo: bool = False) -> Step:
    return Step(
        key,
        "http",
        retries=StepRetries(tries, 5.0),
        on_failure=on_failure,  # type: ignore[arg-type]
        undo=UNDO if undo else None,
    )


def did(key: str, state: str = "succeeded", number: int = 1, role: str = "do") -> Attempt:
    return Attempt(key, role, number, state, state != "stopped", "why")  # type: ignore[arg-type]


A, B = step("a", undo=True), step("b", "roll_back", tries=2)


def test_it_runs_group_after_group() -> None:
    """The second starts when the whole first has succeeded; the end without a probe is complete."""
    plan = plan_of((A, step("c")), (B,))
    first = advance(plan, [])
    assert first.starts == (Start("a", "do", 1), Start("c", "do", 1))
    assert advance(plan, [did("a"), did("c", "open")]) == Next("executing", "A, C")
    assert advance(plan, [did("a"), did("c")]).starts == (Start("b", "do", 1),)
    assert advance(plan, [did("a"), did("c"), did("b")]).state == "completed"


def test_it_tries_a_step_again_with_a_pause() -> None:
    """As often as its retries allow, then it ends as the step says."""
    plan = plan_of((B,))
    assert advance(plan, [did("b", "failed")]).starts == (Start("b", "do", 2, 5.0),)
    ended = advance(plan_of((step("b", tries=2),)), [did("b", "failed"), did("b", "failed", 2)])
    assert ended == Next("failed", "B: why")


def test_it_passes_over_a_step_that_may_fail() -> None:
    """`continue`: the next group starts, and the plan can complete."""
    plan = plan_of((step("a", "continue"),), (step("b"),))
    assert advance(plan, [did("a", "failed")]).starts == (Start("b", "do", 1),)
    assert advance(plan, [did("a", "failed"), did("b")]).state == "completed"


def test_it_undoes_in_reverse_once() -> None:
    """After a final failure with `roll_back`: only what took effect and has an undo."""
    plan = plan_of((A,), (step("x"),), (step("c", undo=True),), (step("b", "roll_back"),))
    attempts = [did("a"), did("x"), did("c"), did("b", "failed")]
    assert advance(plan, attempts).starts == (Start("c", "undo", 1),)
    attempts += [did("c", role="undo")]
    assert advance(plan, attempts).starts == (Start("a", "undo", 1),)
    attempts += [did("a", "open", role="undo")]
    assert advance(plan, attempts) == Next("rolling_back", "Undoing A.")
    attempts[-1] = did("a", role="undo")
    assert advance(plan, attempts).state == "rolled_back"


def test_it_lets_what_runs_beside_a_failure_run_out() -> None:
    """Nothing is undone or started under the feet of a parallel step."""
    plan = plan_of((A, step("b", "roll_back"), step("c")))
    half = advance(plan, [did("a", "open"), did("b", "failed")])
    assert half.state == "executing" and not half.starts
    whole = advance(plan, [did("a"), did("b", "failed"), did("c")])
    assert whole.starts == (Start("a", "undo", 1),)


def test_it_never_passes_the_point_of_no_return_backwards() -> None:
    """What cannot be undone leaves what came before as it is, for a person."""
    final = Step("f", "http", irreversible=True)
    plan = plan_of((A,), (final,), (step("b", "roll_back"),))
    ended = advance(plan, [did("a"), did("f"), did("b", "failed")])
    assert ended.state == "needs_human" and "cannot be undone" in ended.reason


def test_it_verifies_three_times_then_turns_back() -> None:
    """The probe's tries have their pause; then everything is undone, or the plan has failed."""
    verify = Verification("probe_http", tries=3, pause_seconds=20)
    plan, attempts = plan_of((A,), verify=verify), [did("a")]
    for number in (1, 2, 3):
        pause = 20.0 if number > 1 else 0.0
        assert advance(plan, attempts).starts == (Start("verify", "verify", number, pause),)
        attempts.append(did("verify", "failed", number, "verify"))
    assert advance(plan, attempts).starts == (Start("a", "undo", 1),)
    stop = plan_of((A,), verify=Verification("probe_http", on_failure="stop"))
    assert advance(stop, attempts).state == "failed"
    attempts[-1] = did("verify", "succeeded", 3, "verify")
    assert advance(plan, attempts).state == "completed"


def test_it_waits_for_a_person_where_a_step_was_stopped() -> None:
    """A kill switch or a rejected approval: nothing more by itself, and nothing undone."""
    plan = plan_of((A,), (B,))
    assert advance(plan, [did("a"), did("b", "stopped")]) == Next("needs_human", "B: why")
    assert advance(plan, [did("a"), did("b", "open")]).state == "executing"


def test_it_undoes_what_a_person_asks_to_undo() -> None:
    """Also after it completed; what is still under way ends first."""
    plan = plan_of((A,))
    assert advance(plan, [did("a")], undo_asked=True).starts == (Start("a", "undo", 1),)
    assert advance(plan, [did("a", "open")], undo_asked=True).starts == ()


keys = st.sampled_from("abcdef")
steps = st.builds(
    lambda on_failure, tries, undo, final: (on_failure, tries, undo and not final, final),
    st.sampled_from(["stop", "continue", "roll_back"]),
    st.integers(1, 3),
    st.booleans(),
    st.booleans(),
)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    groups, number = [], 0
    for size in draw(st.lists(st.integers(1, 3), min_size=1, max_size=4)):
        group = []
        for on_failure, tries, undo, final in draw(st.lists(steps, min_size=size, max_size=size)):
            number += 1
            group.append(
                Step(
                    f"s{number}",
                    "http",
                    retries=StepRetries(tries, 1.0),
                    on_failure=on_failure,
                    undo=UNDO if undo else None,
                    irreversible=final,
                )
            )
        groups.append(tuple(group))
    verify = draw(
        st.none() | st.builds(Verification, st.just("probe_http"), tries=st.integers(1, 3))
    )
    return plan_of(*groups, verify=verify)


@settings(max_examples=300, deadline=None)
@given(plans(), st.data())
def test_it_ends_done_undone_or_with_a_person(plan: Plan, data: st.DataObject) -> None:
    """Whatever each attempt becomes, and whichever of those under way ends first.

    Each attempt is started once; undoing begins when nothing is under way, goes backwards, and
    leaves nothing undone twice; a plan that passed the point of no return is never rolled back.
    """
    attempts: dict[tuple[str, str, int], Attempt] = {}
    undone: list[str] = []
    for _ in range(400):
        move = advance(plan, list(attempts.values()))
        assert move == advance(plan, list(reversed(attempts.values())))
        for start in move.starts:
            key = start.step, start.role, start.number
            assert key not in attempts
            assert start.role != "undo" or not any(a.state == "open" for a in attempts.values())
            attempts[key] = Attempt(start.step, start.role, start.number, "open")
        under_way = [key for key, one in attempts.items() if one.state == "open"]
        if not under_way:
            break
        key = data.draw(st.sampled_from(under_way))
        state = data.draw(st.sampled_from(["succeeded", "failed", "stopped"]))
        effect = state == "succeeded" or (state == "failed" and data.draw(st.booleans()))
        attempts[key] = Attempt(*key, state, effect, "r")  # type: ignore[arg-type]
        if key[1] == "undo" and state == "succeeded":
            undone.append(key[0])
    else:
        raise AssertionError("it does not end")
    assert move.state in ("completed", "failed", "rolled_back", "needs_human") and not move.starts
    order = [one.key for one in plan.steps()]
    effects = {one.step for one in attempts.values() if one.role == "do" and one.took_effect}
    assert undone == sorted(undone, key=order.index, reverse=True)
    assert len(undone) == len(set(undone))
    if move.state == "rolled_back":
        assert {one.key for one in plan.steps() if one.undo and one.key in effects} == set(undone)
        assert not any(one.irreversible and one.key in effects for one in plan.steps())
    if move.state == "completed":
        last = {key: one for (key, role, _), one in attempts.items() if role == "do"}
        assert all(
            last[one.key].state == "succeeded" or one.on_failure == "continue"
            for one in plan.steps()
        )
