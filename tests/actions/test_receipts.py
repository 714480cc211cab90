"""Every stored receipt, judged again, is what it was [S9]."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from hypothesis import given

from actions.models import Action
from actions.receipts import difference_of
from safety.caps import BLAST_RADIUS, RETRIES
from safety.gate import GateFacts, Receipt, judge
from tests.cast import Cast
from tests.pages.conftest import cast, decided, incident_of, quick_passwords
from tests.pure.strategies import NOW, gate_facts, many

__all__ = ["cast", "decided", "incident_of", "quick_passwords"]


NEW_CHECKS = ("rate_limit", "retry_caps", "dry_run")
NEW_FACTS = (
    *("vendor_calls_per_minute", "vendor_calls_until"),
    *(name for cap in (*BLAST_RADIUS[1:], *RETRIES) for name in (cap.count, cap.limit)),
)


def verify(**options: str) -> str:
    said = StringIO()
    call_command("verify_receipts", stdout=said, **options)
    return said.getvalue()


def stored(receipt: Receipt) -> dict[str, Any]:
    """The receipt as a JSON column gives it back."""
    document: dict[str, Any] = json.loads(json.dumps(receipt.to_json()))
    return document


@many
@given(gate_facts)
def test_it_finds_no_difference_in_what_the_gate_wrote(facts: GateFacts) -> None:
    """Whatever the gate was shown: stored as JSON and judged again, nothing differs."""
    assert difference_of(stored(judge(facts))) == ""


def test_it_names_what_differs() -> None:
    receipt = stored(judge(GateFacts(NOW, "t", "w", "w", "retry", confidence=0.9)))
    assert "judged again it is run" in difference_of(receipt | {"outcome": "block"})
    assert difference_of(receipt | {"more": 1}) == "Other than stored: the document."
    receipt["checks"][-4]["reason"] = "Because."
    assert difference_of(receipt) == "Other than stored: confidence."
    assert "cannot be read" in difference_of({"outcome": "run"})
    assert difference_of({}) == "It has no receipt."


@many
@given(gate_facts)
def test_it_finds_no_difference_in_what_an_older_gate_wrote(facts: GateFacts) -> None:
    """A gate without caps, limit of calls and dry run: their checks and facts are not in there."""
    none = dict.fromkeys(NEW_FACTS) | {"vendor_calls": 0, "dry_run": False}
    receipt = stored(judge(replace(facts, **none)))
    receipt["checks"] = [one for one in receipt["checks"] if one["name"] not in NEW_CHECKS]
    for name in none:
        del receipt["inputs"][name]
    blast = next(one for one in receipt["checks"] if one["name"] == "blast_radius")
    assert set(blast["numbers"]) <= {"actions_last_hour", "max_actions_per_hour"}
    assert difference_of(receipt) == ""


@pytest.mark.django_db
def test_the_command_checks_every_action_of_the_tenant_or_of_all(
    cast: Cast, decided: Callable[..., Action]
) -> None:
    """Seen red with the comparison taken out of `difference_of`."""
    action = decided(cast.capture, resource_type="order", resource_id="7")
    decided(cast.routing)
    assert verify() == "2 checked, 2 equal, 0 different\n"
    receipt = action.receipt
    receipt["checks"][2]["verdict"] = "block"
    Action.objects.filter(pk=action.pk).update(receipt=receipt)
    assert verify(tenant="Northwind Logistics") == "1 checked, 1 equal, 0 different\n"
    with pytest.raises(SystemExit) as ended:
        verify(tenant=str(cast.meridian.pk))
    assert ended.value.code == 1
    with pytest.raises(CommandError, match="no tenant"):
        verify(tenant="nobody")
