"""Two admins who bring the same deleted rule back at once."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.contrib.auth.models import User
from django.db import connection, connections, transaction
from django.test import Client
from django.urls import reverse

from awfdrs_site.kernel.models import AuditEntry
from safety.models import EventTypeRule


@pytest.mark.django_db(transaction=True)
def test_of_two_who_restore_a_rule_at_once_one_does() -> None:
    """The other has checked before the first has committed, and answers 409.

    Seen red (IntegrityError instead of an answer) without the catch in `_added_again`.
    """
    browser = Client()
    browser.force_login(User.objects.create_superuser("boss"))
    rule = EventTypeRule.objects.create(pattern="*.broke", kind="failure")
    page = reverse("admin:safety_eventtyperule_delete", args=[rule.pk])
    assert browser.post(page, {"post": "yes"}).status_code == 302
    entry = AuditEntry.objects.get(verb="deleted").pk

    def restore() -> int:
        try:
            page = reverse("admin:safety_eventtyperule_deleted")
            return browser.post(page, {"restore": entry}).status_code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            EventTypeRule.objects.create(pk=rule.pk, pattern=rule.pattern, kind=rule.kind)
            answer = pool.submit(restore)
            _wait_until_somebody_waits()
        assert answer.result(30) == 409
    assert EventTypeRule.objects.get().pk == rule.pk
    assert not AuditEntry.objects.filter(verb="restored").exists()


def _wait_until_somebody_waits() -> None:
    """Until the other's insert stands behind ours; fails after 30 s if it never does."""
    waited = time.monotonic()
    while time.monotonic() - waited < 30:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
            if cursor.fetchone()[0]:
                return
        time.sleep(0.02)
    pytest.fail("nobody waits for the row")
