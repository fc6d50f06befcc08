"""What an event file holds, whichever way it is read: tags, facts and rows, handed out as series by their first record."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mlcheck.importers.stated import FACTS_KEPT
from mlcheck.records import dataclass, field
from mlcheck.store.series import Fact, Hints, Kind, RawSeries
from mlcheck.store.statistics import Histogram

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


@dataclass(frozen=True, eq=False)
class Parted:
    """The rows of one tag, in record order."""

    tag: int
    steps: NDArray[np.int64]
    wall_times: NDArray[np.float64]
    """float64 seconds, NaN where unknown."""
    columns: Mapping[str, NDArray[np.float64]]


class KeepsRows(Protocol):
    """Rows of a file, by tag in record order."""

    def add_scalar(self, row: Row, value: float) -> None:
        """Keep a scalar that came through protobuf."""
        ...

    def add_histogram(self, row: Row, histogram: Histogram) -> None:
        """Keep a histogram that came through protobuf."""
        ...

    def finished(self, scalars: Mapping[int, bool], histograms: Mapping[int, bool]) -> Iterable[tuple[Parted, Kind]]:
        """Hand out everything, scalars first, once. The mappings say of each tag by its number whether its scalars and its
        histograms that came as tensors count.
        """
        ...


@dataclass(slots=True)
class Collector:
    """Everything that one file gave so far."""

    rows: KeepsRows
    facts: dict[Fact, None] = field(default_factory=dict)
    """Facts in order of appearance, each once."""
    session_starts: list[int] = field(default_factory=list)
    has_content: bool = False
    """Anything but versions and empty events was there."""
    tags: list[Tag] = field(default_factory=list)
    """By their numbers."""
    _ids: dict[bytes, int] = field(default_factory=dict)

    def tag(self, name: bytes) -> int:
        """The number of a tag. Raises NotText."""
        number = self._ids.get(name)
        if number is None:
            try:
                text = name.decode("utf-8")
            except UnicodeDecodeError as error:
                raise NotText("a tag is not UTF-8") from error
            number = self._ids[name] = len(self.tags)
            self.tags.append(Tag(text))
        return number

    def know(self, name: str, plugin: str) -> None:
        """Take over a tag and its plugin from the part of the file that was read before."""
        number = self.tag(name.encode())
        if plugin:
            self.tags[number].plugin, self.tags[number].plugin_at = plugin, (-1, 0)

    def plugins_without(self, series: Sequence[RawSeries]) -> tuple[tuple[str, str], ...]:
        """Tags of which there is no series, and their plugins; an empty one for tensors of which none is named."""
        there = {one.tag for one in series}
        return tuple((tag.name, tag.plugin) for tag in self.tags if (tag.plugin or tag.first) and tag.name not in there)

    def seen(self, tag: int, record: int, place: int = 0) -> None:
        """Note that a record holds a number, a histogram or a tensor of the tag, as its value at that place."""
        known = self.tags[tag]
        if known.first is None or (record, place) < known.first:
            known.first = (record, place)

    def plugin(self, tag: int, name: str, record: int, place: int = 0) -> None:
        """Note that an event of the tag names its plugin; the first name in the file stays."""
        known = self.tags[tag]
        if name and (not known.plugin or (record, place) < known.plugin_at):
            known.plugin, known.plugin_at = name, (record, place)

    def append(self, later: "Collector", records: int) -> list[int]:
        """Take over what a later part of the file gave, but for its rows, after so many records: the numbers here of its tags."""
        numbers = []
        for tag in later.tags:
            number = self.tag(tag.name.encode())
            if tag.first is not None:
                self.seen(number, records + tag.first[0], tag.first[1])
            self.plugin(number, tag.plugin, records + tag.plugin_at[0], tag.plugin_at[1])
            numbers.append(number)
        self.state(later.facts)
        self.session_starts += later.session_starts
        self.has_content |= later.has_content
        return numbers

    def state(self, facts: Iterable[Fact]) -> None:
        """Keep facts, as long as there are not too many."""
        for fact in facts:
            if len(self.facts) >= FACTS_KEPT:
                return
            self.facts.setdefault(fact)

    def add_scalar(self, row: Row, value: float) -> None:
        """Keep a scalar of the slow path; one that came as a tensor counts only if the plugin of its tag says so."""
        self.rows.add_scalar(row, value)

    def add_histogram(self, row: Row, histogram: Histogram) -> None:
        """Keep a histogram of the slow path, likewise."""
        self.rows.add_histogram(row, histogram)

    def series(self) -> tuple[RawSeries, ...]:
        """All series, by the record in which each first appears; once."""
        scalar = {number: tag.plugin in SCALAR_PLUGINS for number, tag in enumerate(self.tags)}
        histogram = {number: tag.plugin == HISTOGRAM_PLUGIN for number, tag in enumerate(self.tags)}
        found = list(self.rows.finished(scalar, histogram))
        found.sort(key=lambda pair: self.tags[pair[0].tag].first or (0, 0))
        result = []
        for order, (one, kind) in enumerate(found):
            tag = self.tags[one.tag]
            hints = Hints(order=order, plugin=tag.plugin or None)
            approximate = kind == "tensor"
            result.append(RawSeries(tag.name, kind, one.steps, one.wall_times, one.columns, hints, approximate))
        return tuple(result)
