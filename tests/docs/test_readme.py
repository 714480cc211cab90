"""The README's five-minute tour, typed into a shell against a real server."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone

from awfdrs_site import demo, stages
from awfdrs_site.kernel.redis_client import redis_client
from tests import processes
from tests.docs.markdown import PROJECT, blocks, section

CURL = Path(__file__).with_name("curl.py")
START_SECONDS = 60
END = "--- end of block ---"
# Up to the decision's action; nothing is sent, for the engine of the tour is not here.
UP_TO_PLANNED = ("detect", "analyse", "plan")

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


class Shell:
    """One bash for the whole tour, so that what a block sets the next ones have."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.process = subprocess.Popen(
            ["bash"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.type(f'curl() {{ "{sys.executable}" "{CURL}" "$@"; }}')

    def type(self, block: str) -> str:
        """Run the lines with the tour's address replaced by the test's; return what they print."""
        assert self.process.stdin
        assert self.process.stdout
        typed = block.replace("http://127.0.0.1:8000", self.url)
        self.process.stdin.write(f"{typed}\necho; echo '{END}'\n")
        self.process.stdin.flush()
        printed = []
        for line in self.process.stdout:
            if line == f"{END}\n":
                return "".join(printed).strip()
            printed.append(line)
        raise AssertionError(f"the shell ended in {block!r}")

    def leave(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def seeded(transactional_db: None) -> None:
    """The demo's data, as `make run` writes it."""
    redis_client().flushdb()
    demo.seed(timezone.now())


@pytest.fixture
def url(seeded: None) -> Iterator[str]:
    """A daphne on the test database."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "daphne", "-p", str(port), "awfdrs_site.asgi:application"],
        cwd=PROJECT,
        env=os.environ | {"DATABASE_URL": processes.database_url(), "LOG_LEVEL": "ERROR"},
        stdout=subprocess.DEVNULL,
    )
    try:
        _await_answer(port, server)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(10)


def _await_answer(port: int, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        connection = HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            connection.request("GET", "/api/v1/health")
            connection.getresponse().read()
            return
        except OSError:
            time.sleep(0.1)
        finally:
            connection.close()
    pytest.fail("daphne did not start")


@pytest.fixture
def shell(url: str) -> Iterator[Callable[[str], str]]:
    bash = Shell(url)
    yield bash.type
    bash.leave()


def steps() -> list[tuple[str, str]]:
    """The tour as (what is typed, what the README says comes back)."""
    found = blocks(section(PROJECT / "README.md", "## Five-minute tour"))
    assert [block.language for block in found] == ["sh", "json"] * (len(found) // 2)
    texts = [block.text for block in found]
    return list(zip(texts[::2], texts[1::2], strict=True))


def status_and_body(text: str) -> tuple[int, Any]:
    status, _, body = text.partition(" ")
    return int(status), json.loads(body)


def test_the_tour_goes_as_the_readme_says(shell: Callable[[str], str]) -> None:
    """Every call in turn: the status, and each value shown, where … stands for any."""
    stages.run("detect")
    statuses = []
    for typed, said in steps():
        status, body = status_and_body(shell(typed))
        expected_status, expected = status_and_body(said)
        assert status == expected_status, body
        assert unlike(as_here(expected), body) == [], typed
        statuses.append(status)
        for stage in UP_TO_PLANNED:
            stages.run(stage)
    assert statuses == [200, 200, 201, 200, 409]


def as_here(expected: Any) -> Any:
    """Redis is named `embedded` only where it is."""
    if "redis" in expected and not settings.REDIS_URL.startswith("unix:"):
        return expected | {"redis": "ok"}
    return expected


def unlike(expected: Any, found: Any, place: str = "") -> list[str]:
    """Where `found` differs from what is shown; it may hold more keys than are shown."""
    if expected == "…":
        return [] if found not in (None, "") or place.endswith("next") else [f"{place}: empty"]
    if isinstance(expected, dict) and isinstance(found, dict):
        return [
            difference
            for key, value in expected.items()
            for difference in unlike(value, found.get(key), f"{place}.{key}")
        ]
    if isinstance(expected, list) and isinstance(found, list):
        if len(expected) != len(found):
            return [f"{place}: {len(found)} instead of {len(expected)}"]
        pairs = enumerate(zip(expected, found, strict=True))
        return [d for n, (one, other) in pairs for d in unlike(one, other, f"{place}[{n}]")]
    return [] if expected == found else [f"{place}: {found!r} instead of {expected!r}"]


def test_the_people_of_the_tour_are_the_demos() -> None:
    """Names, password, key and ids the README gives away."""
    tour = section(PROJECT / "README.md", "## Five-minute tour")
    for word in (demo.PASSWORD, demo.KEY, str(demo.MERIDIAN)):
        assert word in tour
    assert str(demo.workflow_id("payments.capture")) in tour
    assert all(f"`{person.name}`" in tour for person in demo.PEOPLE)


def test_the_check_of_answers_sees_differences() -> None:
    """The comparison above must be able to fail."""
    assert unlike({"a": "…", "b": [{"c": 1}]}, {"a": "x", "b": [{"c": 1, "d": 2}]}) == []
    assert unlike({"a": "…"}, {"a": ""}) == [".a: empty"]
    assert unlike({"a": 1}, {}) == [".a: None instead of 1"]
    assert unlike([1], [1, 2]) == [": 2 instead of 1"]
    assert unlike({"b": [{"c": 1}]}, {"b": [{"c": 2}]}) == [".b[0].c: 2 instead of 1"]
