"""Settings, members: roles, joining, leaving; one admin always stays [T4 T6]."""

from __future__ import annotations

import threading

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.utils import timezone

from awfdrs_site.kernel.actor import MACHINE
from awfdrs_site.kernel.models import AuditEntry
from awfdrs_site.kernel.problem import Problem
from tenants.members import remove_member
from tenants.models import Membership
from tenants.selectors import get_member_for
from tests.cast import Cast
from tests.pages.looks import post_forms, text_of, told

PAGE = "/settings/members"


def role_of(cast: Cast, name: str) -> str | None:
    rows = Membership.objects.filter(tenant=cast.meridian, user__username=name)
    return rows.values_list("role", flat=True).first()


def test_it_changes_a_role_at_once_and_says_why(cast: Cast) -> None:
    answer = cast.client_as("anna").post(
        f"{PAGE}/vera/role", {"role": "responder", "comment": "on call from today"}
    )
    assert (answer.status_code, answer.headers["Location"]) == (303, PAGE)
    assert role_of(cast, "vera") == "responder"
    entry = AuditEntry.objects.filter(verb="role").latest("id")
    assert (entry.actor, entry.before, entry.comment) == ("anna", "viewer", "on call from today")
    assert entry.after == {"user": "vera", "role": "responder"}


def test_it_removes_a_member_whose_next_request_is_refused(cast: Cast) -> None:
    vera = cast.client_as("vera")
    assert vera.get("/").status_code == 200
    cast.client_as("anna").post(f"{PAGE}/vera/remove", {"comment": "left"})
    assert vera.get("/").status_code == 403
    entry = AuditEntry.objects.get(verb="removed")
    assert (entry.before, entry.comment) == ({"user": "vera", "role": "viewer"}, "left")


@pytest.mark.parametrize(("act", "fields"), [("role", {"role": "viewer"}), ("remove", {})])
def test_it_keeps_the_last_admin(cast: Cast, act: str, fields: dict[str, str]) -> None:
    """One who cannot sign in does not count. Seen red without the check."""
    alice = cast.people["alice"]
    Membership.objects.filter(tenant=cast.meridian, user=alice).update(role="admin")
    alice.is_active = False
    alice.save()
    answer = cast.client_as("anna").post(f"{PAGE}/anna/{act}", fields)
    assert told(answer) == [("error", "One admin must stay. Name another first.")]
    assert role_of(cast, "anna") == "admin"
    alice.is_active = True
    alice.save()
    cast.client_as("anna").post(f"{PAGE}/anna/{act}", fields)
    assert role_of(cast, "anna") != "admin"


def test_two_admins_do_not_remove_each_other(committed_cast: Cast) -> None:
    """The second waits for the first to commit, and is told. Seen red without the lock."""
    cast, now, told_second = committed_cast, timezone.now(), []
    Membership.objects.filter(tenant=cast.meridian, user=cast.people["alice"]).update(role="admin")
    anna, alice = (get_member_for(cast.meridian, name) for name in ("anna", "alice"))

    def second() -> None:
        try:
            remove_member(membership=alice, actor=MACHINE, now=now)
        except Problem as problem:
            told_second.append(problem.errors[0].code)
        connection.close()

    thread = threading.Thread(target=second)
    with transaction.atomic():
        remove_member(membership=anna, actor=MACHINE, now=now)
        thread.start()
        thread.join(1)  # it waits for this commit; without the lock it is through by now
    thread.join()
    assert told_second == ["last_admin"]
    assert Membership.objects.filter(tenant=cast.meridian, role="admin").get() == alice


def test_it_adds_people_of_the_admins_other_tenants(cast: Cast) -> None:
    """Mallory is of Northwind, which anna administers too; noah is in no tenant.

    Seen red with everybody to choose from.
    """
    anna = cast.client_as("anna")
    page = text_of(anna.get(PAGE))
    assert "mallory" in page
    assert "noah" not in page
    anna.post(PAGE, {"user": "mallory", "role": "viewer"})
    assert role_of(cast, "mallory") == "viewer"
    for nobody in ("noah", "no-such-person", ""):
        answer = anna.post(PAGE, {"user": nobody, "role": "viewer"})
        assert told(answer)[-1] == ("error", "Nobody of that name to add.")
    assert role_of(cast, "noah") is None


def test_it_gives_no_unknown_role(cast: Cast) -> None:
    anna = cast.client_as("anna")
    for path, fields in ((PAGE, {"user": "mallory"}), (f"{PAGE}/vera/role", {})):
        for role in ("", "owner"):
            answer = anna.post(path, fields | {"role": role})
            assert {level for level, _ in told(answer)} == {"error"}
    assert (role_of(cast, "mallory"), role_of(cast, "vera")) == (None, "viewer")


def test_it_lets_others_read(cast: Cast) -> None:
    """Seen red with the forms asking for `act`."""
    alice = cast.client_as("alice")
    page = alice.get(PAGE)
    assert "anna can change roles" in text_of(page)
    assert post_forms(page) == []
    assert alice.post(PAGE, {"user": "mallory", "role": "admin"}).status_code == 403


def test_the_admin_site_keeps_the_last_admin_too(cast: Cast) -> None:
    """Who runs the installation may leave a tenant without. Seen red without the check there."""
    User.objects.filter(username="anna").update(is_staff=True)
    anna = cast.client_as("anna")
    row = Membership.objects.get(tenant=cast.meridian, user=cast.people["anna"])
    url = f"/admin/tenants/membership/{row.pk}"
    assert anna.post(f"{url}/delete/", {"post": "yes"}).status_code == 400
    assert anna.post(f"{url}/change/", {"role": "viewer"}).status_code == 400
    assert role_of(cast, "anna") == "admin"
    User.objects.filter(username="olga").update(is_staff=True)
    cast.client_as("olga").post(f"{url}/delete/", {"post": "yes"})
    assert role_of(cast, "anna") is None
