"""The list and what people do to an incident; awfdrs_site/incident_urls.py adds the page of one."""

from django.urls import path

from incidents import bulk_views, views

urlpatterns = [
    path("incidents/", views.incident_list, name="list"),
    path("incidents/bulk", bulk_views.bulk_action, name="bulk"),
    path("incidents/<uuid:pk>/acknowledge", views.acknowledge, name="acknowledge"),
    path("incidents/<uuid:pk>/assign", views.assign, name="assign"),
    path("incidents/<uuid:pk>/comment", views.comment, name="comment"),
    path("incidents/<uuid:pk>/ignore", views.ignore, name="ignore"),
    path("incidents/<uuid:pk>/resolve", views.resolve, name="resolve"),
    path("incidents/<uuid:pk>/snooze", views.snooze, name="snooze"),
    path("incidents/<uuid:pk>/wake", views.wake, name="wake"),
    path("incidents/<uuid:pk>/reopen", views.reopen, name="reopen"),
]
