"""The two sides of G6: a server, whose pages it has, and how to make them show something."""

from __future__ import annotations

import asyncio
import itertools
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.instance import PROJECT, await_answer, free_port, make_tenant

PATIENCE_SECONDS = 120
ROWS = 20
# The title of a row that changed for the nth time, of the same length for all n.
TITLE, NUMBER = "change {} of the bench", re.compile(rb"change (\d{6}) of the bench")
serial = itertools.count(100_000)


@dataclass(frozen=True)
class Server:
    url: str
    pid: int


class Side:
    """A server and how to make its pages show something."""

    subscribe: bytes = b""
    says_what_it_took = False

    def __init__(self, server: Server, headers: dict[str, str]) -> None:
        self.url, self.headers, self._folder = server.url, headers, Path(f"/proc/{server.pid}/task")

    def cpu_seconds(self) -> float:
        """What the server has had of the CPU, to the microsecond: in bursts of some milliseconds
        the ticks of `times` would show nothing."""
        threads = self._folder.glob("*/schedstat")
        return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9

    def prepare(self, chosen: list[int]) -> None:
        """A row for each number, if the side has rows."""

    def tell(self, number: int, row: int = 0) -> None:
        """Announce what `prepare` wrote to that row; from any thread."""
        raise NotImplementedError

    def change(self, number: int) -> float:
        """Change the first row and announce it; when it was changed: the clock runs from then."""
        changed_at = time.perf_counter()
        self.tell(number)
        return changed_at


class Ours(Side):
    says_what_it_took = True
    subscribe = b'{"subscribe":["incidents"],"age":0}'

    def __init__(self, server: Server) -> None:
        self._tenant, self._rows, headers = _people_and_rows()
        super().__init__(server, headers)

    def prepare(self, chosen: list[int]) -> None:
        for row, number in zip(self._rows, chosen, strict=False):
            row.title = TITLE.format(number)
        type(self._rows[0]).objects.bulk_update(self._rows, ["title"])

    def tell(self, number: int, row: int = 0) -> None:
        from awfdrs_site.kernel import live

        live.publish(self._tenant.pk, "incidents", self._rows[row].pk)

    def change(self, number: int) -> float:
        from django.db import transaction

        row = self._rows[0]
        with transaction.atomic():
            type(row).objects.filter(pk=row.pk).update(title=TITLE.format(number))
            self.tell(number)
        return time.perf_counter()

    def text(self) -> str:
        """What a page gets for one row."""
        import json

        from awfdrs_site.live.topics import incidents

        self.prepare([next(serial)])
        (html,) = incidents(self._tenant, [str(self._rows[0].pk)])
        return json.dumps({"changes": [["incidents", html]]})


class Bare(Side):
    def __init__(self, server: Server, text: str, loop: asyncio.AbstractEventLoop) -> None:
        from channels_redis.core import RedisChannelLayer

        super().__init__(server, {})
        self._parts = NUMBER.sub(b"|", text.encode()).decode().split("|")
        self._loop = loop
        host = {"address": os.environ["REDIS_URL"], "socket_timeout": None}
        self._layer = RedisChannelLayer(hosts=[host], prefix="bench", capacity=10_000)

    def tell(self, number: int, row: int = 0) -> None:
        text = TITLE.format(number).join(self._parts)
        sent = self._layer.group_send("bench", {"type": "told", "text": text})
        asyncio.run_coroutine_threadsafe(sent, self._loop).result(PATIENCE_SECONDS)


def _people_and_rows() -> tuple[Any, list[Any], dict[str, str]]:
    """A tenant, its open incidents, and the cookie of somebody who may see them."""
    from django.conf import settings
    from django.contrib.auth.models import User
    from django.test import Client
    from django.utils import timezone

    from awfdrs_site.kernel.actor import MACHINE
    from incidents.models import Incident
    from tenants.models import Tenant, Workflow
    from tenants.services import set_member

    made, now = make_tenant(), timezone.now()
    tenant = Tenant.objects.get(pk=made["tenant_id"])
    workflow = Workflow.objects.get(pk=made["workflow_id"])
    user = User.objects.create(username=f"viewer {tenant.name}")
    set_member(tenant=tenant, user=user, role="viewer", actor=MACHINE, now=now)
    times = dict.fromkeys(("first_seen_at", "opened_at", "last_seen_at"), now)
    rows = [
        Incident.objects.create(
            tenant=tenant,
            number=number,
            workflow=workflow,
            signature=f"signature-{number}",
            signature_kind="code",
            signature_text="payment_timeout",
            title="Gateway timed out",
            status="actioned",
            **times,
        )
        for number in range(1, ROWS + 1)
    ]
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    name = settings.SESSION_COOKIE_NAME
    return tenant, rows, {"Cookie": f"{name}={client.cookies[name].value}"}


@contextmanager
def daphne(application: str) -> Iterator[Server]:
    port = free_port()
    command = [sys.executable, "-m", "daphne", "-b", "127.0.0.1", "-p", str(port), application]
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(command, cwd=PROJECT, stdout=quiet, stderr=quiet)
    try:
        await_answer(f"http://127.0.0.1:{port}/api/v1/health", process)
        yield Server(f"http://127.0.0.1:{port}", process.pid)
    finally:
        process.kill()  # nothing in it is worth the seconds of an orderly end
        process.wait(10)
