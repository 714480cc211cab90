"""P5 and P6: retries sent by workers that are killed, or stopped past their lease, midway."""

from __future__ import annotations

from collections import Counter
from random import Random

from django.utils import timezone

from actions import planning
from actions.models import Action, ActionKind
from actions.states import ActionStatus
from bench.faults.crew import Crew, a_crew
from bench.faults.scene import Scene
from bench.faults.target import Target
from bench.faults.verdict import Verdict
from bench.faults.worker import ANSWERED, CALLING, CLAIMED, MARKED, RECORDED, How, place
from incidents.models import Incident

KILLED_AT = (MARKED, ANSWERED, RECORDED)
ROUNDS = 3
STOPPED_AT = (CLAIMED, MARKED, CALLING, ANSWERED)


def no_action_is_sent_twice(random: Random, actions: int, kills: int, target: Target) -> Verdict:
    """P5. Of five orders one is of an engine that does not say whether it got a key."""
    return _send(
        Verdict("P5 no action sent twice", actions, f"{kills} x kill -9"),
        random,
        "kill",
        KILLED_AT,
        kills,
        target,
    )


def a_lost_lease_sends_and_writes_nothing(
    random: Random, actions: int, stops: int, target: Target
) -> Verdict:
    """P6. Each stopped worker is continued once another has taken its action over."""
    return _send(
        Verdict("P6 lost lease: no send, no write", actions, f"{stops} x SIGSTOP"),
        random,
        "stop",
        STOPPED_AT,
        stops,
        target,
    )


def _send(
    verdict: Verdict,
    random: Random,
    how: How,
    points: tuple[str, ...],
    count: int,
    target: Target,
) -> Verdict:
    """On a busy machine a call may not be made in time, and a worker not come to its place: then
    so many further actions are sent, each with a worker that falls."""
    actions = verdict.runs
    for number in range(ROUNDS):
        if count:
            scene = Scene.make(f"{how} {number}", target)
            fell = _play(verdict, scene, random, how, points, actions, count)
            actions = count = count - fell
    if count:
        verdict.others.append(f"{count} workers did not come to where they should fall")
    return verdict


def _play(
    verdict: Verdict,
    scene: Scene,
    random: Random,
    how: How,
    points: tuple[str, ...],
    actions: int,
    count: int,
) -> int:
    """So many actions and falls, judged; returns how many fell."""
    mute = actions // 5
    incidents = scene.fail(scene.talks, actions - mute) + scene.fail(scene.mute, mute)
    chosen = random.sample(incidents, count)
    faults: dict[str, How] = {
        place(incident.pk, "", "", points[number % len(points)]): how
        for number, incident in enumerate(chosen)
    }
    for incident in incidents:
        planning.plan([scene.decide(incident).pk], timezone.now())
    with a_crew(faults, scene.target) as crew:
        if not scene.play(crew, settled=lambda: True):
            verdict.others.append("nothing moved any more, and not all was settled")
    _judge(verdict, scene, crew, incidents)
    return crew.seen[how]


def _judge(verdict: Verdict, scene: Scene, crew: Crew, incidents: list[Incident]) -> None:
    calls = [call for call in scene.target.calls if call.body["tenant_id"] == str(scene.tenant.pk)]
    came = Counter(call.body["incident_id"] for call in calls)
    keys = Counter(call.key for call in calls)
    verdict.duplicates += sum(n - 1 for n in came.values())
    verdict.unknown += scene.unknown()
    lost = [incident for incident in incidents if not _is_right(incident, came, keys)]
    verdict.loss += len(lost)
    became = Counter(_end_of(incident) for incident in lost)
    verdict.others += [f"{number} lost ones {words}" for words, number in became.items()]
    for words, number in (
        ("calls under a lost lease", crew.stale_sends()),
        ("writes under a lost lease", crew.seen["stale write"]),
    ):
        if number:
            verdict.others.append(f"{number} {words}")


def _is_right(incident: Incident, came: Counter[str], keys: Counter[str]) -> bool:
    """Whether the last attempt says what the target knows: it came, or a person has it.

    Of an engine that does not say whether it got a key nobody knows: then a person was called, and
    closed the question before the order's success could.
    """
    actions, last = Action.objects.filter(incident=incident), _last_retry(incident)
    if last.status == ActionStatus.SUCCEEDED:
        return keys[str(last.pk)] == 1
    called = actions.filter(kind=ActionKind.ESCALATE, status=ActionStatus.SUCCEEDED).exists()
    never = came[str(incident.pk)] == 0
    if last.status == ActionStatus.FAILED:
        return called and never
    return last.status == ActionStatus.CANCELLED and (called or never)


def _end_of(incident: Incident) -> str:
    last = _last_retry(incident)
    return f"{last.status} after {last.attempt}: {last.result.get('reason', '')}"


def _last_retry(incident: Incident) -> Action:
    return incident.actions.filter(kind=ActionKind.RETRY).latest("created_at")
