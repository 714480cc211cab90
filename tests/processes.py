"""Running our own code in another process, on this test's database, to kill it."""

from __future__ import annotations

import os
import subprocess
import sys
from urllib.parse import urlsplit, urlunsplit

from django.db import connection

PRELUDE = "import django; django.setup()\n"


def database_url() -> str:
    """DATABASE_URL of the test database (the configured one is its template)."""
    parts = urlsplit(os.environ["DATABASE_URL"])
    return urlunsplit(parts._replace(path=f"/{connection.settings_dict['NAME']}"))


def start(code: str, *, talks: bool = False) -> subprocess.Popen[str]:
    """Run `code` after Django's set-up; its standard output can be read line by line.

    With `talks` its standard input can be written to.
    """
    environ = os.environ | {
        "DATABASE_URL": database_url(),
        "DJANGO_SETTINGS_MODULE": "awfdrs_site.settings",
        "LOG_LEVEL": "ERROR",
    }
    return subprocess.Popen(
        [sys.executable, "-c", PRELUDE + code],
        env=environ,
        stdin=subprocess.PIPE if talks else None,
        stdout=subprocess.PIPE,
        text=True,
    )
