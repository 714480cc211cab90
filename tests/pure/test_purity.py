"""The deciding modules need no Django, no database and no server."""

import subprocess
import sys
from pathlib import Path

MODULES = (
    *(
        "incidents.listing.query",
        "incidents.detecting.signature",
        "incidents.detecting.template",
        "safety.ruleset",
    ),
    *("incidents.triage.mentions", "safety.backoff", "safety.breaker", "safety.gate"),
    *("ai.classify", "ai.root_cause", "ai.similarity", "ai.confidence", "ai.decide"),
    *("ai.effectiveness", "ai.record", "safety.caps", "actions.escalation.schedule"),
    *("incidents.detail.correlation", "incidents.detecting.pins"),
)
HEAVY = ("django", "celery", "redis", "psycopg", "httpx", "rest_framework", "numpy")


def test_it_imports_nothing_that_reaches_outside() -> None:
    """A fresh interpreter without any setting imports them all and none of the heavy packages."""
    program = (
        f"import sys, {', '.join(MODULES)}\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=root,
        env={},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stderr, done.stdout.strip()) == ("", "[]")
