"""Exit codes that are no verdict on runs."""

USAGE_ERROR = 2
NO_RUN = 3
INTERRUPTED = 130
