"""What one event of a trial holds: a tensor with its mode and its step."""

from collections.abc import Iterator
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlcheck.importers.smdebug.wire import (
    BYTES,
    FIXED32,
    FIXED64,
    VARINT,
    Malformed,
    double,
    fields,
    signed,
    single,
    text,
)

MODES = {1: "train", 2: "val", 3: "test"}
"""smdebug's modes as ours: TRAIN, EVAL, PREDICT. GLOBAL (4) says nothing."""
DIMENSIONS = 32
"""More than any framework allows."""
STRINGS = 1_000_000
"""Texts of one tensor that are read: a table of nodes has one for each node."""

BFLOAT16 = 14
_BOOL = 10
_COMPLEX = frozenset({8, 18})
TEXTS = (0, 7)
"""smdebug writes texts without a data type, TensorFlow with 7."""

# tensorflow/core/framework/types.proto, little endian as smdebug writes them whatever the machine.
_TYPES: dict[int, np.dtype[Any]] = {
    1: np.dtype("<f4"),
    2: np.dtype("<f8"),
    3: np.dtype("<i4"),
    4: np.dtype("u1"),
    5: np.dtype("<i2"),
    6: np.dtype("i1"),
    8: np.dtype("<c8"),
    9: np.dtype("<i8"),
    _BOOL: np.dtype("bool"),
    BFLOAT16: np.dtype("<u2"),
    17: np.dtype("<u2"),
    18: np.dtype("<c16"),
    19: np.dtype("<f2"),
    22: np.dtype("<u4"),
    23: np.dtype("<u8"),
}

_FLOATS = frozenset({1, 2, BFLOAT16, 19})


class Saved(NamedTuple):
    """One tensor as an event holds it; `payload` is that of the record, nothing is copied."""

    tag: str
    step: int
    """Global step, over all modes."""
    wall_time: float
    """Seconds since the epoch; NaN where it is left out."""
    mode: int
    """As smdebug counts them; 4 (global) where the event does not say."""
    mode_step: int | None
    """The step as its mode counts it; None where the event does not say."""
    dtype: int
    shape: tuple[int, ...]
    payload: bytes
    start: int
    """Where the values begin in the payload, and where they end."""
    stop: int
    texts: tuple[int, int]
    """Bounds of the `TensorProto` in the payload, for its texts."""
    value: float | None = None
    """The value of an event that holds a plain number instead of a tensor."""

    @property
    def dtype_name(self) -> str:
        """numpy's name, `bfloat16`, `text`, or `type N`."""
        if self.dtype == BFLOAT16:
            return "bfloat16"
        if self.dtype in _TYPES:
            return str(_TYPES[self.dtype].name)
        return "text" if self.dtype in TEXTS else f"type {self.dtype}"

    @property
    def has_values(self) -> bool:
        """Whether `array` gives its values."""
        return self.dtype in _TYPES

    @property
    def is_numeric(self) -> bool:
        """Whether its values are real numbers."""
        return self.has_values and self.dtype not in _COMPLEX

    @property
    def is_float(self) -> bool:
        """Whether its values are floating-point numbers."""
        return self.dtype in _FLOATS

    def array(self) -> NDArray[Any]:
        """The values in their shape, as a view of the payload where that is possible; bfloat16 as float32.

        Only where `has_values`. Raises Malformed where the shape and the bytes contradict each other.
        """
        if self.value is not None:
            return np.array(self.value)
        dtype = _TYPES[self.dtype]
        size = prod(self.shape)
        if self.stop - self.start != size * dtype.itemsize:
            claimed = f"{self.dtype_name} of shape {self.shape}"
            raise Malformed(f"{self.tag} is said to be {claimed} and holds {self.stop - self.start:,} bytes")
        flat = np.frombuffer(self.payload, np.uint8 if self.dtype == _BOOL else dtype, size, self.start)
        try:
            values = flat.reshape(self.shape)
        except ValueError as error:
            # An empty tensor may have any size in its other dimensions.
            raise Malformed(f"{self.tag} is said to have the shape {self.shape}, which is too large") from error
        if self.dtype == _BOOL:
            return np.asarray(values != 0)
        if self.dtype == BFLOAT16:
            return (values.astype(np.uint32) << np.uint32(16)).view(np.float32)
        return values

    def strings(self) -> list[str]:
        """The texts of a tensor of texts, at most STRINGS."""
        found = []
        for number, sort, start, stop in fields(self.payload, *self.texts):
            if number == 8 and sort == BYTES:
                found.append(text(self.payload, start, stop))
                if len(found) >= STRINGS:
                    break
        return found


def saved_in(payload: bytes) -> Iterator[Saved]:
    """The tensors and numbers of an event, in order. Raises Malformed where it is no event."""
    step, wall_time = 0, float("nan")
    summaries = []
    for number, sort, start, stop in fields(payload, 0, len(payload)):
        if number == 1 and sort == FIXED64:
            wall_time = double(payload, start) or wall_time
        elif number == 2 and sort == VARINT:
            step = signed(start)
        elif number == 5 and sort == BYTES:
            summaries.append((start, stop))
    for bounds in summaries:
        for number, sort, start, stop in fields(payload, *bounds):
            if number == 1 and sort == BYTES:
                one = _value(payload, start, stop, step, wall_time)
                if one is not None:
                    yield one


def _value(payload: bytes, start: int, stop: int, step: int, wall_time: float) -> Saved | None:
    tag, tensor, number, mode, mode_step = "", None, None, 4, None
    for field, sort, begin, end in fields(payload, start, stop):
        if field == 1 and sort == BYTES:
            tag = text(payload, begin, end)
        elif field == 8 and sort == BYTES:
            tensor = (begin, end)
        elif field == 2 and sort == FIXED32:
            number = single(payload, begin)
        elif field == 9 and sort == BYTES:
            mode, mode_step = _metadata(payload, begin, end)
    if tensor is not None:
        return _tensor(payload, tensor, (tag, step, wall_time, mode, mode_step))
    if number is not None:
        return Saved(tag, step, wall_time, mode, mode_step, 1, (), payload, 0, 0, (0, 0), number)
    return None


def _metadata(payload: bytes, start: int, stop: int) -> tuple[int, int | None]:
    # Mode and step of the mode, each as the text content of a plugin of that name.
    found: dict[bytes, bytes] = {}
    for number, sort, begin, end in fields(payload, start, stop):
        if number == 1 and sort == BYTES:
            pair = {
                field: payload[first:last] for field, kind, first, last in fields(payload, begin, end) if kind == BYTES
            }
            found[pair.get(1, b"")] = pair.get(2, b"")
    mode, mode_step = found.get(b"mode", b""), found.get(b"mode_step", b"")
    return (
        int(mode) if mode in (b"1", b"2", b"3", b"4") else 4,
        int(mode_step) if mode_step.isdigit() and len(mode_step) < 19 else None,
    )


def _tensor(payload: bytes, bounds: tuple[int, int], head: tuple[str, int, float, int, int | None]) -> Saved:
    dtype, begin, end = 0, 0, 0
    shape: tuple[int, ...] = ()
    for number, sort, start, stop in fields(payload, *bounds):
        if number == 4 and sort == BYTES:
            begin, end = start, stop
        elif number == 1 and sort == VARINT:
            dtype = start
        elif number == 2 and sort == BYTES:
            shape = _shape(payload, start, stop)
        elif number == 8 and sort == BYTES:
            # Texts follow, one field each; `strings` reads them where they are wanted.
            break
    return Saved(*head, dtype, shape, payload, begin, end, bounds)


def _shape(payload: bytes, start: int, stop: int) -> tuple[int, ...]:
    sizes: list[int] = []
    for number, sort, begin, end in fields(payload, start, stop):
        if number == 2 and sort == BYTES:
            size = 0
            for field, kind, value, _ in fields(payload, begin, end):
                if field == 1 and kind == VARINT:
                    size = signed(value)
            if size < 0 or len(sizes) == DIMENSIONS:
                raise Malformed("a tensor of no possible shape")
            sizes.append(size)
    return tuple(sizes)
