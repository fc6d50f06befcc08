"""The importers that there are: an explicit list, in the order in which they are asked. One is imported when it is asked for.

A new format is one new file with an `Importer`, and one line here.
"""

from collections.abc import Iterator
from functools import cache
from importlib import import_module
from typing import cast

from mlcheck.importers.base import Importer

IMPORTERS: dict[str, str] = {
    "smdebug": "smdebug.importer:SmdebugImporter",
    "tensorboard": "tensorboard:TensorBoardImporter",
    "mlflow": "mlflow:MLflowImporter",
    "hdf5": "hdf5.importer:Hdf5Importer",
    "parquet": "parquet.importer:ParquetImporter",
    "table": "tables.importer:TableImporter",
    "tree-model": "trees.importer:TreeModelImporter",
    "console": "console.reader:ConsoleImporter",
    "settings": "settings_files:SettingsImporter",
}
"""Format to `module:class` in this package."""

OWN_DIRECTORIES = ("smdebug", "mlflow")
"""Formats whose importers are `base.OwnsDirectories`: every directory of a walk is shown to them."""
ACCOMPANY = ("tree-model", "console", "settings")
"""Formats whose importers are `base.Accompanies`: every file that nobody claimed is."""


def importers() -> Iterator[Importer]:
    """All importers in order, each imported when the one before it was not the right one."""
    return (by_format(name) for name in IMPORTERS)


@cache
def by_format(name: str) -> Importer:
    """The importer of a format; KeyError when there is none."""
    module, _, maker = IMPORTERS[name].partition(":")
    return cast(Importer, getattr(import_module(f"mlcheck.importers.{module}"), maker)())
