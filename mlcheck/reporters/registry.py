"""The reporters by name. A reporter is imported when it is asked for."""

from collections.abc import Callable

from mlcheck.errors import UsageError, did_you_mean
from mlcheck.reporters.base import Reporter


def _terminal() -> Reporter:
    from mlcheck.reporters.terminal import TerminalReporter

    return TerminalReporter()


def _json() -> Reporter:
    from mlcheck.reporters.json import JsonReporter

    return JsonReporter()


def _markdown() -> Reporter:
    from mlcheck.reporters.markdown import MarkdownReporter

    return MarkdownReporter()


REPORTERS: dict[str, Callable[[], Reporter]] = {"terminal": _terminal, "json": _json, "markdown": _markdown}
ALIASES: dict[str, str] = {"md": "markdown"}


def names() -> tuple[str, ...]:
    """All names that `get` takes, aliases last."""
    return (*REPORTERS, *ALIASES)


def get(name: str) -> Reporter:
    """The reporter of that name or alias; UsageError with the nearest names for any other."""
    maker = REPORTERS.get(ALIASES.get(name, name))
    if maker is None:
        hint = did_you_mean(name, names()) or f"known formats: {', '.join(names())}"
        raise UsageError(f"unknown output format {name!r}; {hint}")
    return maker()
