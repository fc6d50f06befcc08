"""Frozen dataclasses to plain JSON values and back, by their type hints.

Numbers carry seven significant digits, which makes the bytes equal across machines; NaN and infinities, which JSON
has not, are the strings in `NOT_FINITE`. A mapping's word that spells one of these comes back as the number.
"""

import dataclasses
import math
import sys
import types
from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from mlcheck.errors import UsageError

NOT_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_DIGITS = 7
_LARGEST = sys.float_info.max

T = TypeVar("T")


@cache
def hints(cls: Any) -> dict[str, Any]:
    """Field names of a dataclass and their types, in order of declaration."""
    resolved = get_type_hints(cls)
    return {field.name: resolved[field.name] for field in dataclasses.fields(cls)}


def encode(value: Any) -> Any:
    """Dataclasses and mappings become dicts, tuples lists, numbers are rounded; TypeError for any other object."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, float):
        return _encode_float(value)
    if isinstance(value, tuple | list):
        return [encode(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): encode(item) for key, item in value.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {name: encode(getattr(value, name)) for name in hints(type(value))}
    raise TypeError(f"{type(value).__name__} cannot stand in a report: {value!r}")


def _encode_float(value: float) -> float | str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return float(f"{value:.{_DIGITS - 1}e}")


def decode(cls: type[T], value: Any, path: str) -> T:
    """Build a dataclass from what `encode` made of it.

    Unknown keys are ignored, missing ones take the default of their field. Raises UsageError that names the bad key,
    `findings[3].severity`, and what was expected there.
    """
    if not isinstance(value, dict):
        raise _wrong(path, "an object", value)
    known: dict[str, Any] = {}
    target: Any = cls
    for field in dataclasses.fields(target):
        where = f"{path}.{field.name}" if path else field.name
        if field.name in value:
            known[field.name] = _decode(hints(target)[field.name], value[field.name], where)
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise UsageError(f"not a report of mlcheck: {where} is missing")
    return cls(**known)


def _decode(hint: Any, value: Any, path: str) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return _decode_union(arguments, value, path)
    if origin is Literal:
        if value not in arguments or isinstance(value, bool):
            raise _wrong(path, f"one of {', '.join(map(str, arguments))}", value)
        return value
    if origin is tuple:
        if not isinstance(value, list):
            raise _wrong(path, "a list", value)
        return tuple(_decode(arguments[0], item, f"{path}[{i}]") for i, item in enumerate(value))
    if origin is not None and issubclass(origin, Mapping):
        if not isinstance(value, dict):
            raise _wrong(path, "an object", value)
        return {key: _decode(arguments[1], item, f"{path}.{key}") for key, item in value.items()}
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return decode(hint, value, path)
    return _decode_plain(hint, value, path)


def _decode_union(arguments: tuple[Any, ...], value: Any, path: str) -> Any:
    if value is None and type(None) in arguments:
        return None
    some = [a for a in arguments if a is not type(None)]
    if len(some) == 1:
        return _decode(some[0], value, path)
    if isinstance(value, str) and float in some and value in NOT_FINITE:
        return NOT_FINITE[value]
    if type(value) in some or (type(value) is int and float in some and abs(value) <= _LARGEST):
        return value
    raise _wrong(path, " or ".join(_words(a) for a in some), value)


def _decode_plain(hint: Any, value: Any, path: str) -> Any:
    if hint is float:
        if isinstance(value, str) and value in NOT_FINITE:
            return NOT_FINITE[value]
        fits = isinstance(value, float) or (type(value) is int and abs(value) <= _LARGEST)
    elif isinstance(hint, type) and issubclass(hint, StrEnum):
        if value in [member.value for member in hint]:
            return hint(value)
        raise _wrong(path, f"one of {', '.join(hint)}", value)
    else:
        fits = type(value) is hint
    if not fits:
        raise _wrong(path, _words(hint), value)
    return value


def _words(hint: Any) -> str:
    return {int: "a whole number", float: "a number", str: "a string", bool: "true or false"}.get(hint, str(hint))


def _wrong(path: str, expected: str, value: Any) -> UsageError:
    shown = repr(value)
    shown = shown if len(shown) <= 60 else f"{shown[:60]}…"
    return UsageError(f"not a report of mlcheck: {path or 'the whole'} is {shown}, expected {expected}")
