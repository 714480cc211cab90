from django.urls import path

from actions.whatif import rule_views

app_name = "rules"
urlpatterns = [
    path("rules/", rule_views.page, name="page"),
    path("rules/replays", rule_views.replay, name="replay"),
]
