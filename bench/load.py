"""Bounded load from threads, on loopback only."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit
from uuid import uuid4

import msgspec

from bench.instance import Instance


@dataclass(frozen=True)
class Figures:
    """What a run of calls took: their number, the wall seconds, each call's seconds (sorted)."""

    calls: int
    seconds: float
    latencies: tuple[float, ...]

    @property
    def per_second(self) -> float:
        return self.calls / self.seconds

    @property
    def p99_seconds(self) -> float:
        return self.latencies[min(len(self.latencies) - 1, int(len(self.latencies) * 0.99))]


def run(clients: int, calls_each: int, client: Callable[[], Callable[[], None]]) -> Figures:
    """Call from `clients` threads, `calls_each` times each; `client()` opens one connection."""
    latencies: list[list[float]] = [[] for _ in range(clients)]
    failures: list[Exception] = []
    ready = threading.Barrier(clients + 1)

    def work(mine: list[float]) -> None:
        try:
            call = client()
            ready.wait()
            for _ in range(calls_each):
                began = time.perf_counter()
                call()
                mine.append(time.perf_counter() - began)
        except Exception as error:  # noqa: BLE001  (raised again by the caller)
            failures.append(error)
            ready.abort()

    threads = [threading.Thread(target=work, args=(mine,)) for mine in latencies]
    for thread in threads:
        thread.start()
    ready.wait()
    began = time.perf_counter()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - began
    if failures:
        raise failures[0]
    flat = sorted(latency for mine in latencies for latency in mine)
    return Figures(len(flat), seconds, tuple(flat))


def event_document(tenant_id: str, workflow_id: str, **fields: object) -> dict[str, object]:
    """A valid failure event with a new idempotency key."""
    return {
        "tenant_id": tenant_id,
        "workflow_id": workflow_id,
        "event_type": "payment.capture.failed",
        "payload": {"error_code": "payment_timeout", "error_message": "Gateway timeout"},
        "idempotency_key": uuid4().hex,
        "occurred_at": datetime.now(UTC).isoformat(),
        "schema_version": "1.0.0",
        **fields,
    }


def poster(instance: Instance, **fields: object) -> Callable[[], Callable[[], None]]:
    """A client that posts one new event a call on a kept connection and insists on 201."""
    headers = {"Authorization": f"Bearer {instance.key}", "Content-Type": "application/json"}
    address = urlsplit(instance.url).netloc

    def open_client() -> Callable[[], None]:
        connection = http.client.HTTPConnection(address, timeout=30)

        def post() -> None:
            document = event_document(instance.tenant_id, instance.workflow_id, **fields)
            body = msgspec.json.encode(document)
            connection.request("POST", "/api/v1/events", body, headers)
            answer = connection.getresponse()
            text = answer.read()
            if answer.status != 201:
                raise RuntimeError(f"{answer.status}: {text[:300]!r}")

        return post

    return open_client


def inserter(instance: Instance) -> Callable[[], Callable[[], None]]:
    """The physical reference: one row a commit into the same table, no web server between."""
    import psycopg
    from django.db import connection

    from awfdrs_site.kernel.ids import uuid7

    parameters = connection.get_connection_params()
    wanted = ("dbname", "user", "password", "host", "port")
    target = {k: v for k, v in parameters.items() if k in wanted and v is not None}
    sql = (
        "INSERT INTO ingestion_event (id, tenant_id, workflow_id, event_type, kind, payload,"
        " idempotency_key, content_hash, occurred_at, received_at, clock_skew, schema_version,"
        " correlation_id, resource_type, resource_id, fingerprint, error_code, vendor,"
        " vendor_outcome)"
        " VALUES (%s, %s, %s, 'payment.capture.failed', 'failure', %s, %s, %s, now(), now(),"
        " false, '1.0.0', '', '', '', '', 'payment_timeout', '', '')"
    )
    payload = '{"error_code": "payment_timeout", "error_message": "Gateway timeout"}'

    def open_client() -> Callable[[], None]:
        session = psycopg.connect(**target, autocommit=True)

        def insert() -> None:
            key = uuid4().hex
            row = (uuid7(), instance.tenant_id, instance.workflow_id, payload, key, key.encode())
            session.execute(sql, row)

        return insert

    return open_client
