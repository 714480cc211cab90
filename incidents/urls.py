"""The list and what people do to an incident; awfdrs_site/incident_urls.py adds the page of one."""

from django.urls import path

from incidents import views
from incidents.listing import saved_view_views
from incidents.regrouping import merging_views, pinning_views
from incidents.triage import bulk_views, mention_views, undo_views

urlpatterns = [
    path("incidents/", views.incident_list, name="list"),
    path("incidents/bulk", bulk_views.bulk_action, name="bulk"),
    path("incidents/<uuid:pk>/events", views.events, name="events"),
    path("incidents/views", saved_view_views.save, name="save_view"),
    path("incidents/views/<uuid:pk>", saved_view_views.change, name="change_view"),
    path("incidents/views/<uuid:pk>/delete", saved_view_views.delete, name="delete_view"),
    path("incidents/views/<uuid:pk>/restore", saved_view_views.restore, name="restore_view"),
    path("incidents/merge", merging_views.merge, name="merge"),
    path("incidents/<uuid:pk>/unmerge", merging_views.unmerge, name="unmerge"),
    path("incidents/<uuid:pk>/split", pinning_views.split, name="split"),
    path("incidents/pins/<uuid:pk>/remove", pinning_views.remove_pin, name="remove_pin"),
    path("incidents/pins/<uuid:pk>/undo", pinning_views.undo_pin, name="undo_pin"),
    path("incidents/undo", undo_views.undo, name="undo"),
    path("mentions/", mention_views.mentions, name="mentions"),
    path("incidents/<uuid:pk>/acknowledge", views.acknowledge, name="acknowledge"),
    path("incidents/<uuid:pk>/unacknowledge", undo_views.unacknowledge, name="unacknowledge"),
    path("incidents/<uuid:pk>/assign", views.assign, name="assign"),
    path("incidents/<uuid:pk>/comment", views.comment, name="comment"),
    path("incidents/<uuid:pk>/ignore", views.ignore, name="ignore"),
    path("incidents/<uuid:pk>/resolve", views.resolve, name="resolve"),
    path("incidents/<uuid:pk>/snooze", views.snooze, name="snooze"),
    path("incidents/<uuid:pk>/wake", views.wake, name="wake"),
    path("incidents/<uuid:pk>/reopen", views.reopen, name="reopen"),
]
