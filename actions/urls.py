from django.urls import path

from actions import views

app_name = "actions"
urlpatterns = [
    path("approvals/", views.approvals, name="approvals"),
    path("actions/", views.action_list, name="list"),
    path("actions/<uuid:pk>/approve", views.approve, name="approve"),
    path("actions/<uuid:pk>/take-back", views.take_back, name="take_back"),
    path("actions/<uuid:pk>/reject", views.reject, name="reject"),
    path("actions/<uuid:pk>/run", views.run, name="run"),
    path("actions/<uuid:pk>/undo", views.undo, name="undo"),
    path("actions/<uuid:pk>/cancel", views.cancel, name="cancel"),
]
