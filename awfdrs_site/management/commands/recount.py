"""`manage.py recount`: counts all stored events anew, while others go on."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from incidents.detail import trends
from ingestion import counts


class Command(BaseCommand):
    help = (
        "Count all stored events and the members of incidents anew. Events may come in meanwhile."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(f"{counts.rebuild()} steps of time are kept.")
        self.stdout.write(f"{trends.recount()} minutes of incidents are kept.")
