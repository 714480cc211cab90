"""Whether a person had a hand in an incident stands with it, whoever writes what they did."""

from django.db import migrations

# What the figures of recovery call a person's part (docs/reports.md): they resolved it, or decided;
# of an action that somebody decided it is the time it was made, for it belongs to that opening.
# Worked out anew each time, for a decision can also be taken back. Who writes either has locked the
# incident, so this waits for nobody.
TRIGGERS = """
CREATE FUNCTION awfdrs_handled_at(incident uuid) RETURNS timestamptz LANGUAGE sql STABLE AS $$
  SELECT greatest(
    (SELECT max(at) FROM incidents_timelineentry
     WHERE incident_id = incident AND actor_kind = 'person' AND kind IN ('resolved', 'approval')),
    (SELECT max(created_at) FROM actions_action
     WHERE incident_id = incident AND acts AND decided_at IS NOT NULL))
$$;
CREATE FUNCTION awfdrs_note_handled() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE incidents_incident SET handled_at = awfdrs_handled_at(id)
  WHERE id = NEW.incident_id AND handled_at IS DISTINCT FROM awfdrs_handled_at(id);
  RETURN NULL;
END $$;
CREATE TRIGGER handled_by_person AFTER INSERT ON incidents_timelineentry FOR EACH ROW
    WHEN (NEW.actor_kind = 'person' AND NEW.kind IN ('resolved', 'approval'))
    EXECUTE FUNCTION awfdrs_note_handled();
CREATE TRIGGER handled_when_made AFTER INSERT ON actions_action FOR EACH ROW
    WHEN (NEW.acts AND NEW.decided_at IS NOT NULL)
    EXECUTE FUNCTION awfdrs_note_handled();
CREATE TRIGGER handled_when_decided AFTER UPDATE ON actions_action FOR EACH ROW
    WHEN (NEW.acts AND (OLD.decided_at IS NULL) <> (NEW.decided_at IS NULL))
    EXECUTE FUNCTION awfdrs_note_handled();
UPDATE incidents_incident SET handled_at = awfdrs_handled_at(id)
WHERE awfdrs_handled_at(id) IS NOT NULL;
"""
BACK = """
DROP TRIGGER handled_by_person ON incidents_timelineentry;
DROP TRIGGER handled_when_made ON actions_action;
DROP TRIGGER handled_when_decided ON actions_action;
DROP FUNCTION awfdrs_note_handled();
DROP FUNCTION awfdrs_handled_at(uuid);
"""


class Migration(migrations.Migration):
    dependencies = [
        ("actions", "0013_seldom_asked"),
        ("incidents", "0011_what_ended"),
    ]

    operations = [migrations.RunSQL(TRIGGERS, BACK)]
