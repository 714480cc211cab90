"""`manage.py up [--demo]`: everything of the small size by one command."""

from __future__ import annotations

import io
import os
import re
import socket
import sys
from argparse import ArgumentParser
from typing import Any

from django.apps import apps
from django.core import checks
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connections

from awfdrs_site.kernel import embedded
from awfdrs_site.kernel.supervisor import Plan, replace_process

# Where the demo's workflows are retried; a second demo beside the first takes the next free port.
SIMULATOR_PORT = 9100
SIMULATOR_PORTS = range(SIMULATOR_PORT, SIMULATOR_PORT + 100)
SIMULATOR_URL = re.compile(r"http://127\.0\.0\.1:\d+/retry")
DEMO_KEY = re.compile(r"\bawf_\w+\b")


class Command(BaseCommand):
    """Check the settings, migrate, then run web, worker and beat until Ctrl-C."""

    help = (
        "Start AWFDRS: PostgreSQL and Valkey (embedded, unless DATABASE_URL and REDIS_URL are "
        "set), the web server, the worker and the beat. Ctrl-C ends all of it."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--demo", action="store_true", help="with sample data and simulated traffic"
        )
        parser.add_argument(
            "--host", default=os.environ.get("HOST") or "127.0.0.1", help="address to listen on"
        )
        parser.add_argument(
            "--port", default=os.environ.get("PORT") or "8000", help="port to listen on"
        )

    def handle(self, *args: Any, demo: bool, host: str, port: str, **options: Any) -> None:
        """Prepare, then become the supervisor: returns never, exits 2 where a setting is wrong."""
        address = (host, _port(port))
        _require_free(*address)
        _require_valid_settings()
        call_command("migrate", interactive=False, verbosity=0)
        # Without rules no event type means anything, and nothing would be detected.
        call_command("rules", "import", "--if-none", stdout=io.StringIO())
        call_command("plans", "import", stdout=io.StringIO())
        announcement = [f"AWFDRS ready: http://{_printed(host)}:{address[1]}"]
        when_ready = {}
        if demo:
            log_ins, when_ready["simulator"] = _seed_demo(address)
            announcement += log_ins
        connections.close_all()
        data_dir = embedded.held_data_dir()
        replace_process(
            Plan(
                programs=_programs(*address),
                when_ready=when_ready,
                host=host,
                port=address[1],
                health="/api/v1/health",
                announcement=announcement,
                data_dir=str(data_dir) if data_dir else None,
                held_lock=embedded.pass_on(data_dir) if data_dir else None,
            )
        )


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 65_535):
        raise CommandError(f"the port must be a number from 1 to 65535, not {text!r}", returncode=2)
    return int(text)


def _require_free(host: str, port: int) -> None:
    try:
        _listen(host, port)
    except OSError as error:
        raise CommandError(
            f"cannot listen on {host}:{port}: {error.strerror or error}; "
            "choose another with --host and --port",
            returncode=2,
        ) from error


def _listen(host: str, port: int) -> None:
    """Try the address for a moment; raises OSError where no server could listen on it."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        # As the web server will: a port that only waits out its last connections is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))
        probe.listen()


def _require_valid_settings() -> None:
    errors = [found for found in checks.run_checks() if found.is_serious()]
    for found in errors:
        sys.stderr.write(f"{found.id}: {' '.join(str(found.msg).split())}\n")
    if errors:
        raise SystemExit(2)


def _printed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _programs(host: str, port: int) -> dict[str, list[str]]:
    schedule = embedded.data_dir_of(os.environ)
    schedule.mkdir(parents=True, exist_ok=True, mode=0o700)
    # Whether root may run a small instance has been decided by whoever started it.
    quietly = ["-W", "ignore:You're running the worker with superuser"]
    celery = [sys.executable, *quietly, "-m", "celery", "--quiet", "-A", "awfdrs_site"]
    # One worker has nobody to gossip with.
    alone = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    application = "awfdrs_site.asgi:application"
    return {
        "web": [sys.executable, "-m", "daphne", "-b", host, "-p", str(port), application],
        "worker": [*celery, "worker", "--pool", "threads", "--concurrency", "4", *alone],
        "beat": [*celery, "beat", "--schedule", str(schedule / "beat-schedule")],
    }


def _seed_demo(address: tuple[str, int]) -> tuple[list[str], list[str]]:
    """Write the demo's data; return the lines on how to get in, and the simulator's command."""
    os.environ["AWFDRS_DEMO"] = "true"
    said = io.StringIO()
    call_command("seed_demo", stdout=said)
    key = DEMO_KEY.search(said.getvalue())
    if key is None:
        raise CommandError("seed_demo printed no API key")
    port = _simulator_port()
    _retry_at(f"http://127.0.0.1:{port}/retry")
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address[0], address[0])  # noqa: S104
    url = f"http://{_printed(host)}:{address[1]}"
    command = [sys.executable, "-m", "simulator", "run", "--url", url, "--key", key[0]]
    return said.getvalue().strip().splitlines(), [*command, "--port", str(port)]


def _simulator_port() -> int:
    for port in SIMULATOR_PORTS:
        try:
            _listen("127.0.0.1", port)
        except OSError:
            continue
        return port
    raise CommandError(f"no free port for the simulator from {SIMULATOR_PORT} up", returncode=2)


def _retry_at(url: str) -> None:
    """Send the demo's retries to this run's simulator, wherever that of the last run listened."""
    # By name: the kernel imports no app.
    workflows = apps.get_model("tenants", "Workflow")._default_manager
    old = {"retry_url__regex": f"^{SIMULATOR_URL.pattern}$"}
    workflows.filter(**old).exclude(retry_url=url).update(retry_url=url)
