"""The command line as a process: runs, tells, ends promptly."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from simulator.__main__ import build_parser, main
from simulator.workflows import DEMO_DIRECTORY, DEMO_SECRET, IdsFileError, load_directory
from tests.simulator.fake_awfdrs import KEY, FakeAwfdrs

ROOT = Path(__file__).resolve().parents[2]
OTHER_ID = "20000000-0000-0000-0000-00000000000a"


@pytest.fixture
def process(awfdrs: FakeAwfdrs) -> Iterator[subprocess.Popen[str]]:
    """`python -m simulator run` on a free port, with SIGINT ignored as a script leaves it."""
    command = [sys.executable, "-m", "simulator", "run", "--url", awfdrs.url, "--port", "0"]
    started = subprocess.Popen(
        ["sh", "-c", 'trap "" INT; exec "$@"', "sh", *command, "--rate", "6000", "--seed", "1"],
        cwd=ROOT,
        env={**os.environ, "AWFDRS_KEY": KEY},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    yield started
    if started.poll() is None:
        started.kill()
    started.communicate()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_run_ends_when_asked(
    process: subprocess.Popen[str], awfdrs: FakeAwfdrs, number: signal.Signals
) -> None:
    """It runs workflows, serves its endpoint, and ends in order with what was done."""
    events = awfdrs.wait_for_events(20)
    assert process.stdout
    said = [process.stdout.readline() for _ in range(3)]
    address = said[1].split()[-1].removesuffix("/retry")
    assert said[2].split()[-1] == DEMO_SECRET
    index = httpx.get(address).json()
    assert index["workflows"]["payments.capture"] == DEMO_DIRECTORY.workflows[0].id
    assert {event["event_type"].rsplit(".")[-1] for event in events} <= {
        "succeeded",
        "completed",
    }
    process.send_signal(number)
    out, error = process.communicate(timeout=20)
    assert process.returncode == 0
    assert "stopping" in out
    assert "0 waiting, 0 unsent" in out
    assert "Traceback" not in error


@pytest.mark.slow
def test_run_ends_when_awfdrs_is_away(process: subprocess.Popen[str], awfdrs: FakeAwfdrs) -> None:
    """Events that wait do not hold it up; their number is told."""
    awfdrs.wait_for_events(1)
    awfdrs.script += [(503, {"Retry-After": "60"}, {"code": "unavailable"})] * 1_000
    while len(awfdrs.script) == 1_000:
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    out, error = process.communicate(timeout=20)
    assert process.returncode == 0
    assert "events unsent" in error
    assert "0 waiting" in out


def test_it_needs_a_key(capsys: pytest.CaptureFixture[str]) -> None:
    """Without --key and AWFDRS_KEY it says so."""
    with pytest.raises(SystemExit) as ended:
        build_parser({}).parse_args(["run"])
    assert ended.value.code == 2
    assert "--key" in capsys.readouterr().err


def test_it_takes_its_defaults_from_the_environment() -> None:
    """AWFDRS_URL, AWFDRS_KEY, AWFDRS_SIMULATOR_SECRET."""
    environ = {
        "AWFDRS_URL": "http://web:8000",
        "AWFDRS_KEY": "k",
        "AWFDRS_SIMULATOR_SECRET": "whsec_x",
    }
    args = build_parser(environ).parse_args(["run"])
    assert (args.url, args.key, args.secret) == ("http://web:8000", "k", "whsec_x")
    assert (args.host, args.port, args.rate) == ("127.0.0.1", 9100, 60.0)


@pytest.mark.parametrize(
    "more",
    [
        ["--url", "ftp://x"],
        ["--url", "127.0.0.1:8000"],
        ["--rate", "0"],
        ["--rate", "-5"],
        ["--rate", "nan"],
        ["--port", "x"],
    ],
)
def test_it_refuses_arguments(more: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2 and a line about the argument."""
    with pytest.raises(SystemExit) as ended:
        main(["run", "--key", KEY, *more])
    assert ended.value.code == 2
    assert more[0] in capsys.readouterr().err


@pytest.fixture
def handlers() -> Iterator[None]:
    """Puts the signal handlers back that `run` sets in this process."""
    before = {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("handlers")
@pytest.mark.parametrize(
    ("more", "reason"),
    [
        (["--host", "0.0.0.0"], "give --secret"),
        (["--secret", "secret"], "--secret: a signing secret"),
        (["--port", "70000"], "cannot listen"),
        (["--ids", "/nothing/here"], "cannot read"),
    ],
)
def test_it_refuses_to_run_in_one_line(
    more: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2; the demo's public secret never guards a reachable address."""
    assert main(["run", "--key", KEY, *more]) == 2
    error = capsys.readouterr().err
    assert reason in error
    assert error.count("\n") == 1


@pytest.mark.usefixtures("handlers")
def test_it_tells_when_its_port_is_taken(
    awfdrs: FakeAwfdrs, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line, exit code 2."""
    assert main(["run", "--url", awfdrs.url, "--key", KEY, "--port", str(awfdrs.port)]) == 2
    assert "cannot listen" in capsys.readouterr().err


def test_it_lists_the_scenarios(capsys: pytest.CaptureFixture[str]) -> None:
    """A table with a head and one row each."""
    assert main(["scenarios"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[0] == "SCENARIO"
    assert any(line.startswith("vendor-outage") for line in lines)


@pytest.mark.parametrize("as_json", [True, False])
def test_it_reads_ids_from_a_file(tmp_path: Path, as_json: bool) -> None:
    """JSON or YAML; what is not named keeps the demo's id."""
    document: dict[str, Any] = {
        "tenant_id": OTHER_ID,
        "workflows": {
            "payments.capture": OTHER_ID,
            "crm.contact-sync": {"id": OTHER_ID[:-1] + "b", "secret": "whsec_x"},
        },
    }
    path = tmp_path / "ids"
    yaml_text = (
        f"tenant_id: {OTHER_ID}\nworkflows:\n  payments.capture: {OTHER_ID}\n"
        f"  crm.contact-sync: {{id: {OTHER_ID[:-1]}b, secret: whsec_x}}\n"
    )
    path.write_text(json.dumps(document) if as_json else yaml_text)
    directory = load_directory(path)
    ids = [workflow.id for workflow in directory.workflows]
    assert directory.tenant_id == OTHER_ID
    assert ids[:2] == [OTHER_ID, OTHER_ID[:-1] + "b"]
    assert ids[2:] == [workflow.id for workflow in DEMO_DIRECTORY.workflows[2:]]
    assert directory.secrets == {"crm.contact-sync": "whsec_x"}


@pytest.mark.parametrize(
    "text",
    [
        None,
        "[]",
        "{",
        "workflows: []",
        "workflows: {nothing: 1}",
        "tenant_id: 5",
        "workflows: {payments.capture: abc}",
        "workflows: {payments.capture: {id: abc}}",
        "!!python/object/apply:os.getcwd []",
    ],
)
def test_it_refuses_an_ids_file(tmp_path: Path, text: str | None) -> None:
    """One line for the person who wrote it."""
    path = tmp_path / "ids.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(IdsFileError):
        load_directory(path)
