"""The one synchronous Redis client a process needs: bounded in time, never trusted to be there."""

from __future__ import annotations

from functools import cache

from django.conf import settings
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as LostConnection
from redis.retry import Retry


@cache
def redis_client() -> Redis:
    """The client of settings.REDIS_URL, see `client_of`."""
    return client_of(settings.REDIS_URL)


def client_of(url: str) -> Redis:
    """Commands take at most settings.REDIS_TIMEOUT_SECONDS, then raise redis.RedisError.

    A connection that the server dropped is opened again once; a server that hangs is not asked
    twice (redis-py's default tries ten times).
    """
    client: Redis = Redis.from_url(
        url,
        socket_timeout=settings.REDIS_TIMEOUT_SECONDS,
        socket_connect_timeout=settings.REDIS_TIMEOUT_SECONDS,
        retry=Retry(NoBackoff(), 1, supported_errors=(LostConnection,)),
    )
    return client
