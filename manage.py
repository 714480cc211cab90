#!/usr/bin/env python
"""AWFDRS' command line: Django's, with servers to talk to where none are configured.

Reads `.env`, then sees to `DATABASE_URL` and `REDIS_URL` (`awfdrs_site.kernel.embedded`), and only
then lets Django read its settings.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import environ

from awfdrs_site.kernel import embedded

# These talk to no server, so none is started for them.
SERVERLESS = {"check", "collectstatic", "drill", "findstatic", "help", "spectacular", "version"}


def main(arguments: list[str]) -> None:
    """Run the management command in `arguments`; exits 1 with one line if there are no servers."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "awfdrs_site.settings")
    environ.Env.read_env(Path(__file__).resolve().parent / ".env")
    try:
        embedded.connect_environment(start=_needs_servers(arguments[1:]))
        if arguments[1:2] == ["up"]:
            embedded.provide_secrets(embedded.data_dir_of(os.environ))
    except embedded.EmbeddedError as error:
        raise SystemExit(f"manage.py: {error}") from None

    from django.core.management import execute_from_command_line

    execute_from_command_line(arguments)


def _needs_servers(arguments: list[str]) -> bool:
    if not arguments or arguments[0].startswith("-") or {"-h", "--help"} & set(arguments):
        return False
    return arguments[0] not in SERVERLESS or "--database" in arguments


if __name__ == "__main__":
    main(sys.argv)
