"""The options of `mlcheck compare` that say how it reads and measures: made from `settings.compare`, each once."""

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any

import typer

from mlcheck.settings.compare import COMPARE_KEYS, CompareKey
from mlcheck.settings.values import Choice, Flag


def with_compare_options(command: Callable[..., int]) -> Callable[..., int]:
    """The command with an option for each setting, given to it in its last parameter `**values` by the settings' keys."""
    own = inspect.signature(command)
    named = {one.key.replace("-", "_"): one for one in COMPARE_KEYS}

    @functools.wraps(command)
    def wrapped(**given: Any) -> int:
        values = {key.key: given.pop(name) for name, key in named.items()}
        return command(**given, **values)

    kept = [one for one in own.parameters.values() if one.kind is not inspect.Parameter.VAR_KEYWORD]
    wrapped.__dict__["__signature__"] = own.replace(parameters=[*kept, *map(_parameter, named, named.values())])
    return wrapped


def _parameter(name: str, key: CompareKey) -> inspect.Parameter:
    kind = bool if isinstance(key.kind, Flag) else list[str] if key.repeats else str
    annotation = Annotated[kind | None, _option(key)]  # type: ignore[valid-type]
    return inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=None, annotation=annotation)


def _option(key: CompareKey) -> Any:
    words = key.kind.words if isinstance(key.kind, Choice) else ()
    is_flag = isinstance(key.kind, Flag)
    return typer.Option(
        f"{key.option}/--no-{key.key}" if is_flag else key.option,
        metavar=None if is_flag else key.metavar,
        help=f"{key.help}  [default: {key.default}]" if key.default else key.help,
        show_default=False,
        rich_help_panel=key.group,
        autocompletion=(lambda incomplete: [one for one in words if one.startswith(incomplete)]) if words else None,
    )
