"""Command line: ``python -m simulator run | replay | scenarios``."""

import argparse
import logging
import os
import signal
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from types import FrameType
from urllib.parse import urlsplit

from simulator.engine import Engine
from simulator.replay import ReplayError, is_loopback, replay
from simulator.scenario import RecoveryKind, Scenario, all_scenarios
from simulator.story import Story
from simulator.workflows import DEMO_DIRECTORY, DEMO_SECRET, Directory, IdsFileError, load_directory

DEFAULT_URL = "http://127.0.0.1:8000"
SUMMARY_SECONDS = 30.0
EXIT_INCOMPLETE, EXIT_USAGE, EXIT_INTERRUPTED = 1, 2, 130

_RECOVERY_TEXT = {
    RecoveryKind.RETRY: "retry {low}-{high} works",
    RecoveryKind.OUTAGE: "vendor back after {low}-{high} s",
    RecoveryKind.ITSELF: "by itself after {low}-{high} s",
    RecoveryKind.PERSON: "only a person",
}


class UsageError(Exception):
    """The command cannot be run as asked; the text is one line."""


def _say(text: str) -> None:
    print(text, flush=True)


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value <= 1_000_000:
        raise argparse.ArgumentTypeError("must be more than 0")
    return value


def _count(text: str) -> int:
    value = int(text)
    if not 1 <= value <= 1_000_000:
        raise argparse.ArgumentTypeError("must be 1 to 1000000")
    return value


def _connections(text: str) -> int:
    value = int(text)
    if not 1 <= value <= 64:
        raise argparse.ArgumentTypeError("must be 1 to 64")
    return value


def _url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise argparse.ArgumentTypeError(f"{text!r} is not an http address")
    return text


def _add_target(parser: argparse.ArgumentParser, environ: Mapping[str, str]) -> None:
    key = environ.get("AWFDRS_KEY")
    parser.add_argument(
        "--url",
        type=_url,
        default=environ.get("AWFDRS_URL") or DEFAULT_URL,
        help="address of AWFDRS (default: AWFDRS_URL, else %(default)s)",
    )
    parser.add_argument(
        "--key",
        default=key,
        required=not key,
        help="API key with scope ingest (default: AWFDRS_KEY)",
    )
    parser.add_argument(
        "--ids",
        type=Path,
        metavar="FILE",
        help="YAML or JSON with tenant_id and workflow ids, where they are not the demo's",
    )


def build_parser(environ: Mapping[str, str]) -> argparse.ArgumentParser:
    """The parser; `environ` gives the defaults of --url, --key and --secret."""
    parser = argparse.ArgumentParser(
        prog="python -m simulator",
        description="A small workflow engine that runs, fails by script, and speaks HTTP to "
        "AWFDRS: it posts events and answers retry requests.",
    )
    commands = parser.add_subparsers(dest="command", required=True)

    run = commands.add_parser("run", help="run workflows until stopped (Ctrl-C)")
    _add_target(run, environ)
    run.add_argument("--host", default="127.0.0.1", help="address of the retry endpoint")
    run.add_argument("--port", type=int, default=9100, help="its port (default: %(default)s)")
    run.add_argument("--rate", type=_positive, default=60.0, help="runs a minute (default: 60)")
    run.add_argument("--seed", type=int, help="the same choices every time")
    run.add_argument(
        "--secret",
        default=environ.get("AWFDRS_SIMULATOR_SECRET") or None,
        metavar="whsec_...",
        help="signs retry requests (default: AWFDRS_SIMULATOR_SECRET, else the demo's, which "
        "only a loopback --host may use)",
    )
    run.set_defaults(call=run_engine)

    again = commands.add_parser("replay", help="post a log file line by line as failures")
    again.add_argument("file", type=Path, help="CSV with the columns LineId and Content, or .gz")
    _add_target(again, environ)
    again.add_argument("--workflow", default="crm.contact-sync", help="name or id of a workflow")
    again.add_argument("--limit", type=_count, default=2_000, help="most lines (default: 2000)")
    again.add_argument(
        "--rate", type=_positive, help="lines a minute (default: as fast as they are answered)"
    )
    again.add_argument("--concurrency", type=_connections, default=4, help="connections, 1 to 64")
    again.add_argument(
        "--allow-remote", action="store_true", help="post to another machine than this one"
    )
    again.set_defaults(call=run_replay)

    scenarios = commands.add_parser("scenarios", help="list the scripted failures")
    scenarios.set_defaults(call=list_scenarios)
    return parser


def _directory(ids: Path | None) -> Directory:
    return load_directory(ids) if ids else DEMO_DIRECTORY


def _secret(args: argparse.Namespace) -> str:
    if args.secret is None and not is_loopback(f"http://{args.host}"):
        raise UsageError("the demo's secret is public: give --secret when --host is not loopback")
    return args.secret or DEMO_SECRET


def _engine(args: argparse.Namespace) -> Engine:
    secret = _secret(args)
    try:
        return Engine(
            args.url,
            args.key,
            secret,
            host=args.host,
            port=args.port,
            directory=_directory(args.ids),
            seed=args.seed,
        )
    except ValueError as error:
        raise UsageError(f"--secret: {error}") from error
    except (OSError, OverflowError) as error:
        raise UsageError(f"cannot listen on {args.host}:{args.port}: {error}") from error


def _status_line(engine: Engine) -> str:
    counts = engine.sender.counts()
    codes = ", ".join(f"{code} {n}" for code, n in counts.codes.most_common(4))
    status = engine.status()
    return (
        f"events: {counts.accepted} accepted, {counts.duplicate} duplicate, "
        f"{counts.refused} refused, {counts.pending} waiting, {counts.unsent} unsent"
        f"{f' ({codes})' if codes else ''}; retries run: {status['retries_run']}; "
        f"items failed now: {status['failed_items']}"
    )


def run_engine(args: argparse.Namespace) -> int:
    """Run workflows until SIGINT or SIGTERM; 0."""
    ended = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        ended.set()

    # Set explicitly: a process that a script put in the background starts with SIGINT ignored.
    signal.signal(signal.SIGINT, end)
    signal.signal(signal.SIGTERM, end)
    engine = _engine(args)
    with engine:
        _say(f"simulator: {args.rate:g} runs a minute to {args.url}")
        _say(f"retry address of every workflow: {engine.retry_url}")
        if args.secret is None:
            _say(f"retry secret of every workflow (the demo's): {engine.secret}")
        Story(engine, args.rate).start()
        while not ended.wait(SUMMARY_SECONDS):
            _say(_status_line(engine))
        _say("stopping")
    _say(_status_line(engine))
    return 0


def run_replay(args: argparse.Namespace) -> int:
    """Replay a file; 0 when every line was accepted, 1 when not, 130 when interrupted."""
    if not args.allow_remote and not is_loopback(args.url):
        raise UsageError(f"{args.url} is not this machine; --allow-remote permits it")
    directory = _directory(args.ids)
    workflow = directory.find(args.workflow)
    if workflow is None:
        names = ", ".join(known.name for known in directory.workflows)
        raise UsageError(f"unknown workflow {args.workflow!r}; there are: {names}")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        summary = replay(
            args.file,
            url=args.url,
            key=args.key,
            tenant_id=directory.tenant_id,
            workflow_id=workflow.id,
            limit=args.limit,
            rate=args.rate or 0.0,
            concurrency=args.concurrency,
            progress=_say,
        )
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    _say(f"replayed {args.file.name}: {summary}")
    return 0 if summary.accepted == summary.posted else EXIT_INCOMPLETE


def _scenario_row(scenario: Scenario) -> tuple[str, ...]:
    recovery, expected = scenario.recovery, scenario.expected
    text = _RECOVERY_TEXT[recovery.kind].format(low=recovery.low, high=recovery.high)
    outcome = f"{expected.action}, gate {expected.gate}, {expected.final_status}"
    return scenario.name, scenario.workflow, scenario.failure.error_code or "-", text, outcome


def list_scenarios(args: argparse.Namespace) -> int:
    """Print the scenarios as a table; 0."""
    header = ("SCENARIO", "WORKFLOW", "ERROR CODE", "RECOVERS", "EXPECTED")
    rows = [header, *(_scenario_row(scenario) for scenario in all_scenarios().values())]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        _say("  ".join(cells).rstrip())
    return 0


def main(arguments: list[str] | None = None) -> int:
    """Run one command; its exit code."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    args = build_parser(os.environ).parse_args(arguments)
    try:
        code: int = args.call(args)
    except (UsageError, IdsFileError, ReplayError) as error:
        print(f"simulator: {error}", file=sys.stderr)
        return EXIT_USAGE
    return code


if __name__ == "__main__":
    sys.exit(main())
