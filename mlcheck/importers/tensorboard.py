"""TensorBoard event files: scalars, histograms as statistics, and what the run states about itself."""

import os
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mlcheck.importers.base import unreadable
from mlcheck.importers.collect import Collector
from mlcheck.importers.columns import Decoded, Template, decode
from mlcheck.importers.events import Malformed, NotAnEvent, plugin_of_metadata, read_event
from mlcheck.importers.framing import (
    HEADER,
    OVERHEAD,
    Block,
    Offsets,
    RecordReader,
    crc32c,
    is_record_header,
    masked,
)
from mlcheck.importers.grouping import group
from mlcheck.importers.resume import fits, joined
from mlcheck.report import SourceState, SourceStatus
from mlcheck.store.series import Imported, RawSeries

SAGEMAKER_CHECKSUM = 0x062DC0B3
"""What SageMaker Debugger writes behind every payload: the masked checksum of the text `0x12345678` (formats.md §4)."""
CHECKED_RECORDS = 8
"""Records of a file whose payload is compared with its checksum, and the bytes up to which that is done: CRC-32C is
slow here."""
CHECKED_BYTES = 1 << 20
STRANGERS = 100
"""Sound records in a row that are no events, from the beginning of a file on, after which it is taken for another
TFRecord."""


class TensorBoardImporter:
    """Reads `*tfevents*` files and whatever begins like one."""

    format = "tensorboard"

    def claims(self, path: Path, head: bytes) -> bool:
        """By the name, as TensorBoard does, or by a record header with its right checksum."""
        return "tfevents" in path.name or is_record_header(head)

    def read(self, path: Path, shown: str) -> Imported:
        """Every scalar, histogram and stated fact of the file; see `base.Importer.read`."""
        return self._read(path, _State(shown))

    def read_verified(self, path: Path, shown: str) -> Imported:
        """The same, with the payload of every record compared with its checksum; see `base.Verifies`."""
        return self._read(path, _State(shown, verify=True))

    def _read(self, path: Path, state: "_State") -> Imported:
        shown = state.shown
        with path.open("rb", buffering=0) as file:
            head = file.read(64)
            refused = _other_file(path.name, head)
            if refused is not None:
                status, reason = refused
                size = path.stat().st_size
                if status == "ignored":
                    return Imported(SourceStatus(shown, self.format, "ignored", reason=reason, bytes=size))
                return unreadable(shown, self.format, reason, size)
            file.seek(0)
            reader = RecordReader(file)
            size = max(1, os.fstat(file.fileno()).st_size)
            for block in reader:
                state.collector.done = (block.base + len(block.data)) / size
                _read_block(block, state)
                if not state.events and state.strangers >= STRANGERS:
                    return unreadable(shown, self.format, _OTHER_RECORDS, path.stat().st_size, 0)
        return _result(path, state, reader)

    def read_on(self, path: Path, shown: str, before: Imported, offset: int) -> Imported:
        """Read what came after the offset of a whole record, and join it to what was read before; see `base.ReadsOn`."""
        if not before.series and before.status.status != "read":
            # Whether there was anything but a version is not known then.
            return self.read(path, shown)
        state = _State(shown, records=before.status.records, events=before.status.records)
        state.collector.has_content = before.status.reason != _ONLY_HEADER
        for one in before.series:
            state.collector.know(one.tag, one.hints.plugin or "")
        for tag, plugin in before.plugins:
            state.collector.know(tag, plugin)
        for fact in before.facts:
            state.collector.facts.setdefault(fact)
        with path.open("rb", buffering=0) as file:
            file.seek(offset)
            reader = RecordReader(file, offset=offset)
            for block in reader:
                _read_block(block, state)
        after = _result(path, state, reader)
        return joined(before, after) if fits(before, after) else self.read(path, shown)


@dataclass(frozen=True, slots=True)
class Peek:
    """What the first block (1 MiB) of an event file holds."""

    tags: tuple[str, ...] = ()
    """Of scalars and histograms."""
    points: int = 0
    """Most points of one tag."""
    has_hparams: bool = False
    """It states hyperparameters through the hparams plugin."""


def peek(path: Path) -> Peek:
    """Look into a file without reading it whole; nothing for one that cannot be read."""
    state = _State(path.name)
    try:
        with path.open("rb", buffering=0) as file:
            for block in RecordReader(file):
                _read_block(block, state)
                break
    except OSError:
        return Peek()
    series = state.collector.series()
    return Peek(
        tags=tuple(one.tag for one in series),
        points=max((len(one.steps) for one in series), default=0),
        has_hparams=any(fact.source.startswith("_hparams_/") for fact in state.collector.facts),
    )


_ONLY_HEADER = "header only: no summaries"
_OTHER_RECORDS = "TFRecord, not an event file"
_LFS = b"version https://git-lfs"

# What else is found under the name of an event file, by its first bytes.
_SIGNATURES = (
    (b"\x1f\x8b", "gzip-compressed: decompress it first"),
    (b"PK\x03\x04", "zip archive, not an event file"),
    (b"\x89HDF\r\n", "HDF5, not an event file"),
    (b"PAR1", "Parquet, not an event file"),
    (b"SQLite format 3", "SQLite, not an event file"),
)


def _other_file(name: str, head: bytes) -> tuple[SourceState, str] | None:
    # State and reason of a file that is no event file, None for one whose records are worth a look.
    if not head:
        return "unreadable", "empty file"
    if head.startswith(b"\x00\x05\x16\x07"):
        return "ignored", "AppleDouble: attributes that macOS keeps beside a file, no run data"
    if is_record_header(head):
        return None
    if head.startswith(_LFS):
        return "unreadable", "Git LFS pointer: the data was not downloaded; run `git lfs pull`"
    for signature, reason in _SIGNATURES:
        if head.startswith(signature):
            return "unreadable", reason
    if _is_text(head):
        if name.endswith(".meta"):
            return "ignored", "text beside an event file (.meta), no run data"
        return "unreadable", "text, not an event file"
    if len(head) < HEADER:
        return None
    return "unreadable", "not an event file: the checksum of the first record's length does not match"


def _is_text(head: bytes) -> bool:
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        # Sixty-four bytes may end inside a character.
        if error.start < len(head) - 3 or error.start == 0:
            return False
        text = head[: error.start].decode("utf-8")
    return all(character.isprintable() or character in "\t\r\n\f" for character in text)


@dataclass(slots=True)
class _State:
    # One file while it is read.
    shown: str
    verify: bool = False
    """Compare every payload with its checksum."""
    collector: Collector = field(default_factory=Collector)
    template: Template | None = field(default_factory=Template)
    """What the next block probably holds."""
    records: int = 0
    """Whole records that were met, good or bad."""
    events: int = 0
    """Records that are events."""
    strangers: int = 0
    """Records that are no events."""
    checked: int = 0
    faults: int = 0
    fault: tuple[int, str] | None = None
    """Offset and reason of the first record that is lost, in whole or in part."""
    lost_bytes: int = 0

    def lose(self, block: Block, record: int, reason: str) -> None:
        """Note a record that could not be used."""
        if self.fault is None:
            self.fault = (block.offset(record), reason)
        self.faults += 1
        self.lost_bytes += int(block.lengths[record]) + OVERHEAD


def _verified(block: Block, state: _State) -> Block:
    """The block without the records whose payload does not have the checksum that the file states."""
    from google_crc32c import value as checksum

    view = block.data.data
    sound = np.ones(len(block.starts), dtype=bool)
    for record, (start, length) in enumerate(zip(block.starts.tolist(), block.lengths.tolist(), strict=True)):
        end = start + length
        stated = int.from_bytes(view[end : end + 4], "little")
        if stated not in (masked(checksum(view[start:end].tobytes())), SAGEMAKER_CHECKSUM):
            state.lose(block, record, "the checksum of its payload does not match")
            sound[record] = False
    if sound.all():
        return block
    state.records += int((~sound).sum())
    return replace(block, starts=block.starts[sound], lengths=block.lengths[sound])


def _read_block(block: Block, state: _State) -> None:
    if state.verify:
        block = _verified(block, state)
    collector = state.collector
    is_first = not state.events
    decoded = decode(block.data, block.starts, block.lengths, state.template)
    state.template = decoded.template
    numbers = collector.fast_tags(block, decoded)
    numbers[_note_plugins(block, decoded, numbers, state)] = -1
    collector.note_sources(decoded, numbers, state.records)
    slow = decoded.slow
    refused = np.flatnonzero(numbers < 0)
    if len(refused):
        slow = np.union1d(slow, np.flatnonzero(np.isin(decoded.source, refused)))
    state.events += len(block.starts) - len(slow)
    if len(block.starts) - len(slow) > decoded.versions:
        collector.has_content = True
    first: tuple[int, float] | None = None
    for record in slow.tolist():
        wall_time = _read_slowly(block, record, state)
        if wall_time is not None and first is None:
            first = (record, wall_time)
    if is_first:
        _note_first(decoded, slow, first, collector)
    collector.end_block(block, decoded, numbers, state.records)
    state.records += len(block.starts)


def _note_plugins(block: Block, decoded: Decoded, numbers: NDArray[np.int32], state: _State) -> list[int]:
    # Remembers the plugins that the metadata name; returns the sources that need the slow path for theirs.
    sources = decoded.sources
    some = np.flatnonzero((sources.metadata_lengths >= 0) & (numbers >= 0))
    if not len(some):
        return []
    starts, lengths = sources.metadata_starts[some], sources.metadata_lengths[some]
    same = group(block.data, starts, lengths)
    refused: list[int] = some[same < 0].tolist()
    for representative in np.flatnonzero(same == np.arange(len(same))).tolist():
        start = int(starts[representative])
        plugin = plugin_of_metadata(block.data[start : start + int(lengths[representative])].tobytes())
        alike = some[same == representative]
        if plugin is None:
            refused += alike.tolist()
        elif plugin:
            alike = alike[np.argsort(sources.records[alike], kind="stable")]
            found, first = np.unique(numbers[alike], return_index=True)
            records = sources.records[alike[first]] + state.records
            for tag, record in zip(found.tolist(), records.tolist(), strict=True):
                state.collector.plugin(tag, plugin, record)
    return refused


def _read_slowly(block: Block, record: int, state: _State) -> float | None:
    # Wall time of the event, None where the record is none.
    payload = block.payload(record)
    try:
        wall_time = read_event(payload, state.records + record, state.collector)
    except NotAnEvent as error:
        state.lose(block, record, _why_lost(block, record, payload, state, str(error)))
        return None
    except Malformed as error:
        state.lose(block, record, str(error))
        wall_time = error.wall_time
    state.events += 1
    return wall_time


def _why_lost(block: Block, record: int, payload: bytes, state: _State, reason: str) -> str:
    if state.checked < CHECKED_RECORDS and len(payload) <= CHECKED_BYTES:
        state.checked += 1
        stated = block.checksum(record)
        if stated not in (masked(crc32c(payload)), SAGEMAKER_CHECKSUM):
            return "the checksum of its payload does not match"
    state.strangers += 1
    return reason


def _note_first(decoded: Decoded, slow: Offsets, read: tuple[int, float] | None, collector: Collector) -> None:
    # The wall time of the earliest record of the block, whichever path read it.
    first = [] if read is None else [read]
    fast = np.ones(len(decoded.source), dtype=bool)
    fast[slow] = False
    first += [(record, float(decoded.wall_times[record])) for record in np.flatnonzero(fast)[:1].tolist()]
    if first:
        collector.note_first_wall_time(min(first)[1])


def _result(path: Path, state: _State, reader: RecordReader) -> Imported:
    size = reader.size
    rest = size - reader.offset
    if not state.events:
        reason = _nothing(state, reader)
        cut = reader.why == "cut" and not state.records
        lost = SourceStatus(
            state.shown,
            "tensorboard",
            "unreadable",
            reason=reason,
            offset=0,
            bytes=size,
            lost_bytes=size,
            tail_only=cut,
        )
        return Imported(lost)
    series = state.collector.series()
    status, reason_or_none = _judge(path, state, reader, series)
    offsets = [state.fault[0]] if state.fault else []
    if reader.why != "end":
        offsets.append(reader.offset)
    source = SourceStatus(
        path=state.shown,
        format="tensorboard",
        status=status,
        records=state.records - state.faults,
        reason=reason_or_none,
        offset=min(offsets) if offsets else None,
        bytes=size,
        lost_bytes=state.lost_bytes + rest,
        tail_only=reader.why == "cut" and not state.faults,
    )
    collector = state.collector
    return Imported(
        source,
        series,
        tuple(collector.facts),
        collector.first_wall_time,
        tuple(collector.session_starts),
        collector.plugins_without(series),
    )


def _nothing(state: _State, reader: RecordReader) -> str:
    if state.strangers and state.strangers == state.faults:
        return _OTHER_RECORDS
    if state.fault:
        return f"no record could be read: {state.fault[1]}"
    if reader.why == "cut":
        return "cut inside its first record"
    return _ENDINGS[reader.why].format(offset=reader.offset)


_ENDINGS = {
    "cut": "the last record is cut at byte {offset:,}",
    "checksum": "framing is lost at byte {offset:,}: the checksum of a record's length does not match",
    "length": "framing is lost at byte {offset:,}: a record claims more than 2 GiB",
}


def _judge(
    path: Path, state: _State, reader: RecordReader, series: tuple[RawSeries, ...]
) -> tuple[SourceState, str | None]:
    # Status and reason of a file of which something was read.
    reasons = []
    if state.fault:
        offset, reason = state.fault
        count = "1 record is" if state.faults == 1 else f"{state.faults:,} records are"
        reasons.append(f"{count} corrupt, first at byte {offset:,}: {reason}")
    if reader.why != "end":
        reasons.append(_ENDINGS[reader.why].format(offset=reader.offset))
    if reasons:
        return "partial", "; ".join(reasons)
    if not state.collector.has_content:
        if path.name.endswith(".profile-empty"):
            return "ignored", "marker of TensorBoard's profiler (.profile-empty), no run data"
        return "read", _ONLY_HEADER
    if not series:
        return "read", "no scalars or histograms"
    return "read", None
