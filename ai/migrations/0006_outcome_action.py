from django.db import migrations, models

# What stands was a retry, unless the decision in force at the time was to run a plan.
NAME_PLANS = """
UPDATE ai_outcome AS outcome SET action = left('plan:' || (newest.parameters ->> 'plan'), 80)
FROM (
    SELECT outcome.id, decided.type, decided.parameters
    FROM ai_outcome AS outcome
    CROSS JOIN LATERAL (
        SELECT type, parameters FROM ai_decision AS decision
        WHERE decision.incident_id = outcome.incident_id AND decision.created_at <= outcome.at
        ORDER BY decision.created_at DESC LIMIT 1
    ) AS decided
) AS newest
WHERE newest.id = outcome.id AND newest.type = 'plan'
"""


class Migration(migrations.Migration):

    dependencies = [
        ('ai', '0005_recurred'),
        ('incidents', '0001_initial'),
        ('tenants', '0003_quota_range'),
    ]

    operations = [
        migrations.RemoveConstraint(model_name='outcome', name='outcome_result'),
        migrations.RemoveIndex(model_name='outcome', name='outcome_by_sig'),
        migrations.AddField(
            model_name='outcome',
            name='action',
            field=models.CharField(default='retry', max_length=80),
            preserve_default=False,
        ),
        migrations.RunSQL(NAME_PLANS, migrations.RunSQL.noop),
        migrations.AlterField(
            model_name='outcome',
            name='result',
            field=models.CharField(choices=[('succeeded', 'Succeeded'), ('failed', 'Failed'), ('recurred', 'Came back after it had worked'), ('rejected', 'Rejected by a person'), ('reversed', 'Taken back by a person')], max_length=10),
        ),
        migrations.AddConstraint(
            model_name='outcome',
            constraint=models.CheckConstraint(condition=models.Q(('result__in', ['succeeded', 'failed', 'recurred', 'rejected', 'reversed'])), name='outcome_result'),
        ),
        migrations.AddIndex(
            model_name='outcome',
            index=models.Index(fields=['tenant', 'signature', 'action', '-at'], name='outcome_by_action'),
        ),
        migrations.AddIndex(
            model_name='outcome',
            index=models.Index(fields=['tenant', '-at'], name='outcome_by_time'),
        ),
    ]
