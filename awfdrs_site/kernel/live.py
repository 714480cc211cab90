"""Live pages: one rendered partial, sent to every browser of a tenant, after the commit.

A hint only [P16]: `seq` lets a browser see a gap, and it then fetches the page again. One thread
with one event loop a process publishes (a loop per message costs two to three times as much).
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import redis.asyncio
import structlog
from channels.layers import get_channel_layer
from django.conf import settings
from django.db import transaction
from django.template.loader import render_to_string

log = structlog.get_logger(__name__)

QUEUE_LIMIT = 2_000
SEND_TIMEOUT_SECONDS = 2.0


def group(tenant_id: UUID | str, topic: str) -> str:
    """The channel group of one topic of one tenant."""
    return f"live.{UUID(str(tenant_id)).hex}.{topic.replace(':', '.')}"


class _Publisher:
    """A daemon thread with an event loop; `send` only hands over and never waits."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._queue: asyncio.Queue[tuple[str, dict[str, Any]]] | None = None

    def send(self, group_name: str, message: dict[str, Any]) -> None:
        with self._lock:
            if self._loop is None:
                self._start()
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._offer, group_name, message)

    def _start(self) -> None:
        started = threading.Event()
        threading.Thread(
            target=lambda: asyncio.run(self._run(started)), name="live-publisher", daemon=True
        ).start()
        started.wait()

    def _offer(self, group_name: str, message: dict[str, Any]) -> None:
        assert self._queue is not None
        try:
            self._queue.put_nowait((group_name, message))
        except asyncio.QueueFull:
            log.warning("live_dropped", topic=message["topic"])

    async def _run(self, started: threading.Event) -> None:
        self._loop, self._queue = asyncio.get_running_loop(), asyncio.Queue(QUEUE_LIMIT)
        started.set()
        layer = get_channel_layer()
        counter = redis.asyncio.from_url(
            settings.REDIS_URL,
            socket_timeout=settings.REDIS_TIMEOUT_SECONDS,
            socket_connect_timeout=settings.REDIS_TIMEOUT_SECONDS,
        )
        while True:
            name, message = await self._queue.get()
            try:
                async with asyncio.timeout(SEND_TIMEOUT_SECONDS):
                    message["seq"] = await counter.incr(f"awfdrs:seq:{name}")
                    await layer.group_send(name, message)
            except Exception as error:  # noqa: BLE001  (a hint only: pages catch up by fetching)
                log.warning("live_failed", error=repr(error))


_publisher = _Publisher()


def publish(
    tenant_id: UUID,
    topic: str,
    *,
    template: str = "",
    context: Mapping[str, Any] | None = None,
    data: Mapping[str, Any] | None = None,
) -> None:
    """Send `template` rendered with `context` (or plain `data`) to `topic` after the commit."""

    def send() -> None:
        message: dict[str, Any] = {"type": "live.message", "topic": topic}
        if template:
            message["html"] = render_to_string(template, dict(context or {}))
        else:
            message["data"] = dict(data or {})
        _publisher.send(group(tenant_id, topic), message)

    transaction.on_commit(send, robust=True)
