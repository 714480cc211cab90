"""`manage.py rotate_seals`: seal every secret anew by the newest key [A7].

Put a new key in front of AWFDRS_SEAL_KEYS, restart all processes, run this, then take the old key
out. Repeatable; it locks one row at a time, so work goes on meanwhile.
"""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from actions.models import Channel, Connector
from awfdrs_site.kernel.sealing import SealBrokenError, is_newest

SEALED: tuple[type[Connector | Channel], ...] = (Connector, Channel)


class Command(BaseCommand):
    help = "Seal every secret anew by the newest key of AWFDRS_SEAL_KEYS."

    def handle(self, *args: Any, **options: Any) -> None:
        """Exit with an error that names the secrets that do not open; the others are done."""
        done, broken = 0, []
        for model in SEALED:
            for pk in model._default_manager.exclude(sealed=b"").values_list("pk", flat=True):
                try:
                    done += _seal_anew(model, pk)
                except SealBrokenError as error:
                    broken.append(f"{pk}: {error}")
        self.stdout.write(f"{done} sealed anew.")
        if broken:
            raise CommandError("These do not open: " + "; ".join(broken))


@transaction.atomic
def _seal_anew(model: type[Connector | Channel], pk: Any) -> bool:
    row = model._default_manager.select_for_update(no_key=True).get(pk=pk)
    if not row.sealed or is_newest(bytes(row.sealed)):
        return False
    row.keep_secret(row.secret())
    row.save(update_fields=["sealed"])
    return True
