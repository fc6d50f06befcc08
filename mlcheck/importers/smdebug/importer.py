"""SageMaker Debugger trials as runs."""

from collections.abc import Sequence
from pathlib import Path

from mlcheck.importers.base import RunDirectory
from mlcheck.importers.found import FoundFile
from mlcheck.importers.smdebug.layout import COLLECTIONS, EVENTS, INDEX, files_of, is_trial, trial_of
from mlcheck.store.series import Imported
from mlcheck.store.tensors.request import Request


class SmdebugImporter:
    """Reads trials: a directory with `events/` or `index/`, and mostly `collections/`, is one run."""

    format = "smdebug"

    def claims(self, path: Path, head: bytes) -> bool:
        """Never: a trial is a directory."""
        return False

    def directory(self, path: Path, files: Sequence[str]) -> RunDirectory | None:
        """The trial that a directory is, whatever else lies in it; also one that has lost its collections or its index."""
        return RunDirectory(path.name, tuple(files_of(path))) if is_trial(path) else None

    def read(self, path: Path, shown: str) -> Imported:
        """One file of a trial by itself. Raises OSError when it cannot be opened."""
        from mlcheck.importers.smdebug.trial import read_trial

        size = path.stat().st_size
        whole, *damaged = read_trial([FoundFile(path, shown, "", self.format, size)], Request.base())
        return damaged[0] if damaged and not whole.series else whole

    def read_together(self, files: Sequence[FoundFile], request: Request) -> Sequence[tuple[str, Imported]]:
        """Read the files of one run: each trial among them is read as a whole.

        The first result of a trial holds its series, under the path of its events; then comes a status for each file of it that is damaged
        or missing. See `base.ReadsTogether`.
        """
        # What reads is imported where there is something to read: most runs hold no such file, and all pay for imports.
        from mlcheck.importers.smdebug.trial import read_trial

        trials: dict[tuple[Path, str], list[FoundFile]] = {}
        for file in files:
            trials.setdefault((trial_of(file.path), _part(file)), []).append(file)
        return [
            (part, imported)
            for (_, part), of_trial in trials.items()
            for imported in read_trial(of_trial, request, part)
        ]


def _part(file: FoundFile) -> str:
    """The trial's own part of the run: directories inside the trial are none."""
    pieces = file.part.split("/")
    return "/".join(pieces[:-2]) if len(pieces) > 1 and pieces[-2] in (EVENTS, INDEX, COLLECTIONS) else file.part
