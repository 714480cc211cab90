"""The named cast of the tests: two tenants and their people, keys and workflows.

Meridian has alice (responder), anna (admin, also of Northwind) and vera (viewer); Northwind has
mallory (admin), who must never see or touch what is Meridian's. Use it by importing the fixture
into a `conftest.py`: `from tests.cast import cast, quick_passwords  # noqa: F401`.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from awfdrs_site.kernel.actor import MACHINE
from safety.services import ensure_default_rules
from tenants.models import Role, Scope, Tenant, Workflow
from tenants.services import create_tenant, issue_key, set_member

PASSWORD = "correct horse battery staple"
QUICK_HASHER = "django.contrib.auth.hashers.MD5PasswordHasher"
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Cast:
    """Everybody. `keys` are the texts of API keys by name: `meridian-ingest`, `northwind-all`…"""

    meridian: Tenant
    northwind: Tenant
    dormant: Tenant
    capture: Workflow
    contacts: Workflow
    routing: Workflow
    people: dict[str, User] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)

    def client_as(self, name: str, **options: Any) -> Client:
        """A browser in which that person is signed in."""
        client = Client(**options)
        client.force_login(self.people[name], backend="django.contrib.auth.backends.ModelBackend")
        return client

    def api(self, key: str = "meridian-all", **options: Any) -> Client:
        """A program that calls with that key (a name in `keys`, or a key's text)."""
        text = self.keys.get(key, key)
        return Client(headers={"Authorization": f"Bearer {text}"}, **options)

    def document(self, **changes: Any) -> dict[str, Any]:
        """A valid event of Meridian with a fresh idempotency key; None as a value removes it."""
        document = {
            "tenant_id": str(self.meridian.pk),
            "workflow_id": str(self.capture.pk),
            "event_type": "payment.failed",
            "payload": {"error_code": "payment_timeout", "error_message": "Gateway timed out"},
            "idempotency_key": f"order-{next(_numbers)}",
            "occurred_at": timezone.now().isoformat(),
            "schema_version": "1.0.0",
        } | changes
        return {name: value for name, value in document.items() if value is not None}


def make_cast() -> Cast:
    """Write the cast to the database."""
    now = timezone.now()
    names = ("Meridian Commerce", "Northwind Logistics", "Dormant Ltd")
    meridian, northwind, dormant = (
        create_tenant(name=name, actor=MACHINE, now=now) for name in names
    )
    Tenant.objects.filter(pk=dormant.pk).update(is_active=False)
    dormant.refresh_from_db()
    made = Cast(
        meridian,
        northwind,
        dormant,
        capture=Workflow.objects.create(tenant=meridian, name="payments.capture"),
        contacts=Workflow.objects.create(tenant=meridian, name="crm.contact-sync"),
        routing=Workflow.objects.create(tenant=northwind, name="fleet.routing"),
    )
    for name, tenant, role in (
        ("vera", meridian, Role.VIEWER),
        ("alice", meridian, Role.RESPONDER),
        ("anna", meridian, Role.ADMIN),
        ("anna", northwind, Role.ADMIN),
        ("mallory", northwind, Role.ADMIN),
    ):
        if name not in made.people:
            made.people[name] = User.objects.create_user(name, password=PASSWORD)
        set_member(tenant=tenant, user=made.people[name], role=role, actor=MACHINE, now=now)
    # Runs the installation: the one who may stop everything for everybody.
    made.people["olga"] = User.objects.create_user("olga", password=PASSWORD, is_superuser=True)
    set_member(
        tenant=meridian, user=made.people["olga"], role=Role.RESPONDER, actor=MACHINE, now=now
    )
    made.people["noah"] = User.objects.create_user("noah", password=PASSWORD)
    for tenant in (meridian, northwind, dormant):
        word = tenant.name.split()[0].lower()
        for kind, scopes in (("all", Scope.values), *((s, [s]) for s in Scope.values)):
            _, text = issue_key(
                tenant=tenant, name=f"{word}-{kind}", scopes=scopes, actor=MACHINE, now=now
            )
            made.keys[f"{word}-{kind}"] = text
    return made


@pytest.fixture
def quick_passwords(settings: Settings) -> None:
    """A password costs nothing to check; the real hash takes a third of a second by design."""
    settings.PASSWORD_HASHERS = [QUICK_HASHER]


@pytest.fixture
def default_rules(cast: Cast) -> None:
    """The rules that come with the product; without rules every event is informational."""
    ensure_default_rules()


@pytest.fixture
def cast(db: None, quick_passwords: None) -> Cast:
    return make_cast()


@pytest.fixture
def committed_cast(transactional_db: None, quick_passwords: None) -> Cast:
    """The cast for tests whose threads and processes must see it: really committed."""
    return make_cast()
