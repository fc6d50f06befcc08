"""`TensorProto` to numbers, without TensorFlow and without believing its shape."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlcheck.store.statistics import Histogram

LARGEST = 1 << 31
"""More elements than any protobuf message can hold, even as one byte each."""
BUCKETS = 4096
"""A histogram of more buckets than this that repeats its last value is refused: so much is not really there."""

# dtype: (numpy's type in tensor_content, the field of single values); tensorflow/core/framework/{types,tensor}.proto.
_TYPES: dict[int, tuple[str, str]] = {
    1: ("<f4", "float_val"),
    2: ("<f8", "double_val"),
    3: ("<i4", "int_val"),
    4: ("u1", "int_val"),
    5: ("<i2", "int_val"),
    6: ("i1", "int_val"),
    9: ("<i8", "int64_val"),
    10: ("?", "bool_val"),
    14: ("<u2", "half_val"),
    17: ("<u2", "int_val"),
    19: ("<f2", "half_val"),
    22: ("<u4", "uint32_val"),
    23: ("<u8", "uint64_val"),
}
_DOUBLE, _BFLOAT16, _HALF = 2, 14, 19


class MalformedTensor(ValueError):
    """A tensor whose shape and content contradict each other."""


def scalar_of_tensor(tensor: Any) -> float | None:
    """The value of a numeric tensor of one element, None for any other tensor. Raises MalformedTensor."""
    if tensor.dtype not in _TYPES:
        return None
    size = _elements(tensor)
    if size != 1:
        return None
    return float(_values(tensor, 1)[0])


def histogram_of_tensor(tensor: Any) -> Histogram | None:
    """The buckets of a float64 tensor of shape (k, 3): left edge, right edge, count. None for any other. Raises
    MalformedTensor.
    """
    sizes = [dimension.size for dimension in tensor.tensor_shape.dim]
    if tensor.dtype != _DOUBLE or len(sizes) != 2 or sizes[1] != 3 or sizes[0] < 0:
        return None
    buckets = _values(tensor, sizes[0] * 3).reshape(-1, 3)
    return Histogram(buckets[:, 0].copy(), buckets[:, 1].copy(), buckets[:, 2].copy())


def _elements(tensor: Any) -> int | None:
    # Elements that the shape claims; None where it leaves them open.
    if tensor.tensor_shape.unknown_rank:
        return None
    size = 1
    for dimension in tensor.tensor_shape.dim:
        if dimension.size < 0:
            return None
        size *= dimension.size
        if size > LARGEST:
            raise MalformedTensor(f"a tensor claims {size:,} elements")
    content = len(tensor.tensor_content)
    if content and content != size * np.dtype(_TYPES[tensor.dtype][0]).itemsize:
        raise MalformedTensor(f"a tensor claims {size:,} elements and holds {content:,} bytes")
    return size


def _values(tensor: Any, size: int) -> NDArray[np.float64]:
    # All `size` values as float64. Single values stand for themselves, the last one for all that follow (tensor.proto).
    dtype, name = _TYPES[tensor.dtype]
    if tensor.tensor_content:
        if len(tensor.tensor_content) != size * np.dtype(dtype).itemsize:
            raise MalformedTensor(f"a tensor claims {size:,} elements and holds {len(tensor.tensor_content):,} bytes")
        raw = np.frombuffer(tensor.tensor_content, dtype)
    else:
        listed = getattr(tensor, name)
        if len(listed) > size or (size and not listed) or (size > len(listed) and size > 3 * BUCKETS):
            raise MalformedTensor(f"a tensor claims {size:,} elements and lists {len(listed):,}")
        raw = np.array(listed)
        if len(raw) < size:
            raw = np.concatenate([raw, np.full(size - len(raw), raw[-1])])
        if tensor.dtype in (_HALF, _BFLOAT16):
            raw = (raw.astype(np.int64) & 0xFFFF).astype("<u2").view(dtype)
    with np.errstate(invalid="ignore", over="ignore"):
        if tensor.dtype == _BFLOAT16:
            # bfloat16 is the upper half of a float32.
            return (raw.astype("<u4") << np.uint32(16)).view("<f4").astype(np.float64)
        return raw.astype(np.float64)
