"""One event file while it is read: what was found, what was lost, and the records that go through protobuf."""

from typing import Protocol

from mlcheck.importers.collect import Collector
from mlcheck.importers.events import Malformed, NotAnEvent, read_event
from mlcheck.importers.framing import OVERHEAD, Record, Stretch, is_sound
from mlcheck.records import dataclass

WRONG_CHECKSUM = "the checksum of its payload does not match"


@dataclass(slots=True)
class EventFile:
    """What a file gave so far."""

    shown: str
    """The path that its status carries."""
    collector: Collector
    records: int = 0
    """Whole records that were met, good or bad."""
    events: int = 0
    """Records that are events."""
    strangers: int = 0
    """Records that are no events."""
    faults: int = 0
    fault: tuple[int, str] | None = None
    """Offset and reason of the first record that is lost, in whole or in part."""
    lost_bytes: int = 0
    first: tuple[int, float] = (1 << 62, float("nan"))
    """Number and wall time of the first record that is an event."""

    def lose(self, offset: int, length: int, reason: str) -> None:
        """Note a record that could not be used, by its offset in the file and the bytes of its payload."""
        if self.fault is None or offset < self.fault[0]:
            self.fault = (offset, reason)
        self.faults += 1
        self.lost_bytes += length + OVERHEAD

    def note_event(self, number: int, wall_time: float) -> None:
        """Note the wall time of an event; that of the file's first one counts."""
        if number < self.first[0]:
            self.first = (number, wall_time)

    def append(self, later: "EventFile") -> list[int]:
        """Take over what a later part of the file gave, but for its rows: the numbers here of its tags."""
        before = self.records
        numbers = self.collector.append(later.collector, before)
        self.records += later.records
        self.events += later.events
        self.strangers += later.strangers
        self.faults += later.faults
        self.fault = min((one for one in (self.fault, later.fault) if one is not None), default=None)
        self.lost_bytes += later.lost_bytes
        self.note_event(before + later.first[0], later.first[1])
        return numbers

    @property
    def first_wall_time(self) -> float:
        """Wall time of the first event; protobuf's default 0 means that the writer left it out."""
        return self.first[1] if self.first[1] != 0 else float("nan")

    def read_slowly(self, record: Record) -> None:
        """Read a record through protobuf into the collector, or note that it is lost."""
        try:
            wall_time = read_event(record.payload, record.number, self.collector)
        except NotAnEvent as error:
            self.lose(record.offset, len(record.payload), self._why_lost(record, str(error)))
            return
        except Malformed as error:
            self.lose(record.offset, len(record.payload), str(error))
            wall_time = error.wall_time
        self.events += 1
        self.note_event(record.number, wall_time)

    def _why_lost(self, record: Record, reason: str) -> str:
        if not is_sound(record.payload, record.checksum):
            return WRONG_CHECKSUM
        self.strangers += 1
        return reason


class ReadsStretches(Protocol):
    """A way to read the records of a file: on whole arrays with numpy, or compiled."""

    file: EventFile

    def read(self, stretch: Stretch) -> None:
        """Take the records of the next stretch of the file into `file`, and say in `stretch.ending` where they end."""
        ...

    def finish(self) -> None:
        """Make `file` complete, after the last stretch."""
        ...
