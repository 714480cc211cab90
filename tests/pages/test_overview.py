"""The overview: figures, chart, first steps; and the shell around every page [U1 U2]."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from actions.models import Action
from awfdrs_site.kernel.actor import MACHINE, Actor
from incidents import announce, services
from incidents.models import Incident, TimelineKind
from ingestion.models import Event
from safety.models import Vendor
from safety.services import engage_switch
from tenants.models import ApiKey
from tests.builders import an_event
from tests.cast import Cast
from tests.pages.looks import text_of
from tests.pages.rows import an_incident_row


@pytest.fixture
def alice(cast: Cast) -> Client:
    return cast.client_as("alice")


def kpis(client: Client) -> dict[str, Any]:
    figures: dict[str, Any] = client.get("/").context["kpis"]
    return figures


def test_it_shows_how_to_send_the_first_event(cast: Cast, alice: Client) -> None:
    """With the tenant's own ids; the step of the key is done where there is one."""
    response = alice.get("/")
    assert response.context["first_run"] is True
    html = response.content.decode()
    assert "curl -X POST http://testserver/api/v1/events" in html
    assert str(cast.meridian.pk) in html
    assert response.context["ingest"]["workflow_id"] == str(cast.contacts.pk)
    assert response.context["ingest"]["has_key"] is True
    ApiKey.objects.update(revoked_at=timezone.now())
    assert (
        alice.get("/").context["ingest"] | {"has_key": False, "keys_href": ""}
        == (alice.get("/").context["ingest"])
    )
    assert cast.client_as("anna").get("/").context["ingest"]["keys_href"] == "/settings/keys"


def test_it_is_no_first_run_after_an_event(cast: Cast, alice: Client) -> None:
    an_event(cast.routing)
    assert alice.get("/").context["first_run"] is True
    an_event(cast.capture)
    assert alice.get("/").context["first_run"] is False


def test_it_counts_open_incidents_by_severity(cast: Cast, alice: Client) -> None:
    an_event(cast.capture)
    now = timezone.now()
    an_incident_row(cast.capture, severity="critical")
    an_incident_row(cast.capture, severity="high", opened_at=now - timedelta(hours=2))
    an_incident_row(cast.capture, severity="high", status="analyzing")
    an_incident_row(cast.capture, severity="low", status="ignored")
    an_incident_row(cast.capture, severity="low", resolved_at=now)
    an_incident_row(cast.routing, severity="critical")
    counts = {"total": 3, "critical": 1, "high": 2, "medium": 0, "low": 0, "last_hour": 2}
    assert kpis(alice)["open"] == counts


def _alone(cast: Cast, now: datetime) -> Incident:
    return an_incident_row(
        cast.capture,
        opened_at=now - timedelta(minutes=10),
        resolved_at=now - timedelta(minutes=6),
        recovery="recovered",
    )


def _by_person(cast: Cast, now: datetime) -> Incident:
    incident = an_incident_row(cast.capture, opened_at=now - timedelta(minutes=10))
    alice = Actor("person", "alice")
    services.resolve(incident=incident, actor=alice, now=now - timedelta(minutes=6), comment="x")
    return incident


def _escalated(cast: Cast, now: datetime) -> Incident:
    incident = _alone(cast, now)
    incident.escalated_at = now - timedelta(minutes=8)
    incident.save()
    return incident


def _approved(cast: Cast, now: datetime) -> Incident:
    incident = _alone(cast, now)
    at = now - timedelta(minutes=8)
    announce.note(
        incident, TimelineKind.APPROVAL, "approved", actor=Actor("person", "alice"), now=at
    )
    return incident


def _asked_for(cast: Cast, now: datetime) -> Incident:
    incident = _alone(cast, now)
    Action.objects.create(
        tenant=cast.meridian,
        incident=incident,
        kind="retry",
        status="succeeded",
        created_at=now - timedelta(minutes=8),
        due_at=now,
        decided_at=now - timedelta(minutes=8),
        decided_by_name="alice",
    )
    return incident


def _asked_again(cast: Cast, now: datetime) -> Incident:
    incident = _asked_for(cast, now)
    incident.actions.update(decided_at=None)
    return incident


def _commented(cast: Cast, now: datetime) -> Incident:
    incident = _alone(cast, now)
    at = now - timedelta(minutes=8)
    announce.note(incident, TimelineKind.COMMENT, "Odd", actor=Actor("person", "alice"), now=at)
    return incident


def _approved_before_it_came_back(cast: Cast, now: datetime) -> Incident:
    incident = _approved(cast, now)
    incident.opened_at = now - timedelta(minutes=7)
    incident.save()
    return incident


@pytest.mark.parametrize(
    ("story", "share"),
    [
        (_alone, 100.0),
        (_commented, 100.0),
        (_asked_again, 100.0),
        (_approved_before_it_came_back, 100.0),
        (_by_person, 0.0),
        (_escalated, 0.0),
        (_approved, 0.0),
        (_asked_for, 0.0),
    ],
)
def test_it_knows_what_recovered_without_a_person(
    cast: Cast, alice: Client, story: Callable[[Cast, datetime], Incident], share: float
) -> None:
    """Closing, approving, asking for a retry and being called are a person's part; a remark is not.

    What people did before the incident came back does not count against this time, nor a decision
    that no longer holds. Seen red without each of the triggers that keep `handled_at`.
    """
    an_event(cast.capture)
    story(cast, timezone.now())
    auto = kpis(alice)["auto"]
    assert (auto["total"], auto["share"]) == (1, share)


def test_it_measures_the_time_to_recover_against_the_day_before(cast: Cast, alice: Client) -> None:
    now = timezone.now()
    an_event(cast.capture)
    for minutes, hours in ((2, 1), (4, 1), (60, 1), (10, 30), (10, 60)):
        resolved = now - timedelta(hours=hours)
        opened = resolved - timedelta(minutes=minutes)
        an_incident_row(cast.capture, opened_at=opened, resolved_at=resolved)
    recover = kpis(alice)["recover"]
    assert recover["median_seconds"] == 240
    assert recover["p90_seconds"] == pytest.approx(0.2 * 240 + 0.8 * 3600)
    assert recover["delta_seconds"] == 240 - 600
    auto = kpis(alice)["auto"]
    assert (auto["recovered"], auto["total"], auto["delta"]) == (3, 3, 0.0)


def test_it_says_unknown_rather_than_zero(cast: Cast, alice: Client) -> None:
    an_event(cast.capture)
    figures = kpis(alice)
    assert figures["auto"]["share"] is None
    assert figures["recover"]["median_seconds"] is None
    assert "nothing to recover yet" in text_of(alice.get("/"))


def test_it_shows_the_next_expiry(cast: Cast, alice: Client, waiting: Action) -> None:
    approvals = kpis(alice)["approvals"]
    assert (approvals["total"], approvals["oldest"].pk) == (1, waiting.pk)
    assert waiting.expires_at is not None
    with time_machine.travel(waiting.expires_at, tick=False):
        approvals = kpis(cast.client_as("alice"))["approvals"]
    assert approvals == {"total": 0, "oldest": None}


def test_it_measures_rate_share_and_lag(cast: Cast, alice: Client) -> None:
    """Over the last five minutes; a sender's wrong clock does not count as lag."""
    now = timezone.now().replace(second=59)
    for seconds, kind, lag in ((10, "failure", 2), (70, "success", 4), (130, "success", 4)):
        at = now - timedelta(seconds=seconds)
        an_event(cast.capture, kind, received_at=at, occurred_at=at - timedelta(seconds=lag))
    late = now - timedelta(days=40)
    an_event(cast.capture, "success", received_at=now, occurred_at=late, clock_skew=True)
    an_event(cast.capture, received_at=now - timedelta(minutes=20))
    an_event(cast.routing)
    with time_machine.travel(now, tick=False):
        events = kpis(cast.client_as("alice"))["events"]
    assert (events["per_minute"], events["failing"]) == (0.8, 25.0)
    assert events["lag_seconds"] == 2.0
    assert sum(events["trend"]) == 5


@pytest.mark.parametrize(
    ("key", "steps"), [("1h", 60), ("12h", 72), ("7d", 84), ("", 60), ("9y", 60)]
)
def test_it_draws_each_range(cast: Cast, alice: Client, key: str, steps: int) -> None:
    now = timezone.now()
    an_event(cast.capture, received_at=now)
    an_event(cast.capture, "success", received_at=now - timedelta(minutes=30))
    an_event(cast.capture, received_at=now - timedelta(days=8))
    _alone(cast, now)
    chart = alice.get(f"/?range={key}").context["chart"]
    points = chart["points"]
    assert len(points) == steps
    assert sum(point["events"] for point in points) == 2
    assert sum(point["failed"] for point in points) == 1
    assert sum(point["recovered"] for point in points) == 1
    assert points[-1]["failed"] == 1
    assert "2 events" in chart["finding"]


def test_it_marks_changes_and_severe_incidents(cast: Cast, alice: Client) -> None:
    now = timezone.now()
    an_event(
        cast.capture, "change", event_type="deploy.finished", received_at=now - timedelta(minutes=9)
    )
    an_event(cast.routing, "change", event_type="deploy.finished")
    an_incident_row(cast.capture, number=7, severity="critical", opened_at=now)
    an_incident_row(cast.capture, severity="low")
    markers = alice.get("/").context["chart"]["markers"]
    assert [(m["label"], m["tone"]) for m in markers] == [
        ("deploy.finished", "slate"),
        ("Critical INC-7", "red"),
    ]
    assert "deploy.finished" in alice.get("/").content.decode()


def test_it_feeds_the_latest_first(cast: Cast, alice: Client, waiting: Action) -> None:
    feed = alice.get("/").context["feed"]
    assert [entry.kind for entry in feed] == ["gate", "decided", "classified", "opened"]


def test_it_shows_the_worst_vendor_first(cast: Cast, alice: Client) -> None:
    an_event(cast.capture)
    for name, state in (("acme", "closed"), ("zeta", "open")):
        Vendor.objects.create(
            tenant=cast.meridian,
            name=name,
            breaker_state=state,
            breaker_changed_at=timezone.now(),
        )
    assert [vendor.name for vendor in alice.get("/").context["vendors"]] == ["zeta", "acme"]


def test_it_asks_the_database_equally_often_when_busy(
    cast: Cast, alice: Client, waiting: Action
) -> None:
    """At most 16 queries beside the sign-in, as many for a busy hour as for one event."""

    def queries() -> int:
        with CaptureQueriesContext(connection) as found:
            assert alice.get("/").status_code == 200
        return len(found)

    alice.get("/")
    one = queries()
    now = timezone.now()
    for number in range(20):
        an_event(cast.capture, received_at=now - timedelta(minutes=number))
        an_incident_row(cast.capture, resolved_at=now)
        an_incident_row(cast.capture, severity="critical")
    assert queries() == one
    assert one - 3 <= 16


def test_it_tells_strangers_nothing(cast: Cast, waiting: Action) -> None:
    """Before sign-in there is no shell: no tenant, no figure."""
    response = Client().get("/login")
    assert response.status_code == 200
    assert "shell" not in (response.context or {})
    for trace in ("Meridian", "Northwind", "nav__count", "INC-"):
        assert trace not in response.content.decode()


def test_it_counts_in_the_navigation(cast: Cast, alice: Client, waiting: Action) -> None:
    an_incident_row(cast.capture, severity="critical")
    shell = alice.get("/incidents/").context["shell"]
    assert shell.counts == {"incidents": 2, "critical": 1, "approvals": 1, "running": 0}
    Action.objects.update(status="verifying", expires_at=None)
    shell = alice.get("/incidents/").context["shell"]
    assert (shell.counts["approvals"], shell.counts["running"]) == (0, 1)


@pytest.mark.parametrize(
    ("who", "role", "act", "admin", "tenants"),
    [
        ("vera", "Viewer", False, False, ["Meridian Commerce"]),
        ("alice", "Responder", True, False, ["Meridian Commerce"]),
        ("anna", "Admin", True, True, ["Meridian Commerce", "Northwind Logistics"]),
    ],
)
def test_it_knows_the_reader(
    cast: Cast, who: str, role: str, act: bool, admin: bool, tenants: list[str]
) -> None:
    shell = cast.client_as(who).get("/incidents/").context["shell"]
    assert (shell.role_name, shell.can_act, shell.can_admin) == (role, act, admin)
    assert [tenant.name for tenant in shell.tenants] == tenants


def test_it_follows_the_chosen_tenant(cast: Cast) -> None:
    an_incident_row(cast.routing, title="Truck lost")
    anna = cast.client_as("anna")
    assert "Truck lost" not in anna.get("/incidents/").content.decode()
    anna.post("/switch-tenant", {"tenant": str(cast.northwind.pk)})
    response = anna.get("/incidents/")
    assert "Truck lost" in response.content.decode()
    assert response.context["shell"].tenant == cast.northwind


def test_it_says_what_is_stopped(cast: Cast, alice: Client) -> None:
    """Widest first; a stop of ingestion alone does not read as "automation stopped"."""
    now = timezone.now()
    for fields in (
        {"scope": "vendor", "vendor": "stripe"},
        {"scope": "tenant", "blocks": "ingestion"},
    ):
        engage_switch(tenant=cast.meridian, actor=MACHINE, now=now, **fields)  # type: ignore[arg-type]
    engage_switch(tenant=cast.northwind, scope="tenant", actor=MACHINE, now=now)
    shell = alice.get("/incidents/").context["shell"]
    assert [stop.scope for stop in shell.stops] == ["tenant", "vendor"]
    assert shell.all_stopped is False
    engage_switch(tenant=cast.meridian, scope="tenant", actor=MACHINE, now=now)
    assert alice.get("/incidents/").context["shell"].all_stopped is True


def test_it_counts_only_what_a_stop_covers(
    cast: Cast, alice: Client, decided: Callable[..., Action], waiting: Action
) -> None:
    """Of two unsent retries the workflow's switch holds one; one blocked by it is held too."""
    other = decided(cast.contacts, error_code="crm_down", message="No")
    Action.objects.filter(pk=other.pk).update(status="planned", kind="retry", acts=True)
    switch = engage_switch(
        tenant=cast.meridian,
        scope="workflow",
        workflow=cast.contacts,
        actor=MACHINE,
        now=timezone.now(),
    )
    assert alice.get("/incidents/").context["shell"].held == 1
    Action.objects.filter(pk=other.pk).update(status="blocked")
    assert alice.get("/incidents/").context["shell"].held == 0
    Action.objects.filter(pk=other.pk).update(stopped_by=switch)
    assert alice.get("/incidents/").context["shell"].held == 1


def test_it_ends_with_no_page_in_the_way(cast: Cast, alice: Client) -> None:
    """A page of an id that never was names no tenant's thing."""
    response = alice.get(f"/incidents/{cast.meridian.pk}/", headers={"Accept": "text/html"})
    assert response.status_code == 404
    assert "text/html" in response.headers["Content-Type"]
    assert Event.objects.count() == 0
