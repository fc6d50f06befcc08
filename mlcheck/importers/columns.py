"""The common shapes of event, decoded on whole arrays.

An event that holds one value, and that value a scalar or a histogram, is decoded here: `wall_time`, `step` (absent: 0),
and a summary with one value whose fields stand in the order that every protobuf writer uses: tag, `simple_value`,
`histo` or a `tensor`, metadata. Each length is checked against the end of what encloses it, so an event is either
decoded exactly as protobuf would or left to `events.py`. Field numbers are those of tensorflow/core/util/event.proto
and tensorflow/core/framework/summary.proto.

Most events of a file repeat one of its first ones in everything but wall time, step and value. So of the scalars whose
bytes up to the value are equal, and those behind it as well, only the first is decoded: see `_Template`.
"""

import numpy as np

from mlcheck.importers.framing import WALL_TIME, Bytes, Offsets, words
from mlcheck.importers.grouping import LONGEST, group
from mlcheck.importers.histogram_columns import Places
from mlcheck.importers.values import Flags, Floats, Sources, Values, joined_values, read_values, single_values
from mlcheck.importers.wire import is_version, varints
from mlcheck.records import dataclass

STEP, FILE_VERSION, GRAPH, SUMMARY, META_GRAPH = 0x10, 0x1A, 0x22, 0x2A, 0x4A
"""First bytes of the fields of `Event` (number << 3 | wire type)."""

ENOUGH = 64
"""Scalars in a block from which on it pays to look for those that repeat."""
REPEATS = 4
"""How often each must be there, on average, for it to pay."""

_BYTE = np.uint64(0xFF)


@dataclass(frozen=True, slots=True)
class Template:
    """Where the value of a scalar stands in its record, counted from the end."""

    width: int = 4
    """Bytes of the value: 4 (float) or 8 (double)."""
    tail: int = 0
    """Bytes behind it: metadata."""


@dataclass(frozen=True, eq=False)
class Decoded:
    """What the fast path made of the n records of a block: each has a source, or is in exactly one of `quiet` and
    `slow`.
    """

    source: Offsets
    """int64, shape (n,): which of `sources` says what the record is, -1 for none."""
    sources: Sources
    wall_times: Floats
    """float64 seconds, shape (n,); without meaning for what is slow, like the next two."""
    steps: Offsets
    """int64, shape (n,)."""
    values: Floats
    """float64, shape (n,): of the scalars."""
    histograms: Offsets
    """int64, shape (h,): the records that are histograms, ascending; they have sources of their own."""
    places: Places
    """Where the buckets of those h are."""
    quiet: Offsets
    """int64: records that are sound and hold nothing for the store: versions and graphs."""
    slow: Offsets
    """int64: records for protobuf, ascending."""
    versions: int
    """How many of `quiet` are only the version that a file begins with."""
    template: Template | None
    """What the scalars of the next block probably look like; None where it does not pay to ask."""


def decode(data: Bytes, starts: Offsets, lengths: Offsets, template: Template | None = None) -> Decoded:
    """Decode the records of a block; `data` must be padded as `framing.Stretch.data` is. See `Decoded`."""
    ends = starts + lengths
    at, wall_times, steps, plain = _prefix(data, starts, lengths)
    # A step that does not end may reach into the checksum.
    kind = np.where(plain & (at < ends), data[at], 0)
    summaries = np.flatnonzero(kind == SUMMARY)
    source = np.full(len(starts), -1, dtype=np.int64)
    values = np.full(len(starts), np.nan)
    repeated = None
    if template is not None and len(summaries) >= ENOUGH:
        repeated = _repeated(data, at, ends, summaries, template)
    if repeated is None:
        found = single_values(data, at, ends, summaries)
        template = _next_template(found, template)
    else:
        found = single_values(data, at, ends, repeated.chosen)
        members, origins, rest = repeated.settled(found)
        if len(rest):
            found = joined_values([found, single_values(data, at, ends, rest)])
    source[found.sources.records] = np.arange(len(found.sources.records))
    values[found.sources.records] = found.values
    if repeated is not None and template is not None:
        source[members] = source[origins]
        values[members] = read_values(data, ends[members] - template.tail - template.width, template.width)
    quiet, versions = _quiet(data, at, ends, kind)
    rest_of = source < 0
    rest_of[quiet] = False
    return Decoded(
        source=source,
        sources=found.sources,
        wall_times=wall_times,
        steps=steps,
        values=values,
        histograms=found.histograms,
        places=found.places,
        quiet=quiet,
        slow=np.flatnonzero(rest_of),
        versions=versions,
        template=template,
    )


def _prefix(data: Bytes, starts: Offsets, lengths: Offsets) -> tuple[Offsets, Floats, Offsets, Flags]:
    # Where the third field of each event begins, its wall time and step, and whether it begins with these.
    plain = data[starts] == WALL_TIME
    plain &= lengths >= 11
    wall_times = words(data, "<f8")[starts + 1].astype(np.float64, copy=False)
    at = starts + 9
    source = words(data)[at]
    has_step = (source & _BYTE) == STEP
    steps, size = varints(source >> np.uint64(8), 7)
    if has_step.all():
        plain &= size > 0
        at += size
        at += 1
    else:
        plain &= ~has_step | (size > 0)
        steps *= has_step
        at += (size + 1) * has_step
    return at, wall_times, steps, plain


def _quiet(data: Bytes, at: Offsets, ends: Offsets, kind: Bytes) -> tuple[Offsets, int]:
    # Records that hold bytes which need not be looked at, and versions; how many of them are versions.
    word = words(data)
    some = np.flatnonzero((kind == GRAPH) | (kind == META_GRAPH))
    length, size = varints(word[at[some] + 1], 4)
    graphs = some[(size > 0) & (at[some] + 1 + size + length == ends[some])]
    versions = [
        record
        for record in np.flatnonzero(kind == FILE_VERSION).tolist()
        if is_version(data[int(at[record]) : int(ends[record])].tobytes())
    ]
    return np.sort(np.concatenate([graphs, np.array(versions, dtype=np.int64)])), len(versions)


@dataclass(frozen=True, eq=False)
class _Repeated:
    # Scalars that are equal but for their value, if they are what their first one proves to be.
    template: Template
    some: Offsets
    """Records that may repeat."""
    first: Offsets
    """Record of the first one of each of them; -1 where that is unknown."""
    chosen: Offsets
    """Records to be decoded: first ones, and all that cannot repeat."""

    def settled(self, found: Values) -> tuple[Offsets, Offsets, Offsets]:
        """Records that repeat a decoded scalar, that scalar's record for each, and the records that must be decoded
        after all.
        """
        proved = found.sources.records[(found.widths == self.template.width) & (found.tails == self.template.tail)]
        is_proved = np.zeros(int(self.some.max()) + 1 if len(self.some) else 0, dtype=bool)
        is_proved[proved[proved < len(is_proved)]] = True
        other = (self.first >= 0) & (self.first != self.some)
        good = other & is_proved[self.first]
        return self.some[good], self.first[good], self.some[other & ~good]


def _repeated(data: Bytes, at: Offsets, ends: Offsets, summaries: Offsets, template: Template) -> _Repeated | None:
    # None where too few scalars repeat.
    everything = len(summaries) == len(at)
    begins = at if everything else at[summaries]
    behind = (ends if everything else ends[summaries]) - template.tail
    sizes = behind - template.width - begins
    fits = (sizes >= 8) & (sizes <= LONGEST)
    some, others = summaries, summaries[:0]
    if not fits.all():
        some, others = summaries[fits], summaries[~fits]
        begins, behind, sizes = begins[fits], behind[fits], sizes[fits]
    if len(some) < ENOUGH:
        return None
    tails = [(behind, np.full(len(some), template.tail))] if template.tail else []
    groups = group(data, begins, sizes, *tails)
    is_first = groups == np.arange(len(groups))
    if np.count_nonzero(is_first) * REPEATS > len(some):
        return None
    given_up = groups < 0
    first = np.where(given_up, -1, some[groups])
    return _Repeated(template, some, first, np.concatenate([some[is_first | given_up], others]))


def _next_template(found: Values, before: Template | None) -> Template | None:
    # The commonest place of the value; where that was tried and did not pay, None.
    fixed = found.widths > 0
    fixed &= found.tails <= LONGEST
    if np.count_nonzero(fixed) < ENOUGH:
        return before
    key = int(np.argmax(np.bincount(found.tails[fixed] * 16 + found.widths[fixed])))
    likely = Template(width=key % 16, tail=key // 16)
    return None if before in (None, likely) else likely
