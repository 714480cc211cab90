"""Tenants' things as the API shows them."""

from __future__ import annotations

from rest_framework import serializers

from tenants.models import Workflow


class WorkflowRef(serializers.ModelSerializer[Workflow]):
    """A workflow named in another document."""

    class Meta:
        model = Workflow
        fields = ("id", "name")
        read_only_fields = fields
