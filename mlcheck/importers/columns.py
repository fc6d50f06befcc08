"""The common shapes of event, decoded on whole arrays.

An event that holds one value, and that value a scalar, is decoded here: `wall_time`, `step` (absent: 0), and a summary
with one value whose fields stand in the order that every protobuf writer uses: tag, `simple_value` or a scalar
`tensor`, metadata. Each length is checked against the end of what encloses it, so an event is either decoded exactly as
protobuf would or left to `events.py`. Field numbers are those of tensorflow/core/util/event.proto and
tensorflow/core/framework/summary.proto.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlcheck.importers.framing import WALL_TIME, Bytes, Offsets, words

Words = NDArray[np.uint64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

LONGEST_TAG = 255
"""Longer tags and metadata are left to protobuf; less than `framing.PADDING`."""
ROUNDS = 8
"""Rounds of bucket look-up before what is left is given up: only hostile input needs more than three."""

STEP, FILE_VERSION, GRAPH, SUMMARY, LOG_MESSAGE, RUN_METADATA, META_GRAPH = 0x10, 0x1A, 0x22, 0x2A, 0x32, 0x42, 0x4A
"""First bytes of the fields of `Event` (number << 3 | wire type)."""
TAG, SIMPLE_VALUE, IMAGE, AUDIO, TENSOR, METADATA = 0x0A, 0x15, 0x22, 0x32, 0x42, 0x4A
"""First bytes of the fields of `Summary.Value`; `TAG` is also that of the value in a `Summary`."""

# A scalar tensor: dtype, a shape of one element (or none), and the value: tensor_content, or float_val/double_val
# packed or single.
_SHAPES = (b"", b"\x12\x00", b"\x12\x04\x12\x02\x08\x01")
_FLOAT_HEADS = tuple(b"\x08\x01" + shape + field for shape in _SHAPES for field in (b"\x22\x04", b"\x2a\x04", b"\x2d"))
_DOUBLE_HEADS = tuple(b"\x08\x02" + shape + field for shape in _SHAPES for field in (b"\x22\x08", b"\x32\x08", b"\x31"))


@dataclass(frozen=True, eq=False)
class Decoded:
    """What the fast path made of the records of a block: each is in exactly one of `rows`, `quiet` and `slow`."""

    rows: Offsets
    """int64, shape (n,): records that are one scalar, ascending."""
    wall_times: Floats
    """float64 seconds, shape (n,)."""
    steps: Offsets
    """int64, shape (n,)."""
    values: Floats
    """float64, shape (n,)."""
    is_tensor: Flags
    """bool, shape (n,): the value came as a tensor, so the plugin of its tag decides whether it is a scalar."""
    tag_starts: Offsets
    """int64, shape (n,): where in the block each tag begins."""
    tag_lengths: Offsets
    """int64, shape (n,)."""
    metadata_starts: Offsets
    """int64, shape (n,): where the `SummaryMetadata` begins, where there is one."""
    metadata_lengths: Offsets
    """int64, shape (n,); -1 where the value has no metadata."""
    quiet: Offsets
    """int64: records that are sound and hold nothing for the store: versions, graphs, images, audio."""
    quiet_wall_times: Floats
    """float64 seconds, shape of `quiet`."""
    slow: Offsets
    """int64: records for protobuf, ascending."""
    versions: int
    """How many of `quiet` are only the version that a file begins with."""


def varints(source: Words, limit: int) -> tuple[Offsets, Offsets]:
    """Varints in the lowest bytes of 64-bit words: (value, size), size 0 where one is longer than `limit` bytes (at
    most 8).
    """
    value = (source & np.uint64(0x7F)).astype(np.int64)
    size = np.ones(len(source), dtype=np.int64)
    more = (source & np.uint64(0x80)) != 0
    for byte in range(1, limit):
        if not more.any():
            return value, size
        part = (source >> np.uint64(8 * byte)) & np.uint64(0xFF)
        value |= np.where(more, (part & np.uint64(0x7F)).astype(np.int64) << (7 * byte), 0)
        size += more
        more &= part >= 0x80
    size[more] = 0
    return value, size


def decode(data: Bytes, starts: Offsets, lengths: Offsets) -> Decoded:
    """Decode the records of a block; `data` must be padded as `framing.Block.data` is. See `Decoded`."""
    word = words(data)
    ends = starts + lengths
    fast = (data[starts] == WALL_TIME) & (lengths >= 11)
    wall_times = words(data, "<f8")[starts + 1].astype(np.float64)
    at = starts + 9
    has_step = data[at] == STEP
    steps, size = varints(word[at + 1], 8)
    fast &= ~has_step | (size > 0)
    steps *= has_step
    at = at + (size + 1) * has_step
    kind = data[at]
    length, size = varints(word[at + 1], 4)
    body = at + 1 + size
    fast &= (size > 0) & (body + length == ends)
    quiet = fast & _one_of(kind, (FILE_VERSION, GRAPH, LOG_MESSAGE, RUN_METADATA, META_GRAPH))

    rows, inside = _single_values(word, body, ends, np.flatnonzero(fast & (kind == SUMMARY)))
    media, scalars = _scalars(data, word, ends, rows, inside)
    quiet[media] = True
    rest = ~quiet
    rest[scalars.rows] = False
    quiets = np.flatnonzero(quiet)
    return Decoded(
        rows=scalars.rows,
        wall_times=wall_times[scalars.rows],
        steps=steps[scalars.rows],
        values=scalars.values,
        is_tensor=scalars.is_tensor,
        tag_starts=scalars.inside.starts,
        tag_lengths=scalars.inside.lengths,
        metadata_starts=scalars.metadata_starts,
        metadata_lengths=scalars.metadata_lengths,
        quiet=quiets,
        quiet_wall_times=wall_times[quiets],
        slow=np.flatnonzero(rest),
        versions=int(np.count_nonzero(kind[quiets] == FILE_VERSION)),
    )


def _one_of(source: Bytes, choices: tuple[int, ...]) -> Flags:
    found: Flags = source == choices[0]
    for choice in choices[1:]:
        found |= source == choice
    return found


@dataclass(frozen=True, eq=False)
class _Tags:
    starts: Offsets
    lengths: Offsets

    def only(self, keep: Flags) -> "_Tags":
        return self if keep.all() else _Tags(self.starts[keep], self.lengths[keep])


@dataclass(frozen=True, eq=False)
class _Scalars:
    rows: Offsets
    values: Floats
    is_tensor: Flags
    inside: _Tags
    metadata_starts: Offsets
    metadata_lengths: Offsets


def _single_values(word: Words, body: Offsets, ends: Offsets, rows: Offsets) -> tuple[Offsets, _Tags]:
    # Summaries with one value that has a tag: the rows that are left, and where their tags are.
    at = body[rows]
    end = ends[rows]
    source = word[at]
    length, size = varints(source >> np.uint64(8), 4)
    at = at + 1 + size
    keep = ((source & np.uint64(0xFF)) == TAG) & (size > 0) & (at + length == end)
    source = word[at]
    length, size = varints(source >> np.uint64(8), 4)
    at = at + 1 + size
    keep &= ((source & np.uint64(0xFF)) == TAG) & (size > 0) & (length <= LONGEST_TAG) & (at + length < end)
    tags = _Tags(at, length).only(keep)
    return (rows if keep.all() else rows[keep]), tags


def _scalars(data: Bytes, word: Words, ends: Offsets, rows: Offsets, tags: _Tags) -> tuple[Offsets, _Scalars]:
    # What follows the tag: images and audio (first result: their rows), scalars (second); others are in neither.
    at = tags.starts + tags.lengths
    end = ends[rows]
    source = word[at]
    kind = data[at]
    after = at + 5
    values = (source >> np.uint64(8)).astype(np.uint32).view(np.float32)
    with np.errstate(invalid="ignore"):  # a signalling NaN in the file is a NaN like any other
        value = values.astype(np.float64)
    found = kind == SIMPLE_VALUE
    is_tensor = kind == TENSOR
    if is_tensor.any():
        some = np.flatnonzero(is_tensor)
        size = ((source[some] >> np.uint64(8)) & np.uint64(0xFF)).astype(np.int64)
        value[some], found[some] = _tensors(word, at[some] + 2, size)
        after[some] = at[some] + 2 + size
    media = _one_of(kind, (IMAGE, AUDIO))
    if media.any():
        length, size = varints(source >> np.uint64(8), 4)
        media &= (size > 0) & (at + 1 + size + length == end)
    metadata_starts, metadata_lengths, sound = _metadata(word, after, end)
    found &= sound
    everything = bool(found.all())
    kept = slice(None) if everything else found
    return rows[media], _Scalars(
        rows[kept], value[kept], is_tensor[kept], tags.only(found), metadata_starts[kept], metadata_lengths[kept]
    )


def _metadata(word: Words, after: Offsets, end: Offsets) -> tuple[Offsets, Offsets, Flags]:
    # Behind the value: nothing (length -1), or metadata up to the end of the record; else not sound.
    sound = after == end
    lengths = np.full(len(after), -1, dtype=np.int64)
    starts = after
    some = np.flatnonzero(after < end)
    if len(some):
        starts = after.copy()
        source = word[after[some]]
        length, size = varints(source >> np.uint64(8), 4)
        begin = after[some] + 1 + size
        fits = ((source & np.uint64(0xFF)) == METADATA) & (size > 0) & (begin + length == end[some])
        fits &= length <= LONGEST_TAG
        starts[some] = begin
        lengths[some] = length
        sound[some] = fits
    return starts, lengths, sound


def _tensors(word: Words, starts: Offsets, lengths: Offsets) -> tuple[Floats, Flags]:
    # Values of the tensors that are one float or double in one of the usual forms, and which ones are.
    values = np.full(len(starts), np.nan)
    found = np.zeros(len(starts), dtype=bool)
    first = word[starts]
    second = word[starts + 8]
    for heads, dtype in ((_FLOAT_HEADS, "<f4"), (_DOUBLE_HEADS, "<f8")):
        item = np.dtype(dtype).itemsize
        for head in heads:
            fits = (lengths == len(head) + item) & _begins_with(first, head[:8]) & _begins_with(second, head[8:])
            some = np.flatnonzero(fits)
            if len(some):
                raw = word[starts[some] + len(head)]
                if item == 4:
                    raw = raw.astype(np.uint32)
                with np.errstate(invalid="ignore"):
                    values[some] = raw.view(dtype)
                found[some] = True
    return values, found


def _begins_with(source: Words, head: bytes) -> Flags:
    mask = np.uint64((1 << (8 * len(head))) - 1)
    wanted: Flags = (source & mask) == np.uint64(int.from_bytes(head, "little"))
    return wanted


def group(data: Bytes, starts: Offsets, lengths: Offsets) -> Offsets:
    """Group equal byte strings: for each its representative's index, -1 for the few that were given up.

    Strings are at most `LONGEST_TAG` bytes. They are sorted into buckets by a hash of their 64-bit words, and compared
    with the bucket's first string byte for byte: strings that share a group are equal.
    """
    group_of = np.full(len(starts), -1, dtype=np.int64)
    if not len(starts):
        return group_of
    columns = _word_columns(words(data), starts, lengths)
    mixed = lengths.astype(np.uint64)
    for column in columns:
        # Multiplicative hashing with 2^64 divided by the golden ratio (Knuth, TAOCP volume 3, section 6.4).
        mixed = (mixed ^ column) * np.uint64(0x9E3779B97F4A7C15)
        mixed ^= mixed >> np.uint64(32)
    bucket = (mixed >> np.uint64(11)) & np.uint64(0xFFFF)
    first = np.zeros(1 << 16, dtype=np.int64)
    rest = np.arange(len(starts))
    for turn in range(ROUNDS):
        own = bucket if turn == 0 else bucket[rest]
        first[own[::-1]] = rest[::-1]
        candidate: Offsets = first[own]
        same = lengths[candidate] == (lengths if turn == 0 else lengths[rest])
        for column in columns:
            same &= column[candidate] == (column if turn == 0 else column[rest])
        if turn == 0 and same.all():
            return candidate
        group_of[rest[same]] = candidate[same]
        rest = rest[~same]
        if not len(rest):
            break
    return group_of


def _word_columns(word: Words, starts: Offsets, lengths: Offsets) -> list[Words]:
    # The strings as 64-bit words, zeros behind their ends.
    masks = np.array([(1 << (8 * count)) - 1 for count in range(9)], dtype=np.uint64)
    columns = []
    shortest = int(lengths.min())
    for offset in range(0, int(lengths.max()), 8):
        column = word[starts + offset]
        if shortest < offset + 8:
            column &= masks[np.clip(lengths - offset, 0, 8)]
        columns.append(column)
    return columns
