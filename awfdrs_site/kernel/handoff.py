"""The doorbell: tells the workers that a stage has work. A hint only; the sweep looks anyway."""

from __future__ import annotations

import threading
import time

import structlog
from celery import current_app
from django.db import transaction

log = structlog.get_logger(__name__)

TASK = "awfdrs.look"
# Rings within this time are one ring: a burst of 500 events wakes the workers a few times only.
COALESCE_SECONDS = 0.02
# Rings of a time without workers do not pile up; far over any skew between hosts' clocks.
EXPIRES_SECONDS = 60
# After a broker failure the sweep alone drives the stages for this long.
PAUSE_SECONDS = 5.0


class _Bell:
    """One daemon thread a process that talks to the broker, so that no commit waits for Redis."""

    def __init__(self) -> None:
        self._stages: set[str] = set()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def ring(self, stage: str) -> None:
        with self._changed:
            self._stages.add(stage)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="doorbell", daemon=True)
                self._thread.start()
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._stages:
                    self._changed.wait()
                stages, self._stages = self._stages, set()
            try:
                for stage in sorted(stages):
                    current_app.send_task(
                        TASK, args=[stage], retry=False, ignore_result=True, expires=EXPIRES_SECONDS
                    )
                time.sleep(COALESCE_SECONDS)
            except Exception as error:  # noqa: BLE001  (clients raise many kinds: all mean later)
                log.warning("doorbell_failed", error=repr(error))
                time.sleep(PAUSE_SECONDS)


_bell = _Bell()


def ring_on_commit(stage: str) -> None:
    """Ring for `stage` once the caller's transaction is committed; never blocks or raises."""
    transaction.on_commit(lambda: _bell.ring(stage), robust=True)
