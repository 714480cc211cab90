"""Recoveries as people and programs see them: list, page, API."""
