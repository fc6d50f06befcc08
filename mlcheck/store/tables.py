"""The tables of this package (data/*.toml), and regular expressions out of them."""

import re
import tomllib
from functools import cached_property
from pathlib import Path
from typing import Any


def table(name: str) -> dict[str, Any]:
    """The table of that name, `roles`; a plain path, since importlib.resources takes milliseconds to load."""
    with Path(__file__).with_name("data").joinpath(f"{name}.toml").open("rb") as file:
        return tomllib.load(file)


class Pattern:
    """A regular expression that is compiled when it is first asked: of the hundreds in the tables a run needs a handful."""

    def __init__(self, pattern: str, flags: int = 0) -> None:
        """Raises no error for a pattern that is none: a test compiles them all."""
        self.pattern = pattern
        self.flags = flags

    @cached_property
    def compiled(self) -> re.Pattern[str]:
        """What `re` makes of it."""
        return re.compile(self.pattern, self.flags)

    def search(self, text: str) -> re.Match[str] | None:
        """See `re.Pattern.search`."""
        return self.compiled.search(text)

    def match(self, text: str) -> re.Match[str] | None:
        """See `re.Pattern.match`."""
        return self.compiled.match(text)

    def sub(self, replacement: str, text: str) -> str:
        """See `re.Pattern.sub`."""
        return self.compiled.sub(replacement, text)
