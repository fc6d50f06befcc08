"""TensorBoard event files: scalars, histograms as statistics, and what the run states about itself."""

from pathlib import Path

from mlcheck import native
from mlcheck.importers.base import unreadable
from mlcheck.importers.event_file import EventFile, ReadsStretches
from mlcheck.importers.event_parts import STRANGERS, read_records
from mlcheck.importers.framing import HEADER, RecordReader, is_record_header
from mlcheck.importers.resume import fits, joined
from mlcheck.records import dataclass
from mlcheck.report import SourceState, SourceStatus
from mlcheck.store.series import Imported, RawSeries


class TensorBoardImporter:
    """Reads `*tfevents*` files and whatever begins like one."""

    format = "tensorboard"

    def claims(self, path: Path, head: bytes) -> bool:
        """By the name, as TensorBoard does, or by a record header with its right checksum."""
        return "tfevents" in path.name or is_record_header(head)

    def read(self, path: Path, shown: str) -> Imported:
        """Every scalar, histogram and stated fact of the file; see `base.Importer.read`."""
        return self._read(path, event_reader(shown))

    def read_verified(self, path: Path, shown: str) -> Imported:
        """The same, with the payload of every record compared with its checksum; see `base.Verifies`."""
        return self._read(path, event_reader(shown, verify=True))

    def _read(self, path: Path, reader: ReadsStretches) -> Imported:
        found = reader.file
        with path.open("rb", buffering=0) as file:
            head = file.read(64)
            refused = _other_file(path.name, head)
            if refused is not None:
                status, reason = refused
                size = path.stat().st_size
                if status == "ignored":
                    return Imported(SourceStatus(found.shown, self.format, "ignored", reason=reason, bytes=size))
                return unreadable(found.shown, self.format, reason, size)
        records = read_records(path, reader)
        if not found.events and found.strangers >= STRANGERS:
            return unreadable(found.shown, self.format, _OTHER_RECORDS, path.stat().st_size, 0)
        return _result(path, found, records)

    def read_on(self, path: Path, shown: str, before: Imported, offset: int) -> Imported:
        """Read what came after the offset of a whole record, and join it to what was read before; see `base.ReadsOn`."""
        if not before.series and before.status.status != "read":
            # Whether there was anything but a version is not known then.
            return self.read(path, shown)
        reader = event_reader(shown)
        found = reader.file
        found.records = found.events = before.status.records
        found.collector.has_content = before.status.reason != _ONLY_HEADER
        for one in before.series:
            found.collector.know(one.tag, one.hints.plugin or "")
        for tag, plugin in before.plugins:
            found.collector.know(tag, plugin)
        for fact in before.facts:
            found.collector.facts.setdefault(fact)
        records = read_records(path, reader, offset)
        after = _result(path, found, records)
        return joined(before, after) if fits(before, after) else self.read(path, shown)


def event_reader(shown: str, *, verify: bool = False) -> ReadsStretches:
    """The fastest reader that there is here; what it reads is the same."""
    if native.module("events") is not None:
        from mlcheck.importers.compiled_events import CompiledReader

        return CompiledReader(shown, verify=verify)
    from mlcheck.importers.array_events import ArrayReader

    return ArrayReader(shown, verify=verify)


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
    reader = event_reader(path.name)
    try:
        with path.open("rb", buffering=0) as file:
            for stretch in RecordReader(file):
                reader.read(stretch)
                break
    except OSError:
        return Peek()
    reader.finish()
    series = reader.file.collector.series()
    return Peek(
        tags=tuple(one.tag for one in series),
        points=max((len(one.steps) for one in series), default=0),
        has_hparams=any(fact.source.startswith("_hparams_/") for fact in reader.file.collector.facts),
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


def _result(path: Path, found: EventFile, records: RecordReader) -> Imported:
    size = records.size
    rest = size - records.offset
    if not found.events:
        reason = _nothing(found, records)
        cut = records.why == "cut" and not found.records
        lost = SourceStatus(
            found.shown,
            "tensorboard",
            "unreadable",
            reason=reason,
            offset=0,
            bytes=size,
            lost_bytes=size,
            tail_only=cut,
        )
        return Imported(lost)
    series = found.collector.series()
    status, reason_or_none = _judge(path, found, records, series)
    offsets = [found.fault[0]] if found.fault else []
    if records.why != "end":
        offsets.append(records.offset)
    source = SourceStatus(
        path=found.shown,
        format="tensorboard",
        status=status,
        records=found.records - found.faults,
        reason=reason_or_none,
        offset=min(offsets) if offsets else None,
        bytes=size,
        lost_bytes=found.lost_bytes + rest,
        tail_only=records.why == "cut" and not found.faults,
    )
    collector = found.collector
    return Imported(
        source,
        series,
        tuple(collector.facts),
        found.first_wall_time,
        tuple(collector.session_starts),
        collector.plugins_without(series),
    )


def _nothing(found: EventFile, records: RecordReader) -> str:
    if found.strangers and found.strangers == found.faults:
        return _OTHER_RECORDS
    if found.fault:
        return f"no record could be read: {found.fault[1]}"
    if records.why == "cut":
        return "cut inside its first record"
    return _ENDINGS[records.why].format(offset=records.offset)


_ENDINGS = {
    "cut": "the last record is cut at byte {offset:,}",
    "checksum": "framing is lost at byte {offset:,}: the checksum of a record's length does not match",
    "length": "framing is lost at byte {offset:,}: a record claims more than 2 GiB",
}


def _judge(
    path: Path, found: EventFile, records: RecordReader, series: tuple[RawSeries, ...]
) -> tuple[SourceState, str | None]:
    # Status and reason of a file of which something was read.
    reasons = []
    if found.fault:
        offset, reason = found.fault
        count = "1 record is" if found.faults == 1 else f"{found.faults:,} records are"
        reasons.append(f"{count} corrupt, first at byte {offset:,}: {reason}")
    if records.why != "end":
        reasons.append(_ENDINGS[records.why].format(offset=records.offset))
    if reasons:
        return "partial", "; ".join(reasons)
    if not found.collector.has_content:
        if path.name.endswith(".profile-empty"):
            return "ignored", "marker of TensorBoard's profiler (.profile-empty), no run data"
        return "read", _ONLY_HEADER
    if not series:
        return "read", "no scalars or histograms"
    return "read", None
