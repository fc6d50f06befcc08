"""The tables of this package (data/*.toml), and regular expressions out of them."""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from mlcheck.store.needed import Need, may_match, needs_of

_kept: dict[str, dict[str, Any]] = {}
_needs: dict[str, Need] = {}


def table(name: str) -> dict[str, Any]:
    """The table of that name, `roles`; a plain path, since importlib.resources takes milliseconds to load."""
    if name not in _kept:
        import tomllib

        with _directory().joinpath(f"{name}.toml").open("rb") as file:
            _kept[name] = tomllib.load(file)
    return _kept[name]


def tables() -> tuple[dict[str, dict[str, Any]], dict[str, Need]]:
    """All of them by name, and what their patterns need by pattern: plain data, which may be kept."""
    found = {path.stem: table(path.stem) for path in table_files()}
    return found, needs_of(found)


def use(tables: Mapping[str, dict[str, Any]], needs: Mapping[str, Need]) -> None:
    """Take what an earlier process has read: parsing them takes longer than reading a small run."""
    _kept.update(tables)
    _needs.update(needs)


def table_files() -> list[Path]:
    """The files of all tables."""
    return sorted(_directory().glob("*.toml"))


def _directory() -> Path:
    return Path(__file__).with_name("data")


class Pattern:
    """A regular expression that is compiled when it is first asked: of the hundreds in the tables a run needs a handful."""

    def __init__(self, pattern: str, flags: int = 0, need: Need | None = None) -> None:
        """Raises no error for a pattern that is none: a test compiles them all. `need`: of a pattern that stands in no table."""
        self.pattern = pattern
        self.flags = flags
        self.need = _needs.get(pattern) if need is None and flags in (0, re.IGNORECASE) else need
        """What a text must hold to match, where that is known."""

    @cached_property
    def compiled(self) -> re.Pattern[str]:
        """What `re` makes of it."""
        return re.compile(self.pattern, self.flags)

    def search(self, text: str) -> re.Match[str] | None:
        """See `re.Pattern.search`."""
        return self.compiled.search(text) if may_match(self.need, text) else None

    def match(self, text: str) -> re.Match[str] | None:
        """See `re.Pattern.match`."""
        return self.compiled.match(text) if may_match(self.need, text) else None

    def finditer(self, text: str) -> Iterator[re.Match[str]]:
        """See `re.Pattern.finditer`."""
        return self.compiled.finditer(text) if may_match(self.need, text) else iter(())

    def sub(self, replacement: str | Callable[[re.Match[str]], str], text: str, count: int = 0) -> str:
        """See `re.Pattern.sub`."""
        return self.compiled.sub(replacement, text, count) if may_match(self.need, text) else text
