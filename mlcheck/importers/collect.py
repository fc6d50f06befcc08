"""Gathers what the fast and the slow path read of one event file, and hands it out as series in record order."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mlcheck.importers.columns import Decoded, Floats, group
from mlcheck.importers.framing import Block, Offsets
from mlcheck.store.series import Fact, Hints, RawSeries
from mlcheck.store.statistics import Histogram, histogram_statistics

BUCKETS_HELD = 1 << 18
"""Histograms are reduced to statistics in batches of about this many buckets, so that memory is bounded whatever they claim."""

SCALAR_PLUGINS = ("", "scalars")
"""Plugins under which a tensor of one element is a scalar; none is named where a writer leaves the metadata out."""


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
    """A scalar that came through protobuf."""

    record: int
    tag: int
    step: int
    wall_time: float
    value: float
    is_tensor: bool


@dataclass(frozen=True, eq=False)
class _Columns:
    tags: NDArray[np.int32]
    steps: Offsets
    wall_times: Floats
    values: Floats
    is_tensor: NDArray[np.bool_]


@dataclass(slots=True)
class _Tensors:
    # Statistics of the histograms of one tag.
    steps: list[int] = field(default_factory=list)
    wall_times: list[float] = field(default_factory=list)
    is_tensor: list[bool] = field(default_factory=list)
    columns: list[dict[str, Floats]] = field(default_factory=list)
    held: list[Histogram] = field(default_factory=list)


@dataclass(slots=True)
class Collector:
    """Everything that one file gave so far."""

    facts: dict[Fact, None] = field(default_factory=dict)
    """Facts in order of appearance, each once."""
    session_starts: list[int] = field(default_factory=list)
    first_wall_time: float = float("nan")
    has_content: bool = False
    """Anything but versions and empty events was there."""
    _ids: dict[bytes, int] = field(default_factory=dict)
    _tags: list[Tag] = field(default_factory=list)
    _blocks: list[_Columns] = field(default_factory=list)
    _rows: list[Row] = field(default_factory=list)
    _tensors: dict[int, _Tensors] = field(default_factory=dict)
    _held: int = 0

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
        """Tags with a plugin of which there is no series."""
        there = {one.tag for one in series}
        return tuple((tag.name, tag.plugin) for tag in self._tags if tag.plugin and tag.name not in there)

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

    def add_row(self, row: Row) -> None:
        """Keep a scalar of the slow path; `end_block` puts it among those of the fast one."""
        self._rows.append(row)

    def add_histogram(self, tag: int, step: int, wall_time: float, histogram: Histogram, *, is_tensor: bool) -> None:
        """Keep a histogram of a tag; one that came as a tensor counts only if the plugin of its tag says so."""
        into = self._tensors.setdefault(tag, _Tensors())
        into.steps.append(step)
        into.wall_times.append(wall_time)
        into.is_tensor.append(is_tensor)
        into.held.append(histogram)
        self._held += 1 + len(histogram.counts)
        if self._held >= BUCKETS_HELD:
            self._reduce()

    def _reduce(self) -> None:
        waiting = [one for one in self._tensors.values() if one.held]
        statistics = histogram_statistics([histogram for one in waiting for histogram in one.held])
        start = 0
        for one in waiting:
            stop = start + len(one.held)
            one.columns.append({name: column[start:stop] for name, column in statistics.items()})
            one.held = []
            start = stop
        self._held = 0

    def fast_tags(self, block: Block, decoded: Decoded, first_record: int) -> tuple[NDArray[np.int32], list[int]]:
        """Numbers of the tags of the rows of the fast path, and the rows (indices) that are for the slow path after
        all.
        """
        groups = group(block.data, decoded.tag_starts, decoded.tag_lengths)
        number_of = np.full(len(groups), -1, dtype=np.int32)
        for row in np.flatnonzero(groups == np.arange(len(groups))).tolist():
            start = int(decoded.tag_starts[row])
            name = block.data[start : start + int(decoded.tag_lengths[row])].tobytes()
            try:
                number_of[row] = self.tag(name)
            except NotText:
                continue
            self.seen(int(number_of[row]), first_record + int(decoded.rows[row]))
        numbers = np.where(groups >= 0, number_of[groups], np.int32(-1))
        return numbers, np.flatnonzero(numbers < 0).tolist()

    def end_block(self, decoded: Decoded, tags: NDArray[np.int32], first_record: int) -> None:
        """Take the fast path's rows that have a tag number, and put the slow path's among them in record order."""
        keep: slice | NDArray[np.bool_] = slice(None) if (tags >= 0).all() else tags >= 0
        block = _Columns(
            tags[keep], decoded.steps[keep], decoded.wall_times[keep], decoded.values[keep], decoded.is_tensor[keep]
        )
        if self._rows:
            slow = _from_rows(self._rows)
            records = np.concatenate([decoded.rows[keep] + first_record, [row.record for row in self._rows]])
            order = np.argsort(records, kind="stable")
            block = _take(_concatenate([block, slow]), order)
            self._rows = []
        if len(block.tags):
            self._blocks.append(block)

    def series(self) -> tuple[RawSeries, ...]:
        """All series, by the record in which each first appears."""
        found = [*self._scalar_series(), *self._tensor_series()]
        found.sort(key=lambda pair: self._tags[pair[0]].first or (0, 0))
        result = []
        for order, (number, one) in enumerate(found):
            hints = Hints(order=order, plugin=self._tags[number].plugin or None)
            result.append(RawSeries(one.tag, one.kind, one.steps, one.wall_times, one.columns, hints, one.approximate))
        return tuple(result)

    def _scalar_series(self) -> list[tuple[int, RawSeries]]:
        if not self._blocks:
            return []
        rows = _concatenate(self._blocks)
        self._blocks = []
        if rows.is_tensor.any():
            scalar = np.array([tag.plugin in SCALAR_PLUGINS for tag in self._tags])
            keep = ~rows.is_tensor | scalar[rows.tags]
            if not keep.all():
                rows = _take(rows, np.flatnonzero(keep))
        # Sixteen bits are sorted by radix, several times as fast.
        key = rows.tags.astype(np.int16) if len(self._tags) < 1 << 15 else rows.tags
        order = np.argsort(key, kind="stable")
        sizes = np.bincount(rows.tags, minlength=len(self._tags))
        bounds = np.concatenate([[0], np.cumsum(sizes)])
        steps, wall_times, values = rows.steps[order], _known(rows.wall_times[order]), rows.values[order]
        series = []
        for number in np.flatnonzero(sizes).tolist():
            part = slice(int(bounds[number]), int(bounds[number + 1]))
            name = self._tags[number].name
            series.append((number, RawSeries(name, "scalar", steps[part], wall_times[part], {"value": values[part]})))
        return series

    def _tensor_series(self) -> list[tuple[int, RawSeries]]:
        self._reduce()
        series = []
        for number, one in self._tensors.items():
            keep = np.ones(len(one.steps), dtype=bool)
            if self._tags[number].plugin != "histograms":
                keep = ~np.array(one.is_tensor)
            if not keep.any():
                continue
            columns = {name: np.concatenate([part[name] for part in one.columns])[keep] for name in one.columns[0]}
            steps = np.array(one.steps, dtype=np.int64)[keep]
            wall_times = _known(np.array(one.wall_times, dtype=np.float64)[keep])
            name = self._tags[number].name
            series.append((number, RawSeries(name, "tensor", steps, wall_times, columns, approximate=True)))
        return series


def _known(wall_times: Floats) -> Floats:
    # Protobuf's default 0 means that the writer left the wall time out. The array is changed in place.
    wall_times[wall_times == 0] = np.nan
    return wall_times


def _from_rows(rows: Sequence[Row]) -> _Columns:
    return _Columns(
        np.array([row.tag for row in rows], dtype=np.int32),
        np.array([row.step for row in rows], dtype=np.int64),
        np.array([row.wall_time for row in rows], dtype=np.float64),
        np.array([row.value for row in rows], dtype=np.float64),
        np.array([row.is_tensor for row in rows], dtype=bool),
    )


def _concatenate(parts: Sequence[_Columns]) -> _Columns:
    return _Columns(
        np.concatenate([part.tags for part in parts]),
        np.concatenate([part.steps for part in parts]),
        np.concatenate([part.wall_times for part in parts]),
        np.concatenate([part.values for part in parts]),
        np.concatenate([part.is_tensor for part in parts]),
    )


def _take(rows: _Columns, order: Offsets) -> _Columns:
    return _Columns(
        rows.tags[order], rows.steps[order], rows.wall_times[order], rows.values[order], rows.is_tensor[order]
    )
