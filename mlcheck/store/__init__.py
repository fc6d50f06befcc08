"""Runs and series with roles and labels; what is known of a run."""
