"""Rows that were read on whole arrays, and those that came through protobuf, by tag in record order."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mlcheck.importers.collect import Parted, Row
from mlcheck.importers.columns import Decoded
from mlcheck.importers.framing import Bytes, Offsets
from mlcheck.importers.histogram_columns import gathered
from mlcheck.importers.rows import ByTag, Rows, histogram_rows, merged, scalar_rows
from mlcheck.importers.values import Floats
from mlcheck.records import dataclass, field
from mlcheck.store.series import Kind
from mlcheck.store.statistics import Histogram, histogram_statistics

BUCKETS_HELD = 1 << 18
"""Histograms of the slow path are reduced to statistics in batches of about this many buckets, so that memory is bounded
whatever they claim."""


@dataclass(slots=True)
class ArrayRows:
    """See `collect.KeepsRows`; `end_stretch` says when rows of both paths are to be put in order."""

    _scalars: ByTag = field(default_factory=scalar_rows)
    _histograms: ByTag = field(default_factory=histogram_rows)
    _slow_scalars: list[tuple[Row, float]] = field(default_factory=list)
    _slow_histograms: list[tuple[Row, Histogram]] = field(default_factory=list)
    _reduced: list[Rows] = field(default_factory=list)
    """Histograms of the slow path in this stretch whose statistics are known."""
    _held: int = 0

    def add_scalar(self, row: Row, value: float) -> None:
        """Keep a scalar of the slow path; `end_stretch` puts it among those of the fast one."""
        self._slow_scalars.append((row, value))

    def add_histogram(self, row: Row, histogram: Histogram) -> None:
        """Keep a histogram of the slow path."""
        self._slow_histograms.append((row, histogram))
        self._held += 1 + len(histogram.counts)
        if self._held >= BUCKETS_HELD:
            self._reduce()

    def _reduce(self) -> None:
        if self._slow_histograms:
            statistics = histogram_statistics([histogram for _, histogram in self._slow_histograms])
            self._reduced.append(_rows([row for row, _ in self._slow_histograms], statistics))
        self._slow_histograms, self._held = [], 0

    def end_stretch(
        self, data: Bytes, decoded: Decoded, numbers: NDArray[np.int32], first_record: int, done: float
    ) -> None:
        """Take the records of a stretch whose source has a tag number, and put the slow path's among them in record
        order. `done` is the share of the file that has been read.
        """
        # A record without a source has -1, which picks what is appended.
        tags = np.append(numbers, np.int32(-1))[decoded.source]
        histograms = _fast_histograms(data, decoded, tags, first_record)
        scalars = _fast_scalars(decoded, tags, first_record)
        self._reduce()
        if self._slow_scalars:
            values = np.array([value for _, value in self._slow_scalars], dtype=np.float64)
            scalars.append(_rows([row for row, _ in self._slow_scalars], {"value": values}))
            self._slow_scalars = []
        histograms += self._reduced
        self._reduced = []
        for into, parts in ((self._scalars, scalars), (self._histograms, histograms)):
            if parts:
                into.add(merged(parts), done)

    def finished(self, scalars: Mapping[int, bool], histograms: Mapping[int, bool]) -> Iterator[tuple[Parted, Kind]]:
        """Hand out everything; see `collect.KeepsRows`."""
        for one in self._scalars.finished(scalars):
            yield one, "scalar"
        for one in self._histograms.finished(histograms):
            yield one, "tensor"


def _fast_scalars(decoded: Decoded, tags: NDArray[np.int32], first_record: int) -> list[Rows]:
    keep = tags >= 0
    keep[decoded.histograms] = False
    everything = bool(keep.all())
    records = np.arange(len(tags)) if everything else np.flatnonzero(keep)
    if not len(records):
        return []
    which: slice | Offsets = slice(None) if everything else records
    is_tensor = decoded.sources.is_tensor[decoded.source[which]]
    columns = {"value": decoded.values[which]}
    return [
        Rows(records + first_record, tags[which], decoded.steps[which], decoded.wall_times[which], is_tensor, columns)
    ]


def _fast_histograms(data: Bytes, decoded: Decoded, tags: NDArray[np.int32], first_record: int) -> list[Rows]:
    keep = tags[decoded.histograms] >= 0
    records = decoded.histograms[keep]
    if not len(records):
        return []
    statistics = histogram_statistics(gathered(data, decoded.places.only(keep)))
    is_tensor = decoded.sources.is_tensor[decoded.source[records]]
    walls = decoded.wall_times[records]
    return [Rows(records + first_record, tags[records], decoded.steps[records], walls, is_tensor, statistics)]


def _rows(rows: Sequence[Row], columns: Mapping[str, Floats]) -> Rows:
    return Rows(
        np.array([row.record for row in rows], dtype=np.int64),
        np.array([row.tag for row in rows], dtype=np.int32),
        np.array([row.step for row in rows], dtype=np.int64),
        np.array([row.wall_time for row in rows], dtype=np.float64),
        np.array([row.is_tensor for row in rows], dtype=bool),
        columns,
    )
