"""The drill presses for real what stops nothing [S6]."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.db.models import F
from django.utils import timezone

from actions import sending
from actions.controls import stopping
from actions.controls.drill import Drill, press, settle_times
from actions.management.commands.stop_drill import nearest_rank
from actions.models import Action
from awfdrs_site.kernel.models import AuditEntry
from safety.models import KillSwitch
from safety.selectors import engaged_switches, switches_for
from safety.switches import SWITCH_LOCK
from tenants.models import Workflow
from tests.actions.target import Target
from tests.builders import a_tenant

Planned = Callable[..., Action]


def drill(*arguments: str) -> str:
    out = StringIO()
    call_command("stop_drill", "--pause", "0", "--patience", "0", *arguments, stdout=out)
    return out.getvalue()


def test_it_measures_and_holds_nothing_back(
    planned: Planned, workflow: Workflow, target: Target
) -> None:
    """Rows that were over as they were written, in the audit log alone; the action is sent."""
    action = planned()
    text = drill("--presses", "7")
    assert re.search(r"^time to stop +7( +\d+\.\d ms){3}$", text, re.MULTILINE)
    assert "in flight settled        0" in text
    assert KillSwitch.objects.filter(is_drill=True, released_at=F("engaged_at")).count() == 7
    assert engaged_switches(workflow.tenant, timezone.now() - timedelta(hours=1)) == []
    assert not switches_for(workflow.tenant).exists()
    drilled = AuditEntry.objects.filter(verb="drilled", actor="stop drill")
    assert drilled.count() == 7
    sending.run_due()
    assert [call["key"] for call in target.calls] == [str(action.pk)]


def test_it_takes_the_lock_of_a_real_stop(workflow: Workflow) -> None:
    """Otherwise it would measure something else. Seen red without the lock in `press_in_shadow`."""
    with transaction.atomic():
        press(Drill(), KillSwitch(scope="tenant", tenant=workflow.tenant))
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT mode FROM pg_locks WHERE locktype = 'advisory' AND granted"
                " AND (classid::bigint << 32 | objid::bigint) = %s AND pid = pg_backend_pid()",
                [SWITCH_LOCK],
            )
            assert cursor.fetchall() == [("ExclusiveLock",)]


def test_the_database_lets_no_drill_stop_anything(workflow: Workflow) -> None:
    now = timezone.now()
    for released_at in (None, now + timedelta(seconds=1)):
        with pytest.raises(IntegrityError), transaction.atomic():
            KillSwitch.objects.create(
                scope="global", engaged_at=now, released_at=released_at, is_drill=True
            )


def test_it_measures_how_long_what_was_in_flight_took(
    planned: Planned, workflow: Workflow, target: Target
) -> None:
    """From the first press that found it to its end; what has not ended is counted."""
    ended, out = planned(), planned()
    sending.run_due()
    seen = Drill()
    press(seen, KillSwitch(scope="tenant", tenant=a_tenant()))
    assert seen.out == {}
    for _ in range(2):
        press(seen, KillSwitch(scope="tenant", tenant=workflow.tenant))
    assert (
        set(seen.out) == {ended.pk, out.pk} == {a.pk for a in stopping.in_flight(workflow.tenant)}
    )
    after = seen.out[ended.pk] + timedelta(seconds=4)
    Action.objects.filter(pk=ended.pk).update(status="succeeded", finished_at=after)
    assert settle_times(seen, 0) == ([4.0], 1)


@pytest.mark.parametrize("scope", ["tenant", "workflow", "vendor", "action"])
def test_it_presses_at_every_scope(workflow: Workflow, scope: str) -> None:
    targets = {"workflow": "payments.capture", "vendor": "stripe", "action": "retry"}
    more = ["--target", targets[scope]] if scope in targets else []
    drill("--tenant", str(workflow.tenant), "--scope", scope, "--presses", "1", *more)
    assert KillSwitch.objects.get().scope == scope


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--presses", "0"], "at least once"),
        (["--tenant", "nobody"], "no tenant"),
        (["--scope", "tenant"], "tenant: "),
        (["--scope", "vendor"], "vendor: "),
        (["--scope", "action", "--target", "escalate"], "action_kind: "),
        (["--scope", "workflow", "--target", "nobody"], "no workflow"),
        (["--target", "stripe"], "has no target"),
    ],
)
def test_it_refuses_what_no_stop_could_be(
    workflow: Workflow, arguments: list[str], words: str
) -> None:
    with pytest.raises(CommandError, match=words):
        drill(*arguments)
    assert not KillSwitch.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_it_fails_if_a_press_fails(workflow: Workflow, capsys: Any) -> None:
    """A stop that cannot have its lock is what the drill is for."""
    from tests.actions.test_stop_storm import lock_taken

    with lock_taken(), pytest.raises(SystemExit) as ended:
        drill("--presses", "2")
    assert ended.value.code == 1
    assert capsys.readouterr().err.count("OperationalError") >= 2


def test_its_percentiles_are_values_that_were_measured() -> None:
    values = [float(n) for n in range(1, 51)]
    assert [nearest_rank(values, q) for q in (50, 95, 99)] == [25.0, 48.0, 50.0]
    assert nearest_rank([7.0], 50) == 7.0
