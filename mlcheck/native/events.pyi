"""Event files of TensorBoard, read record by record into columns by tag, in C.

What a record must be like to be read here is said in events_value.h; of every other one the caller is told, so that protobuf may read it.
"""

from typing import Final, final

from typing_extensions import Buffer

END: Final[int]
"""No bytes are left."""
CUT: Final[int]
"""The record goes beyond them."""
WRONG_CHECKSUM: Final[int]
"""The checksum of the record's length does not match."""
WRONG_LENGTH: Final[int]
"""A record claims more than a protobuf message may hold."""
READ_SLOWLY: Final[int]
"""The record is for protobuf."""
READ_VERSION: Final[int]
"""The event begins with its wall time and a file version."""
NEW_TAG: Final[int]
NEW_METADATA: Final[int]
WRONG_PAYLOAD: Final[int]
"""The checksum of the payload does not match."""

def find_record(data: Buffer, /) -> int | None:
    """The first place at which a record seems to begin, as its length has the right checksum: that may be inside another record."""

@final
class Column:
    """Memory of one column, for `numpy.frombuffer`: as many values of eight bytes as the tag has rows."""

    def __buffer__(self, flags: int, /) -> memoryview: ...

class Table:
    """The rows of an event file by tag, in the order in which they are read or added. One thread at a time may use it: RuntimeError."""

    @property
    def records(self) -> int:
        """Records that were read or passed."""

    @property
    def events(self) -> int:
        """Records that were read here."""

    @property
    def first_event(self) -> int:
        """Number of the first record that was read here, where there is one."""

    @property
    def first_wall_time(self) -> float:
        """Its wall time."""

    def read(
        self, data: Buffer, begin: int, size: int, done: float, accepted: int | None, /
    ) -> tuple[int, int, int, int]:
        """Read records of the first `size` bytes from `begin` on, until they end or something must be known: (why, position, begin, size).

        `done` is the share of the file that has been read with these bytes. With a number for `accepted` each payload is compared with its
        checksum, or must have that one. `position` is where the first record begins that was not read; begin and size are those of what
        `why` is about: a payload, a tag, metadata, for a version the fields behind the wall time; for CUT the size of the record as far as
        it is known. Lets go of the interpreter. Raises MemoryError, and ValueError for a stretch outside of the buffer.
        """

    def know_tag(self, tag: bytes, number: int, /) -> None:
        """Say which number a tag has: 0 or more, or -1 where only protobuf may read it."""

    def know_metadata(self, metadata: bytes, plugin: int, /) -> None:
        """Say which plugin such metadata name: above 0, 0 for none, -1 where only protobuf may read the event."""

    def passed(self) -> None:
        """Count a record that the caller read."""

    def add_scalar(self, tag: int, step: int, wall_time: float, value: float, is_tensor: bool, done: float, /) -> None:
        """Add a row behind those of the tag."""

    def add_histogram(
        self,
        tag: int,
        step: int,
        wall_time: float,
        left: Buffer,
        right: Buffer,
        counts: Buffer,
        stated: tuple[float, float, float, float, float] | None,
        is_tensor: bool,
        done: float,
        /,
    ) -> None:
        """Add the statistics of a histogram, float64 of shape (k,) each: see store/statistics.py."""

    def met(self) -> list[tuple[int, tuple[int, int], int, tuple[int, int]]]:
        """Of each tag with rows that were read here: its number; the record of its first row, and the place of the value in it; the
        first plugin or 0; the record and the place that name it.
        """

    def append(self, later: Table, numbers: Buffer, /) -> None:
        """Put the rows of a table behind these: that of a later part of the file, which has none afterwards.

        `numbers`: int32, the number here of each of its tags, by their numbers there. What `met` says of it is not taken over.
        """

    def take(self, tag: int, histograms: bool, with_tensors: bool, /) -> tuple[Column, ...] | None:
        """Hand out the rows of a tag, once: steps (int64), wall times (float64, NaN where unknown), and the value, or the statistics of
        store/statistics.py. Without those that came as tensors unless these count. None for no rows.
        """
