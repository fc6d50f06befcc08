"""`TensorProto` on whole arrays: tensors of one element, and the [k, 3] tensors of new histograms.

Read are the fields in the order that every writer uses: dtype, shape, values. The values are `tensor_content`, or the
list of the dtype's own field, packed or not (tensorflow/core/framework/tensor.proto, types.proto). Everything else is
left to `tensors.py`.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from mlcheck.importers.framing import Bytes, Offsets, words
from mlcheck.importers.wire import Words, varints
from mlcheck.records import dataclass

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

DTYPE, SHAPE, CONTENT, DOUBLES = 0x08, 0x12, 0x22, 0x32
"""First bytes of the fields of `TensorProto` (number << 3 | wire type); `DOUBLES` is a packed `double_val`."""
DT_DOUBLE = 2

_ONE_BY_ONE = np.uint64(int.from_bytes(b"\x12\x02\x08\x01" * 2, "little"))
_ONE = np.uint64(int.from_bytes(b"\x12\x02\x08\x01", "little"))
_THREE = np.uint64(int.from_bytes(b"\x12\x02\x08\x03", "little"))
_HALF_WORD = np.uint64(0xFFFFFFFF)
_BYTE = np.uint64(0xFF)


@dataclass(frozen=True, eq=False)
class TensorColumns:
    """What n tensors hold. A tensor is a scalar, a histogram, or neither: then protobuf must read it."""

    is_scalar: Flags
    """bool, shape (n,)."""
    values: Floats
    """float64, shape (n,): of the scalars, NaN elsewhere."""
    widths: Offsets
    """int64, shape (n,): 4 or 8 where the last so many bytes are the scalar as a float or double, 0 elsewhere."""
    is_histogram: Flags
    """bool, shape (n,): a tensor of shape (k, 3) of doubles, k > 0."""
    rows: Offsets
    """int64, shape (n,): k."""
    bodies: Offsets
    """int64, shape (n,): where the doubles begin."""


def tensor_columns(data: Bytes, starts: Offsets, ends: Offsets) -> TensorColumns:
    """Decode the tensors that lie between these places of a padded block."""
    word = words(data)
    head = word[starts]
    dtypes = ((head >> np.uint64(8)) & _BYTE).view(np.int64)
    sound = (head & _BYTE) == DTYPE
    shape_size = ((head >> np.uint64(24)) & _BYTE).view(np.int64)
    has_shape = ((head >> np.uint64(16)) & _BYTE) == SHAPE
    sound &= ~has_shape | (shape_size < 0x80)
    shape_size *= has_shape
    shapes = starts + 4
    at = starts + 2 + (shape_size + 2) * has_shape
    first = word[shapes]
    single = sound & (
        (shape_size == 0)
        | ((shape_size == 4) & ((first & _HALF_WORD) == _ONE))
        | ((shape_size == 8) & (first == _ONE_BY_ONE))
    )
    values, widths = _scalars(word, at, ends, np.where(single, dtypes, 0))
    is_histogram, rows, bodies = _histograms(word, at, ends, sound & (dtypes == DT_DOUBLE), shapes, shape_size)
    return TensorColumns(widths >= 0, values, np.maximum(widths, 0), is_histogram, rows, bodies)


def _histograms(
    word: Words, at: Offsets, ends: Offsets, doubles: Flags, shapes: Offsets, shape_size: Offsets
) -> tuple[Flags, Offsets, Offsets]:
    # Which ones are doubles of shape (k, 3), their k and where the values begin.
    found = np.zeros(len(at), dtype=bool)
    rows, bodies = np.zeros(len(at), dtype=np.int64), at
    some = np.flatnonzero(doubles & (shape_size >= 8) & (shape_size <= 11))
    if not len(some):
        return found, rows, bodies
    size = shape_size[some]
    first = word[shapes[some]]
    count, count_size = varints(first >> np.uint64(24), 4)
    # A dimension is `12 size 08 k`, and the second one `12 02 08 03`.
    fits = ((first & _BYTE) == SHAPE) & (((first >> np.uint64(16)) & _BYTE) == DTYPE)
    fits &= ((first >> np.uint64(8)) & _BYTE).view(np.int64) == count_size + 1
    fits &= (count_size > 0) & (size == count_size + 7) & (count > 0)
    fits &= (word[shapes[some] + count_size + 3] & _HALF_WORD) == _THREE
    source = word[at[some]]
    key = source & _BYTE
    length, length_size = varints(source >> np.uint64(8), 4)
    body = at[some] + 1 + length_size
    fits &= ((key == CONTENT) | (key == DOUBLES)) & (length_size > 0)
    fits &= (length == 24 * count) & (body + length == ends[some])
    found[some] = fits
    rows[some] = count
    bodies = at.copy()
    bodies[some] = body
    return found, rows, bodies


@dataclass(frozen=True)
class _Form:
    # One way to write one number: a key, a length or none, and the number up to the end of the tensor.
    key: bytes
    has_length: bool
    read: Callable[[Words], tuple[Floats, Offsets | int]]
    """From the 64-bit words at the numbers: the values, and how many bytes each takes (0: not in this form)."""
    width: int = 0
    """4 or 8 for a float or a double."""


def _fixed(dtype: str) -> Callable[[Words], tuple[Floats, int]]:
    size = np.dtype(dtype).itemsize

    def read(source: Words) -> tuple[Floats, int]:
        with np.errstate(invalid="ignore"):  # a signalling NaN in the file is a NaN like any other
            return source.astype(f"<u{size}").view(dtype).astype(np.float64), size

    return read


def _bfloat16(source: Words) -> tuple[Floats, int]:
    # bfloat16 is the upper half of a float32.
    with np.errstate(invalid="ignore"):
        return (source.astype("<u2").astype("<u4") << np.uint32(16)).view("<f4").astype(np.float64), 2


def _varint(limit: int, convert: Callable[[Offsets], Floats]) -> Callable[[Words], tuple[Floats, Offsets]]:
    def read(source: Words) -> tuple[Floats, Offsets]:
        number, size = varints(source, 8)
        size[number >= limit] = 0
        return convert(number), size

    return read


def _plain(number: Offsets) -> Floats:
    return number.astype(np.float64)


def _truth(number: Offsets) -> Floats:
    values: Floats = (number != 0).astype(np.float64)
    return values


def _half(number: Offsets) -> Floats:
    return number.astype("<u2").view("<f2").astype(np.float64)


def _brain(number: Offsets) -> Floats:
    return _bfloat16(number.view(np.uint64))[0]


def _listed(
    number: int, wire: int, read: Callable[[Words], tuple[Floats, Offsets | int]], width: int = 0
) -> list[_Form]:
    # A repeated field of numbers: packed, or one by one as old writers do.
    keys = (number << 3 | 2, number << 3 | wire)
    packed, single = (bytes([key]) if key < 0x80 else bytes([key & 0x7F | 0x80, key >> 7]) for key in keys)
    return [_Form(packed, True, read, width), _Form(single, False, read, width)]


def _content(read: Callable[[Words], tuple[Floats, int]], width: int = 0) -> _Form:
    return _Form(bytes([CONTENT]), True, read, width)


_INT32, _UINT32, _ANY = 1 << 31, 1 << 32, 1 << 62
_INT_VAL = _listed(7, 0, _varint(_INT32, _plain))
_FORMS: dict[int, list[_Form]] = {
    1: [_content(_fixed("<f4"), 4), *_listed(5, 5, _fixed("<f4"), 4)],
    2: [_content(_fixed("<f8"), 8), *_listed(6, 1, _fixed("<f8"), 8)],
    3: [_content(_fixed("<i4")), *_INT_VAL],
    4: [_content(_fixed("<u1")), *_INT_VAL],
    5: [_content(_fixed("<i2")), *_INT_VAL],
    6: [_content(_fixed("<i1")), *_INT_VAL],
    9: [_content(_fixed("<i8")), *_listed(10, 0, _varint(_ANY, _plain))],
    10: [*_listed(11, 0, _varint(_ANY, _truth))],
    14: [_content(_bfloat16), *_listed(13, 0, _varint(_INT32, _brain))],
    17: [_content(_fixed("<u2")), *_INT_VAL],
    19: [_content(_fixed("<f2")), *_listed(13, 0, _varint(_INT32, _half))],
    22: [_content(_fixed("<u4")), *_listed(16, 0, _varint(_UINT32, _plain))],
    23: [_content(_fixed("<u8")), *_listed(17, 0, _varint(_ANY, _plain))],
}
"""How one element of each dtype may be written."""


def _scalars(word: Words, at: Offsets, ends: Offsets, dtypes: Offsets) -> tuple[Floats, Offsets]:
    # Values, and widths: -1 where there is no value.
    values = np.full(len(at), np.nan)
    widths = np.full(len(at), -1, dtype=np.int64)
    for dtype in np.flatnonzero(np.bincount(dtypes, minlength=256)).tolist():
        rows = np.flatnonzero(dtypes == dtype)
        source = word[at[rows]]
        for form in _FORMS.get(dtype, ()):
            size = len(form.key)
            mask, key = (1 << (8 * size)) - 1, int.from_bytes(form.key, "little")
            some = np.flatnonzero((source & np.uint64(mask)) == np.uint64(key))
            if not len(some):
                continue
            body = at[rows[some]] + size + form.has_length
            value, taken = form.read(word[body])
            good = (body + taken == ends[rows[some]]) & (np.asarray(taken) > 0)
            if form.has_length:
                good &= ((source[some] >> np.uint64(8 * size)) & _BYTE).view(np.int64) == taken
            kept = rows[some[good]]
            values[kept] = value[good]
            widths[kept] = form.width
    return values, widths
