"""`manage.py drill`: scripted failures on a fresh instance of its own; see bench/drill."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser


class Command(BaseCommand):
    help = "Play every scripted failure on a fresh embedded instance and check what came of it."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--only", nargs="+", default=[], metavar="DRILL", help="instead of all")

    def handle(self, *args: Any, only: list[str], **options: Any) -> None:
        """Exit as the drill does: 0 when every promise was kept, else 1."""
        # Another process, so that nothing of this one's servers or settings is touched.
        left_out = {
            "DATABASE_URL",
            "REDIS_URL",
            "SECRET_KEY",
            "AWFDRS_SEAL_KEYS",
            "AWFDRS_DATA_DIR",
        }
        environ = {name: value for name, value in os.environ.items() if name not in left_out}
        command = [sys.executable, "-m", "bench.drill", *(["--only", *only] if only else [])]
        ended = subprocess.run(command, cwd=settings.BASE_DIR, env=environ, check=False)
        raise SystemExit(ended.returncode)
