"""Decisions as the API shows them."""

from __future__ import annotations

from rest_framework import serializers

from ai.models import Decision


class DecisionSerializer(serializers.ModelSerializer[Decision]):
    """A conclusion and everything it was drawn from; it never changes.

    `similar` names past incidents of the same tenant; `inputs` is the whole case: deciding from it
    again gives this decision again.
    """

    class Meta:
        model = Decision
        fields = (
            "id",
            "incident_id",
            "type",
            "category",
            "severity",
            "confidence",
            "confidence_parts",
            "hypotheses",
            "similar",
            "reasoning",
            "recommended_action",
            "parameters",
            "model",
            "inputs",
            "created_at",
            "correlation_id",
        )
        read_only_fields = fields


class SimilarSerializer(serializers.Serializer[dict[str, object]]):
    """Past incidents like this one, as the latest decision found them; empty before the first."""

    decision_id = serializers.UUIDField(allow_null=True, read_only=True)
    results = serializers.ListField(child=serializers.DictField(), read_only=True)
