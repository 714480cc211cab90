"""Paths under `/api/v1/`."""

from django.urls import path

from actions import api
from actions.connectors import api as connectors_api
from actions.controls import limits_api, stopping_api
from actions.escalation import api as channels
from actions.learning import api as learning_api
from actions.recoveries import recovery_api
from actions.whatif import api as whatif_api

urlpatterns = [
    path("actions", api.ActionList.as_view()),
    path("actions/<uuid:pk>", api.ActionDetail.as_view()),
    path("actions/<uuid:pk>/approve", api.Approve.as_view()),
    path("actions/<uuid:pk>/take-back", api.TakeBack.as_view()),
    path("actions/<uuid:pk>/reject", api.Reject.as_view()),
    path("actions/<uuid:pk>/cancel", api.Cancel.as_view()),
    path("actions/<uuid:pk>/run", api.Run.as_view()),
    path("actions/<uuid:pk>/reverse", api.Reverse.as_view()),
    path("recoveries", recovery_api.RecoveryList.as_view()),
    path("recoveries/<uuid:pk>", recovery_api.RecoveryDetail.as_view()),
    path("recoveries/<uuid:pk>/undo", recovery_api.Undo.as_view()),
    path("plans", recovery_api.PlanList.as_view()),
    path("plans/<str:name>", recovery_api.PlanDetail.as_view()),
    path("plans/<str:name>/retire", recovery_api.Retire.as_view()),
    path("connectors", connectors_api.ConnectorList.as_view()),
    path("connectors/<uuid:pk>/test", connectors_api.ConnectorTest.as_view()),
    path("connectors/<uuid:pk>/deliveries", connectors_api.ConnectorDeliveries.as_view()),
    path("approvals", api.ApprovalList.as_view()),
    path("incidents/<uuid:pk>/actions", api.IncidentActions.as_view()),
    path("channels", channels.ChannelList.as_view()),
    path("channels/<uuid:pk>/pages", channels.ChannelPages.as_view()),
    path("channels/<uuid:pk>/test", channels.TestChannel.as_view()),
    path("incidents/<uuid:pk>/escalate", api.Escalate.as_view()),
    path("incidents/<uuid:pk>/pages", channels.IncidentPages.as_view()),
    path("kill-switches/preview", stopping_api.Preview.as_view()),
    path("kill-switches/<uuid:pk>/held", stopping_api.Held.as_view()),
    path("kill-switches/<uuid:pk>/in-flight", stopping_api.InFlight.as_view()),
    path("kill-switches/<uuid:pk>/replay", stopping_api.Replay.as_view()),
    path("kill-switches/<uuid:pk>/drop", stopping_api.Drop.as_view()),
    path("learning", learning_api.Learning.as_view()),
    path("safety/limits", limits_api.Limits.as_view()),
    path("rules/what-if", whatif_api.WhatIf.as_view()),
]
