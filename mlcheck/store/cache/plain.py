"""Frozen dataclasses of the report as plain JSON values and back, exactly: all digits, NaN, infinities, lone surrogates.

The JSON report (reporters/codec.py) rounds numbers and checks every value, since anybody may write one. What is kept here is read by the
program that wrote it, so that a dataclass is the list of its fields' values, and nothing is looked at twice.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from functools import cache
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

from mlcheck.records import RECORD, names

T = TypeVar("T")


def to_json(value: Any) -> str:
    """A dataclass as the list of its fields, tuples as lists, in ASCII. Raises TypeError or ValueError for what a report does not hold."""
    return json.dumps(value, default=_taken_apart, separators=(",", ":"))


def _taken_apart(value: Any) -> Any:
    if hasattr(value, RECORD):
        return [getattr(value, name) for name in names(type(value))]
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} cannot be kept: {value!r}")


def from_plain(cls: type[T], value: Sequence[Any]) -> T:
    """The dataclass that `to_json` took apart, from the plain values of that text. Raises ValueError or TypeError for what it is not of."""
    kind: Any = cls
    made: T = _dataclass_reader(kind)(value)
    return made


@cache
def _dataclass_reader(cls: Any) -> Callable[[Sequence[Any]], Any]:
    readers = tuple(_reader(cls.__annotations__[name]) for name in names(cls))

    def read(values: Sequence[Any]) -> Any:
        pairs = zip(readers, values, strict=True)
        return cls(*[one if reader is None else reader(one) for reader, one in pairs])

    return read


def _reader(hint: Any) -> Callable[[Any], Any] | None:
    """What makes a value of this type of a plain one; None where it is the plain one."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is tuple:
        inner = _reader(arguments[0])
        return tuple if inner is None else lambda values: tuple([inner(one) for one in values])
    if origin in (Union, UnionType):
        made = [reader for one in arguments if (reader := _reader(one)) is not None]
        return (lambda value: None if value is None else made[0](value)) if made else None
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return hint
    return _dataclass_reader(hint) if hasattr(hint, RECORD) else None
