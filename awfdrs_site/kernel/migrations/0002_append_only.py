"""The database itself refuses to change what was written once [E5 D4 T6]."""

from django.db import migrations

FUNCTION = """
CREATE FUNCTION awfdrs_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' AND current_setting('awfdrs.retention', true) = 'on' THEN
    RETURN OLD;
  END IF;
  RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("kernel", "0001_initial")]
    operations = [
        migrations.RunSQL(FUNCTION, "DROP FUNCTION awfdrs_append_only()"),
        migrations.RunSQL(
            "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON kernel_auditentry"
            " FOR EACH ROW EXECUTE FUNCTION awfdrs_append_only()",
            "DROP TRIGGER append_only ON kernel_auditentry",
        ),
    ]
