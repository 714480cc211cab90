"""What only a real server shows: bodies without a length, and handshakes from other sites."""

from __future__ import annotations

import gzip
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse
from typing import Any

import pytest

from awfdrs_site.kernel.body import EVENT_BYTES
from tests.processes import database_url

pytestmark = pytest.mark.slow
START_SECONDS = 60
HANDSHAKE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


@dataclass(frozen=True)
class Server:
    """A daphne on loopback that serves the whole site from the test database."""

    port: int

    def request(self, method: str, path: str, **more: Any) -> tuple[HTTPResponse, bytes]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request(method, path, **more)
        response = connection.getresponse()
        body = b"" if response.status == 101 else response.read()
        connection.close()
        return response, body


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def server(django_db_setup: None, django_db_blocker: Any) -> Iterator[Server]:
    port = _free_port()
    with django_db_blocker.unblock():
        environ = os.environ | {"DATABASE_URL": database_url(), "LOG_LEVEL": "ERROR"}
    process = subprocess.Popen(
        [sys.executable, "-m", "daphne", "-p", str(port), "awfdrs_site.asgi:application"],
        env=environ,
    )
    try:
        _wait_for(Server(port), process)
        yield Server(port)
    finally:
        process.terminate()
        process.wait(10)


def _wait_for(server: Server, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            server.request("GET", "/api/v1/health")
            return
        except OSError:
            time.sleep(0.1)
    pytest.fail("daphne did not start")


def _refused(response: HTTPResponse, body: bytes, status: int, code: str) -> None:
    assert response.status == status, body
    assert response.headers["Content-Type"] == "application/problem+json"
    document = json.loads(body)
    assert document["code"] == code
    assert document["correlation_id"] == response.headers["X-Correlation-ID"]


def test_it_refuses_a_chunked_body(server: Server) -> None:
    """Django would hand it on as an empty one and answer about that."""
    chunks = iter([b'{"tenant_id":', b' "x"}'])
    headers = {"Content-Type": "application/json", "Transfer-Encoding": "chunked"}
    response, body = server.request(
        "POST", "/api/v1/events", body=chunks, headers=headers, encode_chunked=True
    )
    _refused(response, body, 411, "length_required")


def test_it_refuses_a_body_over_the_limit(server: Server) -> None:
    headers = {"Content-Type": "application/json"}
    response, body = server.request(
        "POST", "/api/v1/events", body=b"x" * (EVENT_BYTES + 1), headers=headers
    )
    _refused(response, body, 413, "payload_too_large")


def test_it_judges_a_body_of_the_limit_by_its_content(server: Server) -> None:
    """At exactly the limit the request goes on: to the question who is asking."""
    headers = {"Content-Type": "application/json"}
    response, body = server.request(
        "POST", "/api/v1/events", body=b"x" * EVENT_BYTES, headers=headers
    )
    _refused(response, body, 401, "not_authenticated")


def test_it_answers_an_unknown_path_over_asgi_too(server: Server) -> None:
    headers = {"X-Correlation-ID": "req-9"}
    response, body = server.request("GET", "/api/v1/nothing", headers=headers)
    _refused(response, body, 404, "not_found")
    assert response.headers["X-Correlation-ID"] == "req-9"


def test_it_serves_static_files(server: Server) -> None:
    response, body = server.request("GET", "/static/css/reset.css")
    assert response.status == 200
    assert body
    assert response.headers["X-Correlation-ID"]


@pytest.mark.parametrize(
    ("path", "origin", "status"),
    [
        ("/ws/live/", None, 403),
        ("/ws/live/", "http://evil.example", 403),
        ("/ws/live/", "http://127.0.0.1:1", 403),
        ("/ws/live/", "null", 403),
        ("/ws/other/", "http://127.0.0.1:{port}", 403),
        ("/ws/live/", "http://127.0.0.1:{port}", 101),
    ],
)
def test_it_opens_a_socket_for_its_own_pages_alone(
    server: Server, path: str, origin: str | None, status: int
) -> None:
    """Another port of the same host is another site."""
    headers = dict(HANDSHAKE)
    if origin is not None:
        headers["Origin"] = origin.format(port=server.port)
    response, _ = server.request("GET", path, headers=headers)
    assert response.status == status


@pytest.mark.parametrize("path", ["/login", "/static/css/components.css"])
def test_pages_and_files_are_sent_compressed(server: Server, path: str) -> None:
    """To who takes it. Seen red without the middleware."""
    packed, body = server.request("GET", path, headers={"Accept-Encoding": "gzip"})
    plain, text = server.request("GET", path)
    assert (packed.headers["Content-Encoding"], plain.headers["Content-Encoding"]) == ("gzip", None)
    assert len(gzip.decompress(body)) == pytest.approx(len(text), rel=0.01)
    assert len(body) < len(text) / 2
