"""A plan's `notify` step tells people by a channel, at least once [A1 A6]."""

from __future__ import annotations

import pytest
from django.utils import timezone

from actions.escalation import sending as paging
from actions.escalation.models import Channel, Page
from actions.escalation.services import add_channel
from actions.models import Action
from actions.previewing import preview_of
from incidents.models import Incident, TimelineEntry
from tenants.models import Workflow
from tests.actions.driving import ANNA, Begin, drive
from tests.actions.receivers import Webhook

pytestmark = pytest.mark.django_db
TELL = 'key: tell, kind: notify, with: {text: "${incident.resource_id} is mended", channel: Team}'


@pytest.fixture
def team(workflow: Workflow, webhook: Webhook) -> Channel:
    return add_channel(
        tenant=workflow.tenant, name="Team", url=webhook.url, actor=ANNA, now=timezone.now()
    )


def test_it_tells_the_channel_and_keeps_the_ledger(
    begin: Begin, team: Channel, webhook: Webhook
) -> None:
    """One page, by its id; looking again writes no other. The timeline says both."""
    recovery = drive(begin(TELL))
    assert recovery.status == "completed"
    page = Page.objects.get()
    assert (page.channel, page.escalation) == (team, recovery.actions.get())
    assert paging.run_due() == 1
    [call] = webhook.calls
    assert call["key"] == str(page.pk)
    assert call["title"].startswith("Notice: ")
    assert "7 is mended" in call["message"]
    assert "acknowledge" not in call["message"]
    told = TimelineEntry.objects.filter(incident=recovery.incident, kind="action")
    texts = list(told.order_by("id").values_list("text", flat=True))
    assert texts == ["7 is mended", "Told Team by webhook"]


def test_no_answer_stops_a_notice(begin: Begin, team: Channel, webhook: Webhook) -> None:
    """Neither that somebody has the incident nor that it is over: it tells what happened.

    Seen red without `is_notice` in `_stop`, and in `stop_needless`.
    """
    recovery, now = drive(begin(TELL)), timezone.now()
    Incident.objects.filter(pk=recovery.incident_id).update(
        acknowledged_at=now, status="resolved", resolved_at=now
    )
    paging.run_due()
    assert len(webhook.calls) == 1


def test_a_channel_that_is_switched_off_meanwhile_is_left_alone(
    begin: Begin, team: Channel, webhook: Webhook
) -> None:
    drive(begin(TELL))
    Channel.objects.update(enabled=False)
    paging.run_due()
    assert (Page.objects.get().status, webhook.calls) == ("stopped", [])


@pytest.mark.parametrize("known", [True, False])
def test_an_unknown_channel_fails_the_step_and_is_said_before(
    begin: Begin, team: Channel, known: bool
) -> None:
    """Also one that is switched off; nothing is written, and the plan goes by `on_failure`."""
    Channel.objects.update(**({"enabled": False} if known else {"name": "Others"}))
    recovery = drive(begin(TELL))
    assert recovery.status == "failed"
    assert (
        "no channel named Team is switched on" in recovery.actions.get(step="tell").result["reason"]
    )
    assert not Page.objects.filter(escalation__kind="notify").exists()
    step = Action(incident=recovery.incident, tenant=recovery.tenant, kind="notify")
    step.parameters = {"text": "Look.", "channel": "Team"}
    shown = preview_of(step, timezone.now())
    assert "It will be refused: no channel named Team" in str(shown)


def test_without_a_channel_it_stays_in_the_timeline(begin: Begin, team: Channel) -> None:
    drive(begin("key: tell, kind: notify, with: {text: Look}"))
    assert not Page.objects.exists()
