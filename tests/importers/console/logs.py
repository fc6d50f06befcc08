"""Logs as training scripts print them, and the points that a person reads in them."""

from pathlib import Path

import numpy as np

from mlcheck.importers.console.reader import ConsoleImporter
from mlcheck.store.series import Fact, Imported, RawSeries


def write(directory: Path, text: str | bytes, name: str = "train.log") -> Path:
    path = directory / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def claims(path: Path) -> bool:
    with path.open("rb") as file:
        return ConsoleImporter().claims(path, file.read(64))


def read(path: Path) -> Imported:
    return ConsoleImporter().read(path, path.name)


def of(directory: Path, text: str | bytes) -> dict[str, list[tuple[int, float]]]:
    """What a log says, which must be claimed as one: each tag's points (step, value)."""
    path = write(directory, text)
    assert claims(path)
    imported = read(path)
    assert imported.status.status == "read"
    return points(imported)


def points(imported: Imported) -> dict[str, list[tuple[int, float]]]:
    return {
        one.tag: list(zip(one.steps.tolist(), one.columns["value"].tolist(), strict=True)) for one in imported.series
    }


def axes(imported: Imported) -> set[str | None]:
    return {one.hints.axis for one in imported.series}


def walls(series: RawSeries) -> list[float]:
    assert series.wall_times.dtype == np.float64
    return series.wall_times.tolist()


def facts(imported: Imported) -> dict[str, Fact]:
    return {one.key: one for one in imported.facts}
