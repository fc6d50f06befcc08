"""docs/reference/cli.md, from the objects that the option parser works with.

Nothing here goes by a rendered help page: those hang on the width of the terminal and on the versions of typer and click.
"""

import inspect
import re
from collections.abc import Iterator
from enum import Enum
from typing import Any, get_args, get_type_hints

import typer

from mlcheck.cli.app import app
from tools.markdown import cell, code, prose, table

_DEFAULT = re.compile(r"\s*\[default: (.*)\]$")
_HEAD = """\
<!-- Made by `make docs` from mlcheck/cli/. Do not edit. -->

# Command line

Every command also has `-h` and `--help`. `mlcheck --version` (`-V`) shows the version; `mlcheck --install-completion` sets up completion
for the shell. What options can also be said in a file or a variable, [configuration.md](../configuration.md) lists.

"""


def cli_page() -> str:
    """The page of all commands."""
    root: Any = typer.main.get_command(app)
    commands = list(_commands("mlcheck", root))
    lines = [f"- [`{name}`](#{name.replace(' ', '-')}): {prose(command.help)}" for name, command in commands]
    sections = [_section(name, command) for name, command in commands]
    return (
        _HEAD
        + "\n".join(lines)
        + f"\n\n{prose(root.epilog)} [gate.md](../gate.md) has the whole table.\n\n"
        + "\n\n".join(sections)
        + "\n"
    )


def _commands(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    for word, one in command.commands.items():
        full = f"{name} {word}"
        if getattr(one, "commands", None):
            yield from _commands(full, one)
        else:
            yield full, one


def _section(name: str, command: Any) -> str:
    choices = _choices(command)
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    options = [one for one in command.params if one.param_type_name == "option" and not one.hidden]
    usage = " ".join([name, *(["[OPTIONS]"] if options else []), *(str(one.metavar) for one in arguments)])
    parts = [f"## {name}", prose(command.help), f"    {usage}"]
    if arguments:
        rows = [(code(str(one.metavar)), *_told(one)) for one in arguments]
        parts.append(table(("argument", "what it is", "default"), rows))
    if options:
        rows = [(_spelled(one, choices), *_told(one)) for one in options]
        parts.append(table(("option", "what it does", "default"), rows))
    return "\n\n".join(parts)


def _told(one: Any) -> tuple[str, str]:
    """What a parameter does, and what holds without it."""
    found = _DEFAULT.search(one.help)
    if found is not None:
        return cell(one.help[: found.start()]), cell(found[1])
    default = getattr(one.default, "value", one.default)
    if one.required:
        return cell(one.help), "required"
    return cell(one.help), code(default) if isinstance(default, str) and default else ""


def _spelled(one: Any, choices: dict[str, str]) -> str:
    names = sorted(one.opts, key=lambda word: not word.startswith("--"))
    value = "" if one.is_flag else one.metavar or choices.get(one.name) or "TEXT"
    return ", ".join([code(f"{names[0]} {value}".strip()), *map(code, names[1:])])


def _choices(command: Any) -> dict[str, str]:
    """The words that may stand behind an option, by the name of the parameter."""
    found = {}
    for name, hint in get_type_hints(inspect.unwrap(command.callback)).items():
        for kind in (hint, *get_args(hint)):
            if isinstance(kind, type) and issubclass(kind, Enum):
                found[name] = "|".join(str(word.value) for word in kind)
    return found
