"""An event file read from an offset to its end, a large one in several parts at once.

A part begins where a record seems to begin. That may be inside another record, so a part counts only if the one before it, which follows
the lengths, ends exactly there; else all the rest is read as if it had not been parted.
"""

from collections.abc import Sequence
from pathlib import Path

from mlcheck.importers.compiled_events import CompiledReader
from mlcheck.importers.event_file import ReadsStretches
from mlcheck.importers.framing import RecordReader
from mlcheck.native.threads import allowed, in_threads

PART = 8 << 20
"""Bytes of a part, at least."""
MOST_PARTS = 8
LOOKED_AT = 1 << 18
"""Bytes in which the begin of a record is looked for."""
STRANGERS = 100
"""Sound records in a row that are no events, from the beginning of a file on, after which it is taken for another
TFRecord."""


def read_records(path: Path, reader: ReadsStretches, offset: int = 0) -> RecordReader:
    """Read all records from the offset on; what is returned says where and why they ended. Stops early in a file that holds no events.

    Raises OSError.
    """
    if not isinstance(reader, CompiledReader) or not (cuts := _cuts(path, offset)):
        records = _read_part(path, reader, offset, None)
    else:
        records = _read_parts(path, reader, [offset, *cuts])
    reader.finish()
    return records


def _read_parts(path: Path, reader: CompiledReader, begins: Sequence[int]) -> RecordReader:
    ends = [*begins[1:], None]
    parts = [(reader if place == 0 else reader.another(), begins[place], ends[place]) for place in range(len(begins))]
    ended = in_threads(lambda part: _read_part(path, *part), parts, len(parts))
    records = ended[0]
    for (later, begin, _), its_records in zip(parts[1:], ended[1:], strict=True):
        if records.offset != begin:
            return records if _is_strange(reader) else _read_part(path, reader, records.offset, None)
        reader.append(later)
        records = its_records
    return records


def _read_part(path: Path, reader: ReadsStretches, offset: int, end: int | None) -> RecordReader:
    with path.open("rb", buffering=0) as file:
        file.seek(offset)
        records = RecordReader(file, offset=offset, end=end)
        for stretch in records:
            reader.read(stretch)
            if offset == 0 and _is_strange(reader):
                break
    return records


def _is_strange(reader: ReadsStretches) -> bool:
    return not reader.file.events and reader.file.strangers >= STRANGERS


def _cuts(path: Path, offset: int) -> list[int]:
    # Where parts but the first may begin.
    size = path.stat().st_size - offset
    count = min(size // PART, MOST_PARTS)
    if count < 2 or (count := min(count, allowed())) < 2:
        return []
    from mlcheck.native.events import find_record

    cuts: list[int] = []
    with path.open("rb", buffering=0) as file:
        for place in range(1, count):
            begin = offset + size * place // count
            file.seek(begin)
            found = find_record(file.read(LOOKED_AT))
            if found is not None and begin + found > (cuts[-1] if cuts else offset):
                cuts.append(begin + found)
    return cuts
