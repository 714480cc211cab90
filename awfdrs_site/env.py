"""The environment, read once, typed and checked.

`read(environ)` never raises: what is wrong is collected as `Mistake`s, one clear line each, so that
an operator sees all of them at once. `awfdrs_site.checks` turns them into system checks; the web
and worker entry points refuse to start while there is one.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlsplit

T = TypeVar("T")

_WITH_PATH = ("postgres", "postgresql", "unix")
_HOST = re.compile(r"\*|\.?[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?|\[[0-9A-Fa-f:.]+\]")

# Names of variables whose values are not repeated.
_KEPT = ("SECRET", "URL", "SEAL")

AI_MODES = ("mock",)
LOCAL = ("localhost", "127.0.0.1", "[::1]")
HOST_LIST = "a comma-separated list of host names, without scheme, port or path"
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


@dataclass(frozen=True)
class Mistake:
    """One wrong variable: a stable check id and a line that says what to do."""

    id: str
    text: str


@dataclass(frozen=True)
class Env:
    """Every setting an operator may give, after parsing. Durations in seconds."""

    database_url: str
    redis_url: str
    secret_key: str
    debug: bool
    demo: bool
    allowed_hosts: tuple[str, ...]
    csrf_trusted_origins: tuple[str, ...]
    ai_mode: str
    log_level: str
    https: bool
    retry_allowed_hosts: tuple[str, ...]
    channel_allowed_hosts: tuple[str, ...]
    db_pool_max: int
    seal_keys: tuple[bytes, ...]


class _Reader:
    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ
        self.mistakes: list[Mistake] = []

    def read(
        self, id_: str, name: str, parse: Callable[[str], T], default: T, expects: str = ""
    ) -> T:
        raw = self.environ.get(name, "").strip()
        if not raw:
            return default
        try:
            return parse(raw)
        except ValueError:
            shown = "" if any(word in name for word in _KEPT) else f", not {raw[:64]!r}"
            self.mistakes.append(Mistake(f"awfdrs.{id_}", f"{name} must be {expects}{shown}"))
            return default


def _boolean(raw: str) -> bool:
    words = {"1": True, "true": True, "yes": True, "on": True}
    words |= {"0": False, "false": False, "no": False, "off": False}
    if raw.lower() not in words:
        raise ValueError
    return words[raw.lower()]


def _list(raw: str) -> tuple[str, ...]:
    return tuple(item.strip() for item in raw.split(",") if item.strip())


def _one_of(choices: tuple[str, ...]) -> Callable[[str], str]:
    def parse(raw: str) -> str:
        if raw not in choices:
            raise ValueError
        return raw

    return parse


def _hosts(raw: str) -> tuple[str, ...]:
    """Host names as Django compares them: no scheme, port or path; `*` and `.example.org` too."""
    hosts = _list(raw)
    if not hosts or not all(_HOST.fullmatch(host) for host in hosts):
        raise ValueError
    return hosts


def _url(*schemes: str) -> Callable[[str], str]:
    """A URL of these schemes that names what is behind the server: a database, a socket's path."""

    def parse(raw: str) -> str:
        parts = urlsplit(raw)
        names = parts.path.strip("/") if parts.scheme in _WITH_PATH else parts.hostname
        # Reading the port raises ValueError where it is no number.
        if parts.scheme not in schemes or not names or parts.port == 0:
            raise ValueError
        return raw

    return parse


def _between(low: int, high: int) -> Callable[[str], int]:
    def parse(raw: str) -> int:
        if not low <= int(raw) <= high:
            raise ValueError
        return int(raw)

    return parse


def _secret(raw: str) -> str:
    if len(raw) < 50 or len(set(raw)) < 5:
        raise ValueError
    return raw


def _seal_keys(raw: str) -> tuple[bytes, ...]:
    """Keys of AES-256, each 32 bytes in base64 (URL-safe too)."""
    texts = [item.replace("-", "+").replace("_", "/") for item in _list(raw)]
    keys = tuple(base64.b64decode(text, validate=True) for text in texts)
    if not keys or any(len(key) != 32 or len(set(key)) < 5 for key in keys):
        raise ValueError
    return keys


def _origins(raw: str) -> tuple[str, ...]:
    origins = _list(raw)
    for origin in origins:
        parts = urlsplit(origin)
        if parts.scheme not in ("http", "https") or not parts.netloc or parts.path or parts.query:
            raise ValueError
    return origins


def read(environ: Mapping[str, str]) -> tuple[Env, tuple[Mistake, ...]]:
    """Parse `environ`; return the settings and every mistake found (none: ready to start)."""
    r = _Reader(environ)
    env = Env(
        database_url=r.read(
            "E001",
            "DATABASE_URL",
            _url("postgres", "postgresql"),
            "",
            "a URL like postgresql://user:password@host:5432/database",
        ),
        redis_url=r.read(
            "E002",
            "REDIS_URL",
            _url("redis", "rediss", "unix"),
            "",
            "a URL like redis://host:6379/0 or unix:///path/to/socket",
        ),
        secret_key=r.read(
            "E003", "SECRET_KEY", _secret, "", "a secret of at least 50 random characters"
        ),
        debug=r.read("E004", "DEBUG", _boolean, False, "true or false"),
        demo=r.read("E005", "AWFDRS_DEMO", _boolean, False, "true or false"),
        allowed_hosts=r.read("E006", "ALLOWED_HOSTS", _hosts, LOCAL, HOST_LIST),
        csrf_trusted_origins=r.read(
            "E007",
            "CSRF_TRUSTED_ORIGINS",
            _origins,
            (),
            "a comma-separated list of origins, each with http:// or https://",
        ),
        ai_mode=r.read(
            "E008",
            "AI_MODE",
            _one_of(AI_MODES),
            "mock",
            "'mock' (decisions are made locally; no other mode exists yet)",
        ),
        log_level=r.read(
            "E009", "LOG_LEVEL", _one_of(LOG_LEVELS), "INFO", "one of " + ", ".join(LOG_LEVELS)
        ),
        https=r.read("E010", "AWFDRS_HTTPS", _boolean, False, "true or false"),
        retry_allowed_hosts=r.read("E011", "RETRY_ALLOWED_HOSTS", _hosts, LOCAL, HOST_LIST),
        db_pool_max=r.read(
            "E012", "DB_POOL_MAX", _between(2, 200), 10, "a number of connections from 2 to 200"
        ),
        seal_keys=r.read(
            "E013",
            "AWFDRS_SEAL_KEYS",
            _seal_keys,
            (),
            "random keys of 32 bytes in base64, the newest first, commas between",
        ),
        channel_allowed_hosts=r.read("E014", "CHANNEL_ALLOWED_HOSTS", _hosts, (), HOST_LIST),
    )
    return env, (*r.mistakes, *_missing(env, {m.id for m in r.mistakes}))


def _missing(env: Env, known: set[str]) -> list[Mistake]:
    missing = []
    for id_, name, value in (
        ("awfdrs.E001", "DATABASE_URL", env.database_url),
        ("awfdrs.E002", "REDIS_URL", env.redis_url),
        ("awfdrs.E003", "SECRET_KEY", env.secret_key),
        ("awfdrs.E013", "AWFDRS_SEAL_KEYS", env.seal_keys),
    ):
        if not value and id_ not in known:
            missing.append(
                Mistake(id_, f"{name} is not set; set it, or start by `python manage.py up`")
            )
    return missing
