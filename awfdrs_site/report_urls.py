from django.urls import path

from awfdrs_site import report_views as views

app_name = "reports"
urlpatterns = [path("reports/", views.page, name="page")]
