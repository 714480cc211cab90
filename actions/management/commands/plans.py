"""`manage.py plans import | export | list`: plans as YAML files, and the table [A2 S11]."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from actions.models import RecoveryPlan
from actions.plans.templates import ensure_default_plans, save_plan
from awfdrs_site.kernel.actor import MACHINE
from awfdrs_site.kernel.problem import Problem
from tenants.commands import tenant_named
from tenants.models import Tenant

TENANT = "the tenant's id or name; without it everybody's plans"


class Command(BaseCommand):
    help = "Recovery plans: from YAML files, into files, or listed."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        command = verbs.add_parser("import", help="each file as the next version of its plan")
        command.add_argument(
            "paths",
            nargs="*",
            type=Path,
            help="files; without any: config/plans",
        )
        command.add_argument("--tenant", help=TENANT)
        command = verbs.add_parser("export", help="the newest versions as files that read back")
        command.add_argument("folder", type=Path)
        command.add_argument("--tenant", help=TENANT)
        command = verbs.add_parser("list", help="the newest version of each")
        command.add_argument("--tenant", help=TENANT)

    def handle(self, *args: Any, **options: Any) -> None:
        tenant = tenant_named(options["tenant"]) if options["tenant"] else None
        try:
            if options["verb"] == "import":
                self._import(options["paths"], tenant)
            elif options["verb"] == "export":
                self._export(options["folder"], tenant)
            else:
                self._list(tenant)
        except OSError as error:
            raise CommandError(f"{error.filename}: {error.strerror}") from None

    def _import(self, paths: list[Path], tenant: Tenant | None) -> None:
        now = timezone.now()
        if not paths:
            if tenant:
                raise CommandError("Name the files of the tenant's own plans.")
            self.stdout.write(f"{ensure_default_plans(now)} stored from config/plans.")
        for path in paths:
            try:
                plan = save_plan(tenant=tenant, source=path.read_text(), actor=MACHINE, now=now)
            except Problem as error:
                lines = [f"{path}: {one.field}: {one.detail}" for one in error.errors]
                raise CommandError("\n".join(lines)) from None
            self.stdout.write(str(plan))

    def _export(self, folder: Path, tenant: Tenant | None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for plan in _newest(tenant):
            path = folder / f"{plan.name}.yaml"
            path.write_text(plan.source)
            self.stdout.write(str(path))

    def _list(self, tenant: Tenant | None) -> None:
        for plan in _newest(tenant):
            self.stdout.write(f"{plan}: {plan.plan().title}")


def _newest(tenant: Tenant | None) -> list[RecoveryPlan]:
    """The newest version of each plan of the tenant's own, or of everybody's; no retired ones."""
    rows = RecoveryPlan.objects.filter(tenant=tenant).order_by("name", "-version").distinct("name")
    return [plan for plan in rows if plan.retired_at is None]
