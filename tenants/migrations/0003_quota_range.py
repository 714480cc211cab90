import django.core.validators
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('tenants', '0002_spent_token'),
    ]

    operations = [
        migrations.AlterField(
            model_name='tenant',
            name='events_per_minute',
            field=models.PositiveIntegerField(default=60000, help_text='Quota for event ingestion; over it the API answers 429.', validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(1000000)]),
        ),
    ]
