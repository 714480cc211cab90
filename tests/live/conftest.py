from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from awfdrs_site.live.hub import Hub
from bench.instance import await_answer, free_port
from tests.cast import Cast, cast, committed_cast, default_rules, quick_passwords
from tests.live.screens import Screens, screens_of
from tests.live.screens import hub as a_hub
from tests.processes import database_url

__all__ = ["Cast", "cast", "committed_cast", "default_rules", "quick_passwords"]


@pytest.fixture(scope="session")
def hub() -> Hub:
    """One for the session, as a process has: its thread never ends."""
    return a_hub()


@pytest.fixture
def screens(hub: Hub, committed_cast: Cast) -> Iterator[Screens]:
    """Open pages on a hub that hears."""
    with screens_of(hub, committed_cast) as screens:
        yield screens


@pytest.fixture(scope="module")
def daphne(django_db_setup: None, django_db_blocker: Any) -> Iterator[Callable[[str], str]]:
    """Start a real server of that ASGI application on this test's database; its address."""
    with django_db_blocker.unblock():
        environ = os.environ | {"DATABASE_URL": database_url(), "LOG_LEVEL": "ERROR"}
    with ExitStack() as stack:

        def start(application: str) -> str:
            port = free_port()
            command = [sys.executable, "-m", "daphne", "-p", str(port), application]
            process = stack.enter_context(subprocess.Popen(command, env=environ))
            stack.callback(process.terminate)
            await_answer(f"http://127.0.0.1:{port}/api/v1/health", process)  # type: ignore[arg-type]
            return f"http://127.0.0.1:{port}"

        yield start
