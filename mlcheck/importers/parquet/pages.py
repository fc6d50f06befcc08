"""Reads the row groups of a file in batches of bounded size, and goes on after one that is damaged."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from mlcheck.importers.parquet.footer import faults, reason_of
from mlcheck.importers.parquet.thrift import Chunk, Footer, Group
from mlcheck.records import dataclass, field

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile

BATCH_BYTES = 16 << 20
"""About so much is read at once."""
BATCH_ROWS = 1 << 17
CELLS = 1 << 25
"""So many cells are believed of any file, however small it is."""
CELLS_PER_BYTE = 4000
"""More cells than this for each byte of the file are not believed: run lengths cost nothing, memory does."""
CELL_VALUES = 1 << 28
"""Values of a single list, on average of its row group, that are not believed where they are not really there."""
VALUES_PER_BYTE = 1000

_WIDTHS = {0: 1, 1: 4, 2: 8, 3: 12, 4: 4, 5: 8}
"""Bytes of a value by physical type: boolean, int32, int64, int96, float, double."""
_TEXT = 16
"""Bytes of a text as a dictionary's number, and a little."""


@dataclass(slots=True)
class Damage:
    """What of a file is lost."""

    groups: int = 0
    """Row groups of which something is lost."""
    rows: int = 0
    bytes: int = 0
    offset: int | None = None
    first: str = ""
    """The first of them and the reason."""
    of: int = 0
    """Row groups of the file."""

    def lose(self, number: int, rows: int, size: int, offset: int | None, reason: str) -> None:
        """Note that rows of a row group are lost."""
        self.groups += 1
        self.rows += max(rows, 0)
        self.bytes += max(size, 0)
        if not self.first:
            self.first, self.offset = f"row group {number + 1:,} of {self.of:,}: {reason}", offset

    def text(self) -> str:
        """One line."""
        more = f"; {self.groups - 1:,} more are damaged" if self.groups > 1 else ""
        return f"{self.first}; {self.rows:,} rows lost{more}"


@dataclass(slots=True)
class Pages:
    """The rows of a file."""

    file: "ParquetFile"
    footer: Footer
    size: int
    """Bytes of the file."""
    rows: int = 0
    """Rows that were read."""
    damage: Damage = field(default_factory=Damage)

    def batches(
        self, columns: Sequence[str], skip: Callable[[Group], bool] | None = None
    ) -> "Iterator[pa.RecordBatch]":
        """The batches of these columns, in order. `skip` says of a row group that it is not needed."""
        groups = self.footer.groups
        self.damage.of = len(groups)
        chosen = frozenset(columns)
        believed = max(CELLS, CELLS_PER_BYTE * self.size)
        for number, group in enumerate(groups):
            if skip is not None and skip(group):
                continue
            leaves = [one for one in group.chunks if one.path[:1] and one.path[0] in chosen]
            hidden = [one for one in group.chunks if one.is_encrypted and (not one.path or one.path[0] in chosen)]
            at = min((one.offset for one in leaves if one.offset is not None), default=None)
            stored = sum(max(one.compressed, 0) for one in leaves)
            claim = "it is encrypted" if hidden else self._claims_too_much(leaves, group.rows, believed)
            if claim is not None:
                self.damage.lose(number, group.rows, min(stored, self.size), at, claim)
                continue
            believed -= group.rows * max(len(leaves), 1)
            yield from self._group(number, columns, _batch_rows(leaves, group.rows), group.rows, stored, at)

    def _claims_too_much(self, leaves: Sequence[Chunk], rows: int, believed: int) -> str | None:
        """Why a row group is not read: it claims what cannot be there."""
        if rows < 0 or any(one.values < 0 for one in leaves):
            return "it claims fewer than no rows"
        flat = [one for one in leaves if len(one.path) == 1]
        if rows * max(len(flat), 1) > believed:
            return f"it claims {rows:,} rows, which a file of {self.size:,} bytes does not hold"
        for one in leaves:
            each = one.values // max(rows, 1)
            if each > CELL_VALUES and one.values > VALUES_PER_BYTE * max(one.compressed, 1):
                return f"column {one.path[0]} claims {one.values:,} values in {one.compressed:,} bytes"
        return None

    def _group(
        self, number: int, columns: Sequence[str], batch_rows: int, rows: int, stored: int, at: int | None
    ) -> "Iterator[pa.RecordBatch]":
        done = 0
        try:
            found = self.file.iter_batches(
                batch_size=batch_rows, row_groups=[number], columns=list(columns), use_threads=False
            )
            for batch in found:
                done += batch.num_rows
                self.rows += batch.num_rows
                yield batch
        except faults() as error:
            lost = stored * (rows - done) // max(rows, 1)
            self.damage.lose(number, rows - done, min(max(lost, 1), self.size), at, reason_of(error))
            return
        if done < rows:
            self.damage.lose(number, rows - done, 0, at, f"it claims {rows:,} rows and holds {done:,}")


def _batch_rows(leaves: Sequence[Chunk], rows: int) -> int:
    """Rows of about `BATCH_BYTES`, by the number of values that the columns state."""
    total = 0
    for one in leaves:
        width = _WIDTHS.get(one.kind, _TEXT)
        total += max(one.values, 0) * width
    each = max(total // max(rows, 1), 1)
    return int(min(max(BATCH_BYTES // each, 1), BATCH_ROWS))
