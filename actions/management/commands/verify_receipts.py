"""`manage.py verify_receipts`: does the gate still answer as every stored receipt says? [S9]"""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from actions.receipts import check_receipts
from tenants.commands import tenant_named

SHOWN = 20


class Command(BaseCommand):
    help = "Judge the inputs of every stored receipt again. Exit status 1 if one comes out other."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--tenant", help="the tenant's id or name; without it all tenants")

    def handle(self, *args: Any, **options: Any) -> None:
        tenant = tenant_named(options["tenant"]) if options["tenant"] else None
        checked = equal = 0
        for receipt in check_receipts(tenant):
            checked += 1
            equal += not receipt.difference
            if receipt.difference and checked - equal <= SHOWN:
                self.stderr.write(f"{receipt.action_id}: {receipt.difference}")
        self.stdout.write(f"{checked} checked, {equal} equal, {checked - equal} different")
        if equal != checked:
            sys.exit(1)
