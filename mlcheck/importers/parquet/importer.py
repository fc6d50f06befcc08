"""The importer of Parquet files."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from mlcheck.importers.base import Members
from mlcheck.importers.found import FoundFile
from mlcheck.importers.parquet import places
from mlcheck.importers.parquet.footer import ENCRYPTED, MAGIC, SUFFIXES
from mlcheck.importers.parquet.layout import look
from mlcheck.importers.parquet.members import members
from mlcheck.records import replace
from mlcheck.store.examples import Examples
from mlcheck.store.series import Imported, RawSeries
from mlcheck.store.tensors.request import Request

MOST_PROBLEMS = 5
"""Problems of tensors that a status names."""


class ParquetImporter:
    """Reads tables of scalars, of tensors and of predictions; see layout.py for what is taken for which."""

    format = "parquet"

    def claims(self, path: Path, head: bytes) -> bool:
        """By the columns that the footer names. What only pretends to be Parquet, or is cut, is claimed too: `read` says so."""
        if head[:4] not in (MAGIC, ENCRYPTED) and path.suffix.lower() not in SUFFIXES:
            return False
        try:
            found = look(path)
        except OSError:
            return False
        return found.layout is not None or found.is_damaged

    def why_not(self, path: Path, head: bytes) -> str | None:
        """Why a Parquet file is left alone; None for other files."""
        if head[:4] != MAGIC:
            return None
        try:
            return look(path).refused
        except OSError as error:
            return error.strerror or str(error)

    def would_read(self, path: Path, head: bytes) -> bool:
        """Whether a file that looks like a data set has numbers all the same."""
        if head[:4] != MAGIC:
            return False
        try:
            return look(path).snapshot is not None
        except OSError:
            return False

    def examples(self, path: Path) -> Examples | None:
        """See base.HoldsExamples."""
        try:
            return look(path).examples
        except OSError:
            return None

    def home(self, path: Path) -> Path:
        """The directory of the run that a file belongs to: above those of partitions."""
        return places.home(path)

    def superseded(self, paths: Sequence[Path]) -> Mapping[Path, str]:
        """None: the parts of a table complete one another."""
        return {}

    def members(self, path: Path) -> Members:
        """The runs that the rows name, where a column does."""
        return members(path)

    def read(self, path: Path, shown: str) -> Imported:
        """Read one file with the base statistics; see `base.Importer.read`."""
        return self._one(path, shown, None)

    def read_member(self, path: Path, shown: str, member: str) -> Imported:
        """Read one run of a file with the base statistics."""
        return self._one(path, shown, member)

    def _one(self, path: Path, shown: str, member: str | None) -> Imported:
        with path.open("rb"):
            pass
        file = FoundFile(path, shown, "", self.format, path.stat().st_size, member)
        return self.read_together([file], Request.base())[0][1]

    def read_together(self, files: Sequence[FoundFile], request: Request) -> Sequence[tuple[str, Imported]]:
        """Read the files of one run, those of one directory as one table.

        The series of all files of a part are with its first file: the rows of one series may lie in many.
        """
        parts: dict[str, list[FoundFile]] = {}
        for one in sorted(files, key=lambda one: places.in_order(one.path)):
            parts.setdefault(one.part, []).append(one)
        result: list[tuple[str, Imported]] = []
        for part, own in parts.items():
            result += [(part, one) for one in _read_part(part, own, request)]
        return result


def _read_part(part: str, files: Sequence[FoundFile], request: Request) -> list[Imported]:
    # What reads is imported where there is something to read: most runs hold no such file, and all pay for imports.
    from mlcheck.importers.parquet.grouped import merged
    from mlcheck.importers.parquet.reading import FileRead, read_file
    from mlcheck.importers.parquet.tensors import Tensors

    tensors = Tensors.of(request, part)
    read: list[FileRead] = []
    scalars: list[RawSeries] = []
    for one in files:
        found = read_file(one.path, one.shown, one.member, tensors)
        scalars += found.series
        found.series = ()
        read.append(found)
    series = [*merged(scalars, keep=any(one.keeps_order for one in read)), *tensors.series()]
    result = [Imported(one.status, (), tuple(one.facts), one.first_wall_time) for one in read]
    at = next((at for at, one in enumerate(read) if one.status.records), 0)
    problems = tensors.collector.problems()[:MOST_PROBLEMS]
    status = result[at].status
    if problems:
        status = replace(status, reason="; ".join(text for text in (status.reason, *problems) if text))
    if not series and status.records and not result[at].facts and status.status == "read":
        status = replace(status, reason="; ".join(text for text in (status.reason, "no column of numbers") if text))
    result[at] = replace(result[at], status=status, series=tuple(series))
    return result
