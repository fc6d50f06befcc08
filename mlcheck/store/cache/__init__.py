"""Imported files, and what was found in them, kept in the user's cache directory: a second scan reads and judges nothing again."""
