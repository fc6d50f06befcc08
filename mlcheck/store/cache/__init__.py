"""Imported files kept in the user's cache directory, so that a second scan reads nothing again."""
