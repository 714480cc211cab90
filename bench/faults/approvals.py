"""P8: many people decide on one approval at the same moment, by the API; one of them does."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta

import yaml
from django.contrib.auth.models import User
from django.db import connections
from django.test import Client
from django.utils import timezone

from actions import planning
from actions.models import Action, RecoveryPlan
from actions.plans import services, stage
from actions.plans.templates import save_plan
from awfdrs_site.kernel.actor import MACHINE
from awfdrs_site.kernel.models import AuditEntry
from bench.faults.scene import Scene
from bench.faults.target import Target
from bench.faults.verdict import Verdict
from incidents.models import Incident
from tenants.models import Role
from tenants.services import set_member


def one_approval_wins(people: int, rounds: int, target: Target) -> Verdict:
    """P8. `duplicates`: second winners. Then the same crowd comes after the plan was edited, late,
    and without their role."""
    logging.getLogger("django.request").setLevel(logging.ERROR)  # refusals are what is wanted
    scene = Scene.make("approvals", target)
    verdict = Verdict("P8 one approval wins", rounds, f"{people} people at once")
    crowd = [_person(scene, number) for number in range(people)]
    clients = [_signed_in(user) for user in crowd]
    for incident in scene.fail(scene.talks, rounds):
        action = _waiting(scene, incident)
        answers = _at_once(clients, action)
        verdict.duplicates += answers[200, ""] - 1
        _expect(verdict, "others", answers, {(200, ""): 1, (409, "already_decided"): people - 1})
        if AuditEntry.objects.filter(subject_id=str(action.pk), before="waiting").count() != 1:
            verdict.others.append("not exactly one decision in the audit")
    edited, *others = scene.fail(scene.talks, 3)
    _after_an_edit(verdict, scene, edited, clients)
    late, powerless = (_waiting(scene, one) for one in others)
    Action.objects.filter(pk=late.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    _expect(verdict, "late", _at_once(clients, late), {(410, "approval_expired"): people})
    for user in crowd:
        _give(scene, user, Role.VIEWER)
    answers = _at_once(clients, powerless)
    _expect(verdict, "without the role", answers, {(403, "permission_denied"): people})
    return verdict


def _after_an_edit(
    verdict: Verdict, scene: Scene, incident: Incident, clients: Sequence[Client]
) -> None:
    """Nobody approves what they have not seen; who looks again may, and one of them does."""
    action, people = _waiting_plan(scene, incident), len(clients)
    seen = _look(clients[0], action)
    _save(scene, "a later text")
    answers = _at_once(clients, action, ("approve",), preview_hash=seen)
    _expect(verdict, "after an edit", answers, {(409, "preview_changed"): people})
    answers = _at_once(clients, action, ("approve",), preview_hash=_look(clients[0], action))
    expected = {(200, ""): 1, (409, "already_decided"): people - 1}
    _expect(verdict, "after another look", answers, expected)


def _save(scene: Scene, what: str) -> RecoveryPlan:
    step = {"url": f"{scene.target.url}/touch", "case": "edited", "what": what}
    plan = {"name": "edited", "steps": [{"key": "a", "kind": "touch", "with": step}]}
    source = yaml.safe_dump(plan)
    return save_plan(tenant=scene.tenant, source=source, actor=MACHINE, now=timezone.now())


def _waiting_plan(scene: Scene, incident: Incident) -> Action:
    """A plan under the line; its first step waits."""
    decision = scene.decide(incident, type="plan", confidence=0.5)
    template, now = _save(scene, "a text"), timezone.now()
    recovery = services.begin(incident, decision=decision, template=template, now=now)
    stage.recover([recovery.pk], now)
    return Action.objects.get(recovery=recovery, status="waiting")


def _look(client: Client, action: Action) -> str:
    shown = client.get(f"/api/v1/actions/{action.pk}").json()
    return str(shown["preview_hash"])


def _person(scene: Scene, number: int) -> User:
    user = User.objects.create_user(f"person {scene.tenant.pk} {number}")
    _give(scene, user, Role.RESPONDER)
    return user


def _give(scene: Scene, user: User, role: Role) -> None:
    set_member(tenant=scene.tenant, user=user, role=role, actor=MACHINE, now=timezone.now())


def _signed_in(user: User) -> Client:
    client = Client(SERVER_NAME="localhost")
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def _waiting(scene: Scene, incident: Incident) -> Action:
    """A retry under the line: a person must decide."""
    decision = scene.decide(incident, confidence=0.5)
    planning.plan([decision.pk], timezone.now())
    return Action.objects.get(decision=decision, status="waiting")


def _at_once(
    clients: Sequence[Client],
    action: Action,
    verbs: Sequence[str] = ("approve", "reject"),
    **body: str,
) -> Counter[tuple[int, str]]:
    """All of them approve or reject at the same moment; how often each answer came."""
    answers: Counter[tuple[int, str]] = Counter()
    barrier, lock = threading.Barrier(len(clients)), threading.Lock()

    def decide(client: Client, verb: str) -> None:
        barrier.wait()
        try:
            answer = client.post(
                f"/api/v1/actions/{action.pk}/{verb}", body, content_type="application/json"
            )
            code = "" if answer.status_code == 200 else str(answer.json()["code"])
            with lock:
                answers[answer.status_code, code] += 1
        finally:
            connections.close_all()

    _run([
        threading.Thread(target=decide, args=(client, verbs[number % len(verbs)]))
        for number, client in enumerate(clients)
    ])  # fmt: skip
    return answers


def _run(threads: Sequence[threading.Thread]) -> None:
    each: tuple[Callable[[threading.Thread], None], ...] = (
        threading.Thread.start,
        threading.Thread.join,
    )
    for step in each:
        for thread in threads:
            step(thread)


def _expect(
    verdict: Verdict,
    who: str,
    answers: Counter[tuple[int, str]],
    expected: dict[tuple[int, str], int],
) -> None:
    if dict(answers) != expected:
        verdict.others.append(f"{who}: answers {dict(answers)} instead of {expected}")
