"""A real AWFDRS for the browser: `manage.py up` with servers of its own in a throw-away folder."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from bench.instance import PROJECT, await_answer, free_port

STOP_SECONDS = 20
# What this process was told about its own servers must not reach the site; empty, so that a `.env`
# does not fill it in either.
_UNSET = dict.fromkeys(
    ("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "AWFDRS_SEAL_KEYS", "ALLOWED_HOSTS"), ""
)


@dataclass(frozen=True)
class Site:
    """A running AWFDRS: where it listens, its environment, what it printed, who holds it."""

    url: str
    environ: Mapping[str, str] = field(repr=False)
    log: Path
    process: subprocess.Popen[bytes]

    def kill_web(self) -> None:
        """End the web server as a crash would; the supervisor starts another."""
        os.kill(self._child("daphne"), signal.SIGKILL)

    def _child(self, word: str) -> int:
        """The process id of the supervised program with `word` in its command."""
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                command = (folder / "cmdline").read_bytes().split(b"\0")
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:  # ended meanwhile
                continue
            if parent == self.process.pid and word.encode() in command:
                return int(folder.name)
        raise LookupError(f"{word} does not run below {self.process.pid}")


@contextmanager
def running(*options: str) -> Iterator[Site]:
    """`manage.py up` with the options on a free port, until it is ready; gone with the block."""
    folder = Path(tempfile.mkdtemp(prefix="awfdrs-e2e-")).resolve()
    environ = os.environ | _UNSET
    environ |= {"AWFDRS_DATA_DIR": str(folder / "data"), "LOG_LEVEL": "WARNING"}
    environ.pop("DJANGO_SETTINGS_MODULE", None)
    port, log = free_port(), folder / "up.log"
    command = [sys.executable, "manage.py", "up", "--port", str(port), *options]
    try:
        with log.open("wb") as output:
            process = subprocess.Popen(
                command, cwd=PROJECT, env=environ, stdout=output, stderr=subprocess.STDOUT
            )
        site = Site(f"http://127.0.0.1:{port}", environ, log, process)
        try:
            _await_ready(site)
            yield site
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(STOP_SECONDS)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _await_ready(site: Site) -> None:
    try:
        for path in ("/api/v1/health", "/api/v1/health/ready"):
            await_answer(site.url + path, site.process)
    except (RuntimeError, httpx.HTTPError) as error:
        raise RuntimeError(f"{error}\n{site.log.read_text(errors='replace')[-4_000:]}") from error
