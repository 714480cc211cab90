"""Every mistake in the environment is named, all at once, before anything is served [O8]."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.checks import run_checks
from pytest_django import Settings

from awfdrs_site import env

PROJECT = Path(__file__).resolve().parents[2]
GOOD = {
    "DATABASE_URL": "postgresql://awfdrs:pw@db:5432/awfdrs",
    "REDIS_URL": "redis://cache:6379/0",
    "SECRET_KEY": "kDp3vXo2mN8qRs5tUw7yZa1bCe4fGh6iJk9lMn0oPq2rSt4uVw6xYz8A",
    "AWFDRS_SEAL_KEYS": "c2VhbC1rZXktZm9yLXRlc3RzLWFsb25lLTAxMjM0NTY=",
}
# Read by the launcher or docker-compose, not by env.py.
ELSEWHERE = {"AWFDRS_DATA_DIR", "HOST", "PORT", "POSTGRES_PASSWORD"}

MISTAKES = [
    ("E001", "DATABASE_URL", ["", "mysql://db/x", "postgresql://db", "postgresql://db:x/y", "db"]),
    ("E002", "REDIS_URL", ["", "http://cache", "redis://", "unix://", "redis://cache:abc/0"]),
    ("E003", "SECRET_KEY", ["", "short", "a" * 60, "ab" * 40]),
    ("E004", "DEBUG", ["maybe", "2", "TRUEISH"]),
    ("E005", "AWFDRS_DEMO", ["maybe"]),
    ("E006", "ALLOWED_HOSTS", ["https://example.org", "example.org:8000", "a b", ",", "x/y"]),
    (
        "E007",
        "CSRF_TRUSTED_ORIGINS",
        ["example.org", "ftp://example.org", "https://", "https://example.org/path"],
    ),
    ("E008", "AI_MODE", ["openai", "MOCK"]),
    ("E009", "LOG_LEVEL", ["debug", "LOUD"]),
    ("E010", "AWFDRS_HTTPS", ["always"]),
    ("E011", "RETRY_ALLOWED_HOSTS", ["http://engine", "engine:9000"]),
    ("E012", "DB_POOL_MAX", ["0", "1", "201", "many", "1.5"]),
    ("E013", "AWFDRS_SEAL_KEYS", ["", ",", "short", "A" * 44, "c2hvcnQ=", "not base64 " * 4]),
    ("E014", "CHANNEL_ALLOWED_HOSTS", ["http://relay", "relay:25"]),
]


def test_it_takes_a_good_environment_and_fills_in_the_rest() -> None:
    settings, mistakes = env.read(GOOD)
    assert mistakes == ()
    assert settings.database_url == GOOD["DATABASE_URL"]
    assert (settings.debug, settings.demo, settings.ai_mode) == (False, False, "mock")
    assert settings.allowed_hosts == ("localhost", "127.0.0.1", "[::1]")


def test_it_takes_the_addresses_of_the_embedded_servers() -> None:
    sockets = {
        "DATABASE_URL": "postgresql://postgres@/postgres?host=/srv/awfdrs/run",
        "REDIS_URL": "unix:///srv/awfdrs/run/valkey.sock",
    }
    assert env.read(GOOD | sockets)[1] == ()


@pytest.mark.parametrize(("id_", "name", "values"), MISTAKES, ids=[name for _, name, _ in MISTAKES])
def test_it_names_a_mistake(id_: str, name: str, values: list[str]) -> None:
    for value in values:
        mistakes = env.read(GOOD | {name: value})[1]
        assert [mistake.id for mistake in mistakes] == [f"awfdrs.{id_}"], value
        assert mistakes[0].text.startswith(name)


def test_it_names_all_mistakes_at_once() -> None:
    wrong = {name: values[-1] for _, name, values in MISTAKES}
    assert sorted(mistake.id for mistake in env.read(wrong)[1]) == [
        f"awfdrs.{id_}" for id_, _, _ in MISTAKES
    ]


@pytest.mark.parametrize("name", ["DATABASE_URL", "REDIS_URL", "SECRET_KEY", "AWFDRS_SEAL_KEYS"])
def test_it_never_repeats_a_secret(name: str) -> None:
    mistakes = env.read(GOOD | {name: "mysql://root:hunter2@db/x"})[1]
    assert len(mistakes) == 1
    assert "hunter2" not in mistakes[0].text


@pytest.mark.parametrize(
    ("value", "meant"),
    [("1", True), ("yes", True), ("TRUE", True), (" on ", True), ("0", False), ("No", False)],
)
def test_it_reads_switches_in_words(value: str, meant: bool) -> None:
    assert env.read(GOOD | {"DEBUG": value})[0].debug is meant


class _Recorder(dict[str, str]):
    """An environment that notes which names are asked for."""

    def __init__(self) -> None:
        super().__init__(GOOD)
        self.asked: set[str] = set()

    def get(self, name: str, default: str = "") -> str:  # type: ignore[override]
        self.asked.add(name)
        return super().get(name, default)

    def __iter__(self) -> Iterator[str]:
        return super().__iter__()


def test_it_is_described_in_the_example_file() -> None:
    """.env.example names every variable there is, and none that nothing reads."""
    recorder = _Recorder()
    env.read(recorder)
    text = (PROJECT / ".env.example").read_text()
    described = set(re.findall(r"^#?([A-Z][A-Z_]+)=", text, re.MULTILINE))
    assert recorder.asked - described == set()
    assert described - recorder.asked - ELSEWHERE == set()


def test_it_turns_mistakes_into_system_checks(settings: Settings) -> None:
    settings.ENV_MISTAKES = (env.Mistake("awfdrs.E009", "LOG_LEVEL must be one of …"),)
    found = [check for check in run_checks() if str(check.id).startswith("awfdrs.")]
    assert [(check.id, check.msg) for check in found] == [
        ("awfdrs.E009", "LOG_LEVEL must be one of …")
    ]


@pytest.mark.parametrize("module", ["awfdrs_site.asgi", "awfdrs_site.wsgi"])
def test_it_refuses_to_serve_with_a_mistake(module: str) -> None:
    """Neither daphne nor a WSGI server runs system checks; the entry points do."""
    environ = os.environ | {"DB_POOL_MAX": "lots", "AI_MODE": "skynet"}
    done = subprocess.run(
        [sys.executable, "-c", f"import {module}"],
        env=environ,
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    lines = [line for line in done.stderr.splitlines() if line.startswith("awfdrs.")]
    assert [line.split(":")[0] for line in lines] == ["awfdrs.E008", "awfdrs.E012"]
