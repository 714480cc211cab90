"""Two who save a plan at the same moment: one does, the other is shown what came between."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from actions.models import RecoveryPlan
from actions.plans.templates import save_plan
from awfdrs_site.kernel.actor import MACHINE
from tenants.models import Tenant
from tests.admin.conftest import PLAN
from tests.admin.test_pages import url
from tests.threads import at_once


@pytest.mark.django_db(transaction=True)
def test_of_many_who_save_at_once_one_does(transactional_db: None) -> None:
    """From the same version. Seen red without the lock in `lock_newest`."""
    tenant = Tenant.objects.create(name="Crowd")
    source = PLAN.format(name="x")
    plan = save_plan(tenant=tenant, source=source, actor=MACHINE, now=timezone.now())
    page = url(RecoveryPlan, "change", plan.pk)
    boss = User.objects.create_superuser("boss-of-crowds")
    clients = [Client() for _ in range(6)]
    for client in clients:
        client.force_login(boss)
    answers: Any = at_once(
        6, lambda n: clients[n].post(page, {"source": PLAN.format(name=f"by {n}")})
    )
    assert sorted(answer.status_code for answer in answers) == [200] * 5 + [302]
    assert RecoveryPlan.objects.filter(tenant=tenant).count() == 2
