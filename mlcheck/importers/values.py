"""Events that hold one value, decoded field by field on whole arrays.

The fields of the value stand in the order that every protobuf writer uses: tag, `simple_value`, `histo` or a `tensor`,
metadata. Each length is checked against the end of what encloses it, so an event is either decoded exactly as protobuf
would or left out. Field numbers are those of tensorflow/core/framework/summary.proto.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mlcheck.importers.framing import Bytes, Offsets, words
from mlcheck.importers.grouping import LONGEST
from mlcheck.importers.histogram_columns import Places, new_places, old_places
from mlcheck.importers.tensor_columns import tensor_columns
from mlcheck.importers.wire import Words, varints
from mlcheck.records import dataclass

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

TAG, SIMPLE_VALUE, HISTO, TENSOR, METADATA = 0x0A, 0x15, 0x2A, 0x42, 0x4A
"""First bytes of the fields of `Summary.Value` (number << 3 | wire type); `TAG` is also that of the value in a `Summary`."""

_BYTE = np.uint64(0xFF)


@dataclass(frozen=True, eq=False)
class Sources:
    """k events, each of which stands for all that have the same tag, form and metadata."""

    records: Offsets
    """int64, shape (k,): the record itself."""
    tag_starts: Offsets
    """int64, shape (k,): where in the block its tag begins."""
    tag_lengths: Offsets
    """int64, shape (k,)."""
    metadata_starts: Offsets
    """int64, shape (k,): where the `SummaryMetadata` begins, where there is one."""
    metadata_lengths: Offsets
    """int64, shape (k,); -1 where the value has no metadata."""
    is_tensor: Flags
    """bool, shape (k,): the value came as a tensor, so the plugin of its tag decides what it is."""


@dataclass(frozen=True, eq=False)
class Values:
    """What was decoded: k values, h of them histograms."""

    sources: Sources
    """Each value is a source; not in order of the records."""
    values: Floats
    """float64, shape (k,): of the scalars, NaN elsewhere."""
    widths: Offsets
    """int64, shape (k,): bytes of the value where it is a float or a double, else 0."""
    tails: Offsets
    """int64, shape (k,): bytes behind the value."""
    histograms: Offsets
    """int64, shape (h,): the records that are histograms, ascending."""
    places: Places
    """Where the buckets of those h are."""


def read_values(data: Bytes, at: Offsets, width: int) -> Floats:
    """The floats (width 4) or doubles (8) that begin there, as float64."""
    with np.errstate(invalid="ignore"):  # a signalling NaN in the file is a NaN like any other
        return words(data, f"<f{width}")[at].astype(np.float64)


def single_values(data: Bytes, at: Offsets, ends: Offsets, records: Offsets) -> Values:
    """Decode those of the records that hold one value; `at` is where in the block each record's field `summary` begins,
    `ends` where each record ends.
    """
    word = words(data)
    body, end, records = _only_values(word, at[records], ends[records], records)
    length, size = varints(word[body] >> np.uint64(8), 4)
    tag = body + 1 + size
    keep = ((word[body] & _BYTE) == TAG) & (size > 0) & (length <= LONGEST) & (tag + length < end)
    if not keep.all():
        tag, length, end, records = tag[keep], length[keep], end[keep], records[keep]
    after = tag + length
    kind = data[after]
    values = np.full(len(records), np.nan)
    widths = np.where(kind == SIMPLE_VALUE, 4, 0)
    behind = np.where(kind == SIMPLE_VALUE, after + 5, -1)
    simple = np.flatnonzero(kind == SIMPLE_VALUE)
    values[simple] = read_values(data, after[simple] + 1, 4)
    is_tensor = kind == TENSOR
    tensors = np.flatnonzero(is_tensor | (kind == HISTO))
    rows, places = _messages(data, after, end, kind, tensors, (values, widths, behind))
    metadata_starts, metadata_lengths, sound = _metadata(word, behind, end)
    sources = Sources(records, tag, length, metadata_starts, metadata_lengths, is_tensor)
    tails = end - behind
    histograms = places.only(sound[rows])
    kept = records[rows][sound[rows]]
    order = np.argsort(kept)
    if not sound.all():
        sources, values, widths, tails = _only(sources, sound), values[sound], widths[sound], tails[sound]
    return Values(sources, values, widths, tails, kept[order], histograms.only(order))


def _only_values(word: Words, at: Offsets, end: Offsets, records: Offsets) -> tuple[Offsets, Offsets, Offsets]:
    # Summaries of one value: where its fields begin and end, and the records that are left.
    source = word[at]
    length, size = varints(source >> np.uint64(8), 4)
    at = at + 1 + size
    keep = (size > 0) & (at + length == end)
    source = word[at]
    length, size = varints(source >> np.uint64(8), 4)
    at = at + 1 + size
    keep &= ((source & _BYTE) == TAG) & (size > 0) & (at + length == end)
    return (at, end, records) if keep.all() else (at[keep], end[keep], records[keep])


def _messages(
    data: Bytes, after: Offsets, end: Offsets, kind: Bytes, some: Offsets, into: tuple[Floats, Offsets, Offsets]
) -> tuple[Offsets, Places]:
    # Tensors and old histograms: fills in values, widths and what is behind them; the rows that are histograms, and
    # where their buckets are.
    values, widths, behind = into
    word = words(data)
    length, size = varints(word[after[some]] >> np.uint64(8), 4)
    begin = after[some] + 1 + size
    inside = (size > 0) & (begin + length <= end[some])
    some, begin, stop = some[inside], begin[inside], (begin + length)[inside]
    is_old = kind[some] == HISTO
    old, tensors = some[is_old], some[~is_old]
    old_found, sound = old_places(data, begin[is_old], stop[is_old])
    behind[old[sound]] = stop[is_old][sound]
    columns = tensor_columns(data, begin[~is_old], stop[~is_old])
    good = columns.is_scalar | columns.is_histogram
    behind[tensors[good]] = stop[~is_old][good]
    values[tensors] = columns.values
    widths[tensors] = columns.widths
    new = columns.is_histogram
    both = (old_found.only(sound), new_places(columns.bodies[new], columns.rows[new]))
    return np.concatenate([old[sound], tensors[new]]), _all_places(both)


def _metadata(word: Words, after: Offsets, end: Offsets) -> tuple[Offsets, Offsets, Flags]:
    # Behind the value: nothing (length -1), or metadata up to the end of the record; else not sound. `after` is -1
    # where there is no value.
    sound = after == end
    lengths = np.full(len(after), -1, dtype=np.int64)
    starts = after
    some = np.flatnonzero((after >= 0) & (after < end))
    if len(some):
        starts = after.copy()
        source = word[after[some]]
        length, size = varints(source >> np.uint64(8), 4)
        begin = after[some] + 1 + size
        fits = ((source & _BYTE) == METADATA) & (size > 0) & (begin + length == end[some])
        fits &= length <= LONGEST
        starts[some] = begin
        lengths[some] = length
        sound[some] = fits
    return starts, lengths, sound


def _only(sources: Sources, keep: Flags) -> Sources:
    return Sources(
        sources.records[keep],
        sources.tag_starts[keep],
        sources.tag_lengths[keep],
        sources.metadata_starts[keep],
        sources.metadata_lengths[keep],
        sources.is_tensor[keep],
    )


def _all_places(parts: Sequence[Places]) -> Places:
    return Places(
        np.concatenate([one.sizes for one in parts]),
        np.concatenate([one.edges for one in parts]),
        np.concatenate([one.counts for one in parts]),
        np.concatenate([one.stated for one in parts]),
        np.concatenate([one.is_old for one in parts]),
    )


def joined_values(parts: Sequence[Values]) -> Values:
    """All of them as one."""
    sources = [one.sources for one in parts]
    histograms = np.concatenate([one.histograms for one in parts])
    order = np.argsort(histograms)
    return Values(
        Sources(
            np.concatenate([one.records for one in sources]),
            np.concatenate([one.tag_starts for one in sources]),
            np.concatenate([one.tag_lengths for one in sources]),
            np.concatenate([one.metadata_starts for one in sources]),
            np.concatenate([one.metadata_lengths for one in sources]),
            np.concatenate([one.is_tensor for one in sources]),
        ),
        np.concatenate([one.values for one in parts]),
        np.concatenate([one.widths for one in parts]),
        np.concatenate([one.tails for one in parts]),
        histograms[order],
        _all_places([one.places for one in parts]).only(order),
    )
