"""A small internet on loopback: names with the answers of their DNS, sites behind public addresses,
and a trap behind every other address. Real sockets and real TLS; only who answers is chosen here.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from actions import outbound

PUBLIC, OTHER_PUBLIC = "93.184.216.34", "2606:4700::1111"
NAME = "api.example.org"


@dataclass
class Internet:
    """`names`: the answers of the DNS in turn, the last for ever. `sites`: address → local port."""

    names: dict[str, list[list[str]]] = field(default_factory=dict)
    sites: dict[str, int] = field(default_factory=dict)
    dialled: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    trapped: list[str] = field(default_factory=list)
    requests: list[tuple[str, str]] = field(default_factory=list)
    reply: tuple[int, dict[str, str], bytes] = (200, {}, b"hello")
    trap_port: int = 0

    def getaddrinfo(self, host: str, port: int, *args: Any, **kwargs: Any) -> list[Any]:
        host = host.decode() if isinstance(host, bytes) else host
        self.asked.append(host)
        try:
            answers = [str(ip_address(host))]
        except ValueError:
            if host not in self.names:
                raise socket.gaierror(socket.EAI_NONAME, "unknown name") from None
            turns = self.names[host]
            answers = turns.pop(0) if len(turns) > 1 else turns[0]
        kind = {4: socket.AF_INET, 6: socket.AF_INET6}
        return [
            (kind[ip_address(one).version], socket.SOCK_STREAM, 6, "", (one, port))
            for one in answers
        ]


@cache
def _certificate(folder: Path, name: str) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem, private = folder / f"{name}.pem", folder / f"{name}.key"
    pem.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return pem, private


@contextmanager
def _trap(internet: Internet) -> Iterator[int]:
    server = socket.create_server(("127.0.0.1", 0))

    def spring() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            internet.trapped.append("sprung")
            connection.close()

    threading.Thread(target=spring, daemon=True).start()
    try:
        yield server.getsockname()[1]
    finally:
        server.close()


@contextmanager
def _site(internet: Internet, folder: Path) -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            internet.requests.append((self.headers["Host"], self.path))
            status, headers, body = internet.reply
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            """Quiet."""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*_certificate(folder, NAME))
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def an_internet(folder: Path) -> Iterator[Internet]:
    """`NAME` leads to `PUBLIC`, where a site stands; all else is the trap."""
    internet = Internet(names={NAME: [[PUBLIC]]})
    dial = asyncio.base_events.BaseEventLoop.create_connection

    async def reached(self: Any, make: Any, host: Any, port: int, **kwargs: Any) -> Any:
        host = host.decode() if isinstance(host, bytes) else host
        host = internet.getaddrinfo(host, port)[0][4][0]
        internet.dialled.append(host)
        local = internet.sites.get(host, internet.trap_port)
        return await dial(self, make, "127.0.0.1", local, **kwargs)

    trusted = ssl.create_default_context(cafile=_certificate(folder, NAME)[0])
    with (
        _trap(internet) as internet.trap_port,
        _site(internet, folder) as port,
        pytest.MonkeyPatch.context() as patch,
    ):
        internet.sites[PUBLIC] = port
        patch.setattr(outbound.socket, "getaddrinfo", internet.getaddrinfo)
        patch.setattr(asyncio.base_events.BaseEventLoop, "create_connection", reached)
        patch.setattr(outbound, "_trusted", lambda: trusted)
        yield internet
