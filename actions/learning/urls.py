from django.urls import path

from actions.learning import views

app_name = "learning"
urlpatterns = [
    path("learning/", views.page, name="page"),
    path("learning/trust", views.trust, name="trust"),
]
