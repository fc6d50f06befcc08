"""Event files read on whole numpy arrays, a stretch at a time: where nothing is compiled."""

import numpy as np
from numpy.typing import NDArray

from mlcheck.importers.array_rows import ArrayRows
from mlcheck.importers.collect import Collector, NotText
from mlcheck.importers.columns import Decoded, Template, decode
from mlcheck.importers.event_file import WRONG_CHECKSUM, EventFile
from mlcheck.importers.events import plugin_of_metadata
from mlcheck.importers.framing import HEADER, Framed, Stretch, find_records, is_sound
from mlcheck.importers.grouping import group


class ArrayReader:
    """See `event_file.ReadsStretches`."""

    def __init__(self, shown: str, *, verify: bool = False) -> None:
        self._rows = ArrayRows()
        self.file = EventFile(shown, Collector(self._rows))
        self._verify = verify
        self._template: Template | None = Template()
        self._met = 0
        """Tags up to this number are known to have been seen: later stretches cannot tell where they are first."""

    def read(self, stretch: Stretch) -> None:
        """Take the records of the next stretch."""
        file = self.file
        framed = find_records(stretch.data, stretch.size)
        stretch.ending = framed.ending
        if self._verify:
            framed = self._verified(stretch, framed)
        decoded = decode(stretch.data, framed.starts, framed.lengths, self._template)
        self._template = decoded.template
        numbers = self._tags(stretch, decoded)
        numbers[self._note_plugins(stretch, decoded, numbers)] = -1
        self._note_sources(decoded, numbers)
        slow = decoded.slow
        refused = np.flatnonzero(numbers < 0)
        if len(refused):
            slow = np.union1d(slow, np.flatnonzero(np.isin(decoded.source, refused)))
        fast = len(framed.starts) - len(slow)
        file.events += fast
        if fast > decoded.versions:
            file.collector.has_content = True
        for record in slow.tolist():
            start, length = int(framed.starts[record]), int(framed.lengths[record])
            file.read_slowly(stretch.record(file.records + record, start, length))
        is_fast = np.ones(len(framed.starts), dtype=bool)
        is_fast[slow] = False
        for record in np.flatnonzero(is_fast)[:1].tolist():
            file.note_event(file.records + record, float(decoded.wall_times[record]))
        self._rows.end_stretch(stretch.data, decoded, numbers, file.records, stretch.done)
        file.records += len(framed.starts)

    def finish(self) -> None:
        """Nothing is left to do."""

    def _verified(self, stretch: Stretch, framed: Framed) -> Framed:
        # Without the records whose payload does not have the checksum that the file states.
        view = stretch.data.data
        sound = np.ones(len(framed.starts), dtype=bool)
        for record, (start, length) in enumerate(zip(framed.starts.tolist(), framed.lengths.tolist(), strict=True)):
            end = start + length
            stated = int.from_bytes(view[end : end + 4], "little")
            if not is_sound(view[start:end].tobytes(), stated):
                self.file.lose(stretch.base + start - HEADER, length, WRONG_CHECKSUM)
                sound[record] = False
        self.file.records += int((~sound).sum())
        return Framed(framed.starts[sound], framed.lengths[sound], framed.ending)

    def _tags(self, stretch: Stretch, decoded: Decoded) -> NDArray[np.int32]:
        # Numbers of the tags of the sources, int32 of shape (k,); -1 where the source is for the slow path after all.
        sources = decoded.sources
        groups = group(stretch.data, sources.tag_starts, sources.tag_lengths)
        number_of = np.full(len(groups), -1, dtype=np.int32)
        for one in np.flatnonzero(groups == np.arange(len(groups))).tolist():
            start = int(sources.tag_starts[one])
            name = stretch.data[start : start + int(sources.tag_lengths[one])].tobytes()
            try:
                number_of[one] = self.file.collector.tag(name)
            except NotText:
                continue
        return np.where(groups >= 0, number_of[groups], np.int32(-1))

    def _note_plugins(self, stretch: Stretch, decoded: Decoded, numbers: NDArray[np.int32]) -> list[int]:
        # Remembers the plugins that the metadata name; returns the sources that need the slow path for theirs.
        sources = decoded.sources
        some = np.flatnonzero((sources.metadata_lengths >= 0) & (numbers >= 0))
        if not len(some):
            return []
        starts, lengths = sources.metadata_starts[some], sources.metadata_lengths[some]
        same = group(stretch.data, starts, lengths)
        refused: list[int] = some[same < 0].tolist()
        for representative in np.flatnonzero(same == np.arange(len(same))).tolist():
            start = int(starts[representative])
            plugin = plugin_of_metadata(stretch.data[start : start + int(lengths[representative])].tobytes())
            alike = some[same == representative]
            if plugin is None:
                refused += alike.tolist()
            elif plugin:
                alike = alike[np.argsort(sources.records[alike], kind="stable")]
                found, first = np.unique(numbers[alike], return_index=True)
                records = sources.records[alike[first]] + self.file.records
                for tag, record in zip(found.tolist(), records.tolist(), strict=True):
                    self.file.collector.plugin(tag, plugin, record)
        return refused

    def _note_sources(self, decoded: Decoded, numbers: NDArray[np.int32]) -> None:
        # Notes where the tags of these numbers, one for each source, appear first.
        collector = self.file.collector
        fresh = np.array([tag.first is None for tag in collector.tags[self._met :]], dtype=bool)
        kept = np.flatnonzero(numbers >= self._met)
        kept = kept[fresh[numbers[kept] - self._met]]
        kept = kept[np.argsort(decoded.sources.records[kept], kind="stable")]
        found, first = np.unique(numbers[kept], return_index=True)
        for number, record in zip(found.tolist(), decoded.sources.records[kept[first]].tolist(), strict=True):
            collector.seen(number, self.file.records + record)
        while self._met < len(collector.tags) and collector.tags[self._met].first is not None:
            self._met += 1
