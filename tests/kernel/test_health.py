"""Alive and ready, and which part is not [O3]."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from awfdrs_site import health
from awfdrs_site.kernel.redis_client import client_of, redis_client

READY = "/api/v1/health/ready"


def _ready() -> Any:
    return Client().get(READY)


def test_it_is_alive_without_asking_anything(django_assert_num_queries: Any, db: None) -> None:
    with django_assert_num_queries(0):
        response = Client().get("/api/v1/health")
    assert (response.status_code, response.json()) == (200, {"status": "ok"})


@pytest.mark.parametrize(("scheme", "redis"), [("unix", "embedded"), ("redis", "ok")])
def test_it_is_ready_with_a_worker(db: None, settings: Settings, scheme: str, redis: str) -> None:
    redis_client()
    settings.REDIS_URL = f"{scheme}://somewhere"
    health.worker_beat()
    response = _ready()
    assert response.status_code == 200
    assert response.json() == {
        "status": "ready",
        "database": "ok",
        "redis": redis,
        "workers": "ok",
    }


def _assert_down(response: Any, *names: str) -> dict[str, Any]:
    assert response.status_code == 503
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.headers["Retry-After"] == "5"
    document: dict[str, Any] = response.json()
    assert document["code"] == "unavailable"
    assert document["detail"] == f"Not ready: {', '.join(names)}."
    return document


def test_it_misses_the_workers(db: None) -> None:
    """A worker that stopped is missed once its last beat has expired."""
    assert _assert_down(_ready(), "workers")["workers"] == "down"
    health.worker_beat()
    assert 0 < redis_client().ttl(health.BEAT_KEY) <= health.BEAT_SECONDS  # type: ignore[operator]
    redis_client().delete(health.BEAT_KEY)
    _assert_down(_ready(), "workers")


def test_it_misses_redis(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    nobody = client_of("redis://127.0.0.1:1")
    monkeypatch.setattr(health, "redis_client", lambda: nobody)
    health.worker_beat()
    document = _assert_down(_ready(), "redis", "workers")
    assert (document["database"], document["workers"]) == ("ok", "unknown")


def test_it_misses_the_database(
    db: None, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    parameters = {"host": "127.0.0.1", "port": 1, "dbname": "x"}
    monkeypatch.setattr(health.connection, "get_connection_params", lambda: dict(parameters))
    health.worker_beat()
    assert _assert_down(_ready(), "database")["redis"] in ("ok", "embedded")
