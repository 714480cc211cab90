from django.urls import path

from actions.recoveries import recovery_views as views

app_name = "recoveries"
urlpatterns = [
    path("recoveries/", views.recovery_list, name="list"),
    path("recoveries/<uuid:pk>/", views.recovery, name="detail"),
    path("recoveries/<uuid:pk>/undo", views.undo, name="undo"),
]
