"""What a file was when it was read: whether what was kept of it still holds."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mlcheck.records import dataclass

HEAD = 4096
"""Bytes at the beginning whose hash must be the same in a file that grew."""
TAIL = 4096
"""Bytes before the offset to read on from whose hash must be the same: what is appended to never changes them."""


@dataclass(frozen=True, slots=True)
class Identity:
    """One file at one time (language.md fix 17)."""

    path: str
    """Absolute, links resolved."""
    size: int
    mtime_ns: int
    inode: int
    device: int

    @classmethod
    def of(cls, path: Path) -> "Identity":
        """As it is now. Raises OSError."""
        real = path.resolve()
        stat = real.stat()
        return cls(str(real), stat.st_size, stat.st_mtime_ns, stat.st_ino, stat.st_dev)

    def grew_into(self, now: "Identity") -> bool:
        """Whether it may be the same file with more at its end."""
        same = (self.path, self.inode, self.device) == (now.path, now.inode, now.device)
        return same and now.size > self.size

    def state(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


def identities(paths: Sequence[Path]) -> tuple[Identity, ...] | None:
    """Of all files; None where one cannot be asked, so that it is read, and says why."""
    try:
        return tuple(Identity.of(path) for path in paths)
    except (OSError, RuntimeError):
        return None


def edges(path: str, offset: int) -> str:
    """Hash of the first 4 kB and of the last 4 kB before an offset. Raises OSError."""
    with open(path, "rb") as file:
        digest = hashlib.sha256(file.read(min(HEAD, offset)))
        file.seek(max(0, offset - TAIL))
        digest.update(file.read(min(TAIL, offset)))
    return digest.hexdigest()
