"""The namespace `incidents`: its pages come from two apps, for one incident's needs its actions."""

from django.urls import path

from actions import views
from incidents import urls

app_name = "incidents"
urlpatterns = [
    *urls.urlpatterns,
    path("incidents/<uuid:pk>/", views.incident, name="detail"),
    path("incidents/<uuid:pk>/escalate", views.escalate, name="escalate"),
]
