"""Plans of several steps: one that helps, one that is undone, and some whose worker is killed."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import yaml

from bench.drill import plans
from bench.drill.result import Result, await_
from bench.drill.stage_set import Stage, worker_pid
from bench.faults.target import Target, a_target

PAUSE: dict[str, Any] = {"key": "pause", "kind": "pause_workflow", "with": {"seconds": 600}}
RETRY: dict[str, Any] = {"key": "again", "kind": "retry"}
RESUME: dict[str, Any] = {"key": "resume", "kind": "resume_workflow"}
TELL: dict[str, Any] = {
    "key": "tell",
    "kind": "notify",
    "with": {"text": "Ran ${incident.resource_id} again"},
}
# Long enough to be seen, and to be spoiled by a further failure.
QUIET: dict[str, Any] = {"kind": "probe_quiet", "with": {"seconds": 3}, "tries": 1}
BEGINNING = ["detecting", "analyzing", "planning", "executing"]
ENDS = ("completed", "rolled_back", "needs_human")
# A killed worker's lease runs out, then the target is asked; and the supervisor takes its time.
PATIENCE_SECONDS = 120


def _touch(what: str, **more: object) -> dict[str, Any]:
    body = {"case": "${incident.error_code}", "what": what, **more}
    return {"kind": "http", "with": {"connector": "target", "path": "/touch", "body": body}}


def _touching(key: str) -> dict[str, Any]:
    """A step that the target carries out, and another call of it undoes."""
    return {"key": key, **_touch(key), "undo": _touch(f"undo {key}")}


def _plan(name: str, *steps: dict[str, Any]) -> str:
    return yaml.safe_dump({"name": name, "steps": list(steps), "verify": QUIET})


@contextmanager
def _a_target(stage: Stage) -> Iterator[Target]:
    """A target that the tenant has a connector for, and that can be asked what came."""
    with a_target() as target:
        status_url = f"{target.url}/touch"
        plans.connect(
            stage, "http", "target", plans.SECRET, base_url=target.url, status_url=status_url
        )
        yield target


def _done(target: Target, code: str) -> list[str]:
    """What the target carried out for the incident of that code."""
    return [call.body["what"] for call in target.calls if call.body["case"] == code]


def verified(stage: Stage) -> Result:
    """Pause, retry, resume, tell, verify: step by step, and then it is over."""
    code, began = "plan_helps", time.monotonic()
    plans.give(stage, _plan("pause_and_retry", PAUSE, RETRY, RESUME, TELL), [code])
    plans.fail(stage, code)
    recovery = plans.recovery_of(stage, code)
    plans.await_state(recovery, *ENDS)
    result = plans.row("plan verified", recovery, since=began)
    passed, did = plans.states(recovery), plans.parts(recovery)
    result.expect(f"states {passed}", kept=passed == [*BEGINNING, "verifying", "completed"])
    wanted = ["pause", "again", "resume", "tell", "verify"]
    result.expect(f"steps {did}", kept=did == wanted and plans.follow_each_other(recovery))
    recovery.incident.refresh_from_db()
    result.expect("the incident is over", kept=recovery.incident.status == "resolved")
    posts = _posts(stage)
    result.expect("the engine was asked once", kept=len(posts) == 1)
    result.expect("while the workflow was paused", kept=_paused(stage, posts))
    return result


def _posts(stage: Stage) -> list[datetime]:
    requests = stage.engine.ledger()["requests"]
    return [datetime.fromisoformat(one["at"]) for one in requests if one["method"] == "POST"]


def _paused(stage: Stage, instants: list[datetime]) -> bool:
    """Whether each was while the one pause was on, and the pause is over."""
    from safety.models import KillSwitch

    switches = list(KillSwitch.objects.filter(tenant_id=stage.tenant_id))
    if len(switches) != 1 or switches[0].released_at is None:
        return False
    on, off = switches[0].engaged_at, switches[0].released_at
    return all(on <= at <= off for at in instants)


def rolled_back(stage: Stage) -> Result:
    """It fails again while it is verified: undone once, in reverse, and a person is called."""
    code, began = "plan_fails", time.monotonic()
    source = _plan("switch_over", PAUSE, _touching("drain"), _touching("switch"), RETRY)
    with _a_target(stage) as target:
        plans.give(stage, source, [code])
        run = plans.fail(stage, code)
        recovery = plans.recovery_of(stage, code)
        plans.await_state(recovery, "verifying", *ENDS)
        stage.engine.fail_one(run)
        plans.await_state(recovery, *ENDS)
        result = plans.row("plan rolled back", recovery, since=began)
        called = plans.called_once(recovery)
        done = _done(target, code)
    passed, did = plans.states(recovery), plans.parts(recovery)
    wanted = [*BEGINNING, "verifying", "rolling_back", "rolled_back"]
    result.expect(f"states {passed}", kept=passed == wanted)
    forth = ["pause", "drain", "switch", "again", "verify"]
    back = ["undo switch", "undo drain", "undo pause"]
    result.expect(f"steps {did}", kept=did == forth + back and plans.follow_each_other(recovery))
    result.expect(f"at the target {done}", kept=done == ["drain", "switch", *back[:2]])
    result.expect("the pause is over", kept=_paused(stage, _posts(stage)))
    result.expect("a person is called, once", kept=called)
    return result


@dataclass(frozen=True)
class Moment:
    """When the worker is killed: a step's attempt in that role is seen in that status."""

    step: str
    role: str
    status: str
    fails: bool = False

    def __str__(self) -> str:
        return f"{plans.part(self.role, self.step)} {self.status}"


# What `fails` is refused at its third step, and so undone.
MOMENTS = (
    Moment("drain", "do", "sending"),
    Moment("drain", "do", "succeeded"),
    Moment("again", "do", "verifying"),
    Moment("switch", "do", "sending"),
    Moment("verify", "verify", "verifying"),
    Moment("switch", "undo", "sending", fails=True),
)
GOOD = ["drain", "switch"]
TURNED = [*GOOD, "undo switch", "undo drain"]


def worker_killed(stage: Stage) -> Result:
    """kill -9 of the worker at each boundary of a plan: it goes on from there, nothing twice."""
    began = time.monotonic()
    refused = {"key": "check", **_touch("check", refuse=True), "on_failure": "roll_back"}
    codes = {f"killed_{number}": moment for number, moment in enumerate(MOMENTS, start=1)}
    with _a_target(stage) as target:
        target.pause_seconds = 0.4
        for fails, source in (
            (False, _plan("go_on", _touching("drain"), RETRY, _touching("switch"))),
            (True, _plan("turn_back", _touching("drain"), _touching("switch"), refused)),
        ):
            plans.give(stage, source, [c for c, moment in codes.items() if moment.fails == fails])
        kills = sum(_kill_at(stage, code, moment) for code, moment in codes.items())
        result = Result("plan, worker killed", events=len(codes), action="plan")
        result.expect(f"{len(codes)} kills: {kills}", kept=kills == len(codes))
        result.table = [("killed while", "recovery", "at the target", "after")]
        ends = Counter(_judge(stage, result, target, *item) for item in codes.items())
    result.incidents, result.seconds = len(codes), time.monotonic() - began
    result.outcome = ", ".join(f"{count} {state}" for state, count in ends.items())
    twice = stage.engine.ledger()["executed_more_than_once"]
    result.expect("the engine ran nothing twice", kept=not twice)
    return result


def _kill_at(stage: Stage, code: str, moment: Moment) -> bool:
    """Let it fail, and kill the worker as soon as its recovery is where it should die."""
    from actions.models import Action

    plans.fail(stage, code)
    seen = Action.objects.filter(
        incident__tenant_id=stage.tenant_id,
        incident__signature_text=code,
        step=moment.step,
        role=moment.role,
        status=moment.status,
    )
    came = await_(seen.exists)
    pid = worker_pid(stage.instance.process.pid)
    if not came or pid is None:
        return False
    os.kill(pid, signal.SIGKILL)
    return True


def _judge(stage: Stage, result: Result, target: Target, code: str, moment: Moment) -> str:
    """How the recovery ended; what the target did must be all of it, or undone in reverse."""
    recovery = plans.recovery_of(stage, code)
    ended = plans.await_state(recovery, *ENDS, seconds=PATIENCE_SECONDS)
    state, done = str(recovery.status), _done(target, code)
    result.expect(f"{moment}: ends, not {state}: {recovery.reason}", kept=ended)
    result.expect(f"{moment}: nothing twice: {done}", kept=len(done) == len(set(done)))
    wanted = {"completed": GOOD, "rolled_back": TURNED}.get(state, done)
    result.expect(f"{moment}: {state} after {done}", kept=done == wanted)
    seconds = f"{plans.lasted(recovery):.1f} s"
    result.table.append((str(moment), state, ", ".join(done), seconds))
    return state
