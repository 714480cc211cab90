"""`rules export` and `rules diff`: files out of the tables, and files against the tables."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from safety.models import AutomationPolicy, ErrorCode
from safety.rule_files import read_default_rules, read_rules
from safety.services import ensure_default_rules
from tests.builders import a_tenant

pytestmark = pytest.mark.django_db
DEFAULTS = Path(__file__).parents[2] / "config" / "rules"


def said(*args: str, **options: Any) -> str:
    out = StringIO()
    call_command("rules", *args, stdout=out, **options)
    return out.getvalue()


def test_the_defaults_come_out_as_they_went_in(tmp_path: Path) -> None:
    """All but the vendors, which are tenants'; then nothing differs either way."""
    ensure_default_rules()
    files = said("export", str(tmp_path)).split()
    assert sorted(Path(file).name for file in files) == sorted(
        file.name for file in DEFAULTS.glob("*.yaml") if file.name != "vendor_config.yaml"
    )
    back, rules = read_rules([tmp_path]), read_default_rules()
    assert (back.error_codes, back.event_types) == (rules.error_codes, rules.event_types)
    assert (back.retry_policies, back.automation) == (rules.retry_policies, rules.automation)
    assert said("diff", str(tmp_path)) == "No difference.\n"


def test_one_document_on_stdout_reads_back(tmp_path: Path) -> None:
    ensure_default_rules()
    tenant = a_tenant()
    ErrorCode.objects.filter(code="payment_timeout").update(description="1e5")
    file = tmp_path / "all.yaml"
    file.write_text(said("export", tenant=str(tenant.pk)))
    rule = read_rules([file]).failure_of_code("payment_timeout")
    assert rule is not None
    assert rule.description == "1e5"
    assert said("diff", str(file), tenant=tenant.name) == "No difference.\n"


def test_a_difference_is_named_and_ends_with_status_1(tmp_path: Path) -> None:
    """A section that the files do not have is not compared."""
    ensure_default_rules()
    said("export", str(tmp_path))
    ErrorCode.objects.filter(code="payment_timeout").update(severity="low")
    ErrorCode.objects.filter(code="card_declined").delete()
    AutomationPolicy.objects.update(max_attempts=3)
    (tmp_path / "automation.yaml").unlink()
    out = StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("rules", "diff", str(tmp_path), stdout=out)
    assert ended.value.code == 1
    assert sorted(out.getvalue().splitlines()) == [
        "added error_codes.card_declined",
        "changed error_codes.payment_timeout: severity 'low' → 'high'",
    ]


def test_files_may_name_the_retry_policies_in_force(tmp_path: Path) -> None:
    """As a what-if of the same file may; a policy that is nowhere is refused."""
    ensure_default_rules()
    tenant, file = a_tenant(), tmp_path / "own.yaml"
    file.write_text("error_codes: {payment_timeout: {severity: low, retry_policy: no_retry}}")
    assert said("import", str(file), tenant=tenant.name) == "error codes: 1 new or changed\n"
    assert ErrorCode.objects.get(tenant=tenant).retry_policy.name == "no_retry"
    file.write_text("error_codes: {payment_timeout: {severity: low, retry_policy: gone}}")
    for verb in ("import", "diff"):
        with pytest.raises(CommandError, match="no retry policy 'gone'"):
            said(verb, str(file), tenant=tenant.name)


def test_what_could_not_be_read_back_is_not_written(tmp_path: Path) -> None:
    ensure_default_rules()
    AutomationPolicy.objects.update(confidence_threshold=0.0)
    with pytest.raises(CommandError, match="confidence_threshold"):
        said("export", str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()
