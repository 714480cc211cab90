"""Run the processes of the small size under one terminal: web, worker, beat.

Each child's lines are shown under its name; a child that ends is started again after a short
pause; Ctrl-C or SIGTERM ends all of them within five seconds; children are on a leash, so that
even `kill -9` of this process leaves none behind. One thread, one loop.

`manage.py up` prepares everything and then replaces itself by this module (`replace_process`), so
that no Django stays in memory for the watching.
"""

from __future__ import annotations

import http.client
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, NoReturn

from awfdrs_site.kernel import embedded
from awfdrs_site.kernel.embedded_layout import LEASH, PROJECT

PLAN_VARIABLE = "AWFDRS_UP_PLAN"
TICK_SECONDS = 0.2
WATCH_SECONDS = 2
# Of the five seconds to end in, these are for a gentle end; then comes SIGKILL.
GENTLE_SECONDS = 3.0
# Before all is ready: a child that ends this often, each time within `STEADY_SECONDS` of its start,
# will not come up. Later it is tried again for ever: the rest is of use without it.
FAILURES = 5
STEADY_SECONDS = 10
LINE_BYTES = 64 * 1024
COLOURS = ("36", "33", "35", "32", "34")


@dataclass(frozen=True)
class Plan:
    """What to run. `programs` start at once, `when_ready` after `health` first answered."""

    programs: dict[str, list[str]]
    when_ready: dict[str, list[str]]
    host: str
    port: int
    health: str
    announcement: list[str]
    data_dir: str | None
    held_lock: int | None


@dataclass
class Child:
    """One supervised program and its present process, if any."""

    name: str
    command: list[str]
    process: subprocess.Popen[bytes] | None = None
    output: IO[bytes] | None = None
    started_at: float = 0
    start_at: float = 0
    failures: int = 0
    pending: bytearray = field(default_factory=bytearray)

    def signal_group(self, number: int) -> None:
        """Send the signal to the process and all it started itself."""
        if self.process:
            try:
                os.killpg(self.process.pid, number)
            except ProcessLookupError:
                pass


class Supervisor:
    """The loop over a plan's children. `run` returns the exit code."""

    def __init__(self, plan: Plan, output: IO[str]) -> None:
        self.plan = plan
        self.output = output
        self.children = [Child(name, command) for name, command in plan.programs.items()]
        self.selector = selectors.DefaultSelector()
        self.ready = False
        self.exit_code: int | None = None
        self.watch_at = 0.0
        names = (*plan.programs, *plan.when_ready)
        self.width = max(len(name) for name in names)
        self.colours = {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(names)}

    def run(self) -> int:
        """Supervise until a signal, or until a child will not come up; then end all children."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        try:
            while self.exit_code is None:
                self._tick(time.monotonic())
        except BrokenPipeError:
            self.exit_code = 0
        finally:
            self._end_children()
            if self.plan.data_dir:
                embedded.release(Path(self.plan.data_dir), wait_seconds=2)
        return self.exit_code or 0

    def _tick(self, now: float) -> None:
        for child in self.children:
            self._revive(child, now)
        self._show_output(TICK_SECONDS)
        if not self.ready and self._answers():
            self.ready = True
            self._say(*self.plan.announcement)
            self.children += [Child(*item) for item in self.plan.when_ready.items()]
        if self.plan.data_dir and now >= self.watch_at:
            self.watch_at = now + WATCH_SECONDS
            self._keep_servers(Path(self.plan.data_dir))

    def _on_signal(self, number: int, _: object) -> None:
        if self.exit_code is not None:
            for child in self.children:
                child.signal_group(signal.SIGKILL)
        self.exit_code = 0

    def _revive(self, child: Child, now: float) -> None:
        if child.process and child.process.poll() is None:
            return
        if child.process:
            self._bury(child, child.process.returncode, now)
        if now >= child.start_at and self.exit_code is None:
            self._start(child, now)

    def _bury(self, child: Child, code: int, now: float) -> None:
        self._drain(child)
        self._close_output(child)
        child.signal_group(signal.SIGKILL)
        child.process = None
        steady = now - child.started_at > STEADY_SECONDS
        child.failures = 1 if steady else child.failures + 1
        if child.failures >= FAILURES and not self.ready:
            self._say(f"{child.name} ended {FAILURES} times in a row (code {code}); giving up")
            self.exit_code = 1
            return
        pause = min(0.5 * 2 ** min(child.failures - 1, 4), 8)
        child.start_at = now + pause
        self._line(child.name, f"ended (code {code}); starting again in {pause:g} s")

    def _start(self, child: Child, now: float) -> None:
        leash = [sys.executable, "-I", "-S", str(LEASH), str(int(signal.SIGKILL))]
        child.process = subprocess.Popen(
            [*leash, str(os.getpid()), "-", "no", *child.command],
            cwd=PROJECT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        child.started_at = now
        child.output = child.process.stdout
        if child.output:
            os.set_blocking(child.output.fileno(), False)
            self.selector.register(child.output, selectors.EVENT_READ, child)

    def _keep_servers(self, data_dir: Path) -> None:
        try:
            embedded.keep_alive(data_dir)
        except embedded.EmbeddedError as error:
            self._say(str(error))

    def _answers(self) -> bool:
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.plan.host, self.plan.host)  # noqa: S104
        connection = http.client.HTTPConnection(host, self.plan.port, timeout=2)
        try:
            connection.request("GET", self.plan.health)
            # A refusal (an allowed-hosts list without this name) is an answer too.
            return connection.getresponse().status < 500
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _show_output(self, seconds: float) -> None:
        for key, _ in self.selector.select(seconds):
            self._drain(key.data)

    def _drain(self, child: Child) -> None:
        while child.output:
            try:
                chunk = os.read(child.output.fileno(), LINE_BYTES)
            except BlockingIOError:
                break
            if not chunk:
                self._close_output(child)
            child.pending += chunk
        *lines, rest = bytes(child.pending).split(b"\n")
        if len(rest) > LINE_BYTES:
            lines, rest = [*lines, rest], b""
        child.pending = bytearray(rest)
        for line in lines:
            self._line(child.name, line.decode(errors="replace"))

    def _close_output(self, child: Child) -> None:
        if child.output:
            self.selector.unregister(child.output)
            child.output.close()
            child.output = None

    def _line(self, name: str, text: str) -> None:
        label = f"{name:<{self.width}} |"
        if self.output.isatty():
            label = f"\x1b[{self.colours[name]}m{label}\x1b[0m"
        self._say(f"{label} {text}")

    def _say(self, *lines: str) -> None:
        for line in lines:
            print(line, file=self.output, flush=True)

    def _end_children(self) -> None:
        running = [child for child in self.children if child.process]
        for child in running:
            child.signal_group(signal.SIGTERM)
        deadline = time.monotonic() + GENTLE_SECONDS
        while time.monotonic() < deadline and any(_lives(child) for child in running):
            try:
                self._show_output(0.05)
            except BrokenPipeError:
                break
        for child in running:
            child.signal_group(signal.SIGKILL)
        for child in running:
            if child.process:
                child.process.wait()


def _lives(child: Child) -> bool:
    return child.process is not None and child.process.poll() is None


def replace_process(plan: Plan) -> NoReturn:
    """Become the supervisor of `plan`; the embedded servers stay held throughout."""
    sys.stdout.flush()
    environment = os.environ | {PLAN_VARIABLE: json.dumps(asdict(plan))}
    command = [sys.executable, "-m", "awfdrs_site.kernel.supervisor"]
    os.chdir(PROJECT)
    os.execve(sys.executable, command, environment)  # noqa: S606 (there is no shell)


def main() -> int:
    """Supervise the plan that `replace_process` left in the environment."""
    plan = Plan(**json.loads(os.environ.pop(PLAN_VARIABLE)))
    if plan.data_dir and plan.held_lock is not None:
        embedded.adopt(Path(plan.data_dir), plan.held_lock)
    return Supervisor(plan, sys.stdout).run()


if __name__ == "__main__":
    raise SystemExit(main())
