from django.urls import path

from safety import views

app_name = "safety"
urlpatterns = [
    path("safety/", views.page, name="page"),
    path("safety/stop", views.stop, name="stop"),
    path("safety/breaker", views.breaker, name="breaker"),
    path("safety/<uuid:pk>/resume", views.resume, name="resume"),
]
