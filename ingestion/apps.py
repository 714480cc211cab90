from django.apps import AppConfig


class IngestionConfig(AppConfig):
    name = "ingestion"
    verbose_name = "Events"
    default_auto_field = "django.db.models.BigAutoField"
