"""Files as real writers leave them, and a collector that keeps what it was given."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mlcheck.importers.found import FoundFile
from mlcheck.importers.parquet.importer import ParquetImporter
from mlcheck.store.series import Hints, Imported, RawSeries
from mlcheck.store.tensors.request import Request

IMPORTER = ParquetImporter()


def write(path: Path, table: pa.Table | dict[str, Any], **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table if isinstance(table, pa.Table) else pa.table(table), path, **options)
    return path


def claimed(path: Path) -> bool:
    return IMPORTER.claims(path, path.read_bytes()[:64])


def why_not(path: Path) -> str | None:
    return IMPORTER.why_not(path, path.read_bytes()[:64])


def read(path: Path, member: str | None = None) -> Imported:
    return IMPORTER.read(path, path.name) if member is None else IMPORTER.read_member(path, path.name, member)


def together(paths: Sequence[Path], part: str = "", request: Request | None = None) -> list[Imported]:
    files = [FoundFile(path, path.name, part, "parquet", path.stat().st_size) for path in paths]
    return [one for _, one in IMPORTER.read_together(files, request or Request.base())]


def by_tag(found: Imported) -> dict[str, RawSeries]:
    tags = [one.tag for one in found.series]
    assert len(set(tags)) == len(tags), tags
    return {one.tag: one for one in found.series}


@dataclass
class Track:
    """What a tensor was given."""

    tag: str
    hints: Hints
    needed: bool = True
    rows: list[tuple[int, float, np.ndarray]] = field(default_factory=list)
    unread: list[tuple[int, tuple[int, ...], str]] = field(default_factory=list)

    def add(self, step: int, wall_time: float, array: np.ndarray) -> None:
        self.rows.append((step, wall_time, array.copy()))

    def add_rows(self, steps: Any, wall_times: Any, arrays: np.ndarray) -> None:
        for step, wall_time, array in zip(steps, wall_times, arrays, strict=True):
            self.add(int(step), float(wall_time), array)

    def add_unread(self, step: int, wall_time: float, shape: Any, dtype: str) -> None:
        self.unread.append((step, tuple(shape), dtype))

    @property
    def steps(self) -> list[int]:
        return [step for step, _, _ in self.rows]

    @property
    def arrays(self) -> list[np.ndarray]:
        return [array for _, _, array in self.rows]


@dataclass
class Witness:
    """Stands in for the collector of tensors."""

    tracks: dict[tuple[str, str | None, str | None], Track] = field(default_factory=dict)
    needed: bool = True

    def __call__(self, request: Request, part: str = "") -> "Witness":
        return self

    def track(self, tag: str, hints: Hints) -> Track:
        key = (tag, hints.mode, hints.worker)
        return self.tracks.setdefault(key, Track(tag, hints, self.needed))

    def series(self) -> tuple[RawSeries, ...]:
        return ()

    def problems(self) -> tuple[str, ...]:
        return ()

    def by_tag(self) -> dict[str, Track]:
        return {tag: track for (tag, _, _), track in self.tracks.items()}


@pytest.fixture
def witness(monkeypatch: pytest.MonkeyPatch) -> Witness:
    found = Witness()
    monkeypatch.setattr("mlcheck.importers.parquet.tensors.TensorCollector", found)
    return found
