"""`manage.py stop_drill`: how long "stop" takes, measured without stopping anything [S6 P7]."""

from __future__ import annotations

import sys
import time
from argparse import ArgumentParser
from collections.abc import Sequence
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from actions.controls.drill import Drill, press, settle_times
from awfdrs_site.kernel.problem import Problem
from safety.models import KillSwitch, SwitchScope
from tenants.commands import tenant_named
from tenants.models import Workflow


class Command(BaseCommand):
    help = (
        "Press a kill switch in shadow: the lock, the row and the commit of a real stop, but "
        "nothing is held back. Prints the time to stop; exit status 1 if a press failed."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--tenant", help="the tenant's id or name; without it: everything")
        parser.add_argument("--scope", choices=SwitchScope.values, help="default: the widest")
        parser.add_argument("--target", default="", help="workflow, vendor or kind of action")
        parser.add_argument("--presses", type=int, default=50)
        parser.add_argument("--pause", type=float, default=0.1, help="seconds between presses")
        parser.add_argument(
            "--patience", type=float, default=60, help="seconds for what was in flight to settle"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["presses"] < 1:
            raise CommandError("Press at least once.")
        drill = Drill()
        for number in range(options["presses"]):
            if number:
                time.sleep(options["pause"])
            try:
                press(drill, _switch(options))
            except Problem as problem:
                reasons = [f"{error.field}: {error.detail}" for error in problem.errors]
                raise CommandError("; ".join(reasons) or problem.detail)
            except DatabaseError as error:
                drill.failures.append(repr(error))
        settled, still_out = settle_times(drill, options["patience"])
        self.stdout.write(f"{'':<20}{'n':>6}{'p50':>12}{'p95':>12}{'p99':>12}")
        self._row("time to stop", drill.seconds)
        self._row("in flight settled", settled)
        self.stdout.write(f"still in flight: {still_out}; failed presses: {len(drill.failures)}")
        for failure in drill.failures:
            self.stderr.write(failure)
        if drill.failures:
            sys.exit(1)

    def _row(self, name: str, seconds: Sequence[float]) -> None:
        cells = [f"{1000 * nearest_rank(seconds, q):.1f} ms" for q in (50, 95, 99) if seconds]
        self.stdout.write(f"{name:<20}{len(seconds):>6}" + "".join(f"{c:>12}" for c in cells))


def nearest_rank(values: Sequence[float], percent: int) -> float:
    """The smallest value that at least `percent` of them do not exceed."""
    return sorted(values)[-(-len(values) * percent // 100) - 1]


def _switch(options: dict[str, Any]) -> KillSwitch:
    """What to press, as an unsaved switch; 400 by the service where target and scope differ."""
    tenant = tenant_named(options["tenant"]) if options["tenant"] else None
    scope = options["scope"] or (SwitchScope.TENANT if tenant else SwitchScope.GLOBAL)
    switch, target = KillSwitch(scope=scope, tenant=tenant, reason="drill"), options["target"]
    if scope == SwitchScope.WORKFLOW and target:
        switch.workflow = Workflow.objects.filter(tenant=tenant, name=target).first()
        if switch.workflow is None:
            raise CommandError(f"There is no workflow {target!r} in that tenant.")
    elif scope == SwitchScope.VENDOR:
        switch.vendor = target
    elif scope == SwitchScope.ACTION:
        switch.action_kind = target
    elif target:
        raise CommandError(f"A switch of scope {scope} has no target.")
    return switch
