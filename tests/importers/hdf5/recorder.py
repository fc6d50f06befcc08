"""A collector that keeps the tensors themselves, so that tests see what the importer handed on."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mlcheck.importers.found import FoundFile
from mlcheck.importers.hdf5.importer import Hdf5Importer
from mlcheck.report import SourceStatus
from mlcheck.store.series import Hints, RawSeries
from mlcheck.store.tensors.request import Request


class Track:
    needed = True

    def __init__(self, hints: Hints) -> None:
        self.hints = hints
        self.rows: list[tuple[int, float, np.ndarray]] = []
        self.unread: list[tuple[int, tuple[int, ...], str]] = []
        self.is_done = False

    def pending(self, *given: object) -> None:
        """It wants all as arrays."""

    def add(self, step: int, wall_time: float, array: np.ndarray) -> None:
        assert not self.is_done
        self.rows.append((step, wall_time, np.array(array)))

    def add_rows(self, steps: Sequence[int], wall_times: Sequence[float], arrays: np.ndarray) -> None:
        assert len(steps) == len(wall_times) == len(arrays)
        for step, wall_time, array in zip(steps, wall_times, arrays, strict=True):
            self.add(int(step), float(wall_time), array)

    def add_unread(self, step: int, wall_time: float, shape: tuple[int, ...], dtype: str) -> None:
        np.dtype(dtype)
        self.unread.append((step, shape, dtype))

    def done(self) -> None:
        self.is_done = True

    @property
    def steps(self) -> list[int]:
        return [step for step, _, _ in self.rows]

    @property
    def wall_times(self) -> list[float]:
        return [wall_time for _, wall_time, _ in self.rows]

    def at(self, step: int) -> np.ndarray:
        return next(array for one, _, array in self.rows if one == step)


class Recorder:
    """Stands in for TensorCollector; all that were made since the last `clear` are remembered."""

    made: "list[Recorder]"

    def __init__(self, request: Request, part: str = "") -> None:
        self.part = part
        self.tracks: dict[tuple[str, str | None, str | None], Track] = {}
        Recorder.made.append(self)

    def track(self, tag: str, hints: Hints) -> Track:
        return self.tracks.setdefault((tag, hints.mode, hints.worker), Track(hints))

    def series(self) -> tuple[RawSeries, ...]:
        return ()

    def problems(self) -> tuple[str, ...]:
        return ()


Recorder.made = []


class Contents(NamedTuple):
    """What came of files."""

    tensors: dict[str, Track]
    """By tag; a tag with a mode or a worker also by `tag@mode` and `tag@worker`."""
    scalars: dict[str, RawSeries]
    statuses: list[SourceStatus]
    groups: int

    @property
    def status(self) -> SourceStatus:
        return self.statuses[0]

    @property
    def reason(self) -> str:
        return self.statuses[0].reason or ""


def read(*paths: Path, part: str = "") -> Contents:
    """Read files as those of one run, with the recorder in place."""
    Recorder.made.clear()
    files = [FoundFile(path, path.name, part, "hdf5", path.stat().st_size) for path in paths]
    result = Hdf5Importer().read_together(files, Request.base())
    assert [one[0] for one in result] == [part] * len(paths)
    tensors: dict[str, Track] = {}
    for recorder in Recorder.made:
        for (tag, mode, worker), track in recorder.tracks.items():
            tensors[tag] = track
            tensors[f"{tag}@{mode}"] = track
            tensors[f"{tag}@{worker}"] = track
    scalars = {one.tag: one for _, imported in result for one in imported.series}
    return Contents(tensors, scalars, [imported.status for _, imported in result], len(Recorder.made))


def claims(path: Path) -> bool:
    return Hdf5Importer().claims(path, path.read_bytes()[:64])


def why_not(path: Path) -> str | None:
    return Hdf5Importer().why_not(path, path.read_bytes()[:64])
