"""An escalation calls people by their channels until somebody has it [A6]."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
import time_machine
from django.db import IntegrityError, transaction
from django.utils import timezone

from actions import sending, services
from actions.escalation import sending as paging
from actions.escalation.courier import Receipt
from actions.escalation.models import Channel, EscalationPolicy, Page
from actions.escalation.schedule import FAILING_AFTER, MAX_ATTEMPTS
from actions.escalation.services import add_channel, call_people, test_channel
from actions.models import Action
from awfdrs_site.kernel.actor import MACHINE, Actor
from awfdrs_site.kernel.models import AuditEntry
from incidents import services as incident_services
from incidents.models import Incident, TimelineEntry
from incidents.triage import snoozing, undoing
from tenants.models import Workflow
from tests.actions.conftest import an_incident
from tests.actions.receivers import Webhook
from tests.processes import start
from tests.threads import at_once

pytestmark = pytest.mark.django_db
ANNA = Actor("person", "anna")
# pytest would take it for a test.
send_test = test_channel
del test_channel


def a_channel(workflow: Workflow, webhook: Webhook, name: str = "Anna") -> Channel:
    return add_channel(
        tenant=workflow.tenant, name=name, url=webhook.url, actor=ANNA, now=timezone.now()
    )


def a_policy(workflow: Workflow, *steps: tuple[int, list[str]], **fields: object) -> None:
    document = [{"after_seconds": at, "channels": names} for at, names in steps]
    EscalationPolicy.objects.create(tenant=workflow.tenant, steps=document, **fields)


def escalate(incident: Incident) -> Action:
    """By hand; the pages are written, none is sent yet."""
    action = services.escalate(incident=incident, actor=ANNA, now=timezone.now(), comment="Help")
    sending.run_due()
    return action


def make_due() -> None:
    Page.objects.filter(status="pending").update(due_at=timezone.now())


def told(incident: Incident) -> list[str]:
    rows = TimelineEntry.objects.filter(incident=incident, kind="escalated")
    return list(rows.order_by("id").values_list("text", flat=True))


def test_it_stays_in_the_log_without_a_channel(workflow: Workflow) -> None:
    incident = an_incident(workflow)
    escalate(incident)
    assert paging.run_due() == 0
    assert told(incident) == ["Escalated to the log channel: Help"]


def test_it_calls_and_keeps_the_ledger(workflow: Workflow, webhook: Webhook) -> None:
    """The notice names the incident and the reason; its key is the page's id."""
    a_channel(workflow, webhook)
    incident = an_incident(workflow)
    action = escalate(incident)
    assert paging.run_due() == 1
    page = Page.objects.get()
    assert (page.status, page.attempts, page.escalation) == ("delivered", 1, action)
    [call] = webhook.calls
    assert call["key"] == str(page.pk)
    assert incident.label in call["title"]
    assert "Help" in call["message"]
    assert told(incident) == ["Escalated, calling Anna: Help", "Called Anna by webhook"]
    assert Channel.objects.get().last_delivered_at is not None


def test_it_follows_the_policy_of_the_severity(workflow: Workflow, webhook: Webhook) -> None:
    """All calls are written at once, so that what is going to happen can be seen."""
    for name in ("Anna", "Bob", "Team"):
        a_channel(workflow, webhook, name)
    a_policy(workflow, (0, ["Team"]))
    incident = an_incident(workflow)
    a_policy(workflow, (0, ["Anna"]), (600, ["Anna", "Bob"]), severity=incident.severity, repeats=1)
    escalate(incident)
    began = Page.objects.order_by("due_at")[0].due_at
    plan = Page.objects.order_by("due_at", "channel__name").values_list("channel__name", "due_at")
    after = [(name, round((at - began).total_seconds())) for name, at in plan]
    first = [("Anna", 0), ("Anna", 600), ("Bob", 600)]
    assert after == first + [(name, at + 1500) for name, at in first]
    assert told(incident) == ["Escalated, calling Anna, 5 more calls if nobody acknowledges: Help"]
    assert (paging.run_due(), len(webhook.calls)) == (1, 1)


def test_calls_about_what_is_snoozed_wait(workflow: Workflow, webhook: Webhook) -> None:
    """Until then, and then they go on. Red without the look in `claim`: called at once."""
    a_channel(workflow, webhook)
    incident = an_incident(workflow)
    escalate(incident)
    until = timezone.now() + timedelta(hours=1)
    snooze(incident, until)
    assert (paging.run_due(), len(webhook.calls)) == (0, 0)
    Incident.objects.update(snoozed_until=timezone.now())
    assert (paging.run_due(), len(webhook.calls)) == (1, 1)


def snooze(incident: Incident, until: datetime | None) -> None:
    snoozing.snooze(incident=incident, until=until, user=None, actor=ANNA, now=timezone.now())


@pytest.mark.parametrize(
    ("actor", "hours", "called"),
    [(ANNA, None, True), (ANNA, 1, True), (MACHINE, None, True), (MACHINE, 1, False)],
)
def test_a_call_for_help_ends_a_snooze(
    workflow: Workflow, webhook: Webhook, actor: Actor, hours: int | None, called: bool
) -> None:
    """A person's always; automation's where there is no other end: somebody must hear that it
    will not recover by itself. Red without `rouse_for_help` in `planning.escalate`."""
    a_channel(workflow, webhook)
    incident = an_incident(workflow)
    snooze(incident, timezone.now() + timedelta(hours=hours) if hours else None)
    services.escalate(incident=incident, actor=actor, now=timezone.now(), comment="Help")
    sending.run_due()
    paging.run_due()
    assert len(webhook.calls) == called


@pytest.mark.parametrize("verb", ["acknowledge", "resolve", "ignore", "reopen", "switch off"])
def test_what_is_not_needed_any_more_is_not_sent(
    workflow: Workflow, webhook: Webhook, verb: str
) -> None:
    """Neither what is due nor what would come later.

    Red without `stop_needless` and the look in `claim`: the second page is sent.
    """
    channel = a_channel(workflow, webhook)
    a_policy(workflow, (0, ["Anna"]), (60, ["Anna"]), (120, ["Anna"]))
    incident = an_incident(workflow)
    escalate(incident)
    paging.run_due()
    now = timezone.now()
    if verb == "acknowledge":
        incident_services.acknowledge(incident=incident, user=None, actor=ANNA, now=now)
    elif verb == "switch off":
        Channel.objects.filter(pk=channel.pk).update(enabled=False)
    else:
        to = "ignore" if verb == "reopen" else verb
        getattr(incident_services, to)(incident=incident, actor=ANNA, now=now, comment="x")
        if verb == "reopen":
            incident_services.reopen(incident=incident, actor=ANNA, now=now)
    Page.objects.filter(status="pending", step=1).update(due_at=now)
    paging.run_due()
    assert len(webhook.calls) == 1
    assert list(Page.objects.order_by("step").values_list("status", flat=True)) == [
        "delivered", "stopped", "stopped",
    ]  # fmt: skip
    assert Page.objects.get(step=2).detail


def test_an_acknowledgement_that_is_taken_back_stops_nothing(
    workflow: Workflow, webhook: Webhook
) -> None:
    """The calls it stopped go on, as far ahead as they were; what was sent is not sent again.

    Red without `call_again`: the second call stayed stopped.
    """
    a_channel(workflow, webhook)
    a_policy(workflow, (0, ["Anna"]), (60, ["Anna"]))
    incident = an_incident(workflow)
    escalate(incident)
    paging.run_due()
    second = Page.objects.get(step=1)
    with time_machine.travel(timezone.now() + timedelta(seconds=10)) as clock:
        incident_services.acknowledge(incident=incident, user=None, actor=ANNA, now=timezone.now())
        paging.run_due()
        assert Page.objects.get(step=1).status == "stopped"
        clock.shift(timedelta(hours=1))
        undoing.unacknowledge(incident=incident, actor=ANNA, now=timezone.now())
        paging.run_due()
        page = Page.objects.get(step=1)
        assert (page.status, len(webhook.calls)) == ("pending", 1)
        assert timedelta(seconds=40) < page.due_at - timezone.now() <= timedelta(seconds=60)
        assert page.due_at > second.due_at
        clock.shift(timedelta(minutes=1))
        paging.run_due()
    assert len(webhook.calls) == 2


def test_what_was_said_while_a_worker_claims_holds(workflow: Workflow, webhook: Webhook) -> None:
    """Acknowledged after `stop_needless` has looked: the claim looks again. Red without."""
    a_channel(workflow, webhook)
    incident = an_incident(workflow)
    escalate(incident)
    now = timezone.now()
    incident_services.acknowledge(incident=incident, user=None, actor=ANNA, now=now)
    page = paging.claim(now)
    assert page is not None
    assert (page.status, page.detail) == ("stopped", "somebody has it")


def test_an_acknowledgement_of_the_opening_before_stops_nothing(
    workflow: Workflow, webhook: Webhook
) -> None:
    a_channel(workflow, webhook)
    incident = an_incident(workflow)
    incident_services.acknowledge(incident=incident, user=None, actor=ANNA, now=timezone.now())
    incident_services.resolve(incident=incident, actor=ANNA, now=timezone.now(), comment="By hand")
    incident_services.reopen(incident=incident, actor=ANNA, now=timezone.now())
    escalate(incident)
    paging.run_due()
    assert len(webhook.calls) == 1


def test_an_escalation_calls_once(workflow: Workflow, webhook: Webhook) -> None:
    """Asked for again, the database refuses. Red without the constraint `page_once`: 2 pages."""
    a_channel(workflow, webhook)
    action = escalate(an_incident(workflow))
    with pytest.raises(IntegrityError), transaction.atomic():
        call_people(action, timezone.now())
    assert Page.objects.count() == 1


def test_a_call_that_does_not_arrive_is_tried_again(workflow: Workflow, webhook: Webhook) -> None:
    """With the same key, later and later."""
    a_channel(workflow, webhook)
    incident = an_incident(workflow)
    webhook.answers = [500, 200]
    escalate(incident)
    paging.run_due()
    page = Page.objects.get()
    assert (page.status, page.attempts) == ("pending", 1)
    assert page.due_at > timezone.now()
    assert "500" in page.detail
    make_due()
    paging.run_due()
    assert Page.objects.get().status == "delivered"
    assert webhook.keys == [str(page.pk)] * 2


def test_a_channel_that_fails_is_marked_and_one_that_works_again_is_not(
    workflow: Workflow, webhook: Webhook
) -> None:
    channel = a_channel(workflow, webhook)
    incident = an_incident(workflow)
    webhook.answers = [500] * MAX_ATTEMPTS + [200]
    escalate(incident)
    marked = []
    for _ in range(MAX_ATTEMPTS):
        make_due()
        paging.run_due()
        channel.refresh_from_db()
        marked.append(channel.failing_since is not None)
    assert marked == [attempt >= FAILING_AFTER for attempt in range(1, MAX_ATTEMPTS + 1)]
    assert Page.objects.get().status == "failed"
    assert told(incident)[-1].startswith(f"Could not call Anna in {MAX_ATTEMPTS} attempts: ")
    send_test(channel=channel, actor=ANNA, now=timezone.now())
    paging.run_due()
    channel.refresh_from_db()
    assert (channel.failures, channel.failing_since, channel.last_error) == (0, None, "")


def test_a_test_goes_out_though_the_channel_is_off(workflow: Workflow, webhook: Webhook) -> None:
    channel = a_channel(workflow, webhook)
    Channel.objects.update(enabled=False)
    page = send_test(channel=channel, actor=ANNA, now=timezone.now())
    paging.run_due()
    assert webhook.keys == [str(page.pk)]
    assert "Anna" in webhook.calls[0]["message"]
    assert AuditEntry.objects.filter(verb="tested", subject_id=str(channel.pk)).exists()


def test_an_answer_that_comes_after_the_lease_is_dropped(
    workflow: Workflow, webhook: Webhook
) -> None:
    """Another worker has the page by then. Red without the fence: the late failure is written."""
    a_channel(workflow, webhook)
    escalate(an_incident(workflow))
    slow = paging.claim(timezone.now())
    assert slow is not None
    assert paging.take_back_lost(timezone.now() + paging.LEASE) == 1
    make_due()
    assert paging.claim(timezone.now()) is not None
    paging.record(slow, Receipt(False, "too late"), timezone.now())
    page = Page.objects.get()
    assert (page.status, page.attempts) == ("sending", 2)


def test_the_secret_is_sealed(workflow: Workflow, webhook: Webhook) -> None:
    """Neither the column nor the audit log holds the address; its own row opens it."""
    channel = a_channel(workflow, webhook)
    assert webhook.host.encode() not in bytes(channel.sealed)
    assert channel.secret() == webhook.url
    entries = AuditEntry.objects.filter(subject_id=str(channel.pk))
    assert webhook.host not in str(list(entries.values()))


def test_an_address_that_cannot_be_opened_stops_no_other(
    workflow: Workflow, webhook: Webhook
) -> None:
    """Taken from another row, say: it counts as a call that did not arrive, and the next goes on.

    Red without the seal being bound to its row: Anna's page goes to Bob's address.
    """
    anna, bob = a_channel(workflow, webhook), a_channel(workflow, webhook, "Bob")
    Channel.objects.filter(pk=anna.pk).update(sealed=bob.sealed)
    escalate(an_incident(workflow))
    assert paging.run_due() == 2
    rows = Page.objects.order_by("channel__name").values_list("channel__name", "status")
    assert list(rows) == [("Anna", "pending"), ("Bob", "delivered")]
    assert len(webhook.calls) == 1


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_workers_at_once_send_each_page_once(workflow: Workflow, webhook: Webhook) -> None:
    """Five workers, six pages. Red without `select_for_update` in `claim`: keys came twice."""
    for number in range(6):
        a_channel(workflow, webhook, f"Channel {number}")
    escalate(an_incident(workflow))
    at_once(5, lambda _: paging.run_due())
    assert sorted(webhook.keys) == sorted(
        str(pk) for pk in Page.objects.values_list("pk", flat=True)
    )
    assert set(Page.objects.values_list("status", "attempts")) == {("delivered", 1)}


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_worker_killed_while_calling_is_made_up_for(
    workflow: Workflow, webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may have arrived, and is sent again under the same key.

    Red without `take_back_lost`: one call, and the page stays `sending`.
    """
    monkeypatch.setenv("CHANNEL_ALLOWED_HOSTS", "127.0.0.1")
    a_channel(workflow, webhook)
    escalate(an_incident(workflow))
    webhook.go.clear()
    worker = start("from actions.escalation import sending\nsending.run_due()\n")
    assert webhook.came.acquire(timeout=60)
    worker.kill()
    worker.wait()
    webhook.go.set()
    page = Page.objects.get()
    assert page.status == "sending"
    Page.objects.update(leased_until=timezone.now())
    paging.run_due()
    make_due()
    paging.run_due()
    assert webhook.keys == [str(page.pk)] * 2
    assert Page.objects.get().status == "delivered"


def test_the_lease_outlives_the_call() -> None:
    """Else two workers could be at one page, each within its rights."""
    assert timedelta(seconds=paging.DEADLINE_SECONDS) < paging.LEASE
