"""Replay of log files: one failure event a line, bounded, on this machine only."""

import csv
import gzip
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from simulator.__main__ import main
from simulator.replay import ReplayError, is_loopback, read_lines, replay
from simulator.workflows import DEMO_DIRECTORY
from tests.simulator.fake_awfdrs import KEY, FakeAwfdrs

LOGHUB = os.environ.get("LOGHUB_DIR")
WORKFLOW_ID = DEMO_DIRECTORY.workflows[0].id
ROWS = [
    ("1", "jobs: worker 17 took 204 ms", "E1", "jobs: worker <*> took <*> ms"),
    ("2", 'disk "/dev/sdb" is 93 % full, mounted on /srv', "E2", "disk <*>"),
    ("3", "   ", "E3", ""),
    ("4", "two\nlines, one message", "E4", "two"),
    ("5", "a NUL\0in the middle", "E5", "a NUL"),
    ("6", "jobs: worker 4 took 99 ms", "E1", "jobs: worker <*> took <*> ms"),
]


# Without a time stamp: parameters must be the same in every test process.
CUT_OFF = gzip.compress(b"LineId,Content\n" + b"1,x\n" * 9, mtime=0)[:-6]


def write_log(path: Path, rows: Sequence[tuple[str, ...]]) -> Path:
    with gzip.open(path, "wt", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("LineId", "Content", "EventId", "EventTemplate"))
        writer.writerows(rows)
    return path


@pytest.fixture
def log_file(tmp_path: Path) -> Path:
    return write_log(tmp_path / "sample.csv.gz", ROWS)


def arguments(awfdrs: FakeAwfdrs, path: Path, *more: str) -> list[str]:
    return ["replay", str(path), "--url", awfdrs.url, "--key", KEY, *more]


def test_it_posts_each_line_as_a_failure(
    awfdrs: FakeAwfdrs, log_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The line is the message; there is no error code and no resource; empty lines are left out."""
    assert main(arguments(awfdrs, log_file, "--concurrency", "1")) == 0
    messages = [event["payload"]["error_message"] for event in awfdrs.events]
    assert messages == [
        "jobs: worker 17 took 204 ms",
        'disk "/dev/sdb" is 93 % full, mounted on /srv',
        "two\nlines, one message",
        "a NUL\N{REPLACEMENT CHARACTER}in the middle",
        "jobs: worker 4 took 99 ms",
    ]
    assert {event["event_type"] for event in awfdrs.events} == {"log.line.failed"}
    assert not any("resource_id" in event for event in awfdrs.events)
    assert not any("error_code" in event["payload"] for event in awfdrs.events)
    assert "replayed sample.csv.gz: posted 5, accepted 5, refused 0, seconds" in (
        capsys.readouterr().out
    )


def test_it_posts_a_second_replay_as_new_events(awfdrs: FakeAwfdrs, log_file: Path) -> None:
    """Two replays of one file are two sets of events."""
    assert [main(arguments(awfdrs, log_file)) for _ in range(2)] == [0, 0]
    assert len(awfdrs.events) == 10


def test_it_stops_at_the_limit(awfdrs: FakeAwfdrs, log_file: Path) -> None:
    """--limit counts lines posted; --workflow takes a name."""
    more = ("--limit", "2", "--workflow", "payments.capture")
    assert main(arguments(awfdrs, log_file, *more)) == 0
    assert [event["workflow_id"] for event in awfdrs.events] == [DEMO_DIRECTORY.workflows[0].id] * 2


def test_it_keeps_to_a_rate(
    awfdrs: FakeAwfdrs, log_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At 600 lines a minute the third line is due 0.2 s after the first."""
    waits: list[float] = []
    monkeypatch.setattr("simulator.replay.time.sleep", waits.append)
    monkeypatch.setattr("simulator.replay.time.monotonic", lambda: 100.0)
    replay(
        log_file,
        url=awfdrs.url,
        key=KEY,
        limit=3,
        rate=600.0,
        tenant_id=DEMO_DIRECTORY.tenant_id,
        workflow_id=WORKFLOW_ID,
    )
    assert waits[:3] == pytest.approx([0.0, 0.1, 0.2])


def test_it_tells_what_was_refused(
    awfdrs: FakeAwfdrs, log_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 1 when a line was not accepted."""
    awfdrs.script.append((423, {}, {"code": "kill_switch_active"}))
    assert main(arguments(awfdrs, log_file)) == 1
    assert "posted 5, accepted 4, refused 1" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("missing.csv.gz", None, "No such file"),
        ("plain.csv.gz", b"LineId,Content\n1,x\n", "gzip"),
        ("cut.csv.gz", CUT_OFF, "cannot read"),
        ("other.csv", b"a,b\n1,2\n", "needs the columns"),
        ("empty.csv", b"", "needs the columns"),
        ("header.csv", b"LineId,Content\n", "has no lines"),
        ("huge.csv", b"LineId,Content\n1," + b"x" * 200_000, "not CSV"),
    ],
)
def test_it_refuses_a_file_in_one_line(
    awfdrs: FakeAwfdrs,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    content: bytes | None,
    reason: str,
) -> None:
    """Exit code 2 and one line that names the file."""
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    assert main(arguments(awfdrs, path)) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert name in error
    assert reason in error


def test_it_posts_only_to_this_machine(log_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Another host needs --allow-remote; nothing is looked up or posted before."""
    code = main(["replay", str(log_file), "--url", "http://192.0.2.1", "--key", KEY])
    assert code == 2
    assert "--allow-remote" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("url", "own"),
    [
        ("http://127.0.0.1:8000", True),
        ("http://127.9.9.9", True),
        ("http://[::1]:8000", True),
        ("http://0.0.0.0:8000", False),
        ("http://10.0.0.1", False),
        ("http://127.0.0.1@192.0.2.1/", False),
        ("http://", False),
    ],
)
def test_it_knows_this_machine(url: str, own: bool) -> None:
    """Loopback addresses, and names that stand for nothing else."""
    assert is_loopback(url) is own


def test_it_ends_when_nobody_answers(
    log_file: Path, monkeypatch: pytest.MonkeyPatch, awfdrs: FakeAwfdrs
) -> None:
    """The first line decides: without an answer the rest is not tried."""
    monkeypatch.setattr("simulator.replay.GIVE_UP_AFTER_SECONDS", 0.0)
    awfdrs.script.append((500, {}, {}))
    with pytest.raises(ReplayError, match="no answer"):
        replay(
            log_file,
            url=awfdrs.url,
            key=KEY,
            tenant_id=DEMO_DIRECTORY.tenant_id,
            workflow_id=WORKFLOW_ID,
        )
    assert len(awfdrs.posts) == 1


@pytest.mark.skipif(not LOGHUB, reason="LOGHUB_DIR names no folder with the public log files")
def test_it_reads_public_log_files() -> None:
    """2,000 lines each, in the original order."""
    paths = sorted(Path(str(LOGHUB)).glob("*.csv.gz"))
    assert paths
    for path in paths:
        numbers = [int(line.number) for line in read_lines(path)]
        assert numbers == sorted(numbers)
        assert 1_990 <= len(numbers) <= 2_000
