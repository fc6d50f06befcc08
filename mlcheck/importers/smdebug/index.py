"""The index of one step: which tensors its event file should hold, and at which bytes.

It is a promise, not a map: the events are read from the file itself, and the index says what is missing there.
"""

from collections.abc import Iterable, Mapping
from math import prod
from typing import Any, NamedTuple, TypeGuard

from mlcheck.importers.found import FoundFile
from mlcheck.importers.smdebug.membership import Broken, read_json
from mlcheck.importers.smdebug.saved import DIMENSIONS

Range = tuple[int, int]
"""Offset and length of a record in the event file."""
LARGEST_SIZE = 1 << 62


class Index(NamedTuple):
    """What an index says."""

    ranges: Mapping[str, Range]
    """Tensor to its record."""
    shapes: Mapping[str, tuple[int, ...]]
    """Tensor to its shape, where `save_shape` was set: those are known of tensors that were reduced."""
    bytes: int
    """Of all records."""


def read_index(file: FoundFile) -> Index:
    """The index in a file. Raises Broken, and OSError where it cannot be opened."""
    data = read_json(file)
    payload = data.get("tensor_payload")
    if not isinstance(payload, list):
        raise Broken("it lists no tensors")
    ranges: dict[str, Range] = {}
    for one in payload:
        name, start, length = _entry(one)
        ranges[name] = (start, length)
    shapes: dict[str, tuple[int, ...]] = {}
    stated = data.get("shape_payload")
    for one in stated if isinstance(stated, list) else ():
        if isinstance(one, dict) and (shape := _shape(one.get("shape"))) is not None:
            shapes |= {one[key]: shape for key in ("tensorname", "originalname") if isinstance(one.get(key), str)}
    return Index(ranges, shapes, sum(length for _, length in ranges.values()))


def _entry(one: Any) -> tuple[str, int, int]:
    if isinstance(one, dict):
        name, start, length = one.get("tensorname"), one.get("start_idx"), one.get("length")
        if isinstance(name, str) and _is_size(start) and _is_size(length):
            return name, int(start), int(length)
    raise Broken("an entry is no name with a start and a length")


def _is_size(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < LARGEST_SIZE


def _shape(value: Any) -> tuple[int, ...] | None:
    if not isinstance(value, list) or len(value) > DIMENSIONS or not all(_is_size(size) for size in value):
        return None
    return tuple(value) if prod(value) < LARGEST_SIZE else None


def contradictions(index: Index, found: Mapping[Range, set[str]], size: int) -> list[str]:
    """Where the index and the records of a whole event file of `size` bytes disagree, in words."""
    names = set().union(*found.values()) if found else set()
    faults = []
    for name, (start, length) in index.ranges.items():
        if name in found.get((start, length), ()):
            continue
        where = f"{name} at bytes {start:,} to {start + length:,}"
        if start + length > size:
            faults.append(f"{where}, beyond the end of the file ({size:,} bytes)")
        elif name in names:
            faults.append(f"{where}, where the file has something else: it lies elsewhere")
        else:
            faults.append(f"{where}, which the file does not hold")
    return faults


def missing(index: Index, names: Iterable[str]) -> list[str]:
    """The tensors that the index lists and the file does not hold."""
    there = set(names)
    return [name for name in index.ranges if name not in there]
