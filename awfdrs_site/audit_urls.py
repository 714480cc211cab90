from django.urls import path

from awfdrs_site import audit_views as views

app_name = "audit"
urlpatterns = [
    path("audit/", views.page, name="page"),
    path("audit/export", views.export, name="export"),
]
