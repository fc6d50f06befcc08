"""Judging in a few threads: see mlcheck.native.threads, which the readers use as well."""

from mlcheck.native.threads import in_threads

__all__ = ["in_threads"]
