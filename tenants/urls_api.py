from django.urls import path

from tenants import api, audit_api

urlpatterns = [
    path("auth/token", api.TokenView.as_view(), name="api-token"),
    path("auth/token/refresh", api.TokenRefreshView.as_view(), name="api-token-refresh"),
    path("audit", audit_api.AuditList.as_view()),
]
