"""A draft of rules as it would be after an import: read, checked, and never kept [S10 S11]."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from django.db import transaction

from awfdrs_site.kernel.problem import FieldError, invalid
from safety import rule_rows
from safety.rule_export import mistakes_in
from safety.rule_types import Ruleset
from safety.ruleset import RulesetError, parse
from tenants.models import Tenant


def draft_of_files(tenant: Tenant, files: Mapping[str, str]) -> tuple[Ruleset, Ruleset]:
    """The tenant's rules now, and as they would be with `files` (name → YAML) imported.

    Raises Problem 400 that names every mistake.
    """
    now = rule_rows.load(tenant.pk)
    try:
        draft = parse(files, [policy.name for policy in now.retry_policies])
    except RulesetError as error:
        raise _refused(error) from None
    return now, imported(tenant, draft)


def draft_of_rules(tenant: Tenant, sections: Mapping[str, Any]) -> tuple[Ruleset, Ruleset]:
    """The same for sections of a rule file given as plain data."""
    return draft_of_files(tenant, {"rules": json.dumps(sections)})


def draft_of_automation(
    tenant: Tenant, workflow: str, **fields: float | int
) -> tuple[Ruleset, Ruleset]:
    """The same for some fields of a workflow's automation policy ("": of every workflow's)."""
    now = rule_rows.load(tenant.pk)
    rule = replace(now.automation_for(workflow), workflow=workflow, **fields)  # type: ignore[arg-type]
    draft = Ruleset(automation=(rule,))
    if mistakes := mistakes_in(draft):
        raise _refused(RulesetError(mistakes))
    return now, imported(tenant, draft)


def imported(tenant: Tenant, draft: Ruleset) -> Ruleset:
    """What an import of `draft` would make of the tenant's rules.

    Done by the import itself, in a transaction that is rolled back: so it is what an import does.
    """
    with transaction.atomic():
        rule_rows.store(draft, tenant)
        rules = rule_rows.load(tenant.pk)
        transaction.set_rollback(True)
    return rules


def _refused(error: RulesetError) -> Exception:
    return invalid(
        [
            FieldError(f"{e.file}.{e.path}" if e.path else e.file, "invalid_rule", e.message)
            for e in error.errors
        ]
    )


def draft_of(tenant: Tenant, stored: Mapping[str, Any]) -> tuple[Ruleset, Ruleset]:
    """The draft that a form or a body gave: `yaml` text, `files`, `rules` or `automation`.

    Raises Problem 400 for none of them, and for what cannot be a rule.
    """
    if "yaml" in stored:
        return draft_of_files(tenant, {"draft": stored["yaml"]})
    if "files" in stored:
        return draft_of_files(tenant, stored["files"])
    if "rules" in stored:
        return draft_of_rules(tenant, stored["rules"])
    if "automation" in stored:
        return draft_of_automation(tenant, **stored["automation"])
    raise invalid([FieldError("files", "required", "Give `files` or `rules`.")])
