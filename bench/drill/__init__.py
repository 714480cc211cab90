"""`manage.py drill`: scripted failures on a fresh instance, and what became of each."""
