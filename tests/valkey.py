"""A Valkey of a test's own, to be stopped, emptied and hung without harm to the suite's."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from redis import Redis, RedisError

from awfdrs_site.kernel.embedded_layout import valkey_program

PATIENCE_SECONDS = 30


class Valkey:
    """One server process on a unix socket; `client` gives up after half a second, as in life."""

    def __init__(self, folder: Path) -> None:
        self.socket = folder / "own.sock"
        self.client = Redis(
            unix_socket_path=str(self.socket), socket_timeout=0.5, socket_connect_timeout=0.5
        )
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Return once it answers."""
        command = [str(valkey_program()), "--port", "0", "--save", "", "--unixsocket"]
        self._process = subprocess.Popen(
            [*command, str(self.socket)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self._answers():
            assert time.monotonic() < deadline, "the test's Valkey did not start"
            time.sleep(0.05)

    def stop(self) -> None:
        """Its data go with it."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)
        self._process.kill()
        self._process.wait()

    def hang(self) -> None:
        """Connections are accepted by the kernel and never answered."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def empty(self) -> None:
        self.client.flushall()

    def _answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except RedisError:
            return False


@contextmanager
def a_valkey(folder: Path) -> Iterator[Valkey]:
    valkey = Valkey(folder)
    valkey.start()
    try:
        yield valkey
    finally:
        valkey.stop()
