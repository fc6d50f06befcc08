"""Which importer reads a file, and why none does: each is asked for it by content, in the order of the registry."""

from pathlib import Path

from mlcheck.importers import paths as disk
from mlcheck.importers.base import Hesitates, HoldsExamples
from mlcheck.importers.registry import IMPORTERS, by_format, importers
from mlcheck.store.examples import Examples

_KINDS = {
    "tensorboard": "TensorBoard event files",
    "table": "tables of metrics (metrics.csv, trainer_state.json …)",
    "mlflow": "MLflow runs",
    "console": "training logs",
    "hdf5": "HDF5 dumps",
    "parquet": "Parquet dumps",
    "smdebug": "SageMaker Debugger trials",
}
"""What there is to look for, in the order in which a reader knows it; models of trees only tell of a run."""


def looked_for() -> str:
    """What there is to look for, in words."""
    words = [words for name, words in _KINDS.items() if name in IMPORTERS]
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def claim(path: Path) -> str | None:
    """The format of a file with run data; None for any other."""
    head = disk.head(path)
    return next((one.format for one in importers() if one.claims(path, head)), None)


def claim_named(path: Path) -> str | None:
    """The format of a file that the user names: what looks like a data set or an export is read then."""
    claimed = claim(path)
    if claimed is not None:
        return claimed
    head = disk.head(path)
    return next((one.format for one in importers() if isinstance(one, Hesitates) and one.would_read(path, head)), None)


def examples_of(path: Path, format_name: str) -> Examples | None:
    """What a claimed file holds of examples, where that is all it holds."""
    importer = by_format(format_name)
    return importer.examples(path) if isinstance(importer, HoldsExamples) else None


def why_not(path: Path) -> str | None:
    """Why an importer leaves a file of its format alone; None for files that are of no format."""
    head = disk.head(path)
    reasons = (one.why_not(path, head) for one in importers() if isinstance(one, Hesitates))
    return next((reason for reason in reasons if reason), None)


def refusal(path: Path) -> str | None:
    """Why a file that looks like a table is not read; None for other files."""
    from mlcheck.importers.tables import places

    return places.refusal(path)
