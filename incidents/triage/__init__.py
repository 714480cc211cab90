"""What people do to incidents beside their life cycle: in bulk, snoozed, undone, mentioned."""
