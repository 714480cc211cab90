"""Live pages, where a change is made: after its commit, all web processes are told what changed.

A hint only: tenant, topic and key. Who has open pages reads the row as it is by then, so that hints
may be joined, sent twice and late, and the last state is shown whatever order they came in.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterable
from itertools import islice
from uuid import UUID

import redis
import structlog
from django.db import transaction

from awfdrs_site.kernel.redis_client import redis_client

log = structlog.get_logger(__name__)

CHANNEL = "awfdrs:live"
COUNTER = "awfdrs:live:told"
# Hints that wait for Redis; over it, each tenant's are joined to one: everything changed.
MOST_WAITING = 5_000
MOST_IN_MESSAGE = 500
PAUSE_SECONDS = 0.5

# Number and message leave in one step, so that they come in order and a lost one is seen.
_TELL = """
local told = redis.call('INCR', KEYS[1])
redis.call('PUBLISH', ARGV[1], told .. ' ' .. ARGV[2])
"""

# tenant, topic, key. The topic "" is all topics.
Hint = tuple[str, str, str]


class _Teller:
    """One daemon thread a process that talks to Redis, so that no commit waits for it."""

    def __init__(self) -> None:
        self._waiting: dict[Hint, None] = {}
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def tell(self, hint: Hint) -> None:
        with self._changed:
            self._add([hint])
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="live-teller", daemon=True)
                self._thread.start()
            self._changed.notify()

    def _add(self, hints: Iterable[Hint]) -> None:
        self._waiting.update(dict.fromkeys(hints))
        if len(self._waiting) > MOST_WAITING:
            self._waiting = dict.fromkeys((tenant, "", "") for tenant, _, _ in self._waiting)

    def _run(self) -> None:
        script = redis_client().register_script(_TELL)
        failed = False
        while True:
            with self._changed:
                while not self._waiting:
                    self._changed.wait()
                hints = list(islice(self._waiting, MOST_IN_MESSAGE))
                for hint in hints:
                    del self._waiting[hint]
            try:
                script(keys=[COUNTER], args=[CHANNEL, json.dumps(hints)])
                failed = False
            except redis.RedisError as error:
                if not failed:
                    log.warning("live_failed", error=repr(error))
                failed = True
                with self._changed:
                    self._add(hints)
                time.sleep(PAUSE_SECONDS)


_teller = _Teller()


def publish(tenant_id: UUID, topic: str, key: UUID | int | str = "") -> None:
    """Tell the tenant's open pages, once the caller's transaction is committed, that the row `key`
    of `topic` changed, or with no key that something of it did. Never blocks or raises."""
    hint = (str(tenant_id), topic, str(key))
    transaction.on_commit(lambda: _teller.tell(hint), robust=True)
