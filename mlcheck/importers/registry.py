"""The importers that there are: an explicit list, in the order in which they are asked."""

from functools import cache

from mlcheck.importers.base import Importer


@cache
def importers() -> tuple[Importer, ...]:
    """All importers."""
    from mlcheck.importers.console.reader import ConsoleImporter
    from mlcheck.importers.hdf5.importer import Hdf5Importer
    from mlcheck.importers.mlflow import MLflowImporter
    from mlcheck.importers.parquet.importer import ParquetImporter
    from mlcheck.importers.settings_files import SettingsImporter
    from mlcheck.importers.smdebug.importer import SmdebugImporter
    from mlcheck.importers.tables.importer import TableImporter
    from mlcheck.importers.tensorboard import TensorBoardImporter
    from mlcheck.importers.trees.importer import TreeModelImporter

    return (
        SmdebugImporter(),
        TensorBoardImporter(),
        MLflowImporter(),
        Hdf5Importer(),
        ParquetImporter(),
        TableImporter(),
        TreeModelImporter(),
        ConsoleImporter(),
        SettingsImporter(),
    )


def by_format(name: str) -> Importer:
    """The importer of a format; KeyError when there is none."""
    return _by_format()[name]


@cache
def _by_format() -> dict[str, Importer]:
    return {one.format: one for one in importers()}
