from django.apps import AppConfig


class KernelConfig(AppConfig):
    name = "awfdrs_site.kernel"
    label = "kernel"
    verbose_name = "Audit log and work"
    default_auto_field = "django.db.models.BigAutoField"
