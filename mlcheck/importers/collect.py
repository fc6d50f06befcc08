"""Gathers what the fast and the slow path read of one event file, and hands it out as series in record order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mlcheck.importers.columns import Decoded
from mlcheck.importers.framing import Block, Offsets
from mlcheck.importers.grouping import group
from mlcheck.importers.histogram_columns import gathered
from mlcheck.importers.rows import ByTag, Parted, Rows, histogram_rows, merged, scalar_rows
from mlcheck.importers.values import Floats
from mlcheck.store.series import Fact, Hints, Kind, RawSeries
from mlcheck.store.statistics import Histogram, histogram_statistics

BUCKETS_HELD = 1 << 18
"""Histograms of the slow path are reduced to statistics in batches of about this many buckets, so that memory is bounded
whatever they claim."""

SCALAR_PLUGINS = ("", "scalars")
"""Plugins under which a tensor of one element is a scalar; none is named where a writer leaves the metadata out."""
HISTOGRAM_PLUGIN = "histograms"
"""Plugin under which a tensor of shape (k, 3) is a histogram."""


class NotText(ValueError):
    """A tag that is not UTF-8, which protobuf refuses as well."""


@dataclass(slots=True)
class Tag:
    """One tag of the file."""

    name: str
    first: tuple[int, int] | None = None
    """Record and place in its event of its first number, histogram or tensor."""
    plugin: str = ""
    """The first plugin name that any of its events states."""
    plugin_at: tuple[int, int] = (0, 0)
    """Record and place of that event."""


@dataclass(frozen=True, slots=True)
class Row:
    """A scalar or a histogram that came through protobuf."""

    record: int
    tag: int
    step: int
    wall_time: float
    is_tensor: bool


@dataclass(slots=True)
class Collector:
    """Everything that one file gave so far."""

    facts: dict[Fact, None] = field(default_factory=dict)
    """Facts in order of appearance, each once."""
    session_starts: list[int] = field(default_factory=list)
    first_wall_time: float = float("nan")
    done: float = 1.0
    """Share of the file that has been read, as far as it is known."""
    has_content: bool = False
    """Anything but versions and empty events was there."""
    _ids: dict[bytes, int] = field(default_factory=dict)
    _tags: list[Tag] = field(default_factory=list)
    _scalars: ByTag = field(default_factory=scalar_rows)
    _histograms: ByTag = field(default_factory=histogram_rows)
    _slow_scalars: list[tuple[Row, float]] = field(default_factory=list)
    _slow_histograms: list[tuple[Row, Histogram]] = field(default_factory=list)
    _reduced: list[Rows] = field(default_factory=list)
    """Histograms of the slow path in this block whose statistics are known."""
    _held: int = 0
    _met: int = 0
    """Tags up to this number are known to have been seen: later blocks cannot tell where they are first."""

    def tag(self, name: bytes) -> int:
        """The number of a tag. Raises NotText."""
        number = self._ids.get(name)
        if number is None:
            try:
                text = name.decode("utf-8")
            except UnicodeDecodeError as error:
                raise NotText("a tag is not UTF-8") from error
            number = self._ids[name] = len(self._tags)
            self._tags.append(Tag(text))
        return number

    def know(self, name: str, plugin: str) -> None:
        """Take over a tag and its plugin from the part of the file that was read before."""
        number = self.tag(name.encode())
        if plugin:
            self._tags[number].plugin, self._tags[number].plugin_at = plugin, (-1, 0)

    def plugins_without(self, series: Sequence[RawSeries]) -> tuple[tuple[str, str], ...]:
        """Tags of which there is no series, and their plugins; an empty one for tensors of which none is named."""
        there = {one.tag for one in series}
        return tuple(
            (tag.name, tag.plugin) for tag in self._tags if (tag.plugin or tag.first) and tag.name not in there
        )

    def seen(self, tag: int, record: int, place: int = 0) -> None:
        """Note that a record holds a number, a histogram or a tensor of the tag, as its value at that place."""
        known = self._tags[tag]
        if known.first is None or (record, place) < known.first:
            known.first = (record, place)

    def plugin(self, tag: int, name: str, record: int, place: int = 0) -> None:
        """Note that an event of the tag names its plugin; the first name in the file stays."""
        known = self._tags[tag]
        if name and (not known.plugin or (record, place) < known.plugin_at):
            known.plugin, known.plugin_at = name, (record, place)

    def note_first_wall_time(self, wall_time: float) -> None:
        """Note the wall time of the first event; protobuf's default 0 means that the writer left it out."""
        self.first_wall_time = wall_time if wall_time != 0 else float("nan")

    def add_scalar(self, row: Row, value: float) -> None:
        """Keep a scalar of the slow path; `end_block` puts it among those of the fast one."""
        self._slow_scalars.append((row, value))

    def add_histogram(self, row: Row, histogram: Histogram) -> None:
        """Keep a histogram of the slow path; one that came as a tensor counts only if the plugin of its tag says so."""
        self._slow_histograms.append((row, histogram))
        self._held += 1 + len(histogram.counts)
        if self._held >= BUCKETS_HELD:
            self._reduce()

    def _reduce(self) -> None:
        if self._slow_histograms:
            statistics = histogram_statistics([histogram for _, histogram in self._slow_histograms])
            self._reduced.append(_rows([row for row, _ in self._slow_histograms], statistics))
        self._slow_histograms, self._held = [], 0

    def fast_tags(self, block: Block, decoded: Decoded) -> NDArray[np.int32]:
        """Numbers of the tags of the sources of the fast path, int32 of shape (k,); -1 where the source is for the slow
        path after all.
        """
        sources = decoded.sources
        groups = group(block.data, sources.tag_starts, sources.tag_lengths)
        number_of = np.full(len(groups), -1, dtype=np.int32)
        for one in np.flatnonzero(groups == np.arange(len(groups))).tolist():
            start = int(sources.tag_starts[one])
            name = block.data[start : start + int(sources.tag_lengths[one])].tobytes()
            try:
                number_of[one] = self.tag(name)
            except NotText:
                continue
        return np.where(groups >= 0, number_of[groups], np.int32(-1))

    def note_sources(self, decoded: Decoded, numbers: NDArray[np.int32], first_record: int) -> None:
        """Note where the tags of these numbers, one for each source, appear first."""
        fresh = np.array([tag.first is None for tag in self._tags[self._met :]], dtype=bool)
        kept = np.flatnonzero(numbers >= self._met)
        kept = kept[fresh[numbers[kept] - self._met]]
        kept = kept[np.argsort(decoded.sources.records[kept], kind="stable")]
        found, first = np.unique(numbers[kept], return_index=True)
        for number, record in zip(found.tolist(), decoded.sources.records[kept[first]].tolist(), strict=True):
            self.seen(number, first_record + record)
        while self._met < len(self._tags) and self._tags[self._met].first is not None:
            self._met += 1

    def end_block(self, block: Block, decoded: Decoded, numbers: NDArray[np.int32], first_record: int) -> None:
        """Take the fast path's records whose source has a tag number, and put the slow path's among them in record
        order.
        """
        # A record without a source has -1, which picks what is appended.
        tags = np.append(numbers, np.int32(-1))[decoded.source]
        histograms = _fast_histograms(block, decoded, tags, first_record)
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
                into.add(merged(parts), self.done)

    def series(self) -> tuple[RawSeries, ...]:
        """All series, by the record in which each first appears; once."""
        scalar = {number: tag.plugin in SCALAR_PLUGINS for number, tag in enumerate(self._tags)}
        histogram = {number: tag.plugin == HISTOGRAM_PLUGIN for number, tag in enumerate(self._tags)}
        found: list[tuple[Parted, Kind]] = [(one, "scalar") for one in self._scalars.finished(scalar)]
        found += [(one, "tensor") for one in self._histograms.finished(histogram)]
        found.sort(key=lambda pair: self._tags[pair[0].tag].first or (0, 0))
        result = []
        for order, (one, kind) in enumerate(found):
            tag = self._tags[one.tag]
            hints = Hints(order=order, plugin=tag.plugin or None)
            approximate = kind == "tensor"
            result.append(RawSeries(tag.name, kind, one.steps, one.wall_times, one.columns, hints, approximate))
        return tuple(result)


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


def _fast_histograms(block: Block, decoded: Decoded, tags: NDArray[np.int32], first_record: int) -> list[Rows]:
    keep = tags[decoded.histograms] >= 0
    records = decoded.histograms[keep]
    if not len(records):
        return []
    statistics = histogram_statistics(gathered(block.data, decoded.places.only(keep)))
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
