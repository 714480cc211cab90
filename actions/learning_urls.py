from django.urls import path

from actions import learning_views as views

app_name = "learning"
urlpatterns = [
    path("learning/", views.page, name="page"),
    path("learning/trust", views.trust, name="trust"),
]
