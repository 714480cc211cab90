"""Every admin page opens, quickly, and what only the system writes cannot be edited."""

from __future__ import annotations

import pytest
from django.contrib import admin
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from awfdrs_site.kernel.models import AuditEntry, Work
from ingestion.models import Event
from tenants.models import Tenant
from tests.admin.conftest import World
from tests.builders import an_event

OURS = {"tenants", "safety", "ingestion", "incidents", "ai", "actions", "kernel", "auth", "axes"}
MODELS = sorted(
    (model for model in admin.site._registry if model._meta.app_label in OURS),
    key=lambda model: model._meta.label,
)
READ_ONLY = {
    "Delivery", "Event", "Incident", "Decision", "Action", "Page", "AuditEntry", "Work",
}  # fmt: skip


def url(model: type[Model], page: str, *args: object) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def test_every_table_that_people_keep_has_its_page() -> None:
    names = {model.__name__ for model in MODELS}
    kept = "Tenant Workflow Membership ApiKey Vendor ErrorCode MessagePattern RetryPolicy"
    kept += " EventTypeRule AutomationPolicy KillSwitch User"
    assert names >= set(kept.split()) | READ_ONLY


def test_the_index_opens(boss: Client) -> None:
    assert boss.get(reverse("admin:index")).status_code == 200


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m.__name__)
def test_its_list_and_forms_open(boss: Client, world: World, model: type[Model]) -> None:
    """List, search, add form and change form, as a superuser, in a bounded number of queries."""
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert boss.get(url(model, "changelist")).status_code == 200
    assert len(queries) <= 12, [q["sql"] for q in queries]
    assert boss.get(url(model, "changelist"), {"q": "x"}).status_code == 200
    added = boss.get(url(model, "add")).status_code
    assert added == (403 if model.__name__ in READ_ONLY | {"AccessAttempt"} else 200)
    row = model._default_manager.first()
    if model.__name__ != "AccessAttempt":
        assert row is not None, "the world has a row of everything"
        assert boss.get(url(model, "change", row.pk)).status_code == 200
        assert boss.get(url(model, "history", row.pk)).status_code == 200


@pytest.mark.parametrize("name", sorted(READ_ONLY))
def test_what_the_system_writes_cannot_be_written_here(
    boss: Client, world: World, name: str
) -> None:
    (model,) = [m for m in MODELS if m.__name__ == name]
    row = model._default_manager.first()
    assert row is not None
    before = model._default_manager.count()
    assert boss.post(url(model, "add"), {}).status_code == 403
    assert boss.post(url(model, "change", row.pk), {"status": "resolved"}).status_code == 403
    assert boss.post(url(model, "delete", row.pk), {"post": "yes"}).status_code == 403
    assert model._default_manager.count() == before


def test_a_list_takes_as_many_queries_for_many_rows_as_for_few(boss: Client, world: World) -> None:
    """No query a row: 40 more events cost none."""
    page = url(Event, "changelist")
    boss.get(page)
    with CaptureQueriesContext(connection) as few:
        boss.get(page)
    for _ in range(40):
        an_event(world.workflow)
    with CaptureQueriesContext(connection) as many:
        boss.get(page)
    assert len(many) == len(few)


def test_no_list_counts_a_huge_table(boss: Client, world: World) -> None:
    """Every count of a table that only grows stops at 10,000 rows."""
    for model in (Event, AuditEntry, Work):
        with CaptureQueriesContext(connection) as queries:
            boss.get(url(model, "changelist"))
        counts = [
            q["sql"] for q in queries if "COUNT(" in q["sql"] and model._meta.db_table in q["sql"]
        ]
        assert counts
        assert all("LIMIT 10000" in sql for sql in counts), counts


def test_nobody_without_staff_gets_in(world: World) -> None:
    client = Client()
    world.admin.is_staff = False
    world.admin.save()
    client.force_login(world.admin)
    for model in MODELS:
        assert client.get(url(model, "changelist")).status_code == 302


def test_a_tenant_is_switched_off_not_deleted(boss: Client, world: World) -> None:
    assert boss.post(url(Tenant, "delete", world.tenant.pk), {"post": "yes"}).status_code == 403
