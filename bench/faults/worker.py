"""A worker process that falls where it is told to; otherwise the stages as they are.

Only processes that the harness forks run this: it puts its own functions in the place of the
product's, which knows of no failpoint and can be told of none. What it measures with stands beside
the guards, not on them: a send or a write under a lost lease is reported by a look of its own.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Literal, NamedTuple

from django.db import OperationalError, transaction

from actions import asking, outbound, retry_call, sending
from actions.models import Action
from actions.plans import stage
from awfdrs_site.stages import STAGES
from bench.faults import kinds

How = Literal["kill", "stop"]
# Short, so that a run takes minutes; in the same proportion as the product's.
LEASE = timedelta(seconds=4)
DEADLINE_SECONDS = 1.5
ASK_AGAIN = timedelta(seconds=0.5)
# Of those the scenes need; deciding is done by the harness itself.
ROUND = ("detect", "send", "recover", "verify")

CLAIMED, MARKED, CALLING, ANSWERED, RECORDED = (
    "claimed", "marked", "calling", "answered", "recorded",
)  # fmt: skip
STARTING, STARTED, SETTLING = "starting", "started", "settling"


class Report(NamedTuple):
    """What a worker says: how and where it falls, or what it saw done under a lost lease."""

    what: Literal["kill", "stop", "stale send", "stale write"]
    pid: int
    point: str = ""
    action_id: str = ""
    fence: int = 0


def place(incident_id: object, step: str, role: str, point: str) -> str:
    """Where a worker can fall, as a word that may name a file."""
    return f"{incident_id}.{step}.{role}.{point}"


class Worker:
    """`faults`: how to fall at which place, each once among all workers (a file in `folder`)."""

    def __init__(self, faults: Mapping[str, How], folder: Path, pipe: Connection) -> None:
        self.faults = faults
        self.folder = folder
        self.pipe = pipe
        self.sent: Action | None = None
        self.goes_on = True

    def work(self) -> None:
        """Round and round, until told to end, or the harness is gone."""
        signal.signal(signal.SIGTERM, self.end)
        harness = os.getppid()
        while self.goes_on and os.getppid() == harness:
            try:
                done = sum(STAGES[name]() for name in ROUND)
            except OperationalError:
                done = 0  # as in the product: a lock it waited too long for ends the round
            if not done:
                time.sleep(0.02)

    def end(self, *_: object) -> None:
        self.goes_on = False

    def say(self, what: Any, point: str = "", action: Action | None = None) -> None:
        key, fence = (str(action.pk), action.fence) if action else ("", 0)
        self.pipe.send(Report(what, os.getpid(), point, key, fence))

    def at(self, point: str, action: Action) -> None:
        self.fall(place(action.incident_id, action.step, action.role, point), point, action)

    def fall(self, where: str, point: str, action: Action | None = None) -> None:
        how = self.faults.get(where)
        if how is None:
            return
        try:
            (self.folder / where).touch(exist_ok=False)
        except FileExistsError:
            if how == "stop" and point == CLAIMED:
                # Who took over from a stopped worker waits here, so that the first one wakes up
                # beside a valid claim that is not its own.
                time.sleep(0.5)
            return
        self.say(how, point, action)
        os.kill(os.getpid(), signal.SIGKILL if how == "kill" else signal.SIGSTOP)

    # In the place of the product's functions

    def claim(self, inner: Callable[..., Any], now: datetime) -> Action | None:
        action: Action | None = inner(now)
        if action is not None:
            self.at(CLAIMED, action)
        return action

    def start(self, inner: Callable[..., Any], claimed: Action, now: datetime) -> Any:
        send = inner(claimed, now)
        if send is None:
            return None
        self.at(MARKED, claimed)
        return partial(self.send, send, claimed)

    def send(self, inner: Callable[..., Any], claimed: Action) -> Any:
        mine = Action.objects.filter(pk=claimed.pk, fence=claimed.fence, status="sending")
        if not mine.exists():
            self.say("stale send", action=claimed)
        self.sent = claimed
        try:
            return inner()
        finally:
            self.sent = None

    def addresses(self, inner: Callable[..., Any], client: Any, url: Any) -> Any:
        found = inner(client, url)
        if self.sent is not None:
            self.at(CALLING, self.sent)
        return found

    def record(self, inner: Callable[..., Any], sent: Action, *args: Any) -> None:
        self.at(ANSWERED, sent)
        self.sent = sent
        try:
            inner(sent, *args)
        finally:
            self.sent = None
        self.at(RECORDED, sent)

    def settle(self, inner: Callable[..., Any], incident: Any, action: Action, *args: Any) -> None:
        if self.sent is not None and action.fence != self.sent.fence:
            self.say("stale write", action=self.sent)
        inner(incident, action, *args)

    def begin_step(
        self, inner: Callable[..., Any], recovery: Any, plan: Any, start: Any, *args: Any
    ) -> Any:
        action = inner(recovery, plan, start, *args)
        spot = partial(place, recovery.incident_id, start.step, start.role)
        self.fall(spot(STARTING), STARTING)
        transaction.on_commit(lambda: self.fall(spot(STARTED), STARTED))
        return action

    def tell(self, inner: Callable[..., Any], recovery: Any, *args: Any) -> None:
        inner(recovery, *args)
        if recovery.finished_at is not None:
            self.fall(place(recovery.incident_id, "", "", SETTLING), SETTLING)


def run(faults: Mapping[str, How], folder: Path, pipe: Connection) -> None:
    """A worker process's whole life."""
    kinds.register()
    worker = Worker(faults, folder, pipe)
    sending.LEASE = asking.LEASE = LEASE
    sending.DEADLINE_SECONDS = retry_call.DEADLINE_SECONDS = DEADLINE_SECONDS
    sending.ASK_AGAIN = asking.ASK_AGAIN = ASK_AGAIN
    replacements: tuple[tuple[Any, str, Callable[..., Any]], ...] = (
        (sending, "claim", worker.claim),
        (sending, "start", worker.start),
        (sending, "record", worker.record),
        (sending, "settle", worker.settle),
        (outbound.Client, "_addresses", worker.addresses),
        (stage, "_start", worker.begin_step),
        (stage, "_tell", worker.tell),
    )
    for owner, name, mine in replacements:
        setattr(owner, name, _around(getattr(owner, name), mine))
    worker.work()


def _around(inner: Callable[..., Any], mine: Callable[..., Any]) -> Callable[..., Any]:
    """A plain function (so that it also works as a method) that gives `mine` the original."""

    def around(*args: Any) -> Any:
        return mine(inner, *args)

    return around
