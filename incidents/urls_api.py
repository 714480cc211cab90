"""Paths under `/api/v1/`."""

from django.urls import path

from incidents import api
from incidents.detail import related_api
from incidents.regrouping import merging_api, pinning_api

urlpatterns = [
    path("incidents", api.IncidentList.as_view()),
    path("incidents/bulk", api.Bulk.as_view()),
    path("incidents/merge", merging_api.Merge.as_view()),
    path("incidents/<uuid:pk>/unmerge", merging_api.Unmerge.as_view()),
    path("incidents/<uuid:pk>/split", pinning_api.SplitView.as_view()),
    path("pins", pinning_api.PinList.as_view()),
    path("pins/<uuid:pk>", pinning_api.PinDetail.as_view()),
    path("pins/<uuid:pk>/undo", pinning_api.PinUndo.as_view()),
    path("incidents/<uuid:pk>/grouping", merging_api.GroupingView.as_view()),
    path("incidents/<uuid:pk>/related", related_api.RelatedView.as_view()),
    path("incidents/<uuid:pk>", api.IncidentDetail.as_view()),
    path("incidents/<uuid:pk>/events", api.IncidentEvents.as_view()),
    path("incidents/<uuid:pk>/timeline", api.IncidentTimeline.as_view()),
    path("incidents/<uuid:pk>/status", api.ChangeStatus.as_view()),
    path("incidents/<uuid:pk>/ignore", api.Ignore.as_view()),
    path("incidents/<uuid:pk>/acknowledge", api.Acknowledge.as_view()),
    path("incidents/<uuid:pk>/unacknowledge", api.Unacknowledge.as_view()),
    path("incidents/<uuid:pk>/assign", api.Assign.as_view()),
    path("incidents/<uuid:pk>/comment", api.Comment.as_view()),
    path("incidents/<uuid:pk>/snooze", api.Snooze.as_view()),
    path("incidents/<uuid:pk>/wake", api.Wake.as_view()),
]
