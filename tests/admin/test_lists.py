"""Lists and forms cost the same for ten rows as for hundreds, and no list reads a huge table."""

from __future__ import annotations

import pytest
from axes.models import AccessAttempt
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from awfdrs_site.kernel.models import AuditEntry
from ingestion.models import Event
from tenants import backoffice_lists
from tenants.models import Membership
from tests.admin.conftest import World
from tests.admin.many import copies_of
from tests.admin.test_pages import MODELS, READ_ONLY, url

MOST_QUERIES = 20
EVENTS = 30_000


def queries(client: Client, address: str, **given: str) -> list[str]:
    with CaptureQueriesContext(connection) as found:
        assert client.get(address, given).status_code == 200, address
    return [query["sql"] for query in found]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_no_page_asks_more_for_hundreds_of_rows_than_for_ten(
    boss: Client, world: World, model: type[Model]
) -> None:
    """List, add and change form of every table. Seen red with a look at the size of a relation for
    every use of its field."""
    AccessAttempt.objects.create(username="x", ip_address="127.0.0.1", failures_since_start=1)
    pages = ["changelist"] + ([] if model.__name__ in READ_ONLY | {"AccessAttempt"} else ["add"])
    addresses = [url(model, page) for page in pages]
    row = model._default_manager.order_by("pk").first()
    assert row is not None
    addresses.append(url(model, "change", row.pk))
    copies_of(model, 0, 9)
    for address in addresses:
        queries(boss, address)
    few = [len(queries(boss, address)) for address in addresses]
    copies_of(model, 9, 290)
    many = [queries(boss, address) for address in addresses]
    for address, before, after in zip(addresses, few, many, strict=True):
        assert len(after) <= before, (address, before, after)
        assert len(after) <= MOST_QUERIES, (address, after)


def test_a_form_looks_up_what_is_too_much_for_a_select_box(
    boss: Client, anna: Client, world: World, other: World
) -> None:
    """Up to 50 rows are a select box, which works without a script; more are looked up as typed,
    within the tenant's walls. Seen red without the walled `get_queryset` of people."""
    page = url(Membership, "add")
    assert "admin-autocomplete" not in anna.get(page).content.decode().partition("<form")[2]
    for i in range(60):
        Membership.objects.create(tenant=world.tenant, user=User.objects.create(username=f"p{i}"))
    assert 'data-field-name="user"' in anna.get(page).content.decode()
    asked = {"app_label": "tenants", "model_name": "membership", "field_name": "user"}
    found = anna.get(reverse("admin:autocomplete"), asked | {"term": "p1"}).json()["results"]
    assert {row["text"] for row in found} == {"p1", *(f"p1{i}" for i in range(10))}
    theirs = asked | {"term": other.admin.username}
    assert anna.get(reverse("admin:autocomplete"), theirs).json()["results"] == []
    assert boss.get(reverse("admin:autocomplete"), theirs).json()["results"] != []


def test_every_search_says_what_it_finds(boss: Client) -> None:
    """A box that finds whole ids alone, unsaid, looks broken."""
    from django.contrib import admin

    for model in MODELS:
        page = admin.site._registry[model]
        assert not page.search_fields or page.search_help_text, model
        assert page.date_hierarchy is None, model
        assert page.show_full_result_count is False, model


@pytest.fixture
def events(world: World, monkeypatch: pytest.MonkeyPatch) -> Event:
    """30,000 events, and what the planner knows of them; the last one. The newest are 1,000: of a
    table that small a third is read as quickly without an index."""
    monkeypatch.setattr(backoffice_lists, "LOOKED_AT", 1_000)
    row = Event.objects.filter(tenant=world.tenant).earliest("id")
    columns = {f.column: f'"{f.column}"' for f in Event._meta.concrete_fields}
    columns["id"] = "('f1900000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid"
    columns["idempotency_key"] = columns["correlation_id"] = "'many-' || n"
    columns["received_at"] = "received_at + n * interval '1 ms'"
    columns["kind"] = "CASE WHEN n %% 500 = 7 THEN 'change' ELSE 'failure' END"
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO ingestion_event ({', '.join(columns)})"
            f" SELECT {', '.join(columns.values())}"
            " FROM ingestion_event, generate_series(1, %s) AS n WHERE id = %s",
            [EVENTS, row.pk],
        )
        cursor.execute("ANALYZE ingestion_event")
    return Event.objects.latest("id")


def plans(sqls: list[str], table: str) -> list[str]:
    """How PostgreSQL would run those that read the table."""
    found = []
    with connection.cursor() as cursor:
        for sql in sqls:
            if f'FROM "{table}"' in sql:
                cursor.execute("EXPLAIN " + sql)
                found.append("\n".join(row[0] for row in cursor.fetchall()))
    return found


@pytest.mark.parametrize("who", ["boss", "anna"])
def test_no_list_of_events_reads_the_table_through(
    world: World, other: World, events: Event, boss: Client, anna: Client, who: str
) -> None:
    """Opened, narrowed, chosen from and searched: by an index each, the count too. Seen red with
    the count that drops its order, and with a plain choice of `kind`."""
    client, tenant = {"boss": boss, "anna": anna}[who], str(world.tenant.pk)
    narrowed = [
        {}, {"tenant": tenant}, {"kind__exact": "change"}, {"p": "20"},
        {"tenant": tenant, "kind__exact": "change"}, {"q": events.correlation_id},
        {"q": str(events.pk)},
    ]  # fmt: skip
    for given in narrowed:
        found = plans(queries(client, url(Event, "changelist"), **given), Event._meta.db_table)
        assert found, given
        for plan in found:
            assert "Seq Scan on ingestion_event" not in plan, (given, plan)
            assert "Parallel" not in plan, (given, plan)


def test_a_choice_is_looked_for_among_the_newest(world: World, events: Event, boss: Client) -> None:
    """Of the 60 changes, the two among the newest 1,000 are listed."""
    answer = boss.get(url(Event, "changelist"), {"kind__exact": "change"})
    assert answer.context["cl"].result_count == 2
    everything = boss.get(url(Event, "changelist")).context["cl"]
    assert everything.result_count == 10_000


def test_what_is_searched_for_is_found(world: World, boss: Client, anna: Client) -> None:
    """By its exact value, by either; half of it finds nothing, and neither does nonsense."""
    entry = AuditEntry.objects.filter(tenant_id=world.tenant.pk).latest("id")
    known = [(Event, Event.objects.latest("id").correlation_id), (AuditEntry, entry.subject_id)]
    for client in (boss, anna):
        for model, value in known:
            for asked, there in ((value, True), (value[:-1], False), ("x'\"%", False)):
                found = client.get(url(model, "changelist"), {"q": asked}).context["cl"]
                assert bool(found.result_count) is there, (model, asked)
