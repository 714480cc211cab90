from django.urls import path

from awfdrs_site import workflow_views as views

app_name = "workflows"
urlpatterns = [
    path("workflows/", views.workflow_list, name="list"),
    path("workflows/<uuid:pk>/", views.workflow, name="detail"),
    path("workflows/<uuid:pk>/failback", views.failback, name="failback"),
]
