"""Settings, API keys: shown once, revoked at once, written by admins alone [P13 T4 T6]."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from awfdrs_site.kernel.models import AuditEntry
from tenants.models import ApiKey
from tests.cast import Cast
from tests.pages.looks import post_forms, text_of, told

PAGE = "/settings/keys"
NEW = {"name": "orders engine", "scopes": ["ingest", "read"], "days": "30"}


def test_it_shows_a_key_once_and_it_works(cast: Cast) -> None:
    """The answer to the form has it, and is kept nowhere; no page after it has.

    Seen red with the key kept in the session.
    """
    anna = cast.client_as("anna")
    answer = anna.post(PAGE, NEW)
    text = answer.context["issued"]["text"]
    assert answer.status_code == 200
    assert text in text_of(answer)
    assert "no-store" in answer.headers["Cache-Control"]
    assert cast.api(text).get("/api/v1/incidents").status_code == 200
    row = ApiKey.objects.get(name="orders engine")
    assert row.scopes == ["ingest", "read"]
    assert timedelta(days=29) < row.expires_at - timezone.now() < timedelta(days=31)
    secret = text.rpartition("_")[2]
    assert secret not in anna.get(PAGE).content.decode()
    assert secret not in str(list(AuditEntry.objects.values()))
    assert secret not in str(anna.cookies) + str(dict(anna.session))


def test_it_issues_a_key_that_lasts(cast: Cast) -> None:
    cast.client_as("anna").post(PAGE, NEW | {"days": ""})
    assert ApiKey.objects.get(name="orders engine").expires_at is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": " "},
        {"name": "x" * 101},
        {"name": "a\x00b"},
        {"scopes": []},
        {"scopes": ["operate"]},
        {"days": "0"},
        {"days": "-1"},
        {"days": "3651"},
        {"days": "9" * 5_000},
        {"days": "²"},
        {"days": "soon"},
    ],
    ids=str,
)
def test_it_says_what_is_wrong_and_issues_nothing(cast: Cast, wrong: dict[str, object]) -> None:
    before = ApiKey.objects.count()
    answer = cast.client_as("anna").post(PAGE, NEW | wrong)
    assert (answer.status_code, answer.headers["Location"]) == (303, PAGE)
    assert [level for level, _ in told(answer)] == ["error"]
    assert ApiKey.objects.count() == before


def test_it_revokes_a_key_at_once_and_says_who_and_why(cast: Cast) -> None:
    anna, key = cast.client_as("anna"), ApiKey.objects.get(name="meridian-read")
    answer = anna.post(f"{PAGE}/{key.prefix}/revoke", {"comment": "leaked in a ticket"})
    assert (answer.status_code, answer.headers["Location"]) == (303, PAGE)
    assert cast.api("meridian-read").get("/api/v1/incidents").status_code == 401
    entry = AuditEntry.objects.get(verb="revoked")
    assert (entry.actor, entry.comment) == ("anna", "leaked in a ticket")
    assert f"{PAGE}/{key.prefix}/revoke" not in [form.action for form in post_forms(anna.get(PAGE))]


@pytest.mark.parametrize("who", ["vera", "alice"])
def test_it_lets_others_read_and_says_who_issues(cast: Cast, who: str) -> None:
    """Seen red with the form asking for `act`."""
    client, before = cast.client_as(who), ApiKey.objects.count()
    page = client.get(PAGE)
    assert "anna can issue and revoke keys" in text_of(page)
    assert post_forms(page) == []
    assert client.post(PAGE, NEW).status_code == 403
    assert ApiKey.objects.count() == before


def test_it_says_what_became_of_each_key(cast: Cast) -> None:
    now = timezone.now()
    kept = ApiKey.objects.get(name="meridian-act")
    ApiKey.objects.filter(tenant=cast.meridian).exclude(pk=kept.pk).delete()
    for expected, fields in (
        ("In use", {}),
        ("Expired", {"expires_at": now - timedelta(days=1)}),
        ("Revoked", {"revoked_at": now}),
    ):
        ApiKey.objects.filter(pk=kept.pk).update(**fields)
        assert f"{expected} meridian-act" in text_of(cast.client_as("vera").get(PAGE))


def test_it_reads_as_much_for_many_keys(cast: Cast) -> None:
    anna = cast.client_as("anna")
    many = [
        ApiKey(tenant=cast.meridian, name=f"n{i}", prefix=f"many{i}", hash=b"", scopes=["read"])
        for i in range(120)
    ]
    ApiKey.objects.bulk_create(many)
    with CaptureQueriesContext(connection) as queries:
        page = anna.get(PAGE)
    assert len(queries) <= 9
    assert page.context["older_url"]
