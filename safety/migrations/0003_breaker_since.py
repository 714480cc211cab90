from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("safety", "0002_breakers")]
    operations = [
        migrations.RunSQL(
            "UPDATE safety_vendor SET breaker_changed_at = now()"
            " WHERE breaker_state <> 'closed' AND breaker_changed_at IS NULL",
            migrations.RunSQL.noop,
        ),
        migrations.AddConstraint(
            model_name="vendor",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("breaker_state", "closed"),
                    ("breaker_changed_at__isnull", False),
                    _connector="OR",
                ),
                name="vendor_breaker_since",
            ),
        ),
    ]
