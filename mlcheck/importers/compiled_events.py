"""Event files read by the compiled reader, which asks for whatever it does not know."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mlcheck.importers.collect import Collector, NotText, Parted, Row
from mlcheck.importers.event_file import WRONG_CHECKSUM, EventFile
from mlcheck.importers.events import plugin_of_metadata
from mlcheck.importers.framing import HEADER, SAGEMAKER_CHECKSUM, Ending, Stop, Stretch
from mlcheck.importers.wire import is_version
from mlcheck.store.series import Kind
from mlcheck.store.statistics import COLUMNS, Histogram

if TYPE_CHECKING:
    from mlcheck.native import events

_ENDINGS: tuple[Stop, ...] = ("end", "cut", "checksum", "length")
"""What END, CUT, WRONG_CHECKSUM and WRONG_LENGTH are called."""


class TableRows:
    """See `collect.KeepsRows`."""

    def __init__(self, table: "events.Table") -> None:
        self._table = table
        self.done = 1.0
        """Share of the file that has been read."""

    def add_scalar(self, row: Row, value: float) -> None:
        """Keep a scalar of the slow path behind the rows of its tag."""
        self._table.add_scalar(row.tag, row.step, row.wall_time, value, row.is_tensor, self.done)

    def add_histogram(self, row: Row, histogram: Histogram) -> None:
        """Keep a histogram of the slow path likewise."""
        left, right, counts = (
            np.ascontiguousarray(one, dtype=np.float64).data
            for one in (histogram.left, histogram.right, histogram.counts)
        )
        self._table.add_histogram(
            row.tag, row.step, row.wall_time, left, right, counts, histogram.stated, row.is_tensor, self.done
        )

    def finished(self, scalars: Mapping[int, bool], histograms: Mapping[int, bool]) -> Iterator[tuple[Parted, Kind]]:
        """Hand out everything; see `collect.KeepsRows`."""
        for number, with_tensors in scalars.items():
            yield from self._taken(number, "scalar", with_tensors)
        for number, with_tensors in histograms.items():
            yield from self._taken(number, "tensor", with_tensors)

    def _taken(self, number: int, kind: Kind, with_tensors: bool) -> Iterator[tuple[Parted, Kind]]:
        taken = self._table.take(number, kind == "tensor", with_tensors)
        if taken is not None:
            steps: NDArray[np.int64] = np.frombuffer(memoryview(taken[0]), np.int64)
            wall_times, *columns = (np.frombuffer(memoryview(one), np.float64) for one in taken[1:])
            names = COLUMNS if kind == "tensor" else ("value",)
            yield Parted(number, steps, wall_times, dict(zip(names, columns, strict=True))), kind


class CompiledReader:
    """See `event_file.ReadsStretches`."""

    def __init__(self, shown: str, *, verify: bool = False) -> None:
        from mlcheck.native import events

        self._codes = events
        self._table = events.Table()
        self._verify = verify
        self._rows = TableRows(self._table)
        self.file = EventFile(shown, Collector(self._rows))
        self._accepted = SAGEMAKER_CHECKSUM if verify else None
        self._plugins = {"": 0}
        """The numbers that the table has for them; 0 for none."""
        self._before = 0
        """Records of the file before those of the table."""

    def read(self, stretch: Stretch) -> None:
        """Take the records of the next stretch."""
        table, file, position = self._table, self.file, 0
        self._rows.done = stretch.done
        self._before, events = file.records - table.records, table.events
        while True:
            why, position, begin, size = table.read(
                stretch.data.data, position, stretch.size, stretch.done, self._accepted
            )
            if why < len(_ENDINGS):
                break
            if why == self._codes.NEW_TAG:
                self._learn_tag(stretch.data[begin : begin + size].tobytes())
            elif why == self._codes.NEW_METADATA:
                self._learn_metadata(stretch.data[begin : begin + size].tobytes())
            else:
                self._pass(stretch, why, position, begin, size)
                position = begin + size + 4
        file.records = self._before + table.records
        file.events += table.events - events
        if table.events:
            file.collector.has_content = True
            file.note_event(self._before + table.first_event, table.first_wall_time)
        stretch.ending = Ending(position, _ENDINGS[why], size)

    def finish(self) -> None:
        """Note where tags and plugins are first."""
        collector = self.file.collector
        plugins = list(self._plugins)
        for tag, (record, place), plugin, (plugin_record, plugin_place) in self._table.met():
            collector.seen(tag, self._before + record, place)
            collector.plugin(tag, plugins[plugin], self._before + plugin_record, plugin_place)

    def another(self) -> "CompiledReader":
        """For a later part of the same file."""
        return CompiledReader(self.file.shown, verify=self._verify)

    def append(self, later: "CompiledReader") -> None:
        """Take over what was read of the part of the file that comes next."""
        later.finish()
        numbers = self.file.append(later.file)
        self._table.append(later._table, np.array(numbers, dtype=np.int32).data)

    def _learn_tag(self, tag: bytes) -> None:
        try:
            number = self.file.collector.tag(tag)
        except NotText:
            number = -1
        self._table.know_tag(tag, number)

    def _learn_metadata(self, metadata: bytes) -> None:
        plugin = plugin_of_metadata(metadata)
        number = -1 if plugin is None else self._plugins.setdefault(plugin, len(self._plugins))
        self._table.know_metadata(metadata, number)

    def _pass(self, stretch: Stretch, why: int, position: int, begin: int, size: int) -> None:
        # A record that the table leaves to us.
        start, end = position + HEADER, begin + size
        record = stretch.record(self._before + self._table.records, start, end - start)
        if why == self._codes.WRONG_PAYLOAD:
            self.file.lose(record.offset, len(record.payload), WRONG_CHECKSUM)
        elif why == self._codes.READ_VERSION and is_version(record.payload[begin - start :]):
            self.file.events += 1
            self.file.note_event(record.number, float(np.frombuffer(record.payload, "<f8", 1, 1)[0]))
        else:
            self.file.read_slowly(record)
        self._table.passed()
