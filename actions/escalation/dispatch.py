"""Sending the courier off, and waiting for it no longer than its deadline."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import structlog

from actions.escalation.courier import Letter, Receipt

log = structlog.get_logger(__name__)

DEADLINE_SECONDS = 15
_ROOT = Path(__file__).resolve().parents[2]
# Nothing of ours: no secrets, no proxies. Certificates may be elsewhere on this machine.
_KEPT = ("PATH", "LANG", "LC_ALL", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE")


def send(letter: Letter) -> Receipt:
    """Have the letter delivered, within DEADLINE_SECONDS. No transaction may be open.

    Not delivered means: it may have arrived for all that, if its answer was lost.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-m", "actions.escalation.courier", str(DEADLINE_SECONDS)],
            input=msgspec.json.encode(letter),
            capture_output=True,
            cwd=_ROOT,
            env={name: os.environ[name] for name in _KEPT if name in os.environ},
            timeout=DEADLINE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Receipt(False, f"No answer within {DEADLINE_SECONDS} s.")
    try:
        return msgspec.json.decode(done.stdout, type=Receipt)
    except msgspec.DecodeError:
        # Its words may repeat the address: they stay out of the log.
        log.error("courier_failed", code=done.returncode, page_id=letter.key)
        return Receipt(False, f"The call broke off (code {done.returncode}).")
