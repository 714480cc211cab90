"""`manage.py seed_demo`: the demo's data, and how to get in [O5]."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from awfdrs_site import demo


class Command(BaseCommand):
    help = (
        "Write the demo's tenants, people, rules and events, and print the log-ins and the API "
        "key. Running it again changes nothing."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.ENV.https:
            raise CommandError(
                "AWFDRS_HTTPS is on: the demo's passwords and key are public and never go into "
                "an installation that is."
            )
        demo.seed(timezone.now())
        for person in demo.PEOPLE:
            self.stdout.write(person.log_in())
        self.stdout.write(f"API key: {demo.KEY}")
