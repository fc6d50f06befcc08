"""The importers that there are: an explicit list, in the order in which they are asked."""

from functools import cache

from mlcheck.importers.base import Importer


@cache
def importers() -> tuple[Importer, ...]:
    """All importers."""
    from mlcheck.importers.console.reader import ConsoleImporter
    from mlcheck.importers.mlflow import MLflowImporter
    from mlcheck.importers.settings_files import SettingsImporter
    from mlcheck.importers.tables.importer import TableImporter
    from mlcheck.importers.tensorboard import TensorBoardImporter

    return (TensorBoardImporter(), MLflowImporter(), TableImporter(), ConsoleImporter(), SettingsImporter())


def by_format(name: str) -> Importer:
    """The importer of a format; KeyError when there is none."""
    return _by_format()[name]


@cache
def _by_format() -> dict[str, Importer]:
    return {one.format: one for one in importers()}
