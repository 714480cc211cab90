"""G3: a burst of failures; from the last 201 until every event is in an incident."""

from __future__ import annotations

import time
from statistics import median

from bench.instance import Instance, running
from bench.load import inserter, poster, run

EVENTS = 500
CLIENTS = 20
ROUNDS = 3
LIMIT_SECONDS = 60


def measure() -> list[tuple[float, float]]:
    """Three rounds of (lag in seconds, one durable insert in seconds)."""
    with running() as instance:
        _lag(instance, "warm-up", 40)
        rounds = []
        for number in range(ROUNDS):
            lag = _lag(instance, f"round-{number}", EVENTS)
            rounds.append((lag, median(run(1, 200, inserter(instance)).latencies)))
        return rounds


def _lag(instance: Instance, name: str, events: int) -> float:
    from ingestion.models import Event

    mine = Event.objects.filter(tenant_id=instance.tenant_id, resource_type=name)
    client = poster(instance, resource_type=name, resource_id="r-1")
    run(CLIENTS, events // CLIENTS, client)
    began = time.perf_counter()
    posted = events // CLIENTS * CLIENTS
    while mine.filter(membership__isnull=False).count() < posted:
        if time.perf_counter() - began > LIMIT_SECONDS:
            raise RuntimeError(f"{posted} events were not all in incidents in {LIMIT_SECONDS} s")
        time.sleep(0.005)
    return time.perf_counter() - began
