"""A fresh AWFDRS for measuring: own embedded servers in a temporary folder, own port."""

from __future__ import annotations

import io
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parent.parent
START_SECONDS = 90
STOP_SECONDS = 15


@dataclass(frozen=True)
class Instance:
    """A running AWFDRS: where it listens, whom it lets in, which process holds it."""

    url: str
    key: str
    tenant_id: str
    workflow_id: str
    process: subprocess.Popen[bytes]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def database() -> Iterator[None]:
    """Point this process and its children at a new embedded pair (or at the given servers)."""
    folder = Path(tempfile.mkdtemp(prefix="awfdrs-bench-"))
    os.environ["AWFDRS_DATA_DIR"] = str(folder)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "awfdrs_site.settings")
    os.environ.setdefault("LOG_LEVEL", "ERROR")
    from awfdrs_site.kernel import embedded

    embedded.connect_environment()
    embedded.provide_secrets(folder)
    try:
        import django

        django.setup()
        from django.core.management import call_command

        call_command("migrate", interactive=False, verbosity=0)
        call_command("rules", "import", "--if-none", stdout=io.StringIO())
        yield
    finally:
        from django.db import connections

        connections.close_all()
        if embedded.held_data_dir():
            embedded.release(folder)
        shutil.rmtree(folder, ignore_errors=True)


def make_tenant() -> dict[str, str]:
    """A tenant with limits out of the way, a workflow, and an ingest key."""
    from django.utils import timezone

    from awfdrs_site.kernel.actor import MACHINE
    from tenants.models import Scope, Tenant, Workflow
    from tenants.services import issue_key

    name = f"bench {time.time_ns()}"
    tenant = Tenant.objects.create(name=name, events_per_minute=2_000_000_000)
    workflow = Workflow.objects.create(tenant=tenant, name="bench.work")
    _, key = issue_key(
        tenant=tenant,
        name="bench",
        scopes=[Scope.INGEST, Scope.READ],
        actor=MACHINE,
        now=timezone.now(),
    )
    return {"tenant_id": str(tenant.pk), "workflow_id": str(workflow.pk), "key": key}


@contextmanager
def running() -> Iterator[Instance]:
    """`manage.py up` on a free port, until it is ready; ended by SIGTERM."""
    port = free_port()
    tenant = make_tenant()
    command = [sys.executable, "manage.py", "up", "--port", str(port)]
    process = subprocess.Popen(
        command, cwd=PROJECT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        url = f"http://127.0.0.1:{port}"
        await_answer(f"{url}/api/v1/health", process)
        await_answer(f"{url}/api/v1/health/ready", process)
        yield Instance(url=url, process=process, **tenant)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(STOP_SECONDS)


def await_answer(url: str, process: subprocess.Popen[Any]) -> None:
    """Wait until `url` answers 200; raises RuntimeError when the process ends or time is over."""
    import httpx

    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with code {process.returncode}")
        try:
            if httpx.get(url, timeout=5, trust_env=False).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.02)
    raise RuntimeError(f"{url} did not answer in {START_SECONDS} s")
