"""The query bar of the incident list: typing and chips are one query in one URL [U4]."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from incidents.listing import facets
from incidents.listing.pages import SORTS
from incidents.models import Incident
from tests.builders import an_event
from tests.cast import Cast
from tests.pages.looks import text_of
from tests.pages.rows import an_incident_row


@pytest.fixture
def alice(cast: Cast) -> Client:
    return cast.client_as("alice")


def ask(client: Client, text: str, **more: str) -> Any:
    """What the list answers to a text typed at the bar."""
    return client.get("/incidents/", {"q": text} | more, follow=True)


def titles(response: Any) -> list[str]:
    return [row.title for row in response.context["incidents"]]


def a_variety(cast: Cast) -> None:
    """Incidents of which no two are alike."""
    now = timezone.now()
    alice, anna = cast.people["alice"], cast.people["anna"]
    for fields in (
        {"severity": "critical", "vendor": "stripe", "assignee": alice, "category": "timeout"},
        {"severity": "high", "recovery": "waiting", "last_seen_at": now - timedelta(hours=3)},
        {"severity": "high", "vendor": "paypal", "assignee": anna, "category": "rate_limit"},
        {"severity": "low", "snoozed_at": now, "vendor": "stripe"},
        {"status": "analyzing", "snoozed_at": now, "snoozed_until": now + timedelta(hours=1)},
        {"status": "ignored", "category": "timeout"},
        {"resolved_at": now - timedelta(hours=2), "severity": "low", "vendor": "stripe"},
        {"resolved_at": now - timedelta(days=3), "last_seen_at": now - timedelta(days=4)},
        {"resolved_at": now - timedelta(days=30), "last_seen_at": now - timedelta(days=31)},
    ):
        an_incident_row(cast.capture, **fields)
    an_incident_row(cast.contacts, status="actioned", recovery="blocked", assignee=alice)


ASKED: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("-severity:low", {"severity": "high"}, {"severity": "low"}),
    ("-severity:low,medium", {"severity": "high"}, {"severity": "medium"}),
    ("category:timeout", {"category": "timeout"}, {"category": "unknown"}),
    ("-category:timeout", {"category": "unknown"}, {"category": "timeout"}),
    ("vendor:stripe,paypal", {"vendor": "paypal"}, {"vendor": "adyen"}),
    ('vendor:"big vendor"', {"vendor": "big vendor"}, {"vendor": "big"}),
    ("vendor:none", {"vendor": ""}, {"vendor": "stripe"}),
    ("recovery:none", {}, {"recovery": "waiting"}),
    ("timed out", {"title": "Out it timed"}, {"title": "timed in"}),
    ('"timed out"', {"title": "It timed out"}, {"title": "out it timed"}),
    ("-needle", {"title": "hay"}, {"title": "needle"}),
    ("inc-77", {"number": 77}, {"number": 78}),
    ("-seen:1h", {"last_seen_at": timezone.now() - timedelta(hours=3)}, {}),
    ("-resolved:1h", {}, {"resolved_at": timezone.now()}),
]


@pytest.mark.parametrize(("text", "found", "other"), ASKED, ids=[text for text, *_ in ASKED])
def test_it_shows_what_was_typed(
    cast: Cast, alice: Client, text: str, found: dict[str, Any], other: dict[str, Any]
) -> None:
    wanted = an_incident_row(cast.capture, **{"title": "one"} | found)
    an_incident_row(cast.capture, **{"title": "other"} | other)
    assert titles(ask(alice, text)) == [wanted.title]


def test_it_negates_an_owner_and_a_workflow(cast: Cast, alice: Client) -> None:
    """Also for what has no owner: nobody is not alice. Somebody else's `me` is not hers."""
    an_incident_row(cast.capture, title="hers", assignee=cast.people["alice"])
    an_incident_row(cast.contacts, title="free")
    assert titles(ask(alice, "-owner:me")) == ["free"]
    assert titles(ask(alice, "-owner:none")) == ["hers"]
    assert titles(ask(alice, "-workflow:payments.capture")) == ["free"]
    assert titles(ask(alice, f"workflow:{cast.capture.pk}")) == ["hers"]
    assert titles(ask(cast.client_as("anna"), "owner:me")) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("?status=open&severity=&workflow=&assignee=&q=", "/incidents/"),
        ("?status=", "/incidents/?q="),
        ("?severity=high,critical", "/incidents/?q=status%3Aopen+severity%3Acritical%2Chigh"),
        ("?status=&vendor=stripe&q=x", "/incidents/?q=vendor%3Astripe+x"),
        ("?status=open&page_size=9", "/incidents/?page_size=9"),
        ("?q=status:open", "/incidents/"),
        ("?q=Severity:high  severity:low", "/incidents/?q=severity%3Ahigh%2Clow"),
        ("?q=a&last=b&utm=c", "/incidents/?q=a"),
        ("?sort=severity", "/incidents/"),
        ("?sort=-events", None),
        ("?q=a&sort=events", None),
        ("", None),
    ],
)
def test_every_question_has_one_address(alice: Client, old: str, new: str | None) -> None:
    """What the links said when each filter was a parameter leads there, and so does any typing."""
    response = alice.get(f"/incidents/{old}")
    assert (response.headers.get("Location"), response.status_code) == (new, 302 if new else 200)


def test_it_tells_a_mistake_at_the_bar_and_leaves_the_list(cast: Cast, alice: Client) -> None:
    """Ignored, a misspelt condition would read as "all". Seen red with the mistakes not asked for:
    the list then showed what could be read, which is everything."""
    an_incident_row(cast.capture, title="low", severity="low")
    an_incident_row(cast.capture, title="high", severity="high")
    response = ask(alice, "severity:hihg", last="severity:low", sort="-number")
    assert response.status_code == 200
    assert titles(response) == ["low"]
    text = text_of(response)
    assert "Character 10: “hihg” is no severity." in text
    assert "The list still shows: severity:low" in text
    (wrong,) = response.context["mistakes"]
    assert (wrong["before"], wrong["wrong"], wrong["meant"]) == ("severity:", "hihg", "high")
    mended = alice.get(f"/incidents/{wrong['href']}", follow=True)
    assert titles(mended) == ["high"]
    assert mended.context["asked"].sort == "-number"
    assert 'value="severity:hihg"' in response.content.decode()


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.one_of(
        st.text(max_size=60),
        st.lists(
            st.sampled_from(
                [*'":,- \\\x00%_', "status", "owner:", "seen:", "1h", "9999w", "workflow:", "INC-9"]
            )
        ).map("".join),
    )
)
def test_it_answers_any_text(alice: Client, text: str) -> None:
    """A list or a mistake at the bar; nothing that is typed is an error of the server."""
    response = ask(alice, text)
    assert response.status_code == 200
    assert response.context["asked"].typed.strip() or not text.strip()


QUERIES = ["status:open", "", "status:resolved", "vendor:stripe -severity:low", "category:timeout"]


@pytest.mark.parametrize("text", QUERIES)
def test_each_value_of_a_chip_counts_what_it_leads_to(cast: Cast, alice: Client, text: str) -> None:
    """The other conditions held: the count stands for the value alone, a link may add it to others.

    Seen red with the conditions of the chip's own key held too.
    """
    a_variety(cast)
    asked = ask(alice, text).context["asked"].query
    for chip in ask(alice, text).context["chips"]:
        for option in chip["options"]:
            alone = asked.without_key(chip["name"]).having(chip["name"], option["value"])
            shown = ask(alice, alone.text).context["total"]
            assert option["count"] == shown, (chip["name"], option)
            assert alice.get(f"/incidents/{option['href']}").status_code == 200


def test_a_chip_and_typing_are_the_same_query(cast: Cast, alice: Client) -> None:
    a_variety(cast)
    chips = {chip["name"]: chip for chip in alice.get("/incidents/").context["chips"]}
    href = next(o["href"] for o in chips["severity"]["options"] if o["value"] == "high")
    by_chip = alice.get(f"/incidents/{href}")
    typed = ask(alice, "severity:high status:open")
    assert by_chip.context["asked"] == typed.context["asked"]
    assert titles(by_chip) == titles(typed)
    chips = {chip["name"]: chip for chip in by_chip.context["chips"]}
    assert chips["severity"]["value"] == "High"
    assert chips["status"]["clear_url"] == "?q=severity%3Ahigh"
    assert by_chip.context["clear_all_url"] == "/incidents/"


def test_a_long_count_is_told_as_at_least(
    cast: Cast, alice: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is looked at for the counts is bounded, and says so."""
    monkeypatch.setattr(facets, "MOST", 3)
    for _ in range(5):
        an_incident_row(cast.capture, severity="high")
    chips = {chip["name"]: chip for chip in alice.get("/incidents/").context["chips"]}
    high = next(o for o in chips["severity"]["options"] if o["value"] == "high")
    assert (high["count"], high["at_least"]) == (3, True)
    assert "3+" in text_of(alice.get("/incidents/"))


def test_it_says_what_nearly_matched(cast: Cast, alice: Client) -> None:
    """By a name that is there, and by what there would be without one of the conditions."""
    an_incident_row(cast.capture, vendor="stripe", severity="low")
    response = ask(alice, "status:open vendor:stirpe severity:low")
    hints = {hint["words"]: hint for hint in response.context["hints"]}
    assert set(hints) == {"vendor:stripe", "without vendor:stirpe"}
    assert "What nearly matched" in text_of(response)
    for hint in hints.values():
        assert len(titles(alice.get(f"/incidents/{hint['href']}"))) == hint["count"] == 1


def test_nothing_yet_says_what_came_in(cast: Cast, alice: Client) -> None:
    assert "No event has come in" in text_of(alice.get("/incidents/"))
    an_event(cast.capture, event_type="order.paid")
    assert "The last event, order.paid, came in" in text_of(alice.get("/incidents/"))


def test_all_clear_says_how_much_was_resolved(cast: Cast, alice: Client) -> None:
    for hours in (1, 2, 30):
        an_incident_row(cast.capture, resolved_at=timezone.now() - timedelta(hours=hours))
    assert "2 were resolved in the last 24 hours" in text_of(alice.get("/incidents/"))


EVERY_SORT = [sign + name for name in SORTS for sign in ("", "-")]


@pytest.mark.parametrize("sort", EVERY_SORT)
def test_it_sorts_by_a_column(cast: Cast, alice: Client, sort: str) -> None:
    """The worst, newest or most first, or turned round; the column says so, and leads back."""
    now = timezone.now()
    for number, severity in enumerate(("low", "critical", "medium", "high")):
        an_incident_row(
            cast.capture,
            severity=severity,
            event_count=(7, 1, 9, 4)[number],
            first_seen_at=now - timedelta(hours=number),
            last_seen_at=now - timedelta(minutes=(3, 1, 2, 0)[number]),
        )
    key = {
        "severity": lambda i: -("critical", "high", "medium", "low").index(i.severity),
        "last_seen": lambda i: i.last_seen_at,
        "first_seen": lambda i: i.first_seen_at,
        "events": lambda i: i.event_count,
        "number": lambda i: i.number,
    }[sort.removeprefix("-")]
    response = ask(alice, "status:open", sort=sort)
    wanted = sorted(Incident.objects.all(), key=key, reverse=not sort.startswith("-"))
    assert [row.pk for row in response.context["incidents"]] == [row.pk for row in wanted]
    shown = "ascending" if sort.startswith("-") else "descending"
    assert response.content.decode().count("aria-sort=") == 1
    assert f'aria-sort="{shown}"' in response.content.decode()
    head = response.context["sorts"][sort.removeprefix("-")]
    assert alice.get(f"/incidents/{head['href']}").context["asked"].sort != sort


@pytest.mark.parametrize("sort", EVERY_SORT)
def test_it_pages_through_all_once_while_rows_come_in(cast: Cast, alice: Client, sort: str) -> None:
    """250 rows with many equal values, and two more before each page: none twice, none left out.

    Seen red with `id` left out of the order. And back again the pages are the same.
    """
    now = timezone.now()
    there = {_a_row(cast, now, number).pk for number in range(250)}
    seen: list[Any] = []
    pages: list[Any] = []
    url = f"?{'' if sort == 'severity' else f'sort={sort}&'}page_size=40"
    while url:
        for number in (1, 2):
            _a_row(cast, now, number)
        context = alice.get(f"/incidents/{url}").context
        pages.append(context)
        seen += [row.pk for row in context["incidents"]]
        url = context["older_url"]
    assert len(seen) == len(set(seen))
    assert there <= set(seen)
    back = alice.get(f"/incidents/{pages[-1]['newer_url']}").context["incidents"]
    assert len(back) == 40
    assert back[-1].pk == pages[-2]["incidents"][-1].pk


def _a_row(cast: Cast, now: datetime, number: int) -> Incident:
    return an_incident_row(
        cast.capture,
        severity=("critical", "high", "low")[number % 3],
        event_count=number % 7,
        first_seen_at=now - timedelta(minutes=number % 5),
        last_seen_at=now - timedelta(seconds=number % 4),
    )


def test_it_keeps_query_and_order_on_other_pages(cast: Cast, alice: Client) -> None:
    for _ in range(3):
        an_incident_row(cast.capture, severity="high")
        an_incident_row(cast.capture, severity="low")
    first = ask(alice, "severity:high", sort="number", page_size="2").context
    second = alice.get(f"/incidents/{first['older_url']}").context
    assert [row.severity for row in second["incidents"]] == ["high"]
    assert second["asked"] == first["asked"]


def test_it_asks_the_database_as_often_for_a_long_query(cast: Cast, alice: Client) -> None:
    """Chips, their counts and the views cost the same whatever is asked for."""
    a_variety(cast)

    def queries(text: str) -> int:
        url = f"/incidents/?q={quote(text)}"
        alice.get(url)
        with CaptureQueriesContext(connection) as found:
            assert alice.get(url).status_code == 200
        return len(found)

    assert queries("status:open -severity:low -vendor:paypal") == queries("")
