"""The workers after Redis hung: they take rings again [P4]."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from django.conf import settings
from kombu import Connection, Consumer, Queue

from tests.valkey import Valkey, a_valkey


@pytest.fixture
def valkey() -> Iterator[Valkey]:
    with tempfile.TemporaryDirectory() as folder, a_valkey(Path(folder)) as valkey:
        yield valkey


def test_a_ring_that_could_not_be_acknowledged_is_not_under_way_for_ever(valkey: Valkey) -> None:
    """Four such rings stopped a worker of four threads for good.

    Seen red without `ack_emulation` in the broker's options.
    """
    url = f"redis+socket://{valkey.socket}"
    taken: list[Any] = []
    with Connection(url, transport_options=settings.CELERY_BROKER_TRANSPORT_OPTIONS) as connection:
        queue = Queue("celery")
        connection.Producer().publish({"stage": "detect"}, routing_key=queue.name, declare=[queue])
        channel = connection.channel()
        with Consumer(channel, [queue], callbacks=[lambda _, ring: taken.append(ring)]) as consumer:
            consumer.qos(prefetch_count=1)
            connection.drain_events(timeout=10)
            assert not channel.qos.can_consume()
            valkey.hang()
            taken[0].ack_log_error(structlog.get_logger(), connection.connection_errors)
            assert channel.qos.can_consume()
            valkey.go_on()
