"""Calls to others reach what may be called, and nothing else [P14]."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from actions.addresses import is_public, objection
from actions.outbound import REPLY_LIMIT, AnswerLost, Client, NotCalled, Reply
from tests.actions.internet import NAME, OTHER_PUBLIC, PUBLIC, Internet, an_internet

# Refused as they are written, whatever a name server would say.
HOSTILE = [
    "",
    "file:///etc/passwd",
    "gopher://api.example.org/",
    "ftp://api.example.org/",
    "//api.example.org/",
    "/etc/passwd",
    "api.example.org",
    "http://api.example.org/",
    "https://api.example.org:8443/",
    "https://api.example.org:0/",
    "https://api.example.org:99999/",
    "https://api.example.org:-1/",
    "https://user@api.example.org/",
    "https://user:password@api.example.org/",
    "https://api.example.org@127.0.0.1/",
    "https://api.example.org#@127.0.0.1/",
    "https://",
    "https:///x",
    "https://localhost/",
    "https://postgres/",
    "https://127.0.0.1/",
    "https://127.1/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0x7f.0.0.1/",
    "https://0177.0.0.1/",
    "https://0/",
    "https://0.0.0.0/",
    "https://10.0.0.1/",
    "https://100.64.0.1/",
    "https://169.254.169.254/latest/meta-data/",
    "https://172.16.0.1/",
    "https://192.168.0.1/",
    "https://192.0.2.1/",
    "https://198.18.0.1/",
    "https://224.0.0.1/",
    "https://240.0.0.1/",
    "https://255.255.255.255/",
    "https://[::]/",
    "https://[::1]/",
    "https://[::127.0.0.1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:a9fe:a9fe]/",
    "https://[64:ff9b::127.0.0.1]/",
    "https://[64:ff9b::a9fe:a9fe]/",
    "https://[64:ff9b:1::7f00:1]/",
    "https://[2002:7f00:1::]/",
    "https://[2002:a9fe:a9fe::1]/",
    "https://[2001:0:7f00:1::]/",
    "https://[2001:db8::1]/",
    "https://[fc00::1]/",
    "https://[fd00:ec2::254]/",
    "https://[fe80::1]/",
    "https://[fec0::1]/",
    "https://[ff02::1]/",
    "https://[::1/",
    "https://api.example.org\\@127.0.0.1/\n",
    "https://api.example.org/\r\nX-Evil: 1",
]


@pytest.fixture
def internet(tmp_path: Path) -> Iterator[Internet]:
    with an_internet(tmp_path) as internet:
        yield internet


def call(url: str, named: tuple[str, ...] = (), **headers: str) -> Reply:
    return Client(named, seconds=20).call("GET", url, headers)


@pytest.mark.parametrize("url", HOSTILE)
def test_it_refuses_a_hostile_address(internet: Internet, url: str) -> None:
    """By the address alone: no name is looked up, no connection is made."""
    assert objection(url, ())
    with pytest.raises(NotCalled):
        call(url)
    assert (internet.dialled, internet.trapped) == ([], [])


@pytest.mark.parametrize(
    "url",
    [
        "https://api.example.org/",
        "https://API.example.org:443/a?b=c",
        "https://93.184.216.34/",
        "https://[2606:4700::1111]/",
        "https://[64:ff9b::5db8:d822]/",
    ],
)
def test_it_takes_a_public_address(url: str) -> None:
    assert objection(url, ()) == ""


@pytest.mark.parametrize(
    ("url", "fits"),
    [
        ("http://engine:9000/retry", True),
        ("https://engine/retry", True),
        ("http://[::1]:9000/", True),
        ("http://engine.example:9000/", False),
        ("http://user@engine/", False),
        ("file://engine/etc/passwd", False),
        ("http://notengine/", False),
    ],
)
def test_a_named_host_is_called_by_its_exact_name(url: str, fits: bool) -> None:
    """On any port, without TLS; its neighbours and its own file system are not named with it."""
    assert (objection(url, ("engine", "[::1]")) == "") is fits


def test_it_calls_a_public_name_at_its_address(internet: Internet) -> None:
    """The address is dialled, the name stays in Host and in the certificate."""
    assert call(f"https://{NAME}/up?x=1") == Reply(200, "hello")
    assert internet.dialled == [PUBLIC]
    assert internet.requests == [(NAME, "/up?x=1")]


@pytest.mark.parametrize(
    "answers",
    [
        ["127.0.0.1"],
        ["169.254.169.254"],
        [PUBLIC, "127.0.0.1"],
        ["::1", PUBLIC],
        [OTHER_PUBLIC, "::ffff:10.0.0.1"],
        ["64:ff9b::a9fe:a9fe"],
        ["2002:7f00:1::1"],
        ["224.0.1.1"],
        ["fe80::1%1"],
    ],
)
def test_it_refuses_a_name_that_leads_inside(internet: Internet, answers: list[str]) -> None:
    """One address that is not public among several is enough.

    Seen red without `is_public` in `Client._addresses`: the trap was sprung.
    """
    internet.names[NAME] = [answers]
    with pytest.raises(NotCalled, match="not public"):
        call(f"https://{NAME}/")
    assert internet.trapped == []


def test_a_name_that_changes_its_mind_is_called_where_it_was_judged(internet: Internet) -> None:
    """DNS rebinding: the first answer is public, every later one is this machine.

    Seen red with the name left in the address that is called (no pinning): the trap was sprung.
    """
    internet.names[NAME] = [[PUBLIC], ["127.0.0.1"]]
    assert call(f"https://{NAME}/").status == 200
    assert internet.dialled == [PUBLIC]
    assert internet.trapped == []
    with pytest.raises(NotCalled):
        call(f"https://{NAME}/")
    assert internet.trapped == []


def test_a_redirect_to_metadata_is_an_answer_and_no_further_call(internet: Internet) -> None:
    """Seen red with `follow_redirects=True`: the trap was sprung."""
    internet.reply = (302, {"Location": "http://169.254.169.254/latest/meta-data/"}, b"")
    assert call(f"https://{NAME}/").status == 302
    assert internet.dialled == [PUBLIC]
    assert internet.trapped == []


def test_it_uses_no_proxy_of_the_environment(
    internet: Internet, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://10.0.0.1:3128")
    assert call(f"https://{NAME}/").status == 200
    assert internet.dialled == [PUBLIC]


def test_it_wants_the_certificate_of_the_name(internet: Internet) -> None:
    """Another name at the same address is not who it says; nothing is sent to it."""
    internet.names["other.example.org"] = [[PUBLIC]]
    with pytest.raises(NotCalled, match="CERTIFICATE_VERIFY_FAILED"):
        call("https://other.example.org/")
    assert internet.requests == []


def test_it_goes_on_to_the_next_address(internet: Internet) -> None:
    """The first address does not answer (nothing was sent there), the second does."""
    internet.names[NAME] = [[OTHER_PUBLIC, PUBLIC]]
    assert call(f"https://{NAME}/").status == 200
    assert internet.dialled == [OTHER_PUBLIC, PUBLIC]


def test_it_reads_a_bounded_part_of_the_reply(internet: Internet) -> None:
    internet.reply = (200, {}, b"x" * (REPLY_LIMIT * 4))
    assert call(f"https://{NAME}/").text == "x" * REPLY_LIMIT


def test_it_does_not_unpack_what_it_did_not_ask_for(internet: Internet) -> None:
    """A packed reply could grow a thousandfold; it is read as it comes."""
    internet.reply = (200, {"Content-Encoding": "gzip"}, b"\x1f\x8bnot unpacked")
    assert "not unpacked" in call(f"https://{NAME}/").text


def test_a_name_server_that_hangs_costs_the_deadline_at_most() -> None:
    """The look-up knows no time-out; who waits for it does, and nothing was sent."""

    def hang(host: str, port: int) -> tuple[str, ...]:
        time.sleep(60)
        return ()

    with pytest.raises(NotCalled, match="not found in time"):
        Client((), seconds=0.2, resolve=hang).call("GET", f"https://{NAME}/", {})


def test_a_name_without_an_address_is_a_refusal(internet: Internet) -> None:
    with pytest.raises(NotCalled, match="no address"):
        call("https://nowhere.example.org/")


def test_a_lost_answer_is_told_from_a_call_that_was_not_made(internet: Internet) -> None:
    """A named host that takes the request and hangs up: it may have been carried out."""
    internet.names["engine"] = [["10.0.0.7"]]
    with pytest.raises(AnswerLost):
        call("http://engine:9000/", ("engine",))
    assert internet.dialled == ["10.0.0.7"]


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("1.1.1.1", True),
        ("2606:4700::1111", True),
        ("::ffff:1.1.1.1", True),
        ("2002:101:101::1", True),
        ("::1.1.1.1", True),
        ("5f00::1", False),
        ("4000::1", False),
    ],
)
def test_it_knows_public_addresses(address: str, public: bool) -> None:
    assert is_public(address) is public
