"""The closed lists of values of options. Apart from options.py, which needs the option parser."""

from enum import StrEnum


class FailOnChoice(StrEnum):
    """Values of --fail-on."""

    error = "error"
    warning = "warning"
    info = "info"
    never = "never"


class SeverityChoice(StrEnum):
    """Values of --min-severity."""

    error = "error"
    warning = "warning"
    info = "info"


class ColorChoice(StrEnum):
    """Values of --color."""

    auto = "auto"
    always = "always"
    never = "never"
