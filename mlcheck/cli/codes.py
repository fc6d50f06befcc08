"""Exit codes that are no verdict on runs."""

USAGE_ERROR = 2
INTERRUPTED = 130
