"""mlcheck: the linter for machine-learning training runs.

The command line is `mlcheck.cli`; programs and notebooks call `mlcheck.api`.
"""

__version__ = "0.1.0"
