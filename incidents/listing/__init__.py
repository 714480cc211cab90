"""The list of incidents: its query language, filters, counts and kept views."""
