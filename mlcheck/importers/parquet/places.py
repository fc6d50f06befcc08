"""Which run a file belongs to, and what the directories above it say: `run=a/step=100/part.00000000.parquet`."""

import re
from collections.abc import Mapping
from pathlib import Path

from mlcheck.importers.hdf5.words import COLLECTIONS
from mlcheck.importers.parquet import words
from mlcheck.importers.parquet.footer import SUFFIXES
from mlcheck.importers.tables.writers import normal

_HIVE = re.compile(r"([A-Za-z_][\w.-]*)=(.*)")
_NULL = "__HIVE_DEFAULT_PARTITION__"
_NUMBER = re.compile(r"(\d+)")
_PARTITION = frozenset(
    (
        *words.STEPS,
        *words.EPOCHS,
        *words.WORKERS,
        *words.MODES,
        *words.COLLECTION,
        *words.NAMES,
        "date",
        "day",
        "hour",
        "part",
    )
)
"""Keys of directories below that of a run; others (`lr=0.1`, `seed=3`) may name runs."""


def _is_data_set(directory: Path) -> bool:
    """Whether a directory is one table in parts: `metrics.parquet/part.00000000.parquet`."""
    return directory.suffix.lower() in SUFFIXES


def home(path: Path) -> Path:
    """The directory of the run that a file belongs to: above `step=100/`, above `metrics.parquet/`; `run=a/` is itself a run's."""
    directory = path.parent
    while directory != directory.parent:
        found = _HIVE.fullmatch(directory.name)
        is_partition = found is not None and normal(found[1]) in _PARTITION
        if not is_partition and not _is_data_set(directory):
            break
        directory = directory.parent
    return directory


def partition_keys(path: Path) -> Mapping[str, str]:
    """What the directories between a file and its home say: key to value."""
    above, top = [], home(path)
    for directory in path.parents:
        if directory == top:
            break
        above.append(directory.name)
    found = (_HIVE.fullmatch(name) for name in above)
    return {one[1]: one[2] for one in found if one is not None and one[2] != _NULL}


def collection_of(path: Path) -> str | None:
    """The collection that the file, or the directory of its parts, is called after: `gradients.parquet`, `weights/part.0.parquet`."""
    top = home(path)
    names = [path.stem]
    for directory in path.parents:
        names.append(directory.stem if _is_data_set(directory) else directory.name)
        if directory == top:
            break
    return next((one for one in names if normal(one) in COLLECTIONS), None)


def in_order(path: Path) -> list[tuple[int, int, str]]:
    """Sort key under which `step=5` comes before `step=100`."""
    pieces = _NUMBER.split(path.as_posix())
    return [(0, int(one[:400]), "") if one.isdecimal() else (1, 0, one) for one in pieces if one]
