"""Paths under `/api/v1/`."""

from django.urls import path

from ingestion import api, permits

urlpatterns = [
    path("events", api.EventList.as_view()),
    path("events/<uuid:pk>", api.EventDetail.as_view()),
    path("vendors/<str:name>/permit", permits.VendorPermit.as_view()),
]
