"""Files written by the test itself, read through the importer."""

from pathlib import Path

from mlcheck.importers.tables.importer import TableImporter
from mlcheck.store.series import Imported, RawSeries


def claimed(path: Path) -> bool:
    return TableImporter().claims(path, path.read_bytes()[:64])


def read(folder: Path, name: str, content: str | bytes) -> Imported:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return TableImporter().read(path, name)


def points(imported: Imported) -> dict[str, list[tuple[int, float]]]:
    """Tag to (step, value) of each row."""
    return {one.tag: pairs(one) for one in imported.series}


def pairs(one: RawSeries) -> list[tuple[int, float]]:
    return list(zip(one.steps.tolist(), one.columns["value"].tolist(), strict=True))
