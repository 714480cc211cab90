"""The drill of Redis: killed, emptied and hung under a running AWFDRS while failures are posted."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

from bench.drill.result import Result, await_
from bench.drill.stage_set import Stage
from bench.load import event_document

CONNECTIONS, PAUSE_SECONDS = 4, 0.05
NORMAL_SECONDS, GONE_SECONDS, AFTER_SECONDS = 3.0, 5.0, 2.0
# The keeper starts it again each time; more often in a minute, and it would take it for broken.
KILLS = 3
COLUMNS = (
    *("redis", "posted", "accepted", "429", "5xx", "slowest POST", "sent while gone"),
    *("in incidents after", "sent twice"),
)


@dataclass
class Posted:
    """What the posts of one stretch came to; `slowest` in seconds."""

    statuses: list[int] = field(default_factory=list)
    slowest: float = 0.0

    def count(self, low: int, high: int) -> int:
        return sum(low <= status <= high for status in self.statuses)


def redis_gone(stage: Stage) -> Result:
    """Each fault in turn, with an ordinary stretch before it to compare with."""
    result = Result("redis gone", action="retry")
    result.table = [COLUMNS]
    pid = _server_pid()
    faults: dict[str, Callable[[], None]] = {"emptied": _empty}
    if pid is not None:
        faults |= {"killed": _kill_repeatedly, "hung": _hang}
    for name, fault in faults.items():
        _play(stage, result, name, fault)
    result.outcome = ", ".join(faults)
    result.expect("the server was there to kill and hang", kept=pid is not None)
    return result


def _play(stage: Stage, result: Result, name: str, fault: Callable[[], None]) -> None:
    from django.utils import timezone

    from actions.models import Action
    from incidents.models import IncidentEvent
    from ingestion.models import Event

    tenant_id = stage.engine.directory.tenant_id
    before = Event.objects.filter(tenant_id=tenant_id, kind="failure").count()
    with _posting(stage) as normal:
        time.sleep(NORMAL_SECONDS)
    with _posting(stage) as during:
        gone_at = timezone.now()
        fault()
        back_at = timezone.now()
        time.sleep(AFTER_SECONDS)
    accepted = normal.count(201, 201) + during.count(201, 201)
    members = IncidentEvent.objects.filter(event__tenant_id=tenant_id, event__kind="failure")
    await_(lambda: members.count() >= before + accepted)
    sent = Action.objects.filter(tenant_id=tenant_id, kind="retry", sent_at__gt=gone_at)
    while_gone = sent.filter(sent_at__lt=back_at).count()
    twice = len(stage.engine.ledger()["executed_more_than_once"])
    posted = len(normal.statuses) + len(during.statuses)
    broken = during.count(500, 599)
    result.events += posted
    ratio = during.slowest / normal.slowest if normal.slowest else 0.0
    result.table.append(
        (
            name,
            *map(str, (posted, accepted, during.count(429, 429), broken)),
            f"{ratio:.1f} times the normal",
            str(while_gone),
            str(members.count() - before),
            str(twice),
        )
    )
    result.expect(f"{name}: no 5xx", kept=broken == 0)
    result.expect(f"{name}: every event accepted", kept=accepted == posted)
    result.expect(f"{name}: nothing lost", kept=members.count() - before == accepted)
    result.expect(f"{name}: nothing sent twice", kept=twice == 0)
    if name == "hung":
        result.expect(f"{name}: nothing sent that nobody counted", kept=while_gone == 0)


@contextmanager
def _posting(stage: Stage) -> Iterator[Posted]:
    """Failures of one vendor from several connections, until the block ends."""
    workflow = stage.engine.directory.workflows[0]
    tenant_id, _ = stage.ids()
    payload = {"error_code": "payment_timeout", "vendor": workflow.vendor}
    posted, over = Posted(), threading.Event()

    def post() -> None:
        while not over.wait(PAUSE_SECONDS):
            document = event_document(tenant_id, workflow.id, payload=payload)
            began = time.monotonic()
            answer = stage.post("/events", document)
            posted.slowest = max(posted.slowest, time.monotonic() - began)
            posted.statuses.append(answer.status_code)

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        posting = [pool.submit(post) for _ in range(CONNECTIONS)]
        try:
            yield posted
        finally:
            over.set()
    for one in posting:
        one.result()


def _server_pid() -> int | None:
    """The embedded Valkey's process; None where it does not run, or the servers were given."""
    from awfdrs_site.kernel.embedded import held_data_dir
    from awfdrs_site.kernel.embedded_layout import Layout

    data_dir = held_data_dir()
    if data_dir is None:
        return None
    try:
        return int(Layout(data_dir).valkey_pid.read_text())
    except (FileNotFoundError, ValueError):
        return None


def _empty() -> None:
    from awfdrs_site.kernel.redis_client import redis_client

    redis_client().flushall()
    time.sleep(GONE_SECONDS)


def _kill_repeatedly() -> None:
    """Gone, back, gone: each time until the keeper has started the next."""
    for _ in range(KILLS):
        pid = _server_pid()
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
        await_(lambda killed=pid: _server_pid() not in (None, killed))  # type: ignore[misc]
        time.sleep(GONE_SECONDS / KILLS)


def _hang() -> None:
    pid = _server_pid()
    if pid is None:
        return
    os.kill(pid, signal.SIGSTOP)
    try:
        time.sleep(GONE_SECONDS)
    finally:
        os.kill(pid, signal.SIGCONT)
