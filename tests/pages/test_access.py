"""Who sees which page and may post which form [T2 T4]."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from actions.models import Action, Channel, Recovery
from awfdrs_site.kernel.actor import MACHINE
from awfdrs_site.kernel.models import AuditEntry
from incidents.models import Incident, TimelineEntry
from safety.models import KillSwitch
from safety.services import engage_switch
from tenants.models import ApiKey
from tests.builders import a_pin
from tests.cast import Cast
from tests.pages.looks import post_forms, text_of
from tests.recoveries import a_recovery, an_attempt

PAGES = (
    "/",
    "/incidents/",
    "/incidents/{incident}/",
    "/approvals/",
    "/actions/",
    "/recoveries/",
    "/recoveries/{recovery}/",
    "/workflows/",
    "/workflows/{workflow}/",
    "/learning/",
    "/safety/",
    "/safety/stops",
    "/safety/{switch}/",
    "/settings/",
    "/settings/keys",
    "/settings/members",
    "/settings/notification",
)
ON_INCIDENT = (
    "acknowledge",
    "assign",
    "comment",
    "ignore",
    "resolve",
    "reopen",
    "escalate",
    "snooze",
    "wake",
    "unmerge",
    "split",
)
POSTS = (
    *(f"/incidents/{{incident}}/{verb}" for verb in ON_INCIDENT),
    *(
        f"/actions/{{action}}/{verb}"
        for verb in ("approve", "reject", "run", "cancel", "undo", "take-back")
    ),
    "/incidents/pins/{pin}/remove",
    "/incidents/pins/{pin}/undo",
    "/recoveries/{recovery}/undo",
    "/workflows/{workflow}/failback",
    "/safety/{switch}/skipped",
    "/safety/{switch}/extend",
    "/safety/{switch}/resume",
    "/settings/keys/{key}/revoke",
    "/settings/members/{member}/role",
    "/settings/members/{member}/remove",
    "/settings/channels/{channel}/test",
)
# A link to these shows the question, and does nothing either.
ASKED_FIRST = ("/incidents/{incident}/split", "/safety/{switch}/extend", "/safety/{switch}/resume")
FIELDS = {"comment": "x", "for": "2h", "reason": "x", "assignee": ""}


@pytest.fixture
def ids(cast: Cast, waiting: Action) -> dict[str, object]:
    switch = engage_switch(
        tenant=cast.meridian,
        scope="vendor",
        vendor="netsuite",
        actor=MACHINE,
        now=waiting.created_at,
    )
    recovery = a_recovery(waiting.incident, "failed")
    an_attempt(recovery, "drain", result={"taken": True})
    return {
        "incident": waiting.incident_id,
        "action": waiting.pk,
        "recovery": recovery.pk,
        "pin": a_pin(cast.meridian).pk,
        "switch": switch.pk,
        "member": "vera",
        "channel": Channel.objects.create(tenant=cast.meridian, name="Ops", kind="email").pk,
        "key": ApiKey.objects.get(name="meridian-read").prefix,
        "workflow": waiting.incident.workflow_id,
    }


def facts() -> tuple[object, ...]:
    """Everything a form could have changed."""
    return (
        AuditEntry.objects.count(),
        TimelineEntry.objects.count(),
        list(Action.objects.values_list("status")),
        list(Incident.objects.values_list("status", "assignee", "acknowledged_at")),
        list(Recovery.objects.values_list("status", "undo_asked_by")),
        list(KillSwitch.objects.values_list("released_at", "expires_at")),
    )


def test_it_shows_every_page_to_every_member(cast: Cast, ids: dict[str, object]) -> None:
    for who in ("vera", "alice", "anna"):
        client = cast.client_as(who)
        for page in PAGES:
            response = client.get(page.format(**ids))
            assert response.status_code == 200, (who, page)
            assert "Meridian Commerce" in response.content.decode()


def test_it_gives_a_viewer_no_form_that_changes_something(
    cast: Cast, ids: dict[str, object]
) -> None:
    vera = cast.client_as("vera")
    for page in PAGES:
        if page == "/settings/":
            continue  # her own name, pages and password
        forms = [form.action for form in post_forms(vera.get(page.format(**ids)))]
        assert set(forms) <= {"/incidents/views"}, page  # her own views of the list


def test_it_tells_a_viewer_who_can_give_the_role(cast: Cast, ids: dict[str, object]) -> None:
    for page in ("/incidents/{incident}/", "/approvals/"):
        text = text_of(cast.client_as("vera").get(page.format(**ids)))
        assert "anna can give you the responder role" in text


def test_it_refuses_a_viewers_posts(cast: Cast, ids: dict[str, object]) -> None:
    """Seen red with the views asking for `read`."""
    before, vera = facts(), cast.client_as("vera")
    for post in POSTS:
        assert vera.post(post.format(**ids), FIELDS).status_code == 403, post
    assert facts() == before


def test_it_hides_what_is_another_tenants_from_posts(cast: Cast, ids: dict[str, object]) -> None:
    """Mallory is an admin, of the other tenant: 404 as for an id that never was.

    Seen red with the objects read without their tenant.
    """
    before, mallory = facts(), cast.client_as("mallory")
    nowhere = dict.fromkeys(ids, "00000000-0000-0000-0000-00000000dead")
    for post in POSTS:
        foreign = mallory.post(post.format(**ids), FIELDS)
        unknown = mallory.post(post.format(**nowhere), FIELDS)
        assert foreign.status_code == unknown.status_code == 404, post
    assert facts() == before


def test_it_shows_no_trace_of_another_tenant(
    cast: Cast, incident_of: Callable[..., Incident], ids: dict[str, object]
) -> None:
    """Neither rows nor counts: mallory's pages are those of a tenant where nothing happened."""
    client = cast.client_as("mallory")
    assert client.get(f"/incidents/{ids['incident']}/").status_code == 404
    for page in ("/", "/incidents/", "/approvals/", "/actions/", "/safety/"):
        html = client.get(page).content.decode()
        for trace in ("Timed out", "payments.capture", "netsuite", "alice", "nav__count"):
            assert trace not in html, (page, trace)


def test_it_sends_strangers_to_the_log_in(cast: Cast, ids: dict[str, object]) -> None:
    for path in (*PAGES, *POSTS, "/safety/stop"):
        response = Client().post(path.format(**ids), FIELDS)
        assert response.status_code == 302, path
        assert response.headers["Location"].startswith("/login?next=")


def test_it_changes_nothing_by_a_link(cast: Cast, ids: dict[str, object]) -> None:
    before, anna = facts(), cast.client_as("anna")
    for post in POSTS:
        answer = anna.get(post.format(**ids)).status_code
        assert answer == (200 if post in ASKED_FIRST else 405), post
    assert facts() == before


def test_it_wants_the_forms_token(cast: Cast, ids: dict[str, object]) -> None:
    client = cast.client_as("alice", enforce_csrf_checks=True)
    before = facts()
    response = client.post(f"/incidents/{ids['incident']}/acknowledge")
    assert response.status_code == 403
    assert facts() == before
