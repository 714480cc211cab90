"""On which servers the tests run; chosen before Django reads its settings.

- Neither `DATABASE_URL` nor `REDIS_URL` set: each test process (each xdist worker too) starts an
  embedded pair of its own, thrown away at its end. Nothing is shared, so a test may stop, flush or
  kill its servers.
- Both set: those servers, in one process (`-n 0`), for workers would share one Redis.
"""

from __future__ import annotations

import os
import secrets
import socket
import tempfile
from pathlib import Path
from typing import Any

import django
import pytest
from django.conf import settings

from awfdrs_site.kernel import embedded

# An xdist worker inherits the addresses its controller chose for itself.
_OWN_SERVERS = "AWFDRS_TEST_OWN_SERVERS"
_data_dir: Path | None = None


def _choose_servers() -> Path | None:
    """Name the servers in the environment; return the folder of the pair to start, if any."""
    given = [os.environ.get(name, "").strip() for name in ("DATABASE_URL", "REDIS_URL")]
    if _OWN_SERVERS not in os.environ and any(given):
        if not all(given):
            raise pytest.UsageError("set both DATABASE_URL and REDIS_URL, or neither")
        if "PYTEST_XDIST_WORKER" in os.environ:
            raise pytest.UsageError("on given servers the tests run in one process: add `-n 0`")
        return None
    if settings.configured:
        raise pytest.UsageError("unset DJANGO_SETTINGS_MODULE: the tests set it themselves")
    os.environ[_OWN_SERVERS] = "1"
    folder = f"awfdrs-test-{os.getpid()}-{secrets.token_hex(4)}"
    data_dir = Path(tempfile.gettempdir()).resolve() / folder
    servers = embedded.addresses(data_dir)
    os.environ["DATABASE_URL"] = servers.database_url
    os.environ["REDIS_URL"] = servers.redis_url
    return data_dir


def _load_django() -> None:
    # Here and not in pyproject.toml: pytest-django would read the settings before this file.
    os.environ["DJANGO_SETTINGS_MODULE"] = "awfdrs_site.settings"
    os.environ.setdefault("SECRET_KEY", "only-for-tests-" * 4)
    os.environ.setdefault("AWFDRS_SEAL_KEYS", "c2VhbC1rZXktZm9yLXRlc3RzLWFsb25lLTAxMjM0NTY=")
    django.setup()


_data_dir = _choose_servers()
_load_django()


def pytest_sessionstart(session: pytest.Session) -> None:
    """Start this process's pair, unless it only hands the tests out to xdist workers."""
    is_worker = hasattr(session.config, "workerinput")
    hands_out = not is_worker and session.config.getoption("dist", "no") != "no"
    if hands_out:
        # Inherited, it would make pytest-django load a worker's settings before this file.
        os.environ.pop("DJANGO_SETTINGS_MODULE")
    elif _data_dir and not session.config.option.collectonly:
        embedded.ensure(_data_dir, durable=False)


def pytest_unconfigure() -> None:
    """Stop this process's pair."""
    if _data_dir:
        embedded.release(_data_dir)


_connect = socket.socket.connect


def _connect_to_loopback(self: socket.socket, address: Any) -> None:
    """What tests may reach: unix sockets and this machine."""
    host = address[0] if isinstance(address, tuple) else "localhost"
    if host not in ("127.0.0.1", "::1", "localhost"):
        raise OSError(f"tests reach only this machine, not {host}")
    _connect(self, address)


socket.socket.connect = _connect_to_loopback  # type: ignore[method-assign]
