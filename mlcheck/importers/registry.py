"""The importers that there are: an explicit list, in the order in which they are asked."""

from mlcheck.importers.base import Importer


def importers() -> tuple[Importer, ...]:
    """All importers."""
    from mlcheck.importers.tensorboard import TensorBoardImporter

    return (TensorBoardImporter(),)


def by_format(name: str) -> Importer:
    """The importer of a format; KeyError when there is none."""
    return {one.format: one for one in importers()}[name]
