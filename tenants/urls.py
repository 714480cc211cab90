"""Choosing the tenant. Signing in and out stands in the site's table: no namespace there."""

from django.urls import path

from tenants import views

app_name = "tenants"
urlpatterns = [path("switch-tenant", views.switch, name="switch")]
