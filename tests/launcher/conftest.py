"""Folders for embedded pairs, and a user of a pair in a process of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from awfdrs_site.kernel.embedded_layout import PROJECT

# Joins the pair in the folder named first, says "joined", and holds it until its input ends.
USER = """
import sys
from pathlib import Path
from awfdrs_site.kernel import embedded
servers = embedded.ensure(Path(sys.argv[1]), {options})
print("joined", servers.database_url, servers.redis_url, flush=True)
sys.stdin.read()
"""


class User:
    """A process that uses a pair; `leave` ends it in order, `kill` does not."""

    def __init__(
        self, data_dir: Path, *, options: str = "", python: str = sys.executable, **how: Any
    ) -> None:
        self.process = subprocess.Popen(
            [python, "-c", USER.format(options=options), str(data_dir)],
            cwd=PROJECT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            **how,
        )
        assert self.process.stdout
        self.greeting = self.process.stdout.readline().split()

    @property
    def database_url(self) -> str:
        return self.greeting[1]

    @property
    def redis_url(self) -> str:
        return self.greeting[2]

    def leave(self) -> None:
        self.process.communicate(timeout=10)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A short folder of its own: pytest's is too long for a socket."""
    folder = Path(tempfile.mkdtemp(prefix="awfdrs-launcher-")).resolve()
    yield folder
    wait_until_gone(str(folder))
    shutil.rmtree(folder)


@pytest.fixture
def join() -> Iterator[Callable[..., User]]:
    """Start a user of the pair in a folder; all of them are ended with the test."""
    users: list[User] = []

    def join(folder: Path, **how: Any) -> User:
        users.append(User(folder, **how))
        assert users[-1].greeting[:1] == ["joined"]
        return users[-1]

    yield join
    for user in users:
        if user.process.poll() is None:
            user.kill()


def wait_for(condition: Callable[[], object], seconds: float = 60) -> None:
    """Return once `condition()` holds; fail the test if it never does."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "what is waited for never came true"
        time.sleep(0.05)


def lives(pid: int) -> bool:
    """Whether the process runs (a zombie does not)."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


def keeper_of(data_dir: Path) -> int | None:
    """The pid of the folder's living keeper."""
    try:
        pid = int((data_dir / "keeper.lock").read_text())
    except (FileNotFoundError, ValueError):
        return None
    return pid if lives(pid) else None


def wait_until_gone(text: str) -> None:
    """Return once no process has `text` in its arguments."""
    deadline = time.monotonic() + 60
    while left := processes_with(text):
        assert time.monotonic() < deadline, left
        time.sleep(0.05)


def processes_with(text: str) -> dict[int, str]:
    """Every living process, but this one, with `text` in its arguments or working folder."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        pid = int(folder.name)
        try:
            line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if text in line and pid != os.getpid() and lives(pid):
            found[pid] = line
    return found
