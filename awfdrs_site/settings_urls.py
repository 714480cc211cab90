"""The namespace `settings`: who may do what here, and how people and programs are reached."""

from django.urls import path

from tenants import key_views

app_name = "settings"
urlpatterns = [
    path("settings/keys", key_views.keys, name="keys"),
    path("settings/keys/<slug:prefix>/revoke", key_views.revoke, name="revoke"),
]
