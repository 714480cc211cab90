import django.core.validators
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('safety', '0004_switch_action_kind'),
    ]

    operations = [
        migrations.AlterField(
            model_name='vendor',
            name='requests_per_minute',
            field=models.PositiveIntegerField(default=600, help_text='Events that name it, and as many calls: recoveries and permits.', validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(1000000)]),
        ),
    ]
