"""Plans as they run: in the database, through the gate, over a real target [A2 A3 P9]."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import msgspec
import pytest
from django.utils import timezone

from actions import deciding, planning, sending
from actions.catalog import in_plans, kinds
from actions.catalog.kind import Kind, Order, Outcome, Preview, Send
from actions.models import Action, Recovery, RecoveryPlan
from actions.plans import services as recoveries
from actions.plans import stage
from actions.plans.document import read_plan
from actions.previewing import preview_of
from actions.retry_call import Endpoint, ask_status, request_retry
from awfdrs_site.kernel import work
from awfdrs_site.kernel.actor import Actor
from incidents.models import Incident
from safety.models import AutomationPolicy
from tenants.models import Workflow
from tests.actions.conftest import SECRET, a_decision, an_incident
from tests.actions.driving import drive
from tests.actions.target import Target
from tests.builders import trust

ANNA = Actor("person", "anna")
pytestmark = pytest.mark.django_db


class TouchParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    what: str


class Touch(Kind):
    """Posts to the target; what it answers is what became of it."""

    name = "touch"
    label = "Touch"
    says = "Touches the target."
    parameters = TouchParameters

    def __init__(self, url: str) -> None:
        self.url = url

    def preview(self, order: Order, parameters: TouchParameters) -> Preview:
        return Preview(says=f"Touches {parameters.what}.", calls=(f"POST {self.url}",))

    def run(self, order: Order, parameters: TouchParameters) -> Outcome | Send:
        endpoint = Endpoint(self.url, SECRET, ("127.0.0.1",))
        body = {"what": parameters.what}
        return partial(request_retry, endpoint, order.key, body, order.now)

    def ask(self, order: Order, parameters: TouchParameters) -> Outcome | Send:
        return partial(ask_status, Endpoint(self.url, SECRET, ("127.0.0.1",)), order.key, order.now)


class Works(Touch):
    """Takes its time: the answer to `ask` says how it went."""

    name = "works"
    label = "Works"
    ends = "when_asked"
    end: bool | None = None

    def ask(self, order: Order, parameters: Any) -> Outcome | Send:
        return Outcome("accepted", 200, "asked", ended=self.end, result={"build": "b-1"})


class Probe(Touch):
    name = "probe"
    label = "Probe"
    probe = True
    good = [True]

    def run(self, order: Order, parameters: Any) -> Outcome | Send:
        ok = self.good.pop(0) if len(self.good) > 1 else self.good[0]
        return Outcome("accepted", 200, "up" if ok else "down", ended=ok)


@pytest.fixture(autouse=True)
def catalog(target: Target) -> Iterator[dict[str, Kind]]:
    mine: dict[str, Kind] = {"touch": Touch(target.url), "works": Works(target.url)}
    mine["probe"] = Probe(target.url)
    mine["probe"].good = [True]  # type: ignore[attr-defined]
    kinds().update(mine)
    yield mine
    for name in mine:
        del kinds()[name]


Begin = Callable[..., Recovery]


@pytest.fixture
def begin(workflow: Workflow) -> Begin:
    """A recovery of a new incident under the plan whose steps are given."""

    def start(steps: str, verify: str = "", **decision: Any) -> Recovery:
        source = f"name: mend\nsteps:\n{steps}" + (f"\nverify: {verify}" if verify else "")
        template = RecoveryPlan.objects.create(
            name="mend",
            version=RecoveryPlan.objects.count() + 1,
            source=source,
            document=read_plan(source, in_plans()).to_json(),
            created_at=timezone.now(),
            created_by="test",
        )
        incident = an_incident(workflow)
        trust(incident, "plan:mend")
        found = a_decision(incident, **decision)
        return recoveries.begin(incident, decision=found, template=template, now=timezone.now())

    return start


def approve(action: Action) -> Action:
    """Anna has looked, and lets it run."""
    now = timezone.now()
    seen = preview_of(action, now).hash
    return deciding.approve(action=action, user=None, actor=ANNA, now=now, preview_hash=seen)


def touched(target: Target) -> list[str]:
    return [call["body"]["what"] for call in target.calls]


A = "  - {key: a, kind: touch, with: {what: a}, undo: {kind: touch, with: {what: undo a}}}\n"
B = "  - {key: b, kind: touch, with: {what: b}, on_failure: roll_back}"


def test_it_runs_its_steps_verifies_and_resolves(begin: Begin, target: Target) -> None:
    """In order, with what the incident fills in; the probe's yes ends the incident."""
    steps = A + '  - {key: b, kind: touch, with: {what: "b of ${incident.resource_id}"}}'
    recovery = drive(begin(steps, "{kind: probe, with: {what: up}}"))
    assert touched(target) == ["a", "b of 7"]
    assert recovery.status == "completed"
    incident = Incident.objects.get()
    assert (incident.status, incident.recovery) == ("resolved", "recovered")
    assert [entry["state"] for entry in recovery.history] == [
        *("detecting", "analyzing", "planning", "executing", "verifying", "completed"),
    ]
    assert all(action.receipt["outcome"] == "run" for action in recovery.actions.all())


def test_it_gives_later_steps_what_earlier_ones_returned(
    begin: Begin, target: Target, catalog: dict[str, Kind]
) -> None:
    """A step that takes its time is asked until it has ended; its result fills a reference."""
    steps = (
        "  - {key: build, kind: works, with: {what: build}}\n"
        '  - {key: say, kind: touch, with: {what: "built ${steps.build.build}"}}'
    )
    recovery = drive(begin(steps))
    assert recovery.status == "executing"
    assert recovery.actions.get().status == "verifying"
    catalog["works"].end = True  # type: ignore[attr-defined]
    assert drive(recovery).status == "completed"
    assert touched(target) == ["build", "built b-1"]


def test_it_fails_a_step_that_does_not_end_in_time(begin: Begin, target: Target) -> None:
    """Over its timeout, whatever the target says."""
    recovery = drive(begin("  - {key: build, kind: works, with: {what: x}, timeout_seconds: 60}"))
    Action.objects.update(verify_until=timezone.now(), due_at=timezone.now())
    recovery = drive(recovery)
    assert recovery.status == "failed"
    assert "Not done within 60 s" in recovery.reason


def test_it_undoes_in_reverse_and_calls_a_person(begin: Begin, target: Target) -> None:
    """A refused step turns the plan back: what was done is undone, and somebody is told."""
    target.answers = [202, 400, 202]
    recovery = drive(begin(A + B))
    assert touched(target) == ["a", "b", "undo a"]
    assert recovery.status == "rolled_back"
    assert Action.objects.filter(kind="escalate").count() == 1
    assert Incident.objects.get().outcomes.get().result == "failed"


def test_a_step_whose_answer_was_lost_is_asked_after_and_done(begin: Begin, target: Target) -> None:
    """The target says that it came, so the plan goes on; nothing is sent again [P5 P9].

    Seen red without the step from `unknown` to `succeeded`: the stage failed at each look.
    """
    target.answers = ["drop", 202]
    recovery = begin(A + B)
    drive(recovery)
    assert recovery.actions.get().status == "unknown"
    recovery.actions.update(due_at=timezone.now())
    recovery = drive(recovery)
    assert (recovery.status, touched(target)) == ("completed", ["a", "b"])


def test_it_asks_the_probe_three_times_then_turns_back(
    begin: Begin, target: Target, catalog: dict[str, Kind]
) -> None:
    """Verification that fails undoes the plan, and the incident stays open."""
    catalog["probe"].good = [False]  # type: ignore[attr-defined]
    recovery = drive(begin(A, "{kind: probe, with: {what: up}, tries: 3}"))
    assert recovery.actions.filter(role="verify").count() == 3
    assert touched(target) == ["a", "undo a"]
    assert recovery.status == "rolled_back"
    assert Incident.objects.get().status != "resolved"


def test_one_approval_holds_for_the_whole_plan(begin: Begin, target: Target) -> None:
    """Below the line the first step waits; once it is approved, the others ask nobody."""
    recovery = drive(begin(A + B, confidence=0.5))
    assert recovery.status == "awaiting_approval" and not target.calls
    approve(recovery.actions.get())
    recovery = drive(recovery)
    assert (recovery.status, touched(target)) == ("completed", ["a", "b"])
    assert recovery.approved_by_name == "anna"


def test_a_rejected_plan_runs_nothing(begin: Begin, target: Target) -> None:
    """A person's no stops all of it."""
    recovery = drive(begin(A + B, confidence=0.5))
    deciding.reject(action=recovery.actions.get(), user=None, actor=ANNA, now=timezone.now())
    recovery = drive(recovery)
    assert recovery.status == "needs_human" and not target.calls


def test_a_plan_with_a_point_of_no_return_always_waits(begin: Begin, target: Target) -> None:
    """However sure the decision is.

    Seen red without the gate's check `point_of_no_return`.
    """
    final = "  - {key: wipe, kind: touch, with: {what: wipe}, irreversible: true}"
    recovery = drive(begin(final, confidence=0.97))
    assert recovery.status == "awaiting_approval" and not target.calls


def test_a_second_plan_for_the_same_resource_cools_down(begin: Begin, target: Target) -> None:
    """Within five minutes of a recovery of the same order the next is put off, and says so."""
    drive(begin(A, "{kind: probe, with: {what: up}}"))
    again = begin(A)
    work.run_due("recover", stage.recover)
    again.refresh_from_db()
    assert again.status == "cooldown"
    assert "cooldown" in again.reason or "left" in again.reason
    AutomationPolicy.objects.create(cooldown_seconds=0)
    assert drive(again).status == "completed"


def test_a_reference_that_names_nothing_fails_its_step(begin: Begin, target: Target) -> None:
    """Nothing is sent with a hole in it."""
    recovery = drive(begin('  - {key: b, kind: touch, with: {what: "${incident.vendor}"}}'))
    assert recovery.status == "completed"  # an empty vendor is a value, not a hole
    steps = (
        "  - {key: a, kind: touch, with: {what: a}}\n"
        '  - {key: b, kind: touch, with: {what: "${steps.a.nothing}"}}'
    )
    AutomationPolicy.objects.create(cooldown_seconds=0)
    recovery = drive(begin(steps))
    assert recovery.status == "failed"
    assert "names nothing" in recovery.actions.get(step="b").result["reason"]


def test_looking_again_starts_nothing_again(begin: Begin, target: Target) -> None:
    """The stage may run at any boundary, any number of times; also after it ended."""
    recovery = begin(A + B, "{kind: probe, with: {what: up}}")
    for _ in range(10):
        for _ in range(3):
            stage.recover([recovery.pk], timezone.now())
        claimed = sending.claim(timezone.now())
        if claimed is not None:
            sending.deliver(claimed)
    assert touched(target) == ["a", "b"]
    recovery.refresh_from_db()
    assert recovery.status == "completed"
    assert recovery.actions.count() == 3


def test_a_person_takes_a_finished_plan_back(begin: Begin, target: Target) -> None:
    """Its undos run in reverse; asking twice undoes once."""
    recovery = drive(begin(A))
    assert recovery.status == "completed"
    for _ in range(2):
        recoveries.ask_undo(recovery=recovery, actor=ANNA, now=timezone.now())
    recovery = drive(recovery)
    assert (recovery.status, touched(target)) == ("rolled_back", ["a", "undo a"])


def test_a_plain_retry_is_a_recovery_too(planned: Callable[..., Action], target: Target) -> None:
    """Its state follows its attempts: the next one keeps it going, the last one ends it."""
    target.answers = [400]
    action = planned()
    recovery = Recovery.objects.get()
    assert (recovery.status, recovery.title) == ("executing", "Retry")
    sending.run_due()
    recovery.refresh_from_db()
    assert Action.objects.filter(kind="retry", recovery=recovery).count() == 3
    assert recovery.status == "failed"
    assert action.recovery_id == recovery.pk
    assert planning.attempts_allowed(action.decision) == 3  # type: ignore[arg-type]
