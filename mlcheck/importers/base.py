"""What every importer is: a name, a look at the first bytes, and a function from a file to series."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from mlcheck.records import dataclass
from mlcheck.report import SourceStatus
from mlcheck.store.examples import Examples
from mlcheck.store.series import Imported

if TYPE_CHECKING:
    from mlcheck.importers.found import FoundFile
    from mlcheck.store.tensors.request import Request

SETTINGS = "settings"
"""The format of files with the settings of a run."""

HYDRA = ".hydra"
"""Directory in which Hydra keeps the settings of the job whose output the directory above holds."""


class Importer(Protocol):
    """Reads one file format and knows nothing of rules or roles."""

    format: str
    """Name of the format in reports: `tensorboard`."""

    def claims(self, path: Path, head: bytes) -> bool:
        """Whether the file is one of ours, by its name or its first bytes (at most 64 of them).

        An importer claims a file that only pretends to be of its format (an LFS pointer called `events.out.tfevents…`) as well, so
        that `read` can report it: a file that nobody claims is silently no run data.
        """
        ...

    def read(self, path: Path, shown: str) -> Imported:
        """Read all that is good. Never raises for what is in the file: the status says what was lost and where.

        `shown` is the path that the status carries. Raises OSError when the file cannot be opened.
        """
        ...


def unreadable(path: str, format_name: str, reason: str, size: int = 0, offset: int | None = None) -> Imported:
    """The result for a file of which nothing could be read."""
    return Imported(
        SourceStatus(path, format_name, "unreadable", reason=reason, bytes=size, lost_bytes=size, offset=offset)
    )


@dataclass(frozen=True, slots=True)
class Member:
    """One of the runs that a file holds."""

    id: str
    """What `read_member` is asked for."""
    name: str
    """Name of the run, unique in the file."""
    path: str
    """Its place below the file, `/`-separated: what is the same when the job runs again should be the same here."""


@dataclass(frozen=True, slots=True)
class Members:
    """The runs in a file, and what was left out."""

    runs: tuple[Member, ...]
    note: str = ""
    """What was left out and why; empty for nothing."""
    shared: bool = False
    """Its rows name their runs: files of one directory that name the same run are of that one run, and where they name fewer than
    two runs in all, they are ordinary files of the run of their directory."""


@runtime_checkable
class HoldsRuns(Protocol):
    """An importer whose files may hold several runs (a database, a table with a column of run names)."""

    def members(self, path: Path) -> Members:
        """The runs in the file. None where it cannot be read: `read` then says why."""
        ...

    def read_member(self, path: Path, shown: str, member: str) -> Imported:
        """Read one run, as `read` does a file."""
        ...


@dataclass(frozen=True, slots=True)
class RunDirectory:
    """A directory that is one run in itself, whatever its files and sub-directories are called."""

    name: str
    files: tuple[Path, ...] = ()
    """Its files, which `read` takes."""
    below: tuple[str, ...] = ()
    """Sub-directories that may hold files of other formats: they belong to the same run."""
    left_out: str = ""
    """Why the run is left out (`deleted`); empty for a run that is read."""


@runtime_checkable
class OwnsDirectories(Protocol):
    """An importer whose runs are directories of a fixed form."""

    def directory(self, path: Path, files: Sequence[str]) -> RunDirectory | None:
        """The run that a directory with these files is, None for any other directory."""
        ...


@runtime_checkable
class Accompanies(Protocol):
    """An importer of files that say something of a run, where there is one, and are no run by themselves."""

    def accompanies(self, path: Path, head: bytes) -> bool:
        """Whether an unclaimed file tells something of the run in whose directory it lies."""
        ...


@runtime_checkable
class Separates(Protocol):
    """An importer whose files in one directory may be of several runs."""

    def groups(self, paths: Sequence[Path]) -> Mapping[str, Sequence[Path]]:
        """The files by the run that they are of, with a name for each; asked where a directory holds nothing else."""
        ...


@runtime_checkable
class HasHome(Protocol):
    """An importer whose files may lie below the directory of their run, several generations of one of them."""

    def home(self, path: Path) -> Path:
        """The directory of the run that a file belongs to; its own for most."""
        ...

    def superseded(self, paths: Sequence[Path]) -> Mapping[Path, str]:
        """Those of the files of one run that another one replaces, each with the reason."""
        ...


@runtime_checkable
class ReadsTogether(Protocol):
    """An importer of tensors: all files of a run are read at once, for what compares one step with the step before."""

    def read_together(self, files: "Sequence[FoundFile]", request: "Request") -> Sequence[tuple[str, Imported]]:
        """Read all files of this format in one run: the part of each and what came of it, with `shown` as its path.

        Only the statistics of the request are computed. Never raises for what is in a file or for one that cannot be opened: its
        status says why.
        """
        ...


@runtime_checkable
class ReadsBeside(Protocol):
    """An importer that reads more than the files that discovery names."""

    def beside(self, path: Path) -> Sequence[Path]:
        """The files that reading one looks into as well; some may not be there, and be looked for."""
        ...


@runtime_checkable
class Verifies(Protocol):
    """An importer of files that carry checksums, which `read` compares only where something is wrong: all of them take time."""

    def read_verified(self, path: Path, shown: str) -> Imported:
        """The same as `read`, with every checksum compared."""
        ...


@runtime_checkable
class ReadsOn(Protocol):
    """An importer of files that only grow: what was read before need not be read again."""

    def read_on(self, path: Path, shown: str, before: Imported, offset: int) -> Imported:
        """The same as `read`, given what it made of the file up to an offset. Raises OSError."""
        ...


@runtime_checkable
class HoldsExamples(Protocol):
    """An importer whose files may hold what a model said of examples, once: something of a run beside other files, no run alone."""

    def examples(self, path: Path) -> Examples | None:
        """What such a file holds; None for all other files."""
        ...


@runtime_checkable
class Hesitates(Protocol):
    """An importer that leaves files of its format alone that look like data sets or exports, unless the user names them."""

    def why_not(self, path: Path, head: bytes) -> str | None:
        """Why an unclaimed file is left alone; None where it is not of this format."""
        ...

    def would_read(self, path: Path, head: bytes) -> bool:
        """Whether it reads an unclaimed file that the user names."""
        ...
