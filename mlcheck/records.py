"""Data classes whose methods are made when they are first needed.

The decorator of the standard library writes and compiles up to eight methods as each class is defined. A scan loads a hundred such
classes: that alone took a fifth of the time of a small one, and `dataclasses` itself loads `inspect`, which took another twentieth.
Here an `__init__` is compiled as its class is first called, and everything else is shared by all classes.

To type checkers these are the names of `dataclasses`, and what they make is a dataclass to whoever asks (`dataclasses.fields`, `asdict`,
`is_dataclass`): a test holds them against each other. Of the options, those are here that the program uses.
"""

import sys
from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import TYPE_CHECKING, Any

__all__ = ["dataclass", "field", "names", "replace"]

if TYPE_CHECKING:
    from dataclasses import dataclass, field, replace
else:

    def dataclass(cls=None, /, *, frozen=False, eq=True, slots=False):
        """`dataclasses.dataclass`, with those of its options that the program uses. Raises TypeError as that does."""

        def made(cls):
            return _made(cls, frozen, eq, slots)

        return made if cls is None else made(cls)

    def field(**options):
        """`dataclasses.field`, with `default`, `default_factory`, `repr` and `compare`. Raises TypeError for another."""
        return _Field(**options)

    def replace(instance, /, **changes):
        """`dataclasses.replace`: a copy with other values in some fields. Raises TypeError for what is no field."""
        record = getattr(type(instance), RECORD, None)
        if record is None:
            import dataclasses

            return dataclasses.replace(instance, **changes)
        for name in record.fields:
            if name not in changes:
                changes[name] = getattr(instance, name)
        return type(instance)(**changes)


RECORD = "__mlcheck_record__"
_MISSING: Any = object()


class _Field:
    """What a class says of one field."""

    def __init__(
        self,
        *,
        default: Any = _MISSING,
        default_factory: Callable[[], Any] = _MISSING,
        repr: bool = True,
        compare: bool = True,
    ) -> None:
        if default is not _MISSING and default_factory is not _MISSING:
            raise ValueError("cannot specify both default and default_factory")
        self.default = default
        self.factory = default_factory
        self.repr = repr
        self.compare = compare

    @property
    def is_optional(self) -> bool:
        return self.default is not _MISSING or self.factory is not _MISSING

    def options(self) -> dict[str, Any]:
        """As the arguments of `dataclasses.field`."""
        given = {"default": self.default, "default_factory": self.factory}
        return {"repr": self.repr, "compare": self.compare} | {k: v for k, v in given.items() if v is not _MISSING}


class _Record:
    """What is known of one class."""

    def __init__(self, fields: Mapping[str, _Field], *, frozen: bool, eq: bool, slots: bool) -> None:
        self.fields = fields
        self.frozen = frozen
        self.eq = eq
        self.slots = slots
        self._standard: Any = None

    def standard(self, cls: type) -> Any:
        """A dataclass of the standard library with the same fields, for what it says of them."""
        if self._standard is None:
            import dataclasses
            import typing

            types: dict[str, Any] = {}
            for one in reversed(cls.__mro__):
                types |= _annotations(one) if RECORD in one.__dict__ else {}
            # Names of types stay texts: what asks for types resolves them in the module of the class itself.
            fields = [
                (name, types.get(name, typing.Any), dataclasses.field(**of.options()))
                for name, of in self.fields.items()
            ]
            self._standard = dataclasses.make_dataclass(cls.__name__, fields, frozen=self.frozen, eq=self.eq)
        return self._standard


class _AsStandard:
    """An attribute that `dataclasses` looks for on a class, made when somebody looks."""

    def __init__(self, cls: type, name: str) -> None:
        self._class = cls
        self._name = name

    def __get__(self, instance: object, owner: type) -> Any:
        record: _Record = self._class.__dict__[RECORD]
        return getattr(record.standard(self._class), self._name)


def names(cls: type) -> tuple[str, ...]:
    """The names of a record's fields, in their order, without loading `dataclasses`. Raises AttributeError for another class."""
    record: _Record = getattr(cls, RECORD)
    return tuple(record.fields)


def _annotations(cls: type) -> dict[str, Any]:
    """Those of the class itself; names of types that are not there, as under `TYPE_CHECKING`, are no error."""
    if sys.version_info >= (3, 14):
        from annotationlib import Format, get_annotations

        return get_annotations(cls, format=Format.FORWARDREF)
    return cls.__annotations__


def _made(cls: type, frozen: bool, eq: bool, slots: bool) -> type:
    fields = _fields(cls)
    own = list(_annotations(cls))
    for name in own:
        default = fields[name].default
        if default is not _MISSING:
            setattr(cls, name, default)
        elif name in cls.__dict__:
            delattr(cls, name)
    if slots:
        cls = _with_slots(cls, own)
    setattr(cls, RECORD, _Record(fields, frozen=frozen, eq=eq, slots=slots))
    _add(cls, "__init__", _first_init(cls))
    _add(cls, "__repr__", _repr([name for name, one in fields.items() if one.repr]))
    if eq:
        _add_equality(cls, [name for name, one in fields.items() if one.compare], frozen)
    if frozen:
        _freeze(cls, fields)
        if slots:
            _add_state(cls, tuple(fields))
    _add(cls, "__match_args__", tuple(fields))
    for name in ("__dataclass_fields__", "__dataclass_params__"):
        setattr(cls, name, _AsStandard(cls, name))
    return cls


def _fields(cls: type) -> dict[str, _Field]:
    """Those of its bases, then its own. Raises TypeError or ValueError where the standard library does."""
    fields: dict[str, _Field] = {}
    for base in reversed(cls.__mro__[1:]):
        if RECORD in base.__dict__:
            fields |= base.__dict__[RECORD].fields
    for name, annotation in _annotations(cls).items():
        if "ClassVar" in str(annotation) or "InitVar" in str(annotation):
            raise TypeError(f"{cls.__name__}.{name}: no record has fields of the class or of __init__ alone")
        given = cls.__dict__.get(name, _MISSING)
        fields[name] = given if isinstance(given, _Field) else _Field(default=given)
        if type(fields[name].default).__hash__ is None:
            raise ValueError(f"mutable default for field {name} is not allowed: use default_factory")
    seen = ""
    for name, one in fields.items():
        if seen and not one.is_optional:
            raise TypeError(f"non-default argument {name!r} follows default argument {seen!r}")
        seen = name if one.is_optional else seen
    return fields


def _add(cls: type, name: str, value: Any) -> None:
    """What the class has itself stands."""
    if name not in cls.__dict__:
        if callable(value):
            value.__name__ = name
            value.__qualname__ = f"{cls.__qualname__}.{name}"
        setattr(cls, name, value)


def _with_slots(cls: type, own: list[str]) -> type:
    if "__slots__" in cls.__dict__:
        raise TypeError(f"{cls.__name__} already specifies __slots__")
    inherited = {name for base in cls.__mro__[1:-1] for name in base.__dict__.get("__slots__", ())}
    contents = {name: value for name, value in cls.__dict__.items() if name not in (*own, "__dict__", "__weakref__")}
    contents["__slots__"] = tuple(name for name in own if name not in inherited)
    made = type(cls)(cls.__name__, cls.__bases__, contents)
    made.__qualname__ = cls.__qualname__
    return made


def _first_init(cls: type) -> Callable[..., None]:
    def init(self: Any, *arguments: Any, **named: Any) -> None:
        made = _compiled_init(cls)
        # Instances from here on are made by it; two threads that both come here make the same.
        cls.__init__ = made  # type: ignore[misc]
        made(self, *arguments, **named)

    return init


def _compiled_init(cls: type) -> Callable[..., None]:
    record: _Record = cls.__dict__[RECORD]
    known: dict[str, Any] = {"__missing__": _MISSING, "__put__": object.__setattr__}
    parameters, body = ["self"], []
    for number, (name, one) in enumerate(record.fields.items()):
        value = name
        if one.factory is not _MISSING:
            known[f"__factory{number}__"] = one.factory
            parameters.append(f"{name}=__missing__")
            value = f"__factory{number}__() if {name} is __missing__ else {name}"
        elif one.default is not _MISSING:
            known[f"__default{number}__"] = one.default
            parameters.append(f"{name}=__default{number}__")
        else:
            parameters.append(name)
        body.append(f"__put__(self,{name!r},{value})" if record.frozen else f"self.{name}={value}")
    if hasattr(cls, "__post_init__"):
        body.append("self.__post_init__()")
    exec(f"def __init__({','.join(parameters)}):\n " + "\n ".join(body or ["pass"]), known)
    made: Callable[..., None] = known["__init__"]
    made.__qualname__ = f"{cls.__qualname__}.__init__"
    made.__module__ = cls.__module__
    return made


def _repr(shown: list[str]) -> Callable[[Any], str]:
    def represent(self: Any) -> str:
        return f"{type(self).__qualname__}({', '.join(f'{name}={getattr(self, name)!r}' for name in shown)})"

    return represent


def _add_equality(cls: type, compared: list[str], frozen: bool) -> None:
    one_by_one = attrgetter(*compared) if compared else lambda _: ()

    def values(self: Any) -> Any:
        # Alone, a value would be compared by itself, and nan is not nan; in a tuple the same nan is.
        return (one_by_one(self),) if len(compared) == 1 else one_by_one(self)

    def equal(self: Any, other: object) -> Any:
        return values(self) == values(other) if other.__class__ is self.__class__ else NotImplemented

    def digest(self: Any) -> int:
        return hash(values(self))

    # Python itself puts None there for a class that has its own __eq__.
    own_hash = cls.__dict__.get("__hash__") is not None
    _add(cls, "__eq__", equal)
    if not own_hash:
        cls.__hash__ = digest if frozen else None  # type: ignore[assignment]


def _freeze(cls: type[Any], fields: Mapping[str, _Field]) -> None:
    def put(self: Any, name: str, value: Any) -> None:
        if type(self) is cls or name in fields:
            from dataclasses import FrozenInstanceError

            raise FrozenInstanceError(f"cannot assign to field {name!r}")
        super(cls, self).__setattr__(name, value)

    def delete(self: Any, name: str) -> None:
        if type(self) is cls or name in fields:
            from dataclasses import FrozenInstanceError

            raise FrozenInstanceError(f"cannot delete field {name!r}")
        super(cls, self).__delattr__(name)

    _add(cls, "__setattr__", put)
    _add(cls, "__delattr__", delete)


def _add_state(cls: type, fields: tuple[str, ...]) -> None:
    """Pickles put slots in with `setattr`, which frozen instances refuse."""

    def state(self: Any) -> list[Any]:
        return [getattr(self, name) for name in fields]

    def restore(self: Any, values: list[Any]) -> None:
        for name, value in zip(fields, values, strict=True):
            object.__setattr__(self, name, value)

    _add(cls, "__getstate__", state)
    _add(cls, "__setstate__", restore)
