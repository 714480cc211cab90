"""The keeper of one embedded pair: starts PostgreSQL and Valkey, revives them, stops them at last.

`python -m awfdrs_site.kernel.embedded_keeper DATA_DIR [--throw-away]`, started by `embedded.ensure`
in a session of its own. It ends, and the servers with it, when no process holds `users.lock` any
more, on SIGTERM, or when its folder is deleted. Should it be killed outright, the leash ends the
servers, and the next `ensure` starts a keeper that clears what is left.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from awfdrs_site.kernel import embedded_layout
from awfdrs_site.kernel.embedded_layout import EmbeddedError, Layout

TICK_SECONDS = 0.2
LOG_BYTES = 5 * 1024 * 1024
# A server that fails this often in a row, without a good minute between, will not come up.
FAILURES = 10
STEADY_SECONDS = 60


@dataclass
class Server:
    """One server under the keeper: how it starts, and the signals that end it, gentlest first."""

    name: str
    command: Callable[[], list[str]]
    clear: Callable[[], None]
    endings: tuple[int, ...]
    log: Path
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0
    retry_at: float = 0
    failures: int = field(default=0)

    def revive(self) -> None:
        """Start the server if it does not run; raises EmbeddedError when it keeps failing."""
        now = time.monotonic()
        if self.process and self.process.poll() is None:
            return
        if self.process:
            self.process = None
            lived = now - self.started_at
            self.failures = 1 if lived > STEADY_SECONDS else self.failures + 1
            self.retry_at = now + min(0.1 * 2**self.failures, 2)
            _say(f"{self.name} has ended; starting it again")
        if self.failures >= FAILURES:
            raise EmbeddedError(f"{self.name}: {_last_line(self.log)}")
        if now >= self.retry_at:
            self._start(now)

    def _start(self, now: float) -> None:
        self.clear()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.started_at = now

    def stop(self) -> None:
        """End the server, each signal given five seconds before the next, sterner one."""
        for number in self.endings:
            if self.process is None or self.process.poll() is not None:
                return
            self.process.send_signal(number)
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                _say(f"{self.name} did not end on signal {number}")


class Keeper:
    """Both servers of a layout, and the three reasons to stop them."""

    def __init__(self, layout: Layout, *, durable: bool) -> None:
        self.layout = layout
        self.durable = durable
        self.told_to_stop = False
        self.users = os.open(layout.lock("users"), os.O_RDWR | os.O_CREAT, 0o600)
        postgres_endings = (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL)
        self.servers = (
            Server(
                "PostgreSQL",
                lambda: layout.leashed(
                    signal.SIGINT, embedded_layout.postgres_command(layout, durable=durable)
                ),
                self._clear_postgres,
                postgres_endings if durable else postgres_endings[1:],
                layout.logs / "postgres.log",
            ),
            Server(
                "Valkey",
                lambda: layout.leashed(signal.SIGTERM, embedded_layout.valkey_command(layout)),
                self._clear_valkey,
                (signal.SIGTERM, signal.SIGKILL),
                layout.logs / "valkey.log",
            ),
        )

    def run(self) -> None:
        """Keep both servers up until nobody needs them. Raises EmbeddedError."""
        signal.signal(signal.SIGTERM, self._stop_soon)
        try:
            self._make_cluster()
            while not (self.told_to_stop or self._is_alone() or self._is_homeless()):
                for server in self.servers:
                    server.revive()
                time.sleep(TICK_SECONDS)
        finally:
            # Valkey first: PostgreSQL takes longer, and nobody is left to miss either.
            for server in reversed(self.servers):
                server.stop()
            if not self.durable:
                embedded_layout.remove(self.layout.sockets, self.layout.data_dir)

    def _stop_soon(self, *_: object) -> None:
        self.told_to_stop = True

    def _is_alone(self) -> bool:
        """Whether no process uses the servers; if so, newcomers wait from here to our end."""
        try:
            fcntl.flock(self.users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _is_homeless(self) -> bool:
        try:
            now = self.layout.lock("users").stat()
        except FileNotFoundError:
            return True
        return not os.path.samestat(os.fstat(self.users), now)

    def _make_cluster(self) -> None:
        layout = self.layout
        if layout.cluster.exists():
            _refuse_other_version(layout.cluster)
            return
        # Made beside and renamed: a cluster that exists is whole, whenever we were killed.
        fresh = layout.data_dir / "postgres.new"
        embedded_layout.remove(fresh)
        layout.own_folder(fresh)
        command = embedded_layout.initdb_command(fresh, durable=self.durable)
        done = subprocess.run(
            layout.leashed(signal.SIGKILL, command), capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            said = (done.stderr or done.stdout or "it ended without a word").strip().splitlines()
            raise EmbeddedError(f"initdb: {said[-1]}")
        fresh.rename(layout.cluster)

    def _clear_postgres(self) -> None:
        """End a server that outlived its keeper; drop the files that would pass for one."""
        layout = self.layout
        _end_leftover(layout.postmaster_pid, str(layout.cluster), signal.SIGINT)
        for stale in (
            layout.postmaster_pid,
            layout.sockets / embedded_layout.POSTGRES_SOCKET,
            layout.sockets / f"{embedded_layout.POSTGRES_SOCKET}.lock",
        ):
            stale.unlink(missing_ok=True)

    def _clear_valkey(self) -> None:
        layout = self.layout
        _end_leftover(layout.valkey_pid, str(layout.valkey_socket), signal.SIGTERM)
        layout.valkey_pid.unlink(missing_ok=True)
        layout.valkey_socket.unlink(missing_ok=True)


def _refuse_other_version(cluster: Path) -> None:
    written_by = (cluster / "PG_VERSION").read_text().strip()
    program = str(embedded_layout.postgres_folder() / "postgres")
    answer = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    ours = answer.stdout.split()[-1]
    if ours.split(".")[0] != written_by:
        raise EmbeddedError(
            f"{cluster} was written by PostgreSQL {written_by}, this is {ours}: "
            "dump and restore it, or move it away to start afresh"
        )


def _end_leftover(pid_file: Path, marker: str, number: int) -> None:
    """End the process named in `pid_file` if its command line has `marker` in it.

    A pid alone proves nothing: after a restart of the machine it may be anybody's.
    """
    try:
        pid = int(pid_file.read_text().split()[0])
    except (FileNotFoundError, ValueError, IndexError):
        return
    for ending in (number, signal.SIGKILL):
        if marker not in _command_line(pid):
            return
        os.kill(pid, ending)
        deadline = time.monotonic() + 10
        while marker in _command_line(pid) and time.monotonic() < deadline:
            time.sleep(0.05)


def _command_line(pid: int) -> str:
    """The process's arguments in one line; empty where there is no such process."""
    if Path("/proc/self/cmdline").exists():
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
        except OSError:
            return ""
    command = ["ps", "-o", "command=", "-p", str(pid)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
    fatal = [line for line in lines[-40:] if "FATAL" in line]
    return (fatal or lines or ["it ended without a word"])[-1]


def _lock_soon(lock: int) -> bool:
    """Take the keeper's lock; False where another keeper has it.

    Tried for a second: whoever only looks whether it is held, holds it for an instant.
    """
    for _ in range(20):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.05)
        else:
            return True
    return False


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main(arguments: list[str]) -> int:
    """Keep the pair of the folder named first; 0 when it was no longer needed, 1 on failure."""
    data_dir, *options = arguments
    layout = Layout(Path(data_dir))
    lock = os.open(layout.lock("keeper"), os.O_RDWR | os.O_CREAT, 0o600)
    if not _lock_soon(lock):
        return 0
    os.ftruncate(lock, 0)
    os.write(lock, f"{os.getpid()}\n".encode())
    layout.give(layout.lock("keeper"))
    for log in layout.logs.glob("*.log"):
        if log.stat().st_size > LOG_BYTES:
            log.replace(log.with_suffix(".log.1"))
    try:
        Keeper(layout, durable="--throw-away" not in options).run()
    except EmbeddedError as error:
        _say(str(error))
        return 1
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    raise SystemExit(main(sys.argv[1:]))
