"""Is it up, and can it work: `GET /api/v1/health` and `/api/v1/health/ready` [O3]."""

from __future__ import annotations

import socket

import psycopg
import structlog
from django.conf import settings
from django.db import connection
from drf_spectacular.utils import OpenApiResponse, extend_schema, inline_serializer
from redis import RedisError
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from awfdrs_site.kernel.problem import Problem
from awfdrs_site.kernel.redis_client import redis_client

log = structlog.get_logger(__name__)

BEAT_KEY = "awfdrs:worker-beat"
# The sweep beats every second; a worker may be busy with one batch this long.
BEAT_SECONDS = 15
DATABASE_SECONDS = 2

_READY = inline_serializer(
    "Ready",
    {
        "status": serializers.CharField(help_text="`ready`"),
        "database": serializers.CharField(help_text="`ok`"),
        "redis": serializers.CharField(help_text="`ok` or `embedded`"),
        "workers": serializers.CharField(help_text="`ok`"),
    },
)


def worker_beat() -> None:
    """Called by every worker as it works: some worker is alive. Never raises."""
    try:
        redis_client().set(BEAT_KEY, socket.gethostname(), ex=BEAT_SECONDS)
    except RedisError as error:
        log.debug("worker_beat_failed", error=repr(error))


def database_state() -> str:
    """`ok` or `down`; asks on a connection of its own, so a pool in use cannot hold it up."""
    parameters = connection.get_connection_params() | {"connect_timeout": DATABASE_SECONDS}
    parameters["options"] = f"-c statement_timeout={DATABASE_SECONDS}s"
    for ours in ("cursor_factory", "context"):
        parameters.pop(ours, None)
    try:
        with psycopg.connect(**parameters) as fresh:
            fresh.execute("SELECT 1")
    except psycopg.Error:
        return "down"
    return "ok"


def redis_state() -> tuple[str, str]:
    """The states of Redis (`ok`, `embedded`, `down`) and of the workers, who beat there."""
    try:
        beating = redis_client().exists(BEAT_KEY)
    except RedisError:
        return "down", "unknown"
    redis = "embedded" if settings.REDIS_URL.startswith("unix:") else "ok"
    return redis, "ok" if beating else "down"


class HealthView(APIView):
    """The process answers; nothing else is asked."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    @extend_schema(
        summary="Alive",
        responses=inline_serializer("Alive", {"status": serializers.CharField()}),
        auth=[],
    )
    def get(self, request: Request) -> Response:
        return Response({"status": "ok"})


class ReadyView(APIView):
    """Everything an event needs is there; 503 names what is not."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    @extend_schema(
        summary="Ready",
        responses={200: _READY, 503: OpenApiResponse(description="Something is down.")},
        auth=[],
    )
    def get(self, request: Request) -> Response:
        redis, workers = redis_state()
        states = {"database": database_state(), "redis": redis, "workers": workers}
        down = [name for name, state in states.items() if state not in ("ok", "embedded")]
        if down:
            detail = f"Not ready: {', '.join(down)}."
            problem = Problem(503, "unavailable", detail, headers={"Retry-After": "5"})
            problem.extra = states
            raise problem
        return Response({"status": "ready", **states})
