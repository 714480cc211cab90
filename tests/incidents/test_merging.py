"""Incidents that are one failure become one, and are taken apart again exactly [I6]."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from awfdrs_site.kernel import work
from awfdrs_site.kernel.actor import Actor
from awfdrs_site.kernel.models import AuditEntry
from awfdrs_site.kernel.problem import Problem
from incidents import services
from incidents.detecting.detection import detect
from incidents.detecting.opening import sign
from incidents.models import FailingResource, Incident, IncidentEvent, MemberCount, TimelineEntry
from incidents.regrouping import merging
from incidents.selectors import broken_by, events_of, get_incident_for, timeline_of
from incidents.states import IncidentStatus, Recovery
from tenants.models import Workflow
from tests.builders import a_workflow, an_event
from tests.threads import at_once

ALICE = Actor("person", "alice")
HOUR = timedelta(hours=1)


def run_detect(now: datetime | None = None) -> None:
    work.run_due("detect", detect) if now is None else work.run_due("detect", detect, now)


def fails(workflow: Workflow, code: str, order: str, **fields: Any) -> Incident:
    """The incident that the failure of this order with this code is counted in."""
    event = an_event(workflow, error_code=code, resource_type="order", resource_id=order, **fields)
    run_detect()
    return IncidentEvent.objects.get(event=event).incident


def succeeds(workflow: Workflow, order: str = "") -> None:
    an_event(workflow, "success", resource_type="order" if order else "", resource_id=order)
    run_detect()


def merge(into: Incident, *others: Incident, **fields: Any) -> Incident:
    given: dict[str, Any] = {"actor": ALICE, "now": timezone.now()} | fields
    ids = [one.pk for one in others]
    return merging.merge(tenant=into.tenant, ids=ids, into=into.pk, **given)


def split(survivor: Incident, *others: Incident) -> list[Incident]:
    return merging.split_back(
        tenant=survivor.tenant,
        survivor_id=survivor.pk,
        ids=[one.pk for one in others],
        actor=ALICE,
        now=timezone.now(),
    )


def fresh(incident: Incident) -> Incident:
    return Incident.everything.get(pk=incident.pk)


def held_by(incident: Incident) -> dict[str, Any]:
    """All that an incident is, but for what was said about merging."""
    row = Incident.everything.filter(pk=incident.pk).values().get()
    return {
        "row": row,
        "minutes": set(
            MemberCount.objects.filter(incident_id=incident.pk).values_list("at", "events")
        ),
        "events": set(incident.members.values_list("event_id", "origin_id")),
        "things": set(
            incident.resources.values_list(
                "resource_type", "resource_id", "failed_at", "recovered_at", "origin_id"
            )
        ),
        "story": list(
            timeline_of(incident)
            .exclude(kind__in=["merged", "split"])
            .values_list("pk", "text", "origin_id")
        ),
    }


@pytest.fixture
def workflow(db: None) -> Workflow:
    return a_workflow()


@pytest.fixture
def three(workflow: Workflow) -> list[Incident]:
    """Of three codes; order 1 fails in the first two of them."""
    slow = fails(workflow, "payment_timeout", "1")
    late = fails(workflow, "gateway_late", "1")
    fails(workflow, "gateway_late", "2")
    gone = fails(workflow, "gateway_gone", "3")
    return [fresh(slow), fresh(late), fresh(gone)]


def test_the_survivor_has_all_of_it(three: list[Incident]) -> None:
    """Events, things and the timeline move; counts and times are those of all."""
    slow, late, gone = three
    told = TimelineEntry.objects.count()
    survivor = merge(slow, late, gone, comment="One gateway.")
    assert survivor.event_count == events_of(survivor).count() == 4
    received = sorted(e.received_at for e in events_of(survivor))
    assert (survivor.first_seen_at, survivor.last_seen_at) == (received[0], received[-1])
    assert (broken_by(survivor).all, broken_by(survivor).failing) == (3, 3)
    assert timeline_of(survivor).count() == told + 1
    said = timeline_of(survivor)[0]
    assert (said.kind, said.text) == ("merged", f"merged {late.label}, {gone.label} into it")
    assert said.data["comment"] == "One gateway."
    assert list(Incident.objects.all()) == [survivor]
    assert {one.merged_into for one in map(fresh, (late, gone))} == {survivor}
    assert AuditEntry.objects.filter(verb="merged", actor="alice").count() == 2


def test_a_merged_one_answers_with_the_survivor(three: list[Incident]) -> None:
    """Through as many merges as there were."""
    slow, late, gone = three
    merge(late, gone)
    merge(slow, late)
    for one in (late, gone):
        with pytest.raises(Problem) as refused:
            get_incident_for(slow.tenant, one.pk)
        assert (refused.value.status, refused.value.code) == (409, "incident_merged")
        assert refused.value.extra["merged_into"] == {"id": str(slow.pk), "label": slow.label}


def test_new_failures_of_a_merged_signature_go_to_the_survivor(
    workflow: Workflow, three: list[Incident]
) -> None:
    """Seen red without `routes_of` in detection: they opened incidents of their own."""
    slow, late, gone = three
    merge(late, gone)
    merge(slow, late)
    assert fails(workflow, "gateway_gone", "9") == slow
    assert fails(workflow, "gateway_late", "9") == slow
    assert fails(workflow, "payment_timeout", "9") == slow
    assert Incident.objects.get().event_count == events_of(slow).count() == 7
    assert broken_by(slow).failing == 4


def test_a_split_is_exactly_what_was_before(three: list[Incident]) -> None:
    """Rows, members, things and story alike, though order 1 failed in two of them."""
    before = [held_by(one) for one in three]
    slow, late, gone = three
    merge(slow, late, gone)
    assert split(slow, gone, late) == [late, gone]
    assert [held_by(one) for one in three] == before


def test_a_merge_of_merged_ones_is_taken_apart_step_by_step(three: list[Incident]) -> None:
    slow, late, gone = three
    apart = [held_by(one) for one in three]
    merge(late, gone)
    once = held_by(late)
    merge(slow, late)
    split(slow, late)
    assert held_by(late) == once
    split(late, gone)
    assert [held_by(one) for one in three] == apart


def test_what_came_since_goes_where_its_signature_says(
    workflow: Workflow, three: list[Incident]
) -> None:
    """With its counts, times and things; seen red without `count_on_the_way`: it was counted out
    of the survivor, and in nowhere."""
    slow, late, gone = three
    merge(late, gone)
    merge(slow, late)
    for _ in range(3):
        fails(workflow, "gateway_gone", "7")
    fails(workflow, "gateway_late", "8")
    fails(workflow, "payment_timeout", "9")
    split(slow, late)
    split(late, gone)
    counted = {one.pk: one.event_count for one in Incident.objects.all()}
    assert counted == {slow.pk: 2, late.pk: 3, gone.pk: 4}
    for one in map(fresh, three):
        received = [event.received_at for event in events_of(one)]
        assert len(received) == one.event_count
        assert (one.first_seen_at, one.last_seen_at) == (min(received), max(received))
    assert fresh(gone).resources.filter(resource_id="7", origin=None).exists()
    assert broken_by(fresh(slow)).failing == 2


def test_what_recovered_meanwhile_stays_so(workflow: Workflow, three: list[Incident]) -> None:
    """One in which nothing fails any more comes back resolved; seen red without `_over_since`: it
    would stay open for ever, for no success is awaited."""
    slow, late, gone = three
    merge(slow, late, gone)
    succeeds(workflow, "3")
    split(slow, gone, late)
    assert {one.number: one.status for one in Incident.objects.all()} == {
        slow.number: "new", late.number: "new", gone.number: "resolved",
    }  # fmt: skip
    assert fresh(gone).resolved_at == FailingResource.objects.get(resource_id="3").recovered_at


def test_a_survivor_in_which_nothing_else_fails_ends_with_the_split(
    workflow: Workflow, three: list[Incident]
) -> None:
    slow, late, gone = three
    merge(gone, late, slow)
    succeeds(workflow, "3")
    split(gone, slow, late)
    assert (fresh(gone).status, fresh(late).status) == ("resolved", "new")


def test_it_ends_when_nothing_of_all_fails(workflow: Workflow, three: list[Incident]) -> None:
    """One success a thing, and order 1 counts as one."""
    survivor = merge(three[0], *three[1:])
    for order in "12":
        succeeds(workflow, order)
    assert fresh(survivor).status == "new"
    succeeds(workflow, "3")
    assert fresh(survivor).status == "resolved"
    again = fails(workflow, "gateway_gone", "3")
    assert (again, again.status, again.reopen_count) == (survivor, "new", 1)


def test_a_late_failure_of_a_merged_signature_reopens_nothing(
    workflow: Workflow, three: list[Incident]
) -> None:
    survivor, now = merge(three[0], *three[1:]), timezone.now()
    services.resolve(incident=survivor, actor=ALICE, now=now, comment="Done.")
    assert fails(workflow, "gateway_gone", "3", occurred_at=now - HOUR) == survivor
    assert (fresh(survivor).status, fresh(survivor).event_count) == ("resolved", 5)


def test_long_after_the_end_each_signature_opens_its_own(
    workflow: Workflow, three: list[Incident]
) -> None:
    """A merge is of incidents, not of signatures for ever; and a split then says what is in its
    way."""
    slow, late, gone = three
    survivor = merge(slow, late, gone)
    long_ago = timezone.now() - timedelta(hours=30)
    services.resolve(incident=survivor, actor=ALICE, now=long_ago, comment="Done.")
    anew = fails(workflow, "gateway_gone", "3")
    assert anew not in three
    assert fails(workflow, "gateway_gone", "4") == anew
    services.reopen(incident=fresh(survivor), actor=ALICE, now=timezone.now())
    assert fails(workflow, "gateway_gone", "4") == anew
    with pytest.raises(Problem) as refused:
        split(survivor, gone)
    assert refused.value.code == "cannot_split"
    assert fresh(gone).merged_into == survivor


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
    three: list[Incident], fields: dict[str, str], words: str
) -> None:
    """In the survivor a recovery may go on."""
    slow, late, gone = three
    Incident.objects.filter(pk=late.pk).update(**fields)
    before = [held_by(one) for one in three]
    with pytest.raises(Problem) as refused:
        merge(slow, gone, late)
    assert (refused.value.status, refused.value.code) == (409, "cannot_merge")
    assert words in refused.value.detail
    assert [held_by(one) for one in three] == before
    if "recovery" in fields:
        merge(late, slow, gone)


def test_it_refuses_other_workflows_tenants_and_too_few(three: list[Incident]) -> None:
    slow, late, _ = three
    elsewhere = fails(a_workflow(slow.tenant), "gateway_late", "1")
    foreign = fails(a_workflow(), "gateway_late", "1")
    cases: list[tuple[Callable[[], object], str]] = [
        (lambda: merge(slow, elsewhere), "cannot_merge"),
        (lambda: merge(slow, foreign), "not_found"),
        (lambda: merge(slow, slow), "validation_error"),
        (lambda: split(slow, late), "cannot_split"),
        (lambda: split(slow, foreign), "not_found"),
        (lambda: split(slow), "validation_error"),
    ]
    for call, code in cases:
        with pytest.raises(Problem) as refused:
            call()
        assert refused.value.code == code
    assert not Incident.everything.filter(merged_into__isnull=False).exists()


def test_nobody_acts_on_a_merged_one(three: list[Incident]) -> None:
    """Not even a person whose page is old."""
    slow, late, gone = three
    merge(slow, late)
    said: dict[str, Any] = {"incident": late, "actor": ALICE, "now": timezone.now()}
    for call in (
        lambda: services.resolve(**said, comment="Done."),
        lambda: services.acknowledge(**said, user=None),
        lambda: services.assign(**said, user=None),
        lambda: merge(gone, late),
    ):
        with pytest.raises(Problem) as refused:
            call()
        assert refused.value.code == "incident_merged"


def test_the_database_itself_refuses_half_a_merge(three: list[Incident]) -> None:
    slow, late, _ = three
    for fields in (
        {"merged_into": slow},
        {"merged_at": timezone.now()},
        {"merged_into": late, "merged_at": timezone.now()},
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            Incident.objects.filter(pk=late.pk).update(**fields)


CODES = ("payment_timeout", "gateway_late", "gateway_gone")


@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    """Real threads, real commits."""

    @pytest.fixture
    def workflow(self, transactional_db: None) -> Workflow:
        return a_workflow()

    def _nothing_is_lost(self) -> None:
        """Each event is in one incident, a standing one; counts are what is there."""
        assert not IncidentEvent.objects.filter(incident__merged_into__isnull=False).exists()
        for one in Incident.objects.all():
            assert one.event_count == one.members.count()
            for member in one.members.select_related("event", "origin"):
                assert (member.origin or one).signature == sign(member.event).digest

    def test_merging_while_the_same_signatures_are_detected(self, workflow: Workflow) -> None:
        """Over and over: merged, split and counted at once. Seen red without `hold_merges`: a
        failure opened a second incident for a signature that was just merged."""
        rows = [fails(workflow, code, "1") for code in CODES]
        for turn in range(6):
            for n in range(30):
                an_event(workflow, error_code=CODES[n % 3], resource_type="order",
                         resource_id=f"{turn}-{n}")  # fmt: skip
            merged = turn % 2 == 0

            def go(n: int, merged: bool = merged) -> None:
                if n < 3:
                    run_detect()
                elif merged:
                    merge(rows[0], *rows[1:])
                else:
                    split(rows[0], *rows[1:])

            assert [one for one in at_once(4, go) if one is not None] == []
            run_detect()
            standing = list(Incident.objects.all())
            assert set(standing) == ({rows[0]} if merged else set(rows))
            self._nothing_is_lost()
        assert IncidentEvent.objects.count() == 3 + 6 * 30
        assert {one.event_count for one in Incident.objects.all()} == {61}

    def test_two_merges_at_once(self, workflow: Workflow) -> None:
        """One goes first; the other finds what it left, and says so."""
        for turn in range(4):
            rows = [fails(workflow, f"{code}_{turn}", "1") for code in CODES]

            def go(n: int, rows: list[Incident] = rows) -> Incident:
                return merge(rows[n], rows[1 - n], rows[2])

            done = at_once(2, go)
            assert sum(isinstance(one, Incident) for one in done) == 1
            [refused] = [one for one in done if isinstance(one, Problem)]
            assert refused.code == "incident_merged"
            [survivor] = Incident.objects.filter(signature__in=[r.signature for r in rows])
            assert survivor.event_count == survivor.members.count() == 3

    def test_merging_while_somebody_resolves(self, workflow: Workflow) -> None:
        """Either it is resolved and not merged, or merged and not resolved."""
        for turn in range(4):
            slow, late, _ = (fails(workflow, f"{code}_{turn}", "1") for code in CODES)

            def go(n: int, slow: Incident = slow, late: Incident = late) -> Incident:
                if n:
                    return merge(slow, late)
                now = timezone.now()
                return services.resolve(incident=late, actor=ALICE, now=now, comment="Done.")

            outcomes = at_once(2, go)
            assert sum(isinstance(one, Incident) for one in outcomes) == 1, outcomes
            after = fresh(late)
            assert (after.status == "resolved") != (after.merged_into == slow)
            assert fresh(slow).event_count == slow.members.count()
