"""The supervisor over small programs: lines, restarts, and an end that leaves nothing."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict

import pytest

from awfdrs_site.kernel.embedded_layout import PROJECT
from awfdrs_site.kernel.supervisor import FAILURES, PLAN_VARIABLE, Plan

from .conftest import lives, processes_with, wait_for, wait_until_gone

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="reads processes from /proc"),
]

# Says its pid and that of a child it started, and then neither reads nor ends by itself.
WORKER = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", {mark!r}])
print("pids", os.getpid(), child.pid, flush=True)
time.sleep(600)
"""
STUBBORN = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + WORKER


class Run:
    """A running supervisor; its lines are read as they come."""

    def __init__(self, plan: Plan) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "awfdrs_site.kernel.supervisor"],
            cwd=PROJECT,
            env=os.environ | {PLAN_VARIABLE: json.dumps(asdict(plan))},
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.lines: list[str] = []

    def read_until(self, pattern: str) -> re.Match[str]:
        """The first line since the last call that matches."""
        assert self.process.stdout
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))
            found = re.search(pattern, line)
            if found:
                return found
        raise AssertionError(f"{pattern!r} never came: {self.lines}")

    def pids(self) -> list[int]:
        return [int(pid) for pid in self.read_until(r"pids (\d+) (\d+)").groups()]


@pytest.fixture
def mark(request: pytest.FixtureRequest) -> str:
    return f"supervised-{os.getpid()}-{abs(hash(request.node.nodeid))}"


@pytest.fixture
def supervise(mark: str) -> Iterator[Callable[..., Run]]:
    """Run a plan with these programs beside a small web server."""
    runs: list[Run] = []

    def supervise(
        when_ready: dict[str, list[str]] | None = None, health: str = "/", **programs: str
    ) -> Run:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        web = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"]
        commands = {
            name: [sys.executable, "-c", code.format(mark=mark), mark]
            for name, code in programs.items()
        }
        plan = Plan(
            programs={"web": [*web, "--directory", "tests/launcher"], **commands},
            when_ready=when_ready or {},
            host="127.0.0.1",
            port=port,
            health=health,
            announcement=[f"ready: {port}", "second line"],
            data_dir=None,
            held_lock=None,
        )
        runs.append(Run(plan))
        return runs[-1]

    yield supervise
    for run in runs:
        run.process.terminate()
        run.process.communicate()
    wait_until_gone(mark)


def test_it_announces_readiness_and_then_starts_the_rest(supervise: Callable[..., Run]) -> None:
    """Lines bear their program's name; what waits for readiness comes after the announcement."""
    late = [sys.executable, "-c", "print('here I am'); import time; time.sleep(600)"]
    run = supervise(when_ready={"late": late}, worker=WORKER)
    run.read_until("late   | here I am")
    told = [line for line in run.lines if "|" not in line]
    assert re.fullmatch(r"ready: \d+", told[0])
    assert told[1] == "second line"
    assert any(line.startswith("worker | pids ") for line in run.lines)


def test_a_child_that_dies_is_started_again(supervise: Callable[..., Run]) -> None:
    """After kill -9 a new one runs, and what the dead one had started itself is gone."""
    run = supervise(worker=WORKER)
    worker, grandchild = run.pids()
    os.kill(worker, signal.SIGKILL)
    run.read_until(r"worker \| ended \(code -9\); starting again in 0\.5 s")
    replacement, _ = run.pids()
    assert replacement != worker
    wait_for(lambda: not lives(grandchild))


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (signal.SIGTERM, WORKER),
        (signal.SIGINT, WORKER),
        (signal.SIGHUP, WORKER),
        (signal.SIGTERM, STUBBORN),
    ],
    ids=["SIGTERM", "SIGINT", "SIGHUP", "stubborn"],
)
def test_one_signal_ends_everything(
    supervise: Callable[..., Run], mark: str, number: int, code: str
) -> None:
    """Children and grandchildren are gone when the supervisor is, even those that do not listen."""
    run = supervise(worker=code)
    run.pids()
    run.process.send_signal(number)
    assert run.process.wait(timeout=60) == 0
    assert not processes_with(mark)


def test_kill_9_of_the_supervisor_leaves_no_child(supervise: Callable[..., Run], mark: str) -> None:
    """The leash: seen red with `leash.py`'s prctl removed."""
    run = supervise(worker="print('pids 0 0', flush=True); import time; time.sleep(600)  # {mark}")
    run.pids()
    run.process.kill()
    run.process.wait()
    wait_until_gone(mark)


def test_it_gives_up_on_a_program_that_cannot_start(supervise: Callable[..., Run]) -> None:
    """Before all is ready restarts are not for ever: code 1, and the program is named."""
    run = supervise(health="no health", broken="raise SystemExit(3)  # {mark}")
    run.read_until(rf"broken ended {FAILURES} times in a row \(code 3\); giving up")
    assert run.process.wait(timeout=60) == 1
