"""`manage.py up --demo`, the real thing: one run, shared by the tests in the order they stand."""

from __future__ import annotations

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from awfdrs_site.kernel.embedded_layout import PROJECT

from .conftest import keeper_of, lives, processes_with, wait_for, wait_until_gone

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="reads processes from /proc"),
]

OURS = (
    "DATABASE_URL",
    "REDIS_URL",
    "SECRET_KEY",
    "AWFDRS_SEAL_KEYS",
    "AWFDRS_DATA_DIR",
    "DJANGO_SETTINGS_MODULE",
)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(data_dir: Path, **changes: str) -> dict[str, str]:
    """This process's own, without the servers the tests run on."""
    kept = {name: value for name, value in os.environ.items() if name not in OURS}
    return kept | {"AWFDRS_DATA_DIR": str(data_dir)} | changes


def manage(data_dir: Path, *arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
    """A management command to its end."""
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=PROJECT,
        env=environment(data_dir, **changes),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


class Up:
    """A run of `manage.py up --demo`; `output` grows as it speaks."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.port = free_port()
        self.log = data_dir.with_suffix(".output")
        self.start()

    def start(self) -> None:
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "up", "--demo", "--port", str(self.port)],
                cwd=PROJECT,
                env=environment(self.data_dir),
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        wait_for(lambda: "AWFDRS ready" in self.output or self.process.poll() is not None, 90)
        assert self.process.poll() is None, self.output

    @property
    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def get(self, path: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def is_healthy(self) -> bool:
        try:
            return self.get("/api/v1/health")[0] == 200
        except OSError:
            return False

    def is_ready(self) -> bool:
        try:
            return self.get("/api/v1/health/ready")[0] == 200
        except OSError:
            return False

    def children(self) -> dict[str, int]:
        """The supervised processes by name."""
        marks = {"web": "daphne", "worker": " worker ", "beat": " beat ", "simulator": "simulator"}
        children = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
                line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if parent == self.process.pid:
                children |= {name: int(folder.name) for name, mark in marks.items() if mark in line}
        return children

    def everything(self) -> set[int]:
        """The supervisor, its children, the keeper and its servers."""
        return {self.process.pid, *self.children().values(), *processes_with(str(self.data_dir))}


@pytest.fixture(scope="module")
def up() -> Iterator[Up]:
    with tempfile.TemporaryDirectory(prefix="awfdrs-up-") as folder:
        run = Up(Path(folder).resolve() / "data")
        yield run
        run.process.terminate()
        run.process.wait(timeout=60)
        wait_until_gone(folder)


def test_it_says_when_it_is_ready_and_how_to_get_in(up: Up) -> None:
    """The ready line, then the log-ins and the API key, each on a line of its own."""
    told = [line for line in up.output.splitlines() if not re.match(r"\w+ +\||{", line)]
    assert told[0] == f"AWFDRS ready: http://127.0.0.1:{up.port}"
    rest = "\n".join(told[1:])
    for name in ("alice", "anna", "vera", "mallory", "awf_demo_"):
        assert name in rest
    assert up.get("/api/v1/health")[0] == 200


def test_every_process_runs_and_reports_ready(up: Up) -> None:
    wait_for(lambda: set(up.children()) == {"web", "worker", "beat", "simulator"})
    wait_for(up.is_ready)


def test_a_command_beside_it_finds_the_same_servers(up: Up) -> None:
    """`manage.py` in another terminal sees the migrated database, and leaves the servers alone."""
    keeper = keeper_of(up.data_dir)
    done = manage(up.data_dir, "migrate", "--check")
    assert done.returncode == 0, done.stderr
    assert keeper_of(up.data_dir) == keeper
    assert up.is_healthy()


def test_a_killed_worker_is_started_again(up: Up) -> None:
    """kill -9 of the worker: another one works a moment later."""
    worker = up.children()["worker"]
    os.kill(worker, signal.SIGKILL)
    wait_for(lambda: up.children().get("worker") not in {None, worker})
    wait_for(up.is_ready)


def test_killed_servers_come_back(up: Up) -> None:
    """kill -9 of PostgreSQL, Valkey and their keeper: pages answer again without a restart."""
    keeper = keeper_of(up.data_dir)
    assert keeper
    postmaster = int((up.data_dir / "postgres" / "postmaster.pid").read_text().split()[0])
    for pid in (keeper, postmaster):
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: keeper_of(up.data_dir) not in {None, keeper})
    wait_for(up.is_ready)


@pytest.mark.parametrize(
    ("arguments", "changes", "line"),
    [
        (["--port", "{port}"], {}, r"CommandError: cannot listen on 127\.0\.0\.1:\d+: .*in use"),
        (["--port", "0"], {}, r"CommandError: the port must be a number from 1 to 65535, not '0'"),
        ([], {"PORT": "http"}, r"CommandError: the port must be a number .*, not 'http'"),
        (["--port", "{free}", "--host", "203.0.113.1"], {}, r"CommandError: cannot listen on 203"),
        (["--port", "{free}"], {"DEBUG": "maybe"}, r"awfdrs\.E004: DEBUG must be true or false"),
        (["--port", "{free}"], {"LOG_LEVEL": "LOUD"}, r"awfdrs\.E009: LOG_LEVEL must be one of"),
    ],
)
def test_a_mistake_is_one_line_and_code_2(
    up: Up, arguments: list[str], changes: dict[str, str], line: str
) -> None:
    filled = [a.format(port=up.port, free=free_port()) for a in arguments]
    done = manage(up.data_dir, "up", *filled, **changes)
    assert done.returncode == 2, done.stderr
    told = [text for text in done.stderr.splitlines() if not text.startswith("{")]
    assert len(told) == 1
    assert re.match(line, told[0])


def test_only_one_server_given_is_enough(up: Up) -> None:
    """With REDIS_URL alone given, PostgreSQL is still the embedded one."""
    done = manage(up.data_dir, "migrate", "--check", REDIS_URL="redis://127.0.0.1:1/0")
    assert done.returncode == 0, done.stderr


def test_kill_9_leaves_nothing_and_a_second_run_works(up: Up) -> None:
    """After kill -9 of `up` no process is left; the same command starts again on the same data."""
    before = up.everything()
    up.process.kill()
    up.process.wait()
    wait_for(lambda: not any(lives(pid) for pid in before))
    up.start()
    assert up.is_healthy()


def test_one_sigterm_ends_everything(up: Up) -> None:
    """When `up` has ended, by one signal, nothing it started is left."""
    wait_for(lambda: set(up.children()) == {"web", "worker", "beat", "simulator"})
    before = up.everything()
    up.process.send_signal(signal.SIGTERM)
    assert up.process.wait(timeout=60) == 0
    assert not [pid for pid in before if lives(pid)]


def test_a_single_command_starts_and_stops_the_servers(up: Up) -> None:
    """Without `up`, a command brings its own servers, finds the data, and takes them away again."""
    wait_for(lambda: not keeper_of(up.data_dir))
    done = manage(up.data_dir, "migrate", "--check")
    assert done.returncode == 0, done.stderr
    wait_until_gone(str(up.data_dir))
