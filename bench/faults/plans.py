"""P9: a plan goes on where its worker died, at every boundary; it turns back once, in reverse."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal

import yaml
from django.utils import timezone

from actions.catalog import in_plans
from actions.models import Recovery, RecoveryPlan
from actions.plans import services
from actions.plans.document import read_plan
from actions.plans.states import SETTLED, RecoveryState
from awfdrs_site.kernel import work
from bench.faults.crew import a_crew
from bench.faults.scene import Scene
from bench.faults.target import Target
from bench.faults.verdict import Verdict
from bench.faults.worker import (
    ANSWERED,
    CLAIMED,
    MARKED,
    RECORDED,
    SETTLING,
    STARTED,
    STARTING,
    How,
    place,
)
from incidents.models import Incident

Course = Literal["good", "refused", "down"]
STEPS = ("a", "b", "c", "d")  # b and c at once
POINTS = (STARTING, STARTED, CLAIMED, MARKED, ANSWERED, RECORDED)
_VERIFY = ("verify", "verify")
# What each course attempts: steps and their roles.
COURSES: dict[Course, tuple[tuple[str, str], ...]] = {
    "good": (*((key, "do") for key in STEPS), _VERIFY),
    "refused": (*((key, "do") for key in STEPS), *((key, "undo") for key in "cba")),
    "down": (*((key, "do") for key in STEPS), _VERIFY, *((key, "undo") for key in "dcba")),
}
ROUNDS = 3
ENDS = {RecoveryState.COMPLETED, RecoveryState.ROLLED_BACK, RecoveryState.NEEDS_HUMAN}


@dataclass(frozen=True)
class Case:
    """One recovery, and where its worker dies. `mute`: the target does not say what came."""

    course: Course
    step: str
    role: str
    point: str
    mute: bool


def every_case() -> Iterator[Case]:
    for mute in (False, True):
        for course, attempts in COURSES.items():
            yield Case(course, "", "", SETTLING, mute)
            for step, role in attempts:
                for point in POINTS:
                    yield Case(course, step, role, point, mute)


def plans_resume_at_every_boundary(random: Random, share: int, target: Target) -> Verdict:
    """P9, on every case, or on one of `share` of them.

    On a busy machine a call may not be made in time, and a plan take another way than its case
    wants: a case whose place no worker came to is played again.
    """
    cases = list(every_case())
    cases = random.sample(cases, len(cases) // share)
    verdict = Verdict("P9 plans resume, turn back once", len(cases), f"{len(cases)} x kill -9")
    for number in range(ROUNDS):
        if cases:
            cases = _play(verdict, cases, Scene.make(f"plans {number}", target))
    verdict.others += [f"{case}: no worker came there to fall" for case in cases]
    return verdict


def _play(verdict: Verdict, cases: list[Case], scene: Scene) -> list[Case]:
    """One recovery for each case, judged; those whose worker did not come to its place."""
    incidents = scene.fail(scene.talks, len(cases))
    faults: dict[str, How] = {}
    for case, incident in zip(cases, incidents, strict=True):
        _begin(scene, case, incident)
        faults[place(incident.pk, case.step, case.role, case.point)] = "kill"
    recoveries = Recovery.objects.filter(tenant=scene.tenant)
    with a_crew(faults, scene.target) as crew:
        ended = scene.play(
            crew, settled=lambda: not recoveries.exclude(status__in=SETTLED).exists()
        )
        places = zip(cases, faults, strict=True)
        missed = [case for case, where in places if not (crew.folder / where).exists()]
    if not ended:
        verdict.others.append("nothing moved any more, and not all was settled")
    verdict.unknown += scene.unknown()
    for case, incident in zip(cases, incidents, strict=True):
        _judge(verdict, case, incident, scene.target)
    return missed


def _begin(scene: Scene, case: Case, incident: Incident) -> None:
    source = yaml.safe_dump(_document(case, incident, scene.target.url))
    plan = read_plan(source, in_plans())
    now = timezone.now()
    template = RecoveryPlan.objects.create(
        tenant=scene.tenant,
        name=plan.name,
        version=1,
        source=source,
        document=plan.to_json(),
        created_at=now,
        created_by="faults",
    )
    decision = scene.decide(incident, type="plan")
    recovery = services.begin(incident, decision=decision, template=template, now=now)
    # Work rows may come double: workers look at the same recovery at once.
    for _ in range(2):
        work.enqueue("recover", scene.tenant.pk, [recovery.pk], now)


def _document(case: Case, incident: Incident, url: str) -> dict[str, object]:
    url = f"{url}/{'mute' if case.mute else 'touch'}"

    def call(what: str, **more: object) -> dict[str, object]:
        return {
            "kind": "touch",
            "with": {"url": url, "case": str(incident.pk), "what": what} | more,
        }

    def step(key: str) -> dict[str, object]:
        return {
            "key": key,
            "retries": {"max_attempts": 2, "pause_seconds": 0},
            "on_failure": "roll_back",
            "undo": call(f"undo {key}"),
            **call(key, refuse=case.course == "refused" and key == "d"),
        }

    look = {"url": f"{url.rsplit('/', 1)[0]}/look", "case": "", "what": ""}
    return {
        "name": f"mend_{incident.number}",
        "steps": [step("a"), {"parallel": [step("b"), step("c")]}, step("d")],
        "verify": {
            "kind": "look",
            "with": look | {"up": case.course != "down"},
            "tries": 2,
            "pause_seconds": 0,
        },
    }


def _judge(verdict: Verdict, case: Case, incident: Incident, target: Target) -> None:
    recovery = Recovery.objects.get(incident=incident)
    done = [call.body["what"] for call in target.calls if call.body.get("case") == str(incident.pk)]
    verdict.duplicates += len(done) - len(set(done))
    if recovery.status not in ENDS:
        verdict.others.append(f"{case}: ended {recovery.status}: {recovery.reason}")
    elif recovery.status == RecoveryState.COMPLETED:
        verdict.loss += len(set(STEPS) - set(done))
        if undone := _undone(done):
            verdict.others.append(f"{case}: completed, yet {undone} were undone")
    elif recovery.status == RecoveryState.ROLLED_BACK:
        effects = [what for what in done if what in STEPS]
        verdict.loss += len(set(effects) - set(_undone(done)))
        if _undone(done) != sorted(effects, reverse=True):
            verdict.others.append(f"{case}: undone in another order than reverse: {done}")


def _undone(done: Sequence[str]) -> list[str]:
    return [what.removeprefix("undo ") for what in done if what.startswith("undo ")]
