"""The form of a plan's text: checked as a whole, against what others have saved since [A2]."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from unfold.widgets import UnfoldAdminTextareaWidget

from actions.plans.document import Plan
from actions.plans.drawing import Drawing
from actions.plans.models import RecoveryPlan
from actions.plans.reading import STARTER, DiffLine, difference, line_of
from actions.plans.reference import drawn
from actions.plans.templates import check_plan, lock_newest
from awfdrs_site.kernel.problem import FieldError, Problem
from tenants.backoffice import TenantForm
from tenants.models import Tenant


class PlanForm(TenantForm):
    """The text of a plan. What was begun from is the version that the page's address names."""

    source = forms.CharField(
        label="Plan",
        strip=False,
        initial=STARTER,
        help_text="As YAML. Below are the kinds of step with their parameters.",
        widget=UnfoldAdminTextareaWidget(
            attrs={"rows": 24, "class": "plan-source", "spellcheck": "false", "wrap": "off"}
        ),
    )
    drawing: Drawing | None = None
    # What somebody else has changed since, and their version.
    newer: RecoveryPlan | None = None
    changed_since: tuple[DiffLine, ...] = ()

    def is_valid(self) -> bool:
        # A preview is shown again and never stored, however right it is.
        return super().is_valid() and "_preview" not in self.data

    def clean_source(self) -> str:
        """With the line ends that files have: browsers send others."""
        text: str = self.cleaned_data["source"]
        return text.replace("\r\n", "\n")

    def clean(self) -> dict[str, Any]:
        values = super().clean()
        source = values.get("source")
        if source is None:
            return values
        try:
            plan = check_plan(source)
        except Problem as problem:
            for error in problem.errors:
                self.add_error("source", placed_words(source, error))
            return values
        self.drawing = drawn(plan)
        if "tenant" not in self.errors:
            self._check_version(plan, values.get("tenant", self.instance.tenant))
        return values

    def _check_version(self, plan: Plan, tenant: Tenant | None) -> None:
        """Locks: whoever else saves a plan, until what was checked here is stored."""
        begun = None if self.instance._state.adding else self.instance
        if begun is not None and plan.name != begun.name:
            words = f"Rules know this plan as {begun.name}: add another name as another plan."
            self.add_error("source", ValidationError(words))
            return
        self.newer = lock_newest(tenant, plan.name)
        if self.newer is None or (begun is not None and self.newer.pk == begun.pk):
            self.newer = None
        elif begun is None:
            self.add_error("source", f"There is a plan {plan.name} already; edit that one.")
        else:
            self.changed_since = tuple(difference(begun.source, self.newer.source))
            by = f"{self.newer.created_by} has saved version {self.newer.version}"
            self.add_error("source", f"{by} since you began; nothing was stored.")


def placed_words(source: str, error: FieldError) -> str:
    line = line_of(source, error.field)
    place = f"{error.field}, line {line}" if line else error.field
    return error.detail if error.field == "source" else f"{place}: {error.detail}"
