"""Findings kept beside the imported files: what a scan made of the same files, by the same rules, with the same program.

An entry is one file, `<name>.verdict`: a line with the format, what it was made of (`state`) and a checksum, and a line of JSON. JSON, not
a pickle: whoever could write the file could at most tell lies in it, never run code. So that nobody else can tell them, it is believed only
while it belongs to the user who reads it and nobody else may write it, as the compiled rules are (engine/compiled.py).

The name hangs on what was asked, the state on everything that the answer hangs on: a run that changed overwrites its entry.
"""

import contextlib
import json
import os
from pathlib import Path
from typing import Any

from mlcheck.digests import sha256
from mlcheck.records import dataclass
from mlcheck.store.cache import room

FORMAT = "mlcheck.verdict/1"
"""Raised whenever the report's dataclasses are kept in another way; what they hold is told by the program's stamp."""
LARGEST = 64 << 20
"""Bytes of an entry; a longer one is neither written nor read."""


@dataclass(frozen=True, slots=True)
class Verdicts:
    """A directory of entries. Nothing here raises for what is in the directory: what cannot be used is not there."""

    directory: Path
    limit: int
    """Bytes that the whole cache may hold."""

    def get(self, name: str, state: str) -> Any:
        """The plain values that were kept under a name for this state; None where there are none."""
        path = self._path(name)
        try:
            with open(path, "rb") as file:
                status = os.fstat(file.fileno())
                if not room.is_ours(status) or status.st_size > LARGEST:
                    return None
                head, _, body = file.read(LARGEST + 1).partition(b"\n")
            if json.loads(head) != _head(state, body):
                return None
            kept = json.loads(body)
        except (OSError, ValueError, RecursionError):
            return None
        with contextlib.suppress(OSError):
            os.utime(path)
        return kept

    def put(self, name: str, state: str, text: str) -> None:
        """Keep plain values, as JSON in ASCII; a directory that cannot be written keeps none."""
        body = text.encode("ascii")
        head = json.dumps(_head(state, body)).encode("ascii")
        if len(head) + len(body) >= LARGEST:
            return
        path = self._path(name)
        with contextlib.suppress(OSError):
            self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            temporary = path.with_name(f"{path.name}{room.TEMPORARY}{os.getpid()}-{os.urandom(6).hex()}")
            try:
                with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                    file.write(head + b"\n" + body)
                temporary.replace(path)
            finally:
                temporary.unlink(missing_ok=True)

    def evict(self) -> None:
        """Make room where the cache is full; once for all that a scan has put."""
        with contextlib.suppress(OSError):
            room.evict(self.directory, self.limit)

    def _path(self, name: str) -> Path:
        return self.directory / (digest(name)[:40] + room.VERDICT)


def digest(text: str) -> str:
    """SHA-256 of a text, in hexadecimal digits."""
    return sha256(text.encode("utf-8", "surrogatepass"))


def _head(state: str, body: bytes) -> list[str]:
    return [FORMAT, state, sha256(body)]
