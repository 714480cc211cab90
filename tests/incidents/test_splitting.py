"""An incident that is two failures is split for good, and put together again [I6]."""

from __future__ import annotations

from collections import Counter
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from awfdrs_site.kernel.models import AuditEntry
from awfdrs_site.kernel.problem import Problem
from incidents import services
from incidents.detecting.opening import pins_on, sign, traits_of
from incidents.detecting.pins import pinned_signature
from incidents.models import GroupingPin, Incident, IncidentEvent, MemberCount
from incidents.regrouping import pinning, variants
from incidents.regrouping.pinning import Split
from incidents.regrouping.variants import variants_of
from incidents.selectors import broken_by, merged_into
from incidents.states import IncidentStatus, Recovery
from tenants.models import Workflow
from tests.builders import a_workflow, an_event
from tests.incidents.test_merging import (
    ALICE,
    HOUR,
    fails,
    fresh,
    held_by,
    merge,
    run_detect,
    succeeds,
)
from tests.incidents.test_merging import split as unmerge
from tests.threads import at_once


def split(source: Incident, trait: str = "vendor", value: str = "stripe", **fields: Any) -> Split:
    given: dict[str, Any] = {"actor": ALICE, "now": timezone.now()} | fields
    return pinning.split(
        tenant=source.tenant, incident_id=source.pk, trait=trait, value=value, **given
    )


def take_back(done: Split) -> Incident:
    return pinning.take_back(
        tenant=done.source.tenant, pin_id=done.pin.pk, actor=ALICE, now=timezone.now()
    )


def remove(done: Split) -> GroupingPin:
    return pinning.remove(
        tenant=done.source.tenant, pin_id=done.pin.pk, actor=ALICE, now=timezone.now()
    )


def refused(code: str, call: Any, words: str = "") -> None:
    with pytest.raises(Problem) as problem:
        call()
    assert problem.value.code == code
    assert words in problem.value.detail


def is_counted_right(incident: Incident) -> None:
    """Its figures are those of the failures in it, and what failed in it is what they name."""
    row = fresh(incident)
    events = [member.event for member in row.members.select_related("event")]
    received = [event.received_at for event in events]
    assert row.event_count == len(events)
    assert (row.first_seen_at, row.last_seen_at) == (min(received), max(received))
    minutes = Counter(at.replace(second=0, microsecond=0) for at in received)
    kept = MemberCount.objects.filter(incident_id=row.pk)
    assert dict(kept.values_list("at", "events")) == minutes
    failed: dict[tuple[str, str], Any] = {}
    for event in events:
        name = event.resource_type, event.resource_id
        failed[name] = max(event.received_at, failed.get(name, event.received_at))
    things = row.resources.values_list("resource_type", "resource_id", "failed_at")
    assert {(kind, name): at for kind, name, at in things} == failed


@pytest.fixture
def workflow(db: None) -> Workflow:
    return a_workflow()


@pytest.fixture
def mixed(workflow: Workflow) -> Incident:
    """One code, two vendors; order 1 fails with both."""
    for vendor, order in (("stripe", "1"), ("adyen", "2"), ("adyen", "1"), ("Stripe", "3")):
        incident = fails(workflow, "timeout", order, vendor=vendor, message=f"{vendor} of {order}")
    return fresh(incident)


def test_the_part_has_an_incident_of_its_own(mixed: Incident) -> None:
    """Failures, things, counts by minute and times are on either side as if it had been so from
    the start; the story says who did it and why."""
    done = split(mixed, reason="Two outages.")
    source, part = fresh(mixed), fresh(done.part)
    assert (done.moved, source.event_count, part.event_count) == (2, 2, 2)
    assert {m.event.vendor for m in part.members.all()} == {"stripe", "Stripe"}
    is_counted_right(source)
    is_counted_right(part)
    assert (broken_by(source).failing, broken_by(part).failing) == (2, 2)
    assert part.workflow == source.workflow
    assert (part.signature_kind, part.signature_text) == ("pin", "timeout, vendor: Stripe")
    assert part.number > source.number
    assert source.timeline.get(kind="pinned").data["comment"] == "Two outages."
    assert part.timeline.filter(kind="split", actor="alice").count() == 1
    entry = AuditEntry.objects.get(verb="pinned")
    assert (entry.actor, entry.comment, entry.subject_id) == (
        "alice", "Two outages.", str(done.pin.pk),
    )  # fmt: skip


def test_a_pin_beats_the_grouper(workflow: Workflow, mixed: Incident) -> None:
    """Now, and when the part has long been resolved. Seen red without pins in `opening.grouped`:
    the failure was counted where it had been before."""
    part = split(mixed).part
    assert fails(workflow, "timeout", "8", vendor="STRIPE") == part
    assert fails(workflow, "timeout", "9", vendor="adyen") == mixed
    assert fails(workflow, "other", "9", vendor="stripe") not in (part, mixed)
    for one in (mixed, part):
        is_counted_right(one)
    services.resolve(
        incident=fresh(part), actor=ALICE, now=timezone.now() - 30 * HOUR, comment="Done."
    )
    again = fails(workflow, "timeout", "8", vendor="stripe")
    assert again not in (part, mixed)
    assert again.signature == part.signature


def test_detection_asks_once_for_pins(workflow: Workflow, mixed: Incident) -> None:
    """However many failures, signatures and pins there are."""
    first = split(mixed)
    asked = []
    for turn in range(2):
        for number in range(1 + 20 * turn):
            code = f"code_{number % 5}" if turn else "timeout"
            an_event(workflow, error_code=code, vendor="stripe", resource_id=f"{turn}{number}")
        with CaptureQueriesContext(connection) as queries:
            run_detect()
        asked.append([q for q in queries if "incidents_groupingpin" in q["sql"]])
        if not turn:
            split(first.part, "resource_type", "")
    assert [len(one) for one in asked] == [1, 1]


def test_by_the_shape_of_a_message(workflow: Workflow) -> None:
    for message in ("Order 1 timed out", "Refused by 10.0.0.1", "Order 22 timed out"):
        incident = fails(workflow, "gateway", "1", message=message)
    found = variants_of(incident)
    [shape] = found.differences
    assert (shape.trait, found.looked, found.events) == ("message", 3, 3)
    assert [(v.text, v.events) for v in shape.variants] == [
        ("Order <num> timed out", 2), ("Refused by <host>", 1),
    ]  # fmt: skip
    part = split(incident, "message", shape.variants[0].value).part
    assert fresh(part).event_count == 2
    assert fails(workflow, "gateway", "7", message="Order 333 timed out") == part
    assert fails(workflow, "gateway", "7", message="Refused by 10.0.0.9") == incident


def test_what_was_split_off_is_split_in_turn(workflow: Workflow, mixed: Incident) -> None:
    """And only the last pin can be removed."""
    first = split(mixed)
    fails(workflow, "timeout", "9", vendor="stripe", event_type="pay.late")
    second = split(fresh(first.part), "event_type", "pay.late")
    assert fails(workflow, "timeout", "5", vendor="stripe", event_type="pay.late") == second.part
    assert fails(workflow, "timeout", "6", vendor="stripe") == first.part
    for one in (mixed, first.part, second.part):
        is_counted_right(one)
    refused("pin_in_use", lambda: remove(first), "split in turn")
    refused("pin_in_use", lambda: take_back(first))
    remove(second)
    remove(first)
    assert fails(workflow, "timeout", "5", vendor="stripe", event_type="pay.late") == mixed
    refused("cannot_split", lambda: split(first.part, "event_type", "x"), "was removed")


def test_what_was_split_off_before_and_merged_by_hand_is_split_off_again(
    workflow: Workflow, mixed: Incident
) -> None:
    """After its pin was removed: it comes back with what came since. Where it was merged into a
    third, only a person can say what is meant."""
    done = split(mixed)
    remove(done)
    merge(fresh(mixed), fresh(done.part))
    assert fails(workflow, "timeout", "8", vendor="stripe") == mixed
    again = split(mixed)
    assert (again.part, again.moved, fresh(done.part).event_count) == (done.part, 1, 3)
    for one in (mixed, done.part):
        is_counted_right(one)
    remove(again)
    third = fails(workflow, "third", "1")
    merge(third, fresh(done.part))
    assert fails(workflow, "timeout", "8", vendor="stripe") == mixed
    refused("cannot_split", lambda: split(mixed), "is merged")
    unmerge(third, done.part)
    services.ignore(incident=fresh(done.part), actor=ALICE, now=timezone.now())
    refused("cannot_split", lambda: split(mixed), "is ignored")


def test_a_signature_has_so_many_pins(
    monkeypatch: pytest.MonkeyPatch, workflow: Workflow, mixed: Incident
) -> None:
    """Those on what they split off included: detection follows them all."""
    monkeypatch.setattr(pinning, "MOST_PINS", 1)
    part = split(mixed).part
    fails(workflow, "timeout", "9", vendor="stripe", event_type="pay.late")
    refused("cannot_split", lambda: split(part, "event_type", "pay.late"), "1 pins")


def test_removing_the_pin_leaves_what_was_split_off(workflow: Workflow, mixed: Incident) -> None:
    done = split(mixed)
    before = fresh(done.part).event_count
    remove(done)
    assert fails(workflow, "timeout", "8", vendor="stripe") == mixed
    assert fresh(done.part).event_count == before
    assert AuditEntry.objects.filter(verb="unpinned", actor="alice").count() == 1
    refused("not_found", lambda: remove(done))


def test_taking_it_back_is_exactly_what_was_before(workflow: Workflow, mixed: Incident) -> None:
    """But for the line that says so; and what came since is there too."""
    before = held_by(mixed)
    done = split(mixed)
    take_back(done)
    after = held_by(mixed)
    assert {k: after[k] for k in ("row", "minutes", "events", "things")} == {
        k: before[k] for k in ("row", "minutes", "events", "things")
    }
    assert not GroupingPin.objects.exists()
    assert list(Incident.objects.all()) == [mixed]
    assert merged_into(mixed) == []
    again = split(mixed)
    assert fails(workflow, "timeout", "8", vendor="stripe") == again.part
    take_back(again)
    assert fails(workflow, "timeout", "8", vendor="stripe") == mixed
    is_counted_right(mixed)
    refused("cannot_split", lambda: unmerge(mixed, done.part), "holds nothing")


def test_it_is_taken_back_across_workflows(workflow: Workflow) -> None:
    """One fingerprint may count in all of a tenant's; each part is of the workflow it is in."""
    other = a_workflow(workflow.tenant)
    for place, vendor in ((workflow, "stripe"), (other, "adyen")):
        incident = fails(place, "db", "1", vendor=vendor, fingerprint="tenant:db")
    done = split(incident, value="adyen")
    assert (incident.workflow, fresh(done.part).workflow) == (workflow, other)
    take_back(done)
    is_counted_right(incident)


def test_it_is_split_again_after_that(workflow: Workflow, mixed: Incident) -> None:
    """By the same value it is the incident of before; by another trait all are there to choose."""
    first = split(mixed)
    take_back(first)
    again = split(mixed)
    assert (again.part, again.moved) == (first.part, 2)
    is_counted_right(again.part)
    take_back(again)
    by_type = split(mixed, "message", variants_of(mixed).differences[0].variants[0].value)
    assert by_type.part != first.part
    for one in (mixed, by_type.part):
        is_counted_right(one)


def test_what_was_merged_into_it_stays(workflow: Workflow, mixed: Incident) -> None:
    """Only its own signature is split; what was merged is split off as ever."""
    other = fails(workflow, "refused", "1", vendor="stripe")
    merge(mixed, other)
    assert {v.events for d in variants_of(mixed).differences for v in d.variants} <= {1, 2, 3}
    done = split(fresh(mixed))
    assert (done.moved, fresh(mixed).event_count) == (2, 3)
    assert fails(workflow, "refused", "2", vendor="stripe") == mixed
    unmerge(mixed, other)
    for one in (mixed, other, done.part):
        is_counted_right(one)


def test_the_two_can_be_merged_and_split_off_again(workflow: Workflow, mixed: Incident) -> None:
    """The pin stands, so what comes meanwhile goes back with the rest."""
    done = split(mixed)
    merge(fresh(mixed), fresh(done.part))
    assert fails(workflow, "timeout", "8", vendor="stripe") == mixed
    unmerge(mixed, done.part)
    for one in (mixed, done.part):
        is_counted_right(one)
    assert fresh(done.part).event_count == 3


def test_a_part_in_which_nothing_fails_any_more_ends(workflow: Workflow, mixed: Incident) -> None:
    """Seen red without `_go_on` resolving: it stayed open for ever, for no success is awaited."""
    succeeds(workflow, "1")
    succeeds(workflow, "3")
    done = split(mixed)
    part = fresh(done.part)
    assert (part.status, fresh(mixed).status) == ("resolved", "new")
    assert part.resolved_at == part.resources.get(resource_id="3").recovered_at


def test_a_thing_that_failed_in_both_fails_in_both_until_it_succeeds(
    workflow: Workflow, mixed: Incident
) -> None:
    """Seen red with its row moved instead of copied."""
    done = split(mixed)
    both = [one.resources.get(resource_id="1") for one in (mixed, done.part)]
    assert [thing.recovered_at for thing in both] == [None, None]
    for order in "123":
        succeeds(workflow, order)
    assert {fresh(one).status for one in (mixed, done.part)} == {"resolved"}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"recovery": Recovery.RUNNING}, "is under way"),
        ({"recovery": Recovery.WAITING}, "is under way"),
        ({"recovery": Recovery.VERIFYING}, "is under way"),
        ({"status": IncidentStatus.ANALYZING}, "is being analysed"),
        ({"status": IncidentStatus.IGNORED}, "only open incidents"),
    ],
)
def test_it_refuses_what_would_be_cut_short(
    mixed: Incident, fields: dict[str, str], words: str
) -> None:
    """Seen red without `refuse`: it was split."""
    Incident.objects.filter(pk=mixed.pk).update(**fields)
    before = held_by(mixed)
    refused("cannot_split", lambda: split(mixed), words)
    assert held_by(mixed) == before
    assert not GroupingPin.objects.exists()


def test_taking_back_refuses_it_too(workflow: Workflow, mixed: Incident) -> None:
    """Seen red without `refuse_busy`: what ran was merged away."""
    done = split(mixed)
    Incident.objects.filter(pk=done.part.pk).update(recovery=Recovery.RUNNING)
    refused("cannot_merge", lambda: take_back(done), "is under way")
    assert GroupingPin.objects.exists()
    services.resolve(incident=fresh(done.part), actor=ALICE, now=timezone.now(), comment="Done.")
    refused("cannot_merge", lambda: take_back(done), "not both open")


def test_it_refuses_all_none_and_what_is_anothers(workflow: Workflow, mixed: Incident) -> None:
    foreign = fails(a_workflow(), "timeout", "1", vendor="stripe")
    alone = fails(workflow, "alone", "1", vendor="stripe")
    done = split(mixed)
    for code, call in (
        ("cannot_split", lambda: split(alone)),
        ("validation_error", lambda: split(mixed, "vendor", "paypal")),
        ("validation_error", lambda: split(mixed, "weather", "rain")),
        (
            "not_found",
            lambda: pinning.split(
                tenant=mixed.tenant,
                incident_id=foreign.pk,
                trait="vendor",
                value="stripe",
                actor=ALICE,
                now=timezone.now(),
            ),
        ),
        (
            "not_found",
            lambda: pinning.remove(
                tenant=foreign.tenant, pin_id=done.pin.pk, actor=ALICE, now=timezone.now()
            ),
        ),
    ):
        refused(code, call)
    merge(fresh(mixed), alone)
    refused("incident_merged", lambda: split(alone))


def test_pins_of_one_tenant_are_not_anothers(workflow: Workflow, mixed: Incident) -> None:
    """A fingerprint that counts in all workflows has one digest in all tenants.

    Seen red without the tenant in `pins_on`: the other's failure was moved.
    """
    other = a_workflow()
    mark = {"fingerprint": "tenant:db"}
    for place in (workflow, other):
        for vendor in ("stripe", "adyen"):
            incident = fails(place, "db", "1", vendor=vendor, **mark)
    assert incident.tenant == other.tenant
    mine = Incident.objects.get(tenant=workflow.tenant, signature=incident.signature)
    part = split(mine).part
    assert fails(workflow, "db", "2", vendor="stripe", **mark) == part
    assert fails(other, "db", "2", vendor="stripe", **mark) == incident


def test_it_moves_the_newest_and_says_how_many(
    monkeypatch: pytest.MonkeyPatch, workflow: Workflow, mixed: Incident
) -> None:
    """Older failures stay; once more, and it moves more to the same incident."""
    for _ in range(3):
        fails(workflow, "timeout", "5", vendor="stripe")
    monkeypatch.setattr(variants, "MOST", 2)
    done = split(mixed)
    assert (done.moved, fresh(mixed).event_count) == (2, 5)
    monkeypatch.setattr(variants, "MOST", 100)
    again = split(mixed)
    assert (again.part, again.pin, again.moved) == (done.part, done.pin, 3)
    for one in (mixed, done.part):
        is_counted_right(one)


def where(event_id: UUID) -> Incident:
    return IncidentEvent.objects.get(event_id=event_id).incident


@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    """Real threads, real commits."""

    @pytest.fixture
    def workflow(self, transactional_db: None) -> Workflow:
        return a_workflow()

    def _each_is_where_its_pin_says(self, workflow: Workflow) -> None:
        for member in IncidentEvent.objects.select_related("incident", "event__workflow"):
            grouper = sign(member.event)
            pins = pins_on(workflow.tenant_id, [grouper.digest])
            wanted = pinned_signature(grouper, traits_of(member.event), pins)
            assert member.incident.signature == wanted.digest
        for one in Incident.objects.all():
            is_counted_right(one)

    def test_splitting_while_the_same_signature_is_detected(self, workflow: Workflow) -> None:
        """Over and over: split, taken back and counted at once. Seen red without `lock_merges`:
        failures stayed in the incident from which the pin had sent them."""
        for vendor in ("stripe", "adyen"):
            source = fails(workflow, "timeout", "1", vendor=vendor)
        done: Any = None
        for turn in range(6):
            for n in range(30):
                an_event(workflow, error_code="timeout", vendor=("stripe", "adyen")[n % 2],
                         resource_type="order", resource_id=f"{turn}-{n}")  # fmt: skip

            def go(n: int, last: Any = done) -> Any:
                if n < 3:
                    return run_detect()
                return take_back(last) if last else split(source)

            *detected, done = at_once(4, go)
            assert detected == [None] * 3
            assert not isinstance(done, Exception), done
            done = done if isinstance(done, Split) else None
            run_detect()
            assert Incident.objects.count() == (2 if done else 1)
            self._each_is_where_its_pin_says(workflow)
        assert IncidentEvent.objects.count() == 2 + 6 * 30

    def test_two_people_split_at_once(self, workflow: Workflow) -> None:
        """The same way: one goes first, the other finds nothing left. Another way: both."""
        for turn, values in enumerate((("stripe", "stripe"), ("stripe", "adyen"))):
            for vendor in ("stripe", "adyen", "paypal"):
                source = fails(workflow, f"code_{turn}", "1", vendor=vendor)

            def go(n: int, source: Incident = source, values: Any = values) -> Split:
                return split(source, value=values[n])

            outcomes = at_once(2, go)
            done = [one for one in outcomes if isinstance(one, Split)]
            assert len(done) == 1 + turn, outcomes
            assert len({one.part for one in done}) == 1 + turn
            self._each_is_where_its_pin_says(workflow)

    def test_splitting_while_somebody_merges(self, workflow: Workflow) -> None:
        """Whoever is second is refused, or does it to what the first left."""
        for turn in range(4):
            other = fails(workflow, f"other_{turn}", "1")
            for vendor in ("stripe", "adyen"):
                source = fails(workflow, f"code_{turn}", "1", vendor=vendor)

            def go(n: int, source: Incident = source, other: Incident = other) -> Any:
                return split(source) if n else merge(other, source)

            merged, done = at_once(2, go)
            assert isinstance(merged, Incident)
            if isinstance(done, Problem):
                assert done.code == "incident_merged"
            for one in Incident.objects.all():
                assert one.event_count == one.members.count()
