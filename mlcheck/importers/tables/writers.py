"""The column maps of the writers (writers.toml), and which of them a table fits."""

import re
import tomllib
from collections.abc import Sequence
from fnmatch import fnmatchcase
from functools import cache, lru_cache
from importlib.resources import files

from mlcheck.records import dataclass, field

_BLANKS = re.compile(r"[\s-]+")


@dataclass(frozen=True, slots=True)
class Writer:
    """What is special about the tables of one writer; see writers.toml for what the fields mean."""

    name: str = ""
    files: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    epochs: tuple[str, ...] = ()
    stamps: tuple[str, ...] = ()
    perhaps_stamps: tuple[str, ...] = ()
    """Names that are wall times where their values are seconds since the epoch, and quantities where they are not."""
    elapsed: tuple[str, ...] = ()
    modes: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    amounts: tuple[str, ...] = ()
    """Columns of the measures that `names` name."""
    rename: dict[str, str] = field(default_factory=dict)
    part: str | None = None
    cumulative: str | None = None
    rows: bool = False
    index: bool = False
    """Its first column has no name."""
    tag: str | None = None
    pattern: str = ""
    below: tuple[str, ...] = ()
    worker: str | None = None
    own: bool = False
    refuse: str | None = None
    """Why such a table is no run data."""
    note: str = ""

    @property
    def wanted_texts(self) -> tuple[str, ...]:
        """Columns whose texts say what the numbers beside them are."""
        return (*self.modes, *self.names)

    def tag_of(self, column: str, stem: str, is_alone: bool) -> str:
        """The tag of a column; `step, value` in `val_loss.csv` is what the file is called."""
        return stem if is_alone and not self.name and normal(column) in self.amounts else column

    def is_step(self, name: str) -> bool:
        """Whether a column counts steps or epochs."""
        return normal(name) in self.steps or normal(name) in self.epochs


@cache
def _table() -> tuple[Writer, tuple[Writer, ...]]:
    data = tomllib.loads(files("mlcheck.importers.tables").joinpath("writers.toml").read_text(encoding="utf-8"))
    generic = {key: tuple(value) for key, value in data["generic"].items()}
    named = []
    for entry in data["writer"]:
        entry = {key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()}
        for key, columns in generic.items():
            entry[key] = tuple(dict.fromkeys((*entry.get(key, ()), *columns)))
        named.append(Writer(**entry))
    return Writer(**generic), tuple(named)  # type: ignore[arg-type]


def generic() -> Writer:
    """The map for tables of no known writer."""
    return _table()[0]


@lru_cache(maxsize=1 << 16)
def normal(name: str) -> str:
    """A column's name in the form in which names are compared."""
    return _BLANKS.sub("_", name.strip().lower())


def writer_of(file_name: str, names: Sequence[str], parents: str = "") -> Writer:
    """The first writer that a table fits by its file's name and its columns, else the generic one.

    `parents` is the file's directory, `/`-separated, for writers that are known by it.
    """
    known = frozenset(normal(name) for name in names)
    for one in _table()[1]:
        if any(fnmatchcase(file_name.lower(), pattern) for pattern in one.files) and _fits(one, names, known, parents):
            return one
    return generic()


def _fits(one: Writer, names: Sequence[str], known: frozenset[str], parents: str) -> bool:
    if one.only and known != frozenset(one.only):
        return False
    if one.tag == "path" and not any(f"/{below}/" in f"/{parents}/" for below in one.below):
        return False
    if one.index and (not names or normal(names[0]) not in ("", "unnamed:_0")):
        return False
    return all(any(choice in known for choice in need.split("|")) for need in one.needs)
