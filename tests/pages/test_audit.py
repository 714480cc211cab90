"""The audit log: who sees it, what it shows, how it is narrowed, what leaves it [T4 T6]."""

from __future__ import annotations

import csv
import io
import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import DjangoAssertNumQueries

from awfdrs_site import audit_views
from awfdrs_site.audit_pages import KINDS
from awfdrs_site.kernel import audit
from awfdrs_site.kernel.actor import MACHINE, Actor
from awfdrs_site.kernel.models import AuditEntry
from tenants.audit_log import changes_of, kind_words
from tests.cast import Cast
from tests.pages.looks import links_of, text_of

PERSON = Actor("person", "Tunde")
FORMULA = '=HYPERLINK("http://evil.invalid")'


@pytest.fixture
def anna(cast: Cast) -> Client:
    return cast.client_as("anna")


def an_entry(cast: Cast, verb: str = "changed", **fields: Any) -> AuditEntry:
    """Something done to payments.capture."""
    defaults = {
        "tenant_id": cast.meridian.pk,
        "actor": PERSON,
        "subject": cast.capture,
        "now": timezone.now(),
    }
    return audit.record(verb=verb, **defaults | fields)


def verbs(client: Client, query: str) -> list[str]:
    """What the API's first page says was done."""
    answer = client.get(f"/api/v1/audit?{query}")
    assert answer.status_code == 200, answer.content
    return [row["verb"] for row in answer.json()["results"]]


@pytest.mark.parametrize("path", ["/audit/", "/audit/export?format=csv"])
def test_admins_alone_see_it(cast: Cast, path: str) -> None:
    """The page that refuses says who can help. Seen red without the look at the scope."""
    for name in ("vera", "alice"):
        answer = cast.client_as(name).get(path, headers={"Accept": "text/html"})
        assert answer.status_code == 403
        text = text_of(answer)
        assert "Only admins read the audit log" in text
        assert "anna can give you another role" in text
    assert cast.client_as("anna").get(path).status_code == 200
    assert 'href="/audit/"' in cast.client_as("anna").get("/").content.decode()
    assert 'href="/audit/"' not in cast.client_as("alice").get("/").content.decode()


def test_a_key_needs_the_scope(cast: Cast) -> None:
    for key, status in (("read", 403), ("act", 403), ("admin", 200)):
        assert cast.api(f"meridian-{key}").get("/api/v1/audit").status_code == status


def test_it_shows_what_changed(cast: Cast, anna: Client) -> None:
    """Who, what, from what to what, why, with a link to what it was done to."""
    an_entry(
        cast,
        before={"is_active": True, "description": "same", "name": "old"},
        after={"is_active": False, "description": "same", "name": "new"},
        comment="No longer needed",
    )
    answer = anna.get("/audit/?verb=changed")
    text = text_of(answer)
    for words in (
        "Tunde changed Workflow",
        "is active true to false",
        "name old to new",
        "“No longer needed”",
    ):
        assert words in text, (words, text)
    assert "same" not in text
    assert f"/workflows/{cast.capture.pk}/" in links_of(answer)
    assert f"?object={cast.capture.pk}" in links_of(answer)


@pytest.mark.parametrize(
    ("before", "after", "changes"),
    [
        (None, None, []),
        ("planned", "sending", [("", "planned", "sending")]),
        (None, {"a": 1, "b": None}, [("a", "", "1")]),
        ({"a": [1]}, None, [("a", "[1]", "")]),
        ("waiting", {"engine": "standby"}, [("", "waiting", ""), ("engine", "", "standby")]),
    ],
)
def test_it_names_what_differs(before: Any, after: Any, changes: list[Any]) -> None:
    """Whatever shape an entry has; what stayed as it was is left out."""
    assert changes_of(AuditEntry(before=before, after=after)) == changes


def test_it_names_kinds_in_words() -> None:
    """All that are on offer are models; one that is no more keeps its label."""
    assert not [kind for kind in KINDS if kind_words(kind) == kind]
    assert kind_words("safety.killswitch") == "kill switch"
    assert (kind_words("gone.model"), kind_words("odd")) == ("gone.model", "odd")


def test_it_is_narrowed(cast: Cast) -> None:
    """By who, what was done, kind, object and time, all together; the page as the API."""
    now, api = timezone.now(), cast.api("meridian-admin")
    an_entry(cast, "first", now=now - timedelta(days=3))
    an_entry(cast, "second", actor=MACHINE)
    an_entry(cast, "third", subject=cast.meridian)
    for query, found in (
        (f"object={cast.capture.pk}", ["second", "first"]),
        ("actor=Tunde", ["third", "first"]),
        ("actor=Tunde&kind=tenants.workflow", ["first"]),
        ("verb=third", ["third"]),
        (f"actor=Tunde&until={(now - timedelta(days=1)).isoformat()[:19]}Z", ["first"]),
    ):
        assert verbs(api, query) == found, query
    anna = cast.client_as("anna")
    text = text_of(anna.get("/audit/?actor=Tunde&since=24h"))
    assert "third Tenant" in text
    assert "first Workflow" not in text
    assert "No entry matches" in text_of(anna.get("/audit/?verb=nothing"))
    assert anna.get("/audit/?since=yesterday").status_code == 400


def test_it_holds_no_other_tenants_entries(cast: Cast, anna: Client) -> None:
    """Nor what concerns every tenant, on the page, in a file or by the API.

    Seen red with the tenant left out of the selector.
    """
    for tenant_id in (cast.northwind.pk, None):
        an_entry(cast, "hidden_verb", tenant_id=tenant_id)
    for path in ("/audit/", "/audit/export?format=csv", "/audit/export?format=jsonl"):
        content = anna.get(path).content.decode()
        assert "hidden_verb" not in content.replace("hidden verb", "hidden_verb")
    assert "hidden_verb" not in verbs(cast.api("meridian-admin"), "")


def test_it_goes_through_pages_of_one_moment(cast: Cast) -> None:
    """Entries of one commit have one time; none is shown twice or left out."""
    now, api = timezone.now(), cast.api("meridian-admin")
    made = [an_entry(cast, "many", now=now).pk for _ in range(7)]
    seen, url = [], "/api/v1/audit?verb=many&page_size=3"
    while url:
        page = api.get(url).json()
        seen += [row["id"] for row in page["results"]]
        url = page["next"]
    assert seen == made[::-1]


def test_it_leaves_as_a_file(cast: Cast, anna: Client) -> None:
    """Narrowed as the page is. A cell that a spreadsheet would run is led by an apostrophe.

    Seen red without it.
    """
    an_entry(cast, comment=FORMULA, after={"name": "ü"})
    an_entry(cast, "other")
    query = "/audit/export?verb=changed&format="
    answer = anna.get(f"{query}csv")
    assert answer.headers["Content-Disposition"].endswith('.csv"')
    (row,) = csv.DictReader(io.StringIO(answer.content.decode()))
    assert (row["actor"], row["comment"]) == ("Tunde", f"'{FORMULA}")
    (line,) = anna.get(f"{query}jsonl").content.decode().splitlines()
    assert (json.loads(line)["comment"], json.loads(line)["after"]) == (FORMULA, {"name": "ü"})
    assert anna.get(f"{query}xlsx").status_code == 400


def test_a_file_is_bounded(cast: Cast, anna: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest stay. Seen red without the bound."""
    monkeypatch.setattr(audit_views, "EXPORTED", 2)
    for number in range(3):
        an_entry(cast, f"act_{number}")
    lines = anna.get("/audit/export?format=jsonl").content.decode().splitlines()
    assert [json.loads(line)["verb"] for line in lines] == ["act_2", "act_1"]


def test_many_rows_take_as_many_queries_as_few(
    cast: Cast, anna: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    """Two of its own; the shell has the others."""
    anna.get("/audit/")
    for count in (1, 30):
        for _ in range(count):
            an_entry(cast)
        with django_assert_num_queries(10):
            anna.get("/audit/")
