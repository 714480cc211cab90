"""The namespace `incidents`: its pages come from two apps, for one incident's needs its actions."""

from django.urls import path

from actions import views
from actions.incident_parts import PARTS
from incidents import urls

app_name = "incidents"
urlpatterns = [
    *urls.urlpatterns,
    path("incidents/<uuid:pk>/", views.incident, name="detail"),
    *(
        path(f"incidents/<uuid:pk>/{part}", views.incident_part, {"part": part}, name=part)
        for part in PARTS
    ),
    path("incidents/<uuid:pk>/escalate", views.escalate, name="escalate"),
]
