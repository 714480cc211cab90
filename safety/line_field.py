"""The confidence lines of single kinds of action, a number each in place of a JSON text."""

from __future__ import annotations

from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminTextInputWidget

from safety.gate import GATED


class _Lines(forms.MultiWidget):
    def __init__(self) -> None:
        super().__init__([
            UnfoldAdminTextInputWidget(attrs={
                "type": "number", "min": "0.01", "max": "1", "step": "any",
                "aria-label": f"Line of {kind}", "placeholder": kind,
            })
            for kind in GATED
        ])  # fmt: skip

    def decompress(self, value: Any) -> list[Any]:
        lines = value if isinstance(value, dict) else {}
        return [lines.get(kind) for kind in GATED]


class LinesField(forms.MultiValueField):
    """Kind of action → line; what is left empty is not in it."""

    def __init__(self, **kwargs: Any) -> None:
        lines = [forms.FloatField(min_value=0.01, max_value=1, required=False) for _ in GATED]
        super().__init__(lines, widget=_Lines(), required=False, require_all_fields=False, **kwargs)

    def compress(self, data_list: list[Any]) -> dict[str, float]:
        found = zip(GATED, data_list, strict=False)
        return {kind: line for kind, line in found if line is not None}
