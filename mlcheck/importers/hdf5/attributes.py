"""Attributes of groups and data sets: the few that say something of a dump, and no more bytes than those take."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from mlcheck.importers.hdf5.failures import DAMAGE, printable
from mlcheck.importers.hdf5.heaps import Heaps
from mlcheck.importers.hdf5.words import HISTORY_STEPS

Attributes = Mapping[str, Any]
NONE: Attributes = MappingProxyType({})

WANTED = frozenset(
    {
        *HISTORY_STEPS,
        "mode",
        "split",
        "worker",
        "rank",
        "data_format",
        "activation",
        "activation_function",
        "function",
        "wall_time",
        "timestamp",
        "dtype",
        "precision",
        "logical_dtype",
        "name",
        "class",
        "weight_names",
        "layer_names",
        "keras_version",
        "_ncproperties",
    }
)
"""In lower case, as they are given back."""
_ONLY_PRESENCE = frozenset({"weight_names", "layer_names", "keras_version", "_ncproperties"})

MOST = 64
"""Attributes of one object that are looked at."""
LONGEST_TEXT = 4096
MOST_STEPS = 10_000_000
"""Entries of an attribute or data set that counts steps."""


def read_attributes(thing: Any, count: int, heaps: Heaps) -> Attributes:
    """The wanted attributes of an open object with `count` of them: numbers, text, int64 arrays for steps; True where only
    presence counts. Those that cannot be read are left out.
    """
    from h5py import h5a

    found: dict[str, Any] = {}
    for index in range(min(count, MOST)):
        try:
            attribute = h5a.open(thing, index=index)
            name = attribute.name.decode("utf-8", "replace").lower()
            if name in WANTED:
                value = True if name in _ONLY_PRESENCE else _value(attribute, heaps)
                if value is not None:
                    found[name] = value
        except DAMAGE:
            continue
    return found or NONE


def _value(attribute: Any, heaps: Heaps) -> Any:
    from h5py import h5t

    shape = attribute.shape
    kind = attribute.get_type()
    if kind.get_class() == h5t.STRING:
        return _text(attribute, kind, shape, heaps)
    if kind.get_class() not in (h5t.INTEGER, h5t.FLOAT, h5t.ENUM):
        return None
    count = int(np.prod(shape, dtype=object)) if shape else 1
    if len(shape) > 1 or not 0 < count <= MOST_STEPS or attribute.get_storage_size() < count:
        return None
    values = np.empty(shape, kind.dtype)
    attribute.read(values)
    if shape and count > 1:
        return np.asarray(values)
    return values.ravel()[0].item()


def _text(attribute: Any, kind: Any, shape: tuple[int, ...], heaps: Heaps) -> str | None:
    if shape not in ((), (1,)):
        return None
    if kind.is_variable_str():
        if not heaps.are_sound():
            return None
        value = np.empty(shape, kind.dtype)
    else:
        if kind.get_size() > LONGEST_TEXT:
            return None
        value = np.empty(shape, f"S{kind.get_size()}")
    attribute.read(value)
    content = value.ravel()[0]
    return printable(content)[:LONGEST_TEXT].strip("\0 ") if isinstance(content, bytes | str) else None


def whole_number(value: Any) -> int | None:
    """An attribute as a step: a whole number, or text of digits; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str) and value.strip().isdecimal() and len(value.strip()) <= 18:
        return int(value)
    if isinstance(value, int):
        return value if abs(value) < 1 << 62 else None
    if isinstance(value, float) and value.is_integer() and abs(value) < 1 << 62:
        return int(value)
    return None


def seconds(value: Any) -> float:
    """An attribute as a wall time in seconds since the epoch; NaN for anything that is none. Milliseconds are told by their size."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return float("nan")
    return number / 1000 if number > 1e11 else number
