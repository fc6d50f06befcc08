"""One event file, read from its first byte to its last."""

from collections.abc import Set
from pathlib import Path

from mlcheck.importers.framing import OVERHEAD
from mlcheck.importers.smdebug.index import Range
from mlcheck.importers.smdebug.records import TrialRecords
from mlcheck.importers.smdebug.saved import saved_in
from mlcheck.importers.smdebug.sorting import Sorter
from mlcheck.importers.smdebug.wire import Malformed
from mlcheck.records import dataclass, field

NOTHING = "an event file without events"
_LFS = b"version https://git-lfs"
_ENDINGS = {
    "cut": "the last record is cut at byte {offset:,} of {size:,}",
    "checksum": "framing is lost at byte {offset:,}: the checksum of a record's length does not match",
    "length": "framing is lost at byte {offset:,}: a record claims more than 2 GiB",
}


@dataclass
class Reading:
    """What became of one event file."""

    found: dict[Range, set[str]] = field(default_factory=dict)
    """The tensors in each sound record, by its offset and length."""
    records: int = 0
    """Sound records."""
    faults: int = 0
    first_fault: tuple[int, str] | None = None
    """Offset and reason of the first record that is lost."""
    first_wall_time: float = float("nan")
    size: int = 0
    end: int = 0
    """Where reading stopped."""
    ending: str | None = None
    """Why it stopped before the end of the file."""
    is_cut: bool = False
    lost_bytes: int = 0

    def names(self) -> Set[str]:
        """All tensors of the file."""
        return set().union(*self.found.values()) if self.found else set()

    @property
    def offset(self) -> int | None:
        """Of the first damage."""
        return self.first_fault[0] if self.first_fault else self.end if self.ending else None

    @property
    def fault(self) -> str | None:
        """What is wrong with the file, None for one that is whole."""
        reasons = []
        if self.first_fault:
            offset, reason = self.first_fault
            count = "1 record is" if self.faults == 1 else f"{self.faults:,} records are"
            reasons.append(f"{count} corrupt, first at byte {offset:,}: {reason}")
        if self.ending:
            reasons.append(self.ending)
        return "; ".join(reasons) or None


def read_events(path: Path, sorter: Sorter) -> Reading:
    """Pass the tensors of a file to the sorter. Raises OSError where it cannot be opened."""
    reading = Reading()
    with open(path, "rb") as stream:
        records = TrialRecords(stream)
        for offset, payload, is_sound in records:
            length = len(payload) + OVERHEAD
            reason = "the checksum of its payload does not match"
            if is_sound:
                names: set[str] = set()
                try:
                    for saved in saved_in(payload):
                        if reading.first_wall_time != reading.first_wall_time:
                            reading.first_wall_time = saved.wall_time
                        sorter.take(saved)
                        names.add(saved.tag)
                except Malformed as error:
                    reason = str(error)
                else:
                    reading.found[offset, length] = names
                    reading.records += 1
                    continue
            reading.faults += 1
            reading.lost_bytes += length
            reading.first_fault = reading.first_fault or (offset, reason)
        reading.size, reading.end = records.size, records.offset
        if records.why != "end":
            reading.ending = _ENDINGS[records.why].format(offset=records.offset, size=records.size)
            reading.is_cut = records.why == "cut" and not reading.faults
            reading.lost_bytes += records.size - records.offset
            if not records.offset and _is_pointer(path):
                reading.ending = "Git LFS pointer: the data was not downloaded; run `git lfs pull`"
                reading.is_cut = False
    return reading


def _is_pointer(path: Path) -> bool:
    with open(path, "rb") as stream:
        return stream.read(len(_LFS)) == _LFS
