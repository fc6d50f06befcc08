"""What every importer is: a name, a look at the first bytes, and a function from a file to series."""

from pathlib import Path
from typing import Protocol

from mlcheck.report import SourceStatus
from mlcheck.store.series import Imported


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
