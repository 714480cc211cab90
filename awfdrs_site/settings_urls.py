"""The namespace `settings`: who may do what here, and how people and programs are reached."""

from django.urls import path

from actions.escalation import views as channel_views
from tenants import key_views, member_views, profile_views

app_name = "settings"
urlpatterns = [
    path("settings/", profile_views.profile, name="profile"),
    path("settings/name", profile_views.name, name="name"),
    path("settings/pages", profile_views.pages, name="pages"),
    path("settings/density", profile_views.density, name="density"),
    path("settings/password", profile_views.password, name="password"),
    path("settings/keys", key_views.keys, name="keys"),
    path("settings/keys/<slug:prefix>/revoke", key_views.revoke, name="revoke"),
    path("settings/members", member_views.members, name="members"),
    path("settings/members/<str:username>/role", member_views.role, name="role"),
    path("settings/members/<str:username>/remove", member_views.remove, name="remove"),
    path("settings/notification", channel_views.notification, name="notification"),
    path("settings/channels/<uuid:pk>/test", channel_views.test, name="test"),
]
