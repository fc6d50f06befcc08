"""The errors that are meant for the user.

Every one of them carries a message that names the file, the line or the value, and what to do. `cli` prints the message and leaves
with the exit code of design.md §6; nothing else knows exit codes.
"""

from collections.abc import Iterable

from mlcheck.records import dataclass


class MlcheckError(Exception):
    """The base of all errors that are shown to the user without a traceback."""


class UsageError(MlcheckError):
    """A wrong option, rule id, parameter or setting (exit 2)."""


class NoRunError(UsageError):
    """A path that is not there, or holds nothing that the command works on (exit 3)."""


class ConfigError(UsageError):
    """A configuration file that does not say what it must (exit 2)."""


SHOWN = 160
"""Characters of a line that an error shows."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a text file that an error points to."""

    path: str
    """The file as the user named it."""
    line: int
    """Line, from 1."""
    column: int
    """Column, from 1."""
    text: str = ""
    """The line itself, without its line end."""

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}"


class RuleError(UsageError):
    """A rule file that cannot be used (exit 2): says file:line:column, shows the line with a caret, and suggests."""

    def __init__(self, message: str, place: Place | None = None, suggestion: str | None = None) -> None:
        self.message = message
        self.place = place
        self.suggestion = suggestion
        super().__init__(str(self))

    def __str__(self) -> str:
        text = f"{self.place}: {self.message}" if self.place else self.message
        if self.suggestion:
            text += f"; {self.suggestion}"
        if self.place and self.place.text:
            # The part of a long line around the column; control characters of a foreign file must not reach a terminal.
            start = max(0, self.place.column - 1 - SHOWN // 2)
            part = self.place.text[start : start + SHOWN]
            shown = "".join(one if one.isprintable() else " " for one in part)
            text += f"\n  {shown}\n  {' ' * (self.place.column - 1 - start)}^"
        return text


def did_you_mean(word: str, choices: Iterable[str]) -> str | None:
    """The hint 'did you mean …?' for a word that is none of the choices, or None when nothing is near."""
    from difflib import SequenceMatcher, get_close_matches

    by_lower = {choice.lower(): choice for choice in choices}
    near = get_close_matches(word.lower(), list(by_lower), n=2, cutoff=0.6)
    if not near:
        return None
    scores = [SequenceMatcher(None, word.lower(), name).ratio() for name in near]
    as_good = [by_lower[name] for name, score in zip(near, scores, strict=True) if score > scores[0] - 0.05]
    return f"did you mean {' or '.join(as_good)}?"
