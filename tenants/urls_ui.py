"""What a reader chooses for their own browser."""

from django.urls import path

from tenants import views

app_name = "ui"
urlpatterns = [path("theme", views.theme, name="theme")]
