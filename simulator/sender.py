"""Posts events to AWFDRS: a bounded queue, retries with backoff, every event accounted for."""

import heapq
import itertools
import logging
import random
import threading
import time
from collections import Counter, deque
from collections.abc import Hashable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx

from simulator.delivery import Delivery, Fate, Judgement, backoff_seconds, judge
from simulator.events import Event

log = logging.getLogger("simulator.sender")
EVENTS_PATH = "/api/v1/events"
UNREACHABLE = "unreachable"
# A web process that restarts is back within seconds: ask again soon, however long it was away.
MAX_UNREACHABLE_WAIT_SECONDS = 5.0
_IN_FLIGHT_GRACE_SECONDS = 1.0


class SenderStoppedError(Exception):
    """An event was submitted after stop; it was not taken."""


@dataclass
class Counts:
    """submitted = accepted + duplicate + refused + unsent + pending, at any moment."""

    submitted: int = 0
    accepted: int = 0
    duplicate: int = 0
    refused: int = 0
    unsent: int = 0
    pending: int = 0
    retries: int = 0
    codes: Counter[str] = field(default_factory=Counter)

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON; `codes` counts the reasons of refusals and retries."""
        return {**vars(self), "codes": dict(self.codes)}


class Sender:
    """A queue in front of ``POST /api/v1/events``; thread-safe.

    Events of one resource are posted in the order they were submitted, each only after the one
    before it is settled. A repeated post carries the same idempotency key. An event is given up
    only after `give_up_after_seconds`, counted as unsent and logged. `submit` blocks while
    `capacity` events wait, so a full queue slows the engine down and loses nothing.
    """

    def __init__(
        self,
        url: str,
        key: str,
        *,
        workers: int = 2,
        capacity: int = 10_000,
        timeout_seconds: float = 10.0,
        max_wait_seconds: float = 60.0,
        give_up_after_seconds: float = 3_600.0,
    ) -> None:
        self._url = url.rstrip("/") + EVENTS_PATH
        # No proxy from the environment: the engine talks to exactly the address it was given.
        self._client = httpx.Client(
            headers={"Authorization": f"Bearer {key}", "User-Agent": "awfdrs-simulator"},
            timeout=timeout_seconds,
            trust_env=False,
            limits=httpx.Limits(max_connections=workers, max_keepalive_connections=workers),
        )
        self._capacity = capacity
        self._max_wait_seconds = max_wait_seconds
        self._give_up_after_seconds = give_up_after_seconds
        self._changed = threading.Condition()
        self._lanes: dict[Hashable, deque[Delivery]] = {}
        self._due: list[tuple[float, int, Hashable]] = []
        self._order = itertools.count()
        self._counts = Counts()
        self._paused_until = 0.0
        self._unreachable = 0
        self._closing = False
        self._stopped = False
        self._threads = [
            threading.Thread(target=self._work, name=f"sender-{n}", daemon=True)
            for n in range(workers)
        ]

    def start(self) -> None:
        """Start posting."""
        for thread in self._threads:
            thread.start()

    def submit(self, event: Event) -> Delivery:
        """Queue one event; blocks while the queue is full; SenderStoppedError after stop."""
        with self._changed:
            self._changed.wait_for(lambda: self._closing or self._counts.pending < self._capacity)
            if self._closing:
                raise SenderStoppedError
            delivery = Delivery(event, submitted_at=time.monotonic())
            self._counts.submitted += 1
            self._counts.pending += 1
            lane = _lane(event)
            if lane in self._lanes:
                self._lanes[lane].append(delivery)
            else:
                self._lanes[lane] = deque([delivery])
                self._schedule(lane, 0.0)
            return delivery

    def counts(self) -> Counts:
        """A copy of the counts now."""
        with self._changed:
            return Counts(**{**vars(self._counts), "codes": Counter(self._counts.codes)})

    def drain(self, timeout_seconds: float) -> bool:
        """Wait until nothing is pending; False when the time is over before."""
        with self._changed:
            return self._changed.wait_for(lambda: self._counts.pending == 0, timeout_seconds)

    def stop(self, drain_seconds: float = 2.0) -> Counts:
        """Take no more, post what waits for at most `drain_seconds`, mark the rest unsent."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self.drain(drain_seconds)
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(_IN_FLIGHT_GRACE_SECONDS)
        self._abandon_rest()
        self._client.close()
        return self.counts()

    def _abandon_rest(self) -> None:
        with self._changed:
            rest = [delivery for lane in self._lanes.values() for delivery in lane]
            self._lanes.clear()
            self._due.clear()
            for delivery in rest:
                self._finish(delivery, Judgement(Fate.UNSENT, "stopped"))
        if rest:
            log.warning("stopped with %d events unsent", len(rest))

    def _work(self) -> None:
        while (taken := self._take()) is not None:
            lane, delivery = taken
            delivery.attempts += 1
            judgement = self._post(delivery)
            with self._changed:
                if lane in self._lanes:
                    self._settle(lane, delivery, judgement)

    def _take(self) -> tuple[Hashable, Delivery] | None:
        """The next lane whose head is due, and that head; None once stopped. The lane is this
        thread's alone until it is scheduled again."""
        with self._changed:
            while not self._stopped:
                if not self._due:
                    self._changed.wait()
                    continue
                wait = max(self._due[0][0], self._paused_until) - time.monotonic()
                if wait <= 0:
                    lane = heapq.heappop(self._due)[2]
                    return lane, self._lanes[lane][0]
                self._changed.wait(wait)
            return None

    def _schedule(self, lane: Hashable, wait_seconds: float) -> None:
        due = time.monotonic() + wait_seconds
        heapq.heappush(self._due, (due, next(self._order), lane))
        # All: a submitter or a drainer waits on the same condition and would swallow a single one.
        self._changed.notify_all()

    def _post(self, delivery: Delivery) -> Judgement:
        correlation_id = str(delivery.event["correlation_id"])
        try:
            answer = self._client.post(
                self._url, json=delivery.event, headers={"X-Correlation-ID": correlation_id}
            )
        # RuntimeError: the client was closed by stop while this thread was about to post.
        except (httpx.HTTPError, RuntimeError) as error:
            return self._unreachable_judgement(error)
        delivery.http_status = answer.status_code
        with self._changed:
            if self._unreachable:
                log.warning("AWFDRS answers again, %d events waiting", self._counts.pending)
            self._unreachable = 0
        return judge(
            answer.status_code,
            answer.headers,
            _document(answer),
            attempts=delivery.attempts,
            now=datetime.now(UTC),
            max_wait_seconds=self._max_wait_seconds,
        )

    def _unreachable_judgement(self, error: Exception) -> Judgement:
        with self._changed:
            self._unreachable += 1
            wait = backoff_seconds(self._unreachable, MAX_UNREACHABLE_WAIT_SECONDS)
            if self._unreachable == 1:
                log.warning("AWFDRS does not answer (%s): events wait", type(error).__name__)
        return Judgement(Fate.PENDING, UNREACHABLE, wait_seconds=wait, everyone=True)

    def _settle(self, lane: Hashable, delivery: Delivery, judgement: Judgement) -> None:
        if judgement.wait_seconds is not None and not self._overdue(delivery):
            self._counts.retries += 1
            self._counts.codes[judgement.code] += 1
            # Jitter spreads the repeats of many events that were refused together; it only adds,
            # so that a Retry-After is never undercut.
            wait = judgement.wait_seconds * random.uniform(1.0, 1.25)
            if judgement.everyone:
                self._paused_until = max(self._paused_until, time.monotonic() + wait)
            self._schedule(lane, wait)
            return
        self._lanes[lane].popleft()
        if self._lanes[lane]:
            self._schedule(lane, 0.0)
        else:
            del self._lanes[lane]
        if judgement.wait_seconds is not None:
            judgement = Judgement(Fate.UNSENT, judgement.code)
            log.error("given up after %d attempts: %s", delivery.attempts, judgement.code)
        self._finish(delivery, judgement)

    def _overdue(self, delivery: Delivery) -> bool:
        return time.monotonic() - delivery.submitted_at > self._give_up_after_seconds

    def _finish(self, delivery: Delivery, judgement: Judgement) -> None:
        counts = self._counts
        counts.pending -= 1
        setattr(counts, judgement.fate.value, getattr(counts, judgement.fate.value) + 1)
        if judgement.fate is Fate.REFUSED:
            counts.codes[judgement.code] += 1
            _log_refusal(delivery, judgement.code, counts.codes[judgement.code])
        delivery.settle(judgement.fate, judgement.code, judgement.event_id)
        self._changed.notify_all()


def _lane(event: Event) -> Hashable:
    """Events of one resource share a lane; an event without one has its own."""
    if "resource_id" in event:
        return (event["workflow_id"], event["resource_type"], event["resource_id"])
    return str(event["idempotency_key"])


def _document(answer: httpx.Response) -> dict[str, Any]:
    try:
        document = answer.json()
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _log_refusal(delivery: Delivery, code: str, times: int) -> None:
    """The 1st, 2nd, 4th, 8th… refusal of each code is logged; all are counted."""
    if times & (times - 1) == 0:
        kind, status = delivery.event["event_type"], delivery.http_status
        log.warning("refused: %s %s (%s), %d so far", status, code, kind, times)
