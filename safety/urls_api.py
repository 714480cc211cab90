"""Paths under `/api/v1/`."""

from django.urls import path

from safety import api

urlpatterns = [
    path("kill-switches", api.KillSwitchList.as_view()),
    path("kill-switches/<uuid:pk>", api.KillSwitchDetail.as_view()),
    path("kill-switches/<uuid:pk>/release", api.ReleaseKillSwitch.as_view()),
    path("kill-switches/<uuid:pk>/extend", api.ExtendKillSwitch.as_view()),
    path("vendors", api.VendorList.as_view()),
    path("vendors/<str:name>", api.VendorDetail.as_view()),
    path("vendors/<str:name>/breaker", api.SetBreaker.as_view()),
    path("vendors/<str:name>/unthrottle", api.Unthrottle.as_view()),
    path("workflows", api.WorkflowList.as_view()),
    path("workflows/<uuid:pk>", api.WorkflowDetail.as_view()),
    path("workflows/<uuid:pk>/failback", api.FailBack.as_view()),
]
