from django.urls import path

from actions.controls import safety_views

app_name = "safety"
urlpatterns = [
    path("safety/", safety_views.page, name="page"),
    path("safety/stops", safety_views.stops, name="stops"),
    path("safety/stop", safety_views.stop, name="stop"),
    path("safety/breaker", safety_views.breaker, name="breaker"),
    path("safety/unthrottle", safety_views.unthrottle, name="unthrottle"),
    path("safety/<uuid:pk>/", safety_views.switch, name="switch"),
    path("safety/<uuid:pk>/extend", safety_views.extend, name="extend"),
    path("safety/<uuid:pk>/resume", safety_views.resume, name="resume"),
    path("safety/<uuid:pk>/skipped", safety_views.skipped, name="skipped"),
]
