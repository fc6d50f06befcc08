"""What discovery finds: runs and their files, before anything is read."""

from pathlib import Path

from mlcheck.records import dataclass, field
from mlcheck.report import Note, SourceStatus


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file that an importer claims."""

    path: Path
    shown: str
    """Relative to the scanned path, `/`-separated."""
    part: str
    """Its directory relative to the run's, `/`-separated; empty for the run's own."""
    format: str
    bytes: int
    member: str | None = None
    """Which of several runs in the file; None for a file that is of one run."""


@dataclass(frozen=True, slots=True)
class Found:
    """A run before it is read."""

    name: str
    path: str
    """Relative to the scanned path; `.` for the path itself."""
    files: tuple[FoundFile, ...]

    @property
    def bytes(self) -> int:
        """Size of its files."""
        return sum(one.bytes for one in self.files)


@dataclass
class Discovery:
    """All that was found below the given paths."""

    runs: list[Found] = field(default_factory=list)
    ignored: list[SourceStatus] = field(default_factory=list)
    """Files that hold no run data, or that no importer reads yet."""
    missing: list[str] = field(default_factory=list)
    """Given paths that do not exist or are no run, with what was looked for."""
    notes: list[Note] = field(default_factory=list)
