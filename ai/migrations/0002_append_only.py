from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("ai", "0001_initial"), ("kernel", "0002_append_only")]
    operations = [
        migrations.RunSQL(
            "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON ai_decision"
            " FOR EACH ROW EXECUTE FUNCTION awfdrs_append_only()",
            "DROP TRIGGER append_only ON ai_decision",
        ),
    ]
