"""Paths under `/api/v1/`."""

from django.urls import path

from ai import api

urlpatterns = [
    path("decisions", api.DecisionList.as_view()),
    path("decisions/<uuid:pk>", api.DecisionDetail.as_view()),
    path("incidents/<uuid:pk>/decisions", api.IncidentDecisions.as_view()),
    path("incidents/<uuid:pk>/similar", api.IncidentSimilar.as_view()),
]
