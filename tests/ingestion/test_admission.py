"""The order of the checks, and what each refuses [E2 E3 E4 S3 S4 S6]."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from awfdrs_site.kernel import work
from awfdrs_site.kernel.actor import MACHINE
from awfdrs_site.kernel.models import Work
from awfdrs_site.kernel.redis_client import client_of
from incidents.detecting.detection import detect
from ingestion.models import Event
from safety import limiter
from safety.models import BreakerState, KillSwitch, OnOpen, SwitchBlocks, SwitchScope, Vendor
from safety.services import engage_switch, ensure_default_rules
from safety.window import SharedWindow
from tenants.models import Tenant
from tests.cast import Cast

URL = "/api/v1/events"
JSON = "application/json"


def _post(cast: Cast, document: dict[str, Any], key: str = "meridian-ingest") -> Any:
    response = cast.api(key).post(URL, document, content_type=JSON)
    if response.status_code != 201:
        assert response.headers["Content-Type"] == "application/problem+json"
        assert response.json()["correlation_id"] == response.headers["X-Correlation-ID"]
    return response


def _vendor(cast: Cast, **fields: Any) -> Vendor:
    return Vendor.objects.create(**{"tenant": cast.meridian, "name": "stripe"} | fields)


def _of_vendor(cast: Cast, name: str = "stripe") -> dict[str, Any]:
    return cast.document(payload={"vendor": name})


def _stop(cast: Cast, scope: str, **fields: Any) -> KillSwitch:
    return engage_switch(
        tenant=None if scope == SwitchScope.GLOBAL else cast.meridian,
        scope=scope,
        **{"blocks": SwitchBlocks.INGESTION, "reason": "drill"} | fields,
        actor=MACHINE,
        now=timezone.now(),
    )


@pytest.mark.usefixtures("default_rules")
def test_it_takes_an_event_in(cast: Cast) -> None:
    document = cast.document(correlation_id="run-7", resource_type="order", resource_id="4711")
    response = _post(cast, document)
    assert response.status_code == 201
    answer = response.json()
    assert answer.keys() == {"event_id", "correlation_id", "status", "received_at"}
    assert (answer["status"], answer["correlation_id"]) == ("accepted", "run-7")
    event = Event.objects.get(pk=answer["event_id"])
    assert (event.tenant, event.workflow) == (cast.meridian, cast.capture)
    assert (event.resource_type, event.resource_id) == ("order", "4711")
    assert (event.error_code, event.kind) == ("payment_timeout", "failure")
    assert event.payload == document["payload"]
    assert event.clock_skew is False


@pytest.mark.usefixtures("default_rules")
def test_it_gives_the_event_the_requests_correlation_id(cast: Cast) -> None:
    headers = {"X-Correlation-ID": "req-9"}
    api = cast.api()
    response = api.post(URL, cast.document(), content_type=JSON, headers=headers)
    assert response.headers["X-Correlation-ID"] == "req-9"
    assert Event.objects.get().correlation_id == response.json()["correlation_id"] == "req-9"
    assert Work.objects.get().correlation_id == "req-9"


@pytest.mark.usefixtures("default_rules")
@pytest.mark.parametrize(
    ("event_type", "kind", "detected"),
    [
        ("payment.failed", "failure", True),
        ("payment.timed_out", "failure", True),
        ("payment.succeeded", "success", True),
        ("deploy.finished", "change", True),
        ("change.config", "change", True),
        ("payment.started", "info", False),
    ],
)
def test_it_leaves_work_for_the_detection(
    cast: Cast, event_type: str, kind: str, detected: bool
) -> None:
    """In the event's own transaction; an informational event has nothing to detect."""
    response = _post(cast, cast.document(event_type=event_type))
    assert Event.objects.get().kind == kind
    subjects = Work.objects.filter(stage="detect").values_list("subject_id", flat=True)
    assert list(subjects) == ([UUID(response.json()["event_id"])] if detected else [])


@pytest.mark.usefixtures("default_rules")
def test_it_takes_a_repeated_event_once(cast: Cast) -> None:
    document = cast.document()
    first = _post(cast, document).json()["event_id"]
    for repeated in (document, dict(reversed(document.items()))):
        response = _post(cast, repeated)
        assert (response.status_code, response.json()["code"]) == (409, "duplicate_event")
        assert response.json()["event_id"] == first
    assert Event.objects.count() == Work.objects.count() == 1


@pytest.mark.usefixtures("default_rules")
def test_it_refuses_other_content_under_the_same_key(cast: Cast) -> None:
    document = cast.document()
    first = _post(cast, document).json()["event_id"]
    response = _post(cast, document | {"resource_id": "other"})
    assert (response.status_code, response.json()["code"]) == (409, "idempotency_conflict")
    assert response.json()["event_id"] == first
    assert Event.objects.count() == Work.objects.count() == 1


def test_it_takes_the_same_key_from_two_tenants(cast: Cast) -> None:
    document = cast.document()
    theirs = document | {
        "tenant_id": str(cast.northwind.pk),
        "workflow_id": str(cast.routing.pk),
    }
    assert _post(cast, document).status_code == 201
    assert _post(cast, theirs, "northwind-ingest").status_code == 201


@pytest.mark.parametrize(
    ("scope", "fields"),
    [
        (SwitchScope.GLOBAL, {}),
        (SwitchScope.TENANT, {}),
        (SwitchScope.WORKFLOW, {"workflow": True}),
        (SwitchScope.VENDOR, {"vendor": "stripe"}),
    ],
)
def test_it_keeps_out_what_a_kill_switch_stops(
    cast: Cast, scope: str, fields: dict[str, Any]
) -> None:
    _stop(cast, scope, **fields | ({"workflow": cast.capture} if "workflow" in fields else {}))
    response = _post(cast, _of_vendor(cast))
    document = response.json()
    assert (response.status_code, document["code"]) == (423, "kill_switch_active")
    assert (document["scope"], document["reason"]) == (scope, "drill")
    assert not Event.objects.exists()


def test_it_lets_in_what_no_kill_switch_stops(cast: Cast) -> None:
    _stop(cast, SwitchScope.WORKFLOW, workflow=cast.contacts)
    _stop(cast, SwitchScope.VENDOR, vendor="salesforce")
    _stop(cast, SwitchScope.TENANT, blocks=SwitchBlocks.AUTOMATION)
    assert _post(cast, _of_vendor(cast)).status_code == 201


def test_it_says_when_a_kill_switch_ends(cast: Cast) -> None:
    _stop(cast, SwitchScope.TENANT, expires_at=timezone.now() + timedelta(seconds=90))
    assert 85 <= int(_post(cast, cast.document()).headers["Retry-After"]) <= 91


def test_it_refuses_the_101st_post_of_a_vendor_limited_to_100(cast: Cast) -> None:
    """Hundred a minute come in, the next is told when to come again, other vendors' go on."""
    _vendor(cast, requests_per_minute=100)
    answers = [_post(cast, _of_vendor(cast)) for _ in range(101)]
    assert [answer.status_code for answer in answers] == [201] * 100 + [429]
    last = answers[-1]
    assert last.json()["detail"] == "Over 100 events a minute of this vendor 'stripe'."
    limit, remaining = last.headers["RateLimit-Limit"], last.headers["RateLimit-Remaining"]
    assert (limit, remaining) == ("100", "0")
    assert 1 <= int(last.headers["Retry-After"]) <= 60
    assert last.headers["RateLimit-Reset"] == last.headers["Retry-After"]
    assert Event.objects.count() == 100
    assert _post(cast, cast.document()).status_code == 201


def test_it_tells_what_is_left_of_the_tighter_limit(cast: Cast) -> None:
    """With every accepted event; a refused one, and a repeated one, count against no limit."""
    _vendor(cast, requests_per_minute=2)
    Tenant.objects.filter(pk=cast.meridian.pk).update(events_per_minute=4)
    plain, of_vendor = cast.document(), _of_vendor(cast)
    seen = []
    for document in (plain, of_vendor, plain, _of_vendor(cast), _of_vendor(cast), cast.document()):
        answer = _post(cast, document)
        figures = [answer.headers.get(f"RateLimit-{name}") for name in ("Limit", "Remaining")]
        seen.append((answer.status_code, *figures))
    assert seen == [
        (201, "4", "3"),
        (201, "2", "1"),
        (409, None, None),
        (201, "2", "0"),
        (429, "2", "0"),
        (201, "4", "0"),
    ]


def test_it_refuses_events_over_the_tenants_quota(cast: Cast) -> None:
    """Loudly, by the standard's headers, and without counting what it refused."""
    Tenant.objects.filter(pk=cast.meridian.pk).update(events_per_minute=3)
    statuses = [_post(cast, cast.document()).status_code for _ in range(5)]
    assert statuses == [201, 201, 201, 429, 429]
    response = _post(cast, cast.document())
    assert response.json()["code"] == "rate_limited"
    assert response.headers["RateLimit-Limit"] == "3"
    assert response.headers["RateLimit-Remaining"] == "0"
    assert 1 <= int(response.headers["Retry-After"]) <= 60
    assert response.headers["RateLimit-Reset"] == response.headers["Retry-After"]
    assert Event.objects.count() == 3
    assert (
        _post(
            cast,
            cast.document(tenant_id=str(cast.northwind.pk), workflow_id=str(cast.routing.pk)),
            "northwind-ingest",
        ).status_code
        == 201
    )


def test_it_refuses_events_over_the_vendors_limit(cast: Cast) -> None:
    _vendor(cast, requests_per_minute=2)
    statuses = [_post(cast, _of_vendor(cast, name)).status_code for name in ("stripe",) * 3]
    assert statuses == [201, 201, 429]
    assert _post(cast, _of_vendor(cast, "another")).status_code == 201


def test_it_refuses_everything_under_a_quota_of_none(cast: Cast) -> None:
    Tenant.objects.filter(pk=cast.meridian.pk).update(events_per_minute=0)
    assert _post(cast, cast.document()).status_code == 429


def test_it_refuses_events_of_a_vendor_whose_breaker_is_open(cast: Cast) -> None:
    """503 with the rest of the time; after it probes may come through, so events may too."""
    now = timezone.now()
    _vendor(cast, breaker_state=BreakerState.OPEN, breaker_changed_at=now, open_seconds=120)
    with time_machine.travel(now + timedelta(seconds=60), tick=False):
        response = _post(cast, _of_vendor(cast))
        assert (response.status_code, response.json()["code"]) == (503, "circuit_open")
        assert response.headers["Retry-After"] == "61"
        assert not Event.objects.exists()
    with time_machine.travel(now + timedelta(seconds=120), tick=False):
        assert _post(cast, _of_vendor(cast)).status_code == 201


def test_it_lets_as_many_failures_in_as_a_half_open_breaker_has_probes(cast: Cast) -> None:
    """Whatever else comes in; the same event again would hold the same probe."""
    ensure_default_rules()
    vendor = _vendor(cast, breaker_state=BreakerState.HALF_OPEN, breaker_changed_at=timezone.now())
    with time_machine.travel(timezone.now(), tick=False):
        answers = [_post(cast, _of_vendor(cast)) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [201] * 3 + [503] * 3
    refused = answers[5]
    assert refused.headers["Retry-After"] == "121"
    assert "every probe out" in refused.json()["detail"]
    info = _of_vendor(cast) | {"event_type": "payment.seen"}
    assert _post(cast, info).status_code == 201
    vendor.refresh_from_db()
    assert len(vendor.breaker().leases) == 3


@pytest.mark.parametrize("state", [BreakerState.OPEN, BreakerState.HALF_OPEN, "forced_open"])
def test_it_takes_in_every_success_whatever_the_breaker_says(cast: Cast, state: str) -> None:
    ensure_default_rules()
    _vendor(cast, breaker_state=state, breaker_changed_at=timezone.now(), half_open_probes=1)
    for _ in range(3):
        document = _of_vendor(cast) | {"event_type": "payment.succeeded"}
        assert _post(cast, document).status_code == 201


def test_it_records_what_an_open_breaker_of_a_patient_vendor_would_refuse(cast: Cast) -> None:
    _vendor(
        cast, breaker_state="open", breaker_changed_at=timezone.now(), on_open=OnOpen.RECORD
    )  # fmt: skip
    assert _post(cast, _of_vendor(cast)).status_code == 201


@pytest.mark.django_db(transaction=True)
def test_it_refuses_the_eleventh_after_ten_failures_and_lets_in_after_a_while(
    committed_cast: Cast,
) -> None:
    """From nothing: the vendor is found, its breaker opens, half-opens by the clock and closes."""
    cast, now = committed_cast, timezone.now()
    ensure_default_rules()

    def post(kind: str = "failed") -> int:
        status = _post(cast, _of_vendor(cast) | {"event_type": f"payment.{kind}"}).status_code
        work.run_due("detect", detect)
        return int(status)

    with time_machine.travel(now, tick=False):
        assert [post() for _ in range(12)] == [201] * 10 + [503] * 2
        vendor = Vendor.objects.get(tenant=cast.meridian, name="stripe")
        assert (vendor.breaker_state, vendor.calls_saved) == ("open", 2)
    with time_machine.travel(now + timedelta(seconds=301), tick=False):
        assert [post("succeeded") for _ in range(3)] == [201] * 3
        vendor.refresh_from_db()
        assert vendor.breaker_state == "closed"
        assert post() == 201


@pytest.mark.parametrize("state", [BreakerState.CLOSED, BreakerState.HALF_OPEN])
def test_it_takes_events_of_any_other_vendor(cast: Cast, state: str) -> None:
    _vendor(cast, breaker_state=state, breaker_changed_at=timezone.now())
    assert _post(cast, _of_vendor(cast)).status_code == 201


def _break_schema(cast: Cast, document: dict[str, Any]) -> None:
    document["schema_version"] = "0"


def _break_idempotency(cast: Cast, document: dict[str, Any]) -> None:
    assert (
        _post(cast, cast.document(idempotency_key=document["idempotency_key"])).status_code == 201
    )


def _break_tenant(cast: Cast, document: dict[str, Any]) -> None:
    document["tenant_id"] = str(cast.northwind.pk)


def _break_workflow(cast: Cast, document: dict[str, Any]) -> None:
    document["workflow_id"] = str(cast.routing.pk)


def _break_switch(cast: Cast, document: dict[str, Any]) -> None:
    _stop(cast, SwitchScope.TENANT)


def _break_rate(cast: Cast, document: dict[str, Any]) -> None:
    Tenant.objects.filter(pk=cast.meridian.pk).update(events_per_minute=0)


def _break_breaker(cast: Cast, document: dict[str, Any]) -> None:
    _vendor(cast, breaker_state=BreakerState.OPEN, breaker_changed_at=timezone.now())


ORDER = [
    (_break_schema, "validation_error"),
    (_break_idempotency, "idempotency_conflict"),
    (_break_tenant, "tenant_mismatch"),
    (_break_workflow, "workflow_not_found"),
    (_break_switch, "kill_switch_active"),
    (_break_rate, "rate_limited"),
    (_break_breaker, "circuit_open"),
]


@pytest.mark.parametrize("first", range(len(ORDER)), ids=[code for _, code in ORDER])
def test_it_checks_in_the_contracts_order(cast: Cast, first: int) -> None:
    """With everything wrong from one check on, that check is the one that answers."""
    document = _of_vendor(cast)
    for break_it, _ in ORDER[first:]:
        break_it(cast, document)
    assert _post(cast, document).json()["code"] == ORDER[first][1]


def test_it_answers_a_duplicate_whatever_happened_since(cast: Cast) -> None:
    """The sender repeats because it missed the 201; a switch engaged meanwhile changes nothing."""
    document = cast.document()
    first = _post(cast, document).json()["event_id"]
    _stop(cast, SwitchScope.TENANT)
    Tenant.objects.filter(pk=cast.meridian.pk).update(is_active=False)
    response = _post(cast, document)
    assert (response.status_code, response.json()["event_id"]) == (409, first)


@pytest.mark.usefixtures("default_rules")
def test_it_asks_the_database_little(cast: Cast, django_assert_num_queries: Any) -> None:
    """Key, idempotency, workflow, switches, savepoint around the two inserts.

    The key's last use and the rules are written and read once a minute and a second at most.
    """
    api = cast.api()
    api.post(URL, cast.document(), content_type=JSON)
    with django_assert_num_queries(8):
        assert api.post(URL, cast.document(), content_type=JSON).status_code == 201


@pytest.fixture
def redis_down(monkeypatch: pytest.MonkeyPatch) -> None:
    """No Redis at the address, and a limiter that has not noticed yet."""
    nobody = SharedWindow(client_of("redis://127.0.0.1:1"))
    monkeypatch.setattr(limiter, "_link", limiter._Link())
    monkeypatch.setattr(limiter, "_shared", lambda: nobody)
    limiter._local.cache_clear()


def test_it_goes_on_without_redis_under_a_small_cap(cast: Cast, redis_down: None) -> None:
    """A quarter of the quota in this process: events are taken, a flood still is not."""
    Tenant.objects.filter(pk=cast.meridian.pk).update(events_per_minute=20)
    statuses = [_post(cast, cast.document()).status_code for _ in range(7)]
    assert statuses == [201] * 5 + [429] * 2


def test_it_lists_only_the_tenants_own_events(cast: Cast) -> None:
    mine = _post(cast, cast.document()).json()["event_id"]
    theirs = cast.document(tenant_id=str(cast.northwind.pk), workflow_id=str(cast.routing.pk))
    other = _post(cast, theirs, "northwind-ingest").json()["event_id"]
    api = cast.api("meridian-read")
    assert [event["event_id"] for event in api.get(URL).json()["results"]] == [mine]
    assert api.get(f"{URL}/{mine}").json()["event_id"] == mine
    assert api.get(f"{URL}/{other}").status_code == 404


def _ids(client: Client, query: str) -> list[str]:
    response = client.get(URL + query)
    assert response.status_code == 200, response.content
    return [event["event_id"] for event in response.json()["results"]]


def test_it_narrows_the_list(cast: Cast) -> None:
    start = timezone.now().replace(microsecond=0)
    ids = []
    for minutes, changes in enumerate(
        (
            {"event_type": "payment.failed", "correlation_id": "a"},
            {"event_type": "payment.succeeded", "correlation_id": "b"},
            {"workflow_id": str(cast.contacts.pk), "correlation_id": "a"},
        )
    ):
        with time_machine.travel(start + timedelta(minutes=minutes), tick=False):
            ids.append(_post(cast, cast.document(**changes)).json()["event_id"])
    api = cast.api("meridian-read")
    assert _ids(api, "") == ids[::-1]
    assert _ids(api, f"?workflow={cast.contacts.pk}") == [ids[2]]
    assert _ids(api, "?workflow=crm.contact-sync") == [ids[2]]
    assert _ids(api, "?type=payment.succeeded") == [ids[1]]
    assert _ids(api, "?correlation_id=a") == [ids[2], ids[0]]
    minute = (start + timedelta(minutes=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert _ids(api, f"?since={minute}") == [ids[2], ids[1]]
    assert _ids(api, f"?until={minute}") == [ids[0]]


def test_it_pages_through_events_of_one_instant(cast: Cast) -> None:
    with time_machine.travel(timezone.now(), tick=False):
        ids = [_post(cast, cast.document()).json()["event_id"] for _ in range(5)]
    api, seen, url = cast.api("meridian-read"), [], f"{URL}?page_size=2"
    while url:
        page = api.get(url).json()
        seen += [event["event_id"] for event in page["results"]]
        url = page["next"]
    assert sorted(seen) == sorted(ids)
    assert len(seen) == 5
