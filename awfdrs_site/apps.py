from django.apps import AppConfig


class SiteConfig(AppConfig):
    name = "awfdrs_site"

    def ready(self) -> None:
        # The checks register themselves; the app of celery.py becomes the one doorbells ring by.
        from awfdrs_site import celery, checks  # noqa: F401
