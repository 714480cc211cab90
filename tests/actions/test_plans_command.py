"""`manage.py plans`, and the plans that come with the product [A2 S11]."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils import timezone

from actions.models import RecoveryPlan
from actions.plans.templates import default_plans, ensure_default_plans, retire_plan
from awfdrs_site.kernel.actor import MACHINE
from tests.builders import a_tenant

NAMES = sorted(path.stem for path in default_plans().glob("*.yaml"))
pytestmark = pytest.mark.django_db


def plans(*arguments: object) -> list[str]:
    out = io.StringIO()
    call_command("plans", *map(str, arguments), stdout=out)
    return out.getvalue().splitlines()


def test_the_default_plans_are_good_and_named_as_their_files() -> None:
    """Stored once: a second start stores nothing, and brings no retired one back."""
    assert {"quiet_retry", "pause_and_page", "rebuild_instance"} <= set(NAMES)
    assert ensure_default_plans(timezone.now()) == len(NAMES)
    assert sorted(RecoveryPlan.objects.values_list("name", flat=True)) == NAMES
    retire_plan(plan=RecoveryPlan.objects.all()[0], actor=MACHINE, now=timezone.now())
    assert plans("import") == ["0 stored from config/plans."]
    assert RecoveryPlan.objects.count() == len(NAMES)


def test_what_is_exported_reads_back(tmp_path: Path) -> None:
    """The newest versions without the retired ones; importing them again changes nothing."""
    tenant = a_tenant()
    source = default_plans() / "quiet_retry.yaml"
    assert plans("import", source, "--tenant", tenant.pk) == ["quiet_retry v1"]
    changed = tmp_path / "changed.yaml"
    changed.write_text(source.read_text().replace("seconds: 120", "seconds: 240"))
    assert plans("import", changed, "--tenant", tenant.name) == ["quiet_retry v2"]
    folder = tmp_path / "out"
    [written] = plans("export", folder, "--tenant", tenant.pk)
    assert Path(written).read_text() == changed.read_text()
    assert plans("import", written, "--tenant", tenant.pk) == ["quiet_retry v2"]
    assert plans("list", "--tenant", tenant.pk) == ["quiet_retry v2: Retry, then watch"]
    assert plans("list") == []


@pytest.mark.parametrize(
    "text", ["name: x\nsteps: []\n", "a: [", "name: x\nsteps: [{key: a, kind: b}]\n"]
)
def test_a_file_that_is_no_plan_is_named(tmp_path: Path, text: str) -> None:
    """With what is wrong; nothing is stored."""
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(CommandError, match=r"bad\.yaml: "):
        plans("import", path)
    with pytest.raises(CommandError, match="No such file"):
        plans("import", tmp_path / "none.yaml")
    with pytest.raises(CommandError, match="Name the files"):
        plans("import", "--tenant", a_tenant().pk)
    assert not RecoveryPlan.objects.exists()
