"""`manage.py what_if`: the last days once more, under drafted rules [S10]."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from actions.whatif.drafts import draft_of_files
from actions.whatif.runs import what_if
from awfdrs_site.kernel.problem import Problem
from safety.rule_files import texts_of
from tenants.commands import tenant_named

ROWS = (
    "incidents", "reopened", "retries", "approvals", "escalations", "deferred", "blocked",
    "open_calls",
)  # fmt: skip


class Command(BaseCommand):
    help = "Replay a tenant's last days under its rules and under the rules with FILES imported."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--tenant", required=True, help="the tenant's id or name")
        parser.add_argument("--days", type=int, default=7, help="1 to 30")
        parser.add_argument("--json", action="store_true", help="the whole report as JSON")
        parser.add_argument("files", nargs="+", type=Path, help="rule files or folders of them")

    def handle(self, *args: Any, **options: Any) -> None:
        tenant = tenant_named(options["tenant"])
        try:
            rules = draft_of_files(tenant, texts_of(options["files"]))
            report = what_if(
                tenant, rules, options["days"], timezone.now(), progress=self._progress
            )
        except OSError as error:
            raise CommandError(f"{error.filename}: {error.strerror}") from None
        except Problem as error:
            raise CommandError("\n".join(f"{e.field}: {e.detail}" for e in error.errors)) from None
        if options["json"]:
            self.stdout.write(json.dumps(report, indent=2))
            return
        self._table(report)

    def _progress(self, done: int, total: int) -> None:
        self.stderr.write(f"\r{done:,} of {total:,} events", ending="")

    def _table(self, report: dict[str, Any]) -> None:
        events, seconds = report["events"], report["seconds"]
        rate = report["events_per_second"]
        self.stdout.write(f"{events:,} events in {seconds} s, {rate:,} a second")
        for line in report["rules"] or ["The draft changes no rule."]:
            self.stdout.write(f"  {line}")
        self.stdout.write(f"{'':<14}{'now':>10}{'draft':>10}{'change':>10}")
        for name in ROWS:
            now, draft = report["now"][name], report["draft"][name]
            self.stdout.write(
                f"{name.replace('_', ' '):<14}{now:>10,}{draft:>10,}{draft - now:>+10,}"
            )
        self.stdout.write(f"{report['changed_incidents']:,} incidents come to something else")
        for change in report["changes"][:20]:
            incident = change["incident"]
            label = f"INC-{incident['number']}" if incident else change["event_id"]
            self.stdout.write(f"  {label}: {change['words']} ({change['really'] or 'never was'})")
