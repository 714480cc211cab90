"""Real PostgreSQL and Valkey without installing a server: start the pair, or join the running one.

Where `DATABASE_URL` or `REDIS_URL` is unset, every command calls `connect_environment` before
Django reads its settings. All of them meet in one folder (`AWFDRS_DATA_DIR`, default `.awfdrs`):

- `users.lock`: each process that uses the servers holds it shared, from `ensure` to its end. The
  kernel lets go of it however the process ends, so no count can go stale.
- `keeper.lock`: held by the keeper (`embedded_keeper`), the one process that starts the servers,
  starts them again when one dies, and stops them once it gets `users.lock` for itself.
- `start.lock`: held while a keeper is being started, so that two commands start one.

Imports nothing of Django. Not for Windows (the wheels' servers speak over unix sockets here).
"""

from __future__ import annotations

import base64
import fcntl
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from awfdrs_site.kernel.embedded_layout import PROJECT, EmbeddedError, Layout

__all__ = [
    "EmbeddedError",
    "Servers",
    "addresses",
    "adopt",
    "connect_environment",
    "data_dir_of",
    "ensure",
    "held_data_dir",
    "keep_alive",
    "pass_on",
    "provide_secrets",
    "release",
]

START_SECONDS = 60
POLL_SECONDS = 0.05

_held: dict[Path, int] = {}


@dataclass(frozen=True)
class Servers:
    """The addresses of one pair, as `DATABASE_URL` and `REDIS_URL` take them."""

    database_url: str
    redis_url: str


def data_dir_of(environ: MutableMapping[str, str]) -> Path:
    """The folder of the embedded servers; a relative `AWFDRS_DATA_DIR` is below the project."""
    return (PROJECT / (environ.get("AWFDRS_DATA_DIR", "").strip() or ".awfdrs")).resolve()


def addresses(data_dir: Path) -> Servers:
    """Where the pair in `data_dir` listens, whether it runs or not."""
    layout = Layout(data_dir.resolve())
    return Servers(layout.database_url, layout.redis_url)


def connect_environment(*, start: bool = True) -> None:
    """Set the servers' addresses and the secrets to the embedded pair's where they are unset.

    Does nothing where both addresses are set. With `start=False` only names the pair, for commands
    that talk to no server. Raises EmbeddedError.
    """
    names = ("DATABASE_URL", "REDIS_URL")
    missing = [name for name in names if not os.environ.get(name, "").strip()]
    if not missing:
        return
    data_dir = data_dir_of(os.environ)
    servers = ensure(data_dir) if start else addresses(data_dir)
    for name, value in zip(names, (servers.database_url, servers.redis_url), strict=True):
        if name in missing:
            os.environ[name] = value
    provide_secrets(data_dir)


def provide_secrets(data_dir: Path) -> None:
    """Set `SECRET_KEY` and `AWFDRS_SEAL_KEYS`, where they are unset, to this folder's own.

    Each is made at the first call, in a file that its owner alone can read.
    """
    _provide("SECRET_KEY", data_dir / "secret_key", secrets.token_urlsafe(48))
    seal_key = base64.b64encode(secrets.token_bytes(32)).decode()
    _provide("AWFDRS_SEAL_KEYS", data_dir / "seal_keys", seal_key)


def _provide(name: str, path: Path, new: str) -> None:
    if os.environ.get(name, "").strip():
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = path.with_name(f"{path.name}.{os.getpid()}")
        fresh.touch(mode=0o600)
        fresh.write_text(new)
        try:
            # Of two commands that come at once one wins, and both read the winner's.
            os.link(fresh, path)
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
        os.environ[name] = path.read_text()
    except OSError as error:
        raise EmbeddedError(f"cannot keep {name} in {path}: {error.strerror}") from error


def ensure(data_dir: Path, *, durable: bool = True) -> Servers:
    """Start the pair in `data_dir` or join it, and hold it until this process ends or `release`s.

    `durable=False` is for tests: no fsync, and the folder is deleted with the last user.
    Returns once both servers answer; safe to repeat. Raises EmbeddedError.
    """
    layout = Layout(data_dir.resolve())
    _hold(layout)
    with _exclusive(layout, "start"):
        _start_or_wait(layout, durable=durable)
    return Servers(layout.database_url, layout.redis_url)


def keep_alive(data_dir: Path) -> None:
    """Start the pair again if its keeper was killed; cheap enough to call every second."""
    if not _is_locked(Layout(data_dir).lock("keeper")):
        ensure(data_dir)


def held_data_dir() -> Path | None:
    """The folder whose servers this process holds by `connect_environment`, if it does."""
    data_dir = data_dir_of(os.environ)
    return data_dir if data_dir in _held else None


def pass_on(data_dir: Path) -> int:
    """The descriptor by which this process holds the pair, made to outlive `exec`; see `adopt`."""
    descriptor = _held[data_dir]
    os.set_inheritable(descriptor, True)
    return descriptor


def adopt(data_dir: Path, descriptor: int) -> None:
    """Go on holding the pair by what the program before `exec` passed on."""
    os.set_inheritable(descriptor, False)
    _held[data_dir] = descriptor


def release(data_dir: Path, *, wait_seconds: float = 5) -> None:
    """Let go of the pair; where nobody else holds it, wait until it has stopped (at most that)."""
    layout = Layout(data_dir.resolve())
    descriptor = _held.pop(layout.data_dir, None)
    if descriptor is None:
        return
    os.close(descriptor)
    deadline = time.monotonic() + wait_seconds
    while _is_locked(layout.lock("keeper")) and time.monotonic() < deadline:
        if _is_shared(layout.lock("users")):
            return
        time.sleep(POLL_SECONDS)


def _hold(layout: Layout) -> None:
    """Take `users.lock` shared; waits while a keeper that was just left alone stops its servers."""
    path = layout.lock("users")
    descriptor = _held.get(layout.data_dir)
    if descriptor is not None:
        if _is_file(descriptor, path):
            return
        os.close(_held.pop(layout.data_dir))
    while True:
        layout.create()
        descriptor = _open_lock(layout, path)
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        # A keeper of a throw-away pair deletes the folder, and the lock with it, while we wait.
        if _is_file(descriptor, path):
            _held[layout.data_dir] = descriptor
            return
        os.close(descriptor)


@contextmanager
def _exclusive(layout: Layout, name: str) -> Iterator[None]:
    descriptor = _open_lock(layout, layout.lock(name))
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _open_lock(layout: Layout, path: Path) -> int:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except PermissionError as error:
        raise EmbeddedError(
            f"{path} belongs to another user; set AWFDRS_DATA_DIR to a folder of your own"
        ) from error
    layout.give(path)
    return descriptor


def _is_file(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _is_locked(path: Path) -> bool:
    """Whether some process holds the lock exclusively."""
    return _refuses(path, fcntl.LOCK_SH)


def _is_shared(path: Path) -> bool:
    """Whether some process holds the lock shared, and none exclusively."""
    return not _refuses(path, fcntl.LOCK_SH) and _refuses(path, fcntl.LOCK_EX)


def _refuses(path: Path, kind: int) -> bool:
    try:
        descriptor = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _start_or_wait(layout: Layout, *, durable: bool) -> None:
    deadline = time.monotonic() + START_SECONDS
    keeper: subprocess.Popen[bytes] | None = None
    while not (_is_locked(layout.lock("keeper")) and is_ready(layout)):
        if time.monotonic() > deadline:
            raise EmbeddedError(
                f"the embedded servers did not start in {START_SECONDS} s; see {layout.logs}"
            )
        if keeper and keeper.poll() is not None and not _is_locked(layout.lock("keeper")):
            raise EmbeddedError(_last_words(layout))
        if keeper is None and not _is_locked(layout.lock("keeper")):
            keeper = _start_keeper(layout, durable=durable)
        time.sleep(POLL_SECONDS)


def _start_keeper(layout: Layout, *, durable: bool) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "awfdrs_site.kernel.embedded_keeper", str(layout.data_dir)]
    with (layout.logs / "keeper.log").open("wb") as log:
        # A session of its own: Ctrl-C at the terminal ends the users first, the servers after.
        return subprocess.Popen(
            command if durable else [*command, "--throw-away"],
            cwd=PROJECT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def _last_words(layout: Layout) -> str:
    log = layout.logs / "keeper.log"
    lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
    return f"the embedded servers did not start: {lines[-1] if lines else 'see'} ({layout.logs})"


def is_ready(layout: Layout) -> bool:
    """Whether both servers answer now."""
    return _postgres_is_ready(layout) and _valkey_is_ready(layout)


def _postgres_is_ready(layout: Layout) -> bool:
    # What `pg_ctl --wait` looks at: the last line of the server's own state file.
    try:
        lines = layout.postmaster_pid.read_text().splitlines()
        os.kill(int(lines[0]), 0)
    except PermissionError:
        pass
    except (OSError, ValueError, IndexError):
        return False
    return len(lines) >= 8 and lines[7].strip() == "ready"


def _valkey_is_ready(layout: Layout) -> bool:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(1)
        try:
            connection.connect(str(layout.valkey_socket))
            connection.sendall(b"PING\r\n")
            return connection.recv(64).startswith(b"+PONG")
        except OSError:
            return False
