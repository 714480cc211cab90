"""What was answered with 201 is there, once, for ever [E2 E5 E8 P2]."""

from __future__ import annotations

import json
import signal
from collections import Counter
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from awfdrs_site.kernel.models import Work
from ingestion.models import Event
from safety.services import ensure_default_rules
from tests.cast import Cast
from tests.processes import start
from tests.threads import at_once

URL = "/api/v1/events"
JSON = "application/json"


def _posts(cast: Cast, documents: list[dict[str, Any]]) -> list[tuple[int, str]]:
    """Post them all at the same moment; each answer's status and event id (or code)."""
    keys = {str(cast.meridian.pk): "meridian-ingest", str(cast.northwind.pk): "northwind-ingest"}

    def post(number: int) -> tuple[int, str]:
        document = documents[number]
        client = cast.api(keys[document["tenant_id"]])
        response = client.post(URL, document, content_type=JSON)
        answer = response.json()
        return response.status_code, answer.get("event_id") or answer["code"]

    outcomes = at_once(len(documents), post)
    assert all(isinstance(outcome, tuple) for outcome in outcomes), outcomes
    return outcomes  # type: ignore[return-value]


def test_it_takes_one_of_many_identical_posts_at_once(committed_cast: Cast) -> None:
    """Seen red with `ON CONFLICT DO NOTHING` replaced by the look-up before it alone."""
    cast = committed_cast
    ensure_default_rules()
    for _ in range(10):
        document = cast.document()
        answers = _posts(cast, [document] * 8)
        assert Counter(status for status, _ in answers) == {201: 1, 409: 7}
        assert len({event_id for _, event_id in answers}) == 1, "all name the same event"
    assert Event.objects.count() == Work.objects.filter(stage="detect").count() == 10


def test_it_takes_one_of_two_contents_at_once(committed_cast: Cast) -> None:
    cast = committed_cast
    for number in range(10):
        documents = [cast.document(idempotency_key=f"k{number}", resource_id=r) for r in "ab"]
        answers = _posts(cast, documents * 3)
        assert Counter(status for status, _ in answers) == {201: 1, 409: 5}
    assert Event.objects.count() == 10


def test_it_keeps_the_tenants_keys_apart_at_once(committed_cast: Cast) -> None:
    cast = committed_cast
    mine = cast.document(idempotency_key="shared")
    theirs = mine | {"tenant_id": str(cast.northwind.pk), "workflow_id": str(cast.routing.pk)}
    answers = _posts(cast, [mine, theirs] * 3)
    assert Counter(status for status, _ in answers) == {201: 2, 409: 4}
    assert Event.objects.count() == 2


def test_it_holds_the_quota_for_all_threads_together(committed_cast: Cast) -> None:
    """Exactly as many as the limit pass, whoever asks at the same moment [P11]."""
    cast = committed_cast
    cast.meridian.events_per_minute = 10
    cast.meridian.save()
    answers = _posts(cast, [cast.document() for _ in range(20)])
    assert Counter(status for status, _ in answers) == {201: 10, 429: 10}
    assert Event.objects.count() == 10


def test_it_stores_an_event_only_with_its_work(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    """The work row cannot be written → nothing is stored, and the sender hears a 503."""
    from django.db import OperationalError

    from ingestion import services

    def fail(*_: Any) -> None:
        raise OperationalError("lost the connection")

    monkeypatch.setattr(services.work, "enqueue", fail)
    response = cast.api().post(URL, cast.document(), content_type=JSON)
    assert (response.status_code, response.json()["code"]) == (503, "unavailable")
    assert response.headers["Retry-After"] == "5"
    assert not Event.objects.exists()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ingestion_event SET payload = '{}'",
        "UPDATE ingestion_event SET received_at = now()",
        "DELETE FROM ingestion_event",
    ],
)
def test_it_never_changes_an_event(cast: Cast, statement: str) -> None:
    """The database itself refuses, whoever asks. Seen red with the trigger dropped."""
    assert cast.api().post(URL, cast.document(), content_type=JSON).status_code == 201
    with (
        pytest.raises(DatabaseError, match="append-only"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)
    assert Event.objects.get().payload == cast.document()["payload"]


def test_it_lets_retention_alone_delete(cast: Cast) -> None:
    assert cast.api().post(URL, cast.document(), content_type=JSON).status_code == 201
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL awfdrs.retention = 'on'")
        cursor.execute("DELETE FROM ingestion_event")
    assert not Event.objects.exists()


_CRASH = """
import json, os, signal, sys
from django.utils import timezone
from awfdrs_site.kernel.actor import MACHINE
from ingestion import services
from tenants.access import Identity
from tenants.models import Tenant

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

document = json.loads({document!r})
if {before_commit}:
    services.work.enqueue = die
identity = Identity(Tenant.objects.get(pk=document["tenant_id"]), MACHINE, frozenset())
services.ingest(identity=identity, documents=[document], now=timezone.now())
die()
"""


@pytest.mark.slow
@pytest.mark.parametrize("before_commit", [True, False])
def test_it_survives_a_kill_around_the_commit(committed_cast: Cast, before_commit: bool) -> None:
    """Killed before COMMIT nothing is there; killed before its answer, the repeat finds it."""
    ensure_default_rules()
    document = committed_cast.document()
    code = _CRASH.format(document=json.dumps(document), before_commit=before_commit)
    assert start(code).wait(60) == -signal.SIGKILL
    stored = list(Event.objects.values_list("pk", flat=True))
    assert len(stored) == Work.objects.count() == (0 if before_commit else 1)
    response = committed_cast.api().post(URL, document, content_type=JSON)
    if before_commit:
        assert response.status_code == 201
    else:
        assert (response.status_code, response.json()["code"]) == (409, "duplicate_event")
        assert response.json()["event_id"] == str(stored[0])
    assert Event.objects.count() == 1
