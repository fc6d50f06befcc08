"""The HDF5 importer: which files are a run's, and their tensors and scalars over steps."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from mlcheck.importers.base import unreadable
from mlcheck.importers.found import FoundFile
from mlcheck.importers.hdf5.failures import DAMAGE
from mlcheck.importers.hdf5.kinds import is_named_so, signature_at
from mlcheck.importers.hdf5.look import Look, holds_weights, is_of_training, look
from mlcheck.importers.hdf5.names import numbered_sets
from mlcheck.importers.hdf5.units import Unit, runs_of, units_of
from mlcheck.store.series import Imported
from mlcheck.store.tensors.request import Request

NOT_JUDGED = (
    "HDF5 without steps or collections: a data set or an export, not judged; name it as PATH to see it as a snapshot"
)
MOST_REMEMBERED = 4096


class Hdf5Importer:
    """Reads dumps of tensors over steps, weights files and histories (formats.md §2)."""

    format = "hdf5"

    def __init__(self) -> None:
        self._looks: dict[tuple[str, int, int], Look] = {}
        self._sets: dict[tuple[str, int], frozenset[str]] = {}

    def claims(self, path: Path, head: bytes) -> bool:
        """See base.Importer. A file that is only called HDF5 is claimed as well, so that its reason is reported."""
        if signature_at(path, head) is None:
            return is_named_so(path) and path.suffix.lower() != ".hdf"
        found = self._peek(path, head)
        if found.layout is None:
            return True
        layout = found.layout
        if is_of_training(layout):
            return True
        return bool(layout.sources) and self._is_in_set(path) and holds_weights(layout)

    def why_not(self, path: Path, head: bytes) -> str | None:
        """See base.Hesitates."""
        if signature_at(path, head) is None:
            return None
        layout = self._peek(path, head).layout
        if layout is not None and not layout.sources:
            return "HDF5 without numbers: no run data"
        return NOT_JUDGED

    def would_read(self, path: Path, head: bytes) -> bool:
        """See base.Hesitates."""
        return signature_at(path, head) is not None

    def groups(self, paths: Sequence[Path]) -> Mapping[str, Sequence[Path]]:
        """See base.Separates: two dumps of the same tensors at the same steps are two runs."""
        layouts = {}
        others = []
        for path in paths:
            layout = self._peek(path).layout
            if layout is not None and layout.sources:
                layouts[path] = layout
            else:
                others.append(path)
        runs = {name: [one.path for unit in units for one in unit.members] for name, units in _runs(layouts).items()}
        for path in others:
            # What cannot be read is reported with the run that it lies beside, or alone where there are several.
            name = next(iter(runs)) if len(runs) == 1 else path.name
            runs.setdefault(name, []).append(path)
        return runs

    def read(self, path: Path, shown: str) -> Imported:
        """See base.Importer: a file by itself, with the base statistics."""
        file = FoundFile(path, shown, "", self.format, path.stat().st_size)
        return self.read_together([file], Request.base())[0][1]

    def read_together(self, files: Sequence[FoundFile], request: Request) -> list[tuple[str, Imported]]:
        """See base.ReadsTogether."""
        # What reads is imported where there is something to read: most runs hold no such file, and all pay for imports.
        from mlcheck.importers.hdf5.read import read_units

        found: dict[str, Look] = {}
        result: dict[str, Imported] = {}
        for file in files:
            try:
                seen = look(file.path)
            except DAMAGE as error:
                reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
                result[file.shown] = unreadable(file.shown, self.format, reason, file.bytes)
                continue
            if seen.layout is None:
                result[file.shown] = unreadable(file.shown, self.format, seen.reason or "damaged HDF5", seen.bytes)
            else:
                found[file.shown] = seen
        readable = [file for file in files if file.shown in found]
        result |= read_units(readable, found, request)
        return [(file.part, result[file.shown]) for file in files]

    def _peek(self, path: Path, head: bytes | None = None) -> Look:
        """A bounded look, once for each state of a file. A file that cannot be opened has no layout."""
        try:
            state = path.stat()
            key = (os.fspath(path), state.st_mtime_ns, state.st_size)
            if key not in self._looks:
                if len(self._looks) >= MOST_REMEMBERED:
                    self._looks.clear()
                self._looks[key] = look(path, head, peek=True)
            return self._looks[key]
        except DAMAGE as error:
            return Look(None, str(error), 0)

    def _is_in_set(self, path: Path) -> bool:
        """Whether files beside it differ from it in a number only."""
        try:
            key = (os.fspath(path.parent), path.parent.stat().st_mtime_ns)
            if key not in self._sets:
                names = sorted(one.name for one in os.scandir(path.parent) if is_named_so(Path(one.name)))
                self._sets[key] = frozenset(name for one in numbered_sets(names) for name in one)
        except OSError:
            return False
        return path.name in self._sets[key]


def _runs(layouts: Mapping[Path, object]) -> Mapping[str, Sequence[Unit]]:
    return runs_of(units_of(layouts)) if layouts else {}  # type: ignore[arg-type]
