"""Records are dataclasses to whoever asks: held against the standard library's, on classes made for it and on every one of the program."""

import copy
import dataclasses
import importlib
import inspect
import math
import pickle
import pkgutil
import subprocess
import sys
import typing
from typing import Any

import pytest

import mlcheck
from mlcheck import records

NAN = math.nan


def _classes(decorator: Any, field: Any) -> dict[str, type]:
    """The same classes by either decorator."""

    @decorator(frozen=True, slots=True)
    class Point:
        """Frozen, with slots."""

        x: float
        y: float = 2.0
        tags: dict[str, int] = field(default_factory=dict)

        @property
        def double(self) -> float:
            return self.x * 2

    @decorator(frozen=True)
    class Named:
        """With a field that is not compared, and one that is not shown."""

        name: str
        origin: str = field(default="here", compare=False)
        secret: str = field(default="s", repr=False)

    @decorator
    class Counter:
        """May be changed."""

        count: int = 0

    @decorator(frozen=True, eq=False)
    class Whole:
        """The same only as itself."""

        value: float

    @decorator(frozen=True)
    class More(Named):
        """With the fields of another."""

        more: int = 1
        name: str

    @decorator(slots=True)
    class Own:
        """With methods of its own."""

        value: int

        def __eq__(self, other: object) -> bool:
            return True

        def __repr__(self) -> str:
            return "own"

    @decorator(frozen=True, slots=True)
    class Nothing:
        """Without fields."""

    @decorator(frozen=True)
    class One:
        """With one field."""

        only: object

    return {one.__name__: one for one in (Point, Named, Counter, Whole, More, Own, Nothing, One)}


OURS = _classes(records.dataclass, records.field)
THEIRS = _classes(dataclasses.dataclass, dataclasses.field)
CALLS: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    ("Point", (1.0,), {}),
    ("Point", (1.0, 2.0), {"tags": {"a": 1}}),
    ("Point", (NAN,), {}),
    ("Point", (), {}),
    ("Point", (1.0,), {"z": 1}),
    ("Point", (1.0, 2.0, {}, 4), {}),
    ("Named", ("a",), {}),
    ("Named", ("a", "there"), {}),
    ("Named", (), {"name": "b", "secret": "other"}),
    ("Counter", (), {}),
    ("Counter", (3,), {}),
    ("Whole", (1.0,), {}),
    ("More", ("a",), {"more": 2}),
    ("More", ("a", "there", "s", 3), {}),
    ("Own", (1,), {}),
    ("Own", (2,), {}),
    ("Nothing", (), {}),
    ("Nothing", (1,), {}),
    ("One", (NAN,), {}),
    ("One", ((1, 2),), {}),
    ("One", ([1],), {}),
]


def _outcome(function: Any) -> Any:
    try:
        return function()
    except Exception as error:  # noqa: BLE001 - whatever it raises is held against what the other raises
        return type(error), str(error)


def _instances(classes: dict[str, type]) -> list[Any]:
    return [_outcome(lambda name=name, a=a, k=k: classes[name](*a, **k)) for name, a, k in CALLS]


def _of_either() -> list[tuple[Any, Any]]:
    return [pair for pair in zip(_instances(OURS), _instances(THEIRS), strict=True) if not isinstance(pair[0], tuple)]


def test_they_are_made_and_refused_alike() -> None:
    for ours, theirs in zip(_instances(OURS), _instances(THEIRS), strict=True):
        if isinstance(theirs, tuple):
            assert ours == theirs
        else:
            assert repr(ours) == repr(theirs)


def test_they_compare_and_hash_alike() -> None:
    instances = _of_either()
    for ours, theirs in instances:
        for our_other, their_other in instances:
            assert (ours == our_other) == (theirs == their_other), (ours, our_other)
            assert (ours != our_other) == (theirs != their_other)
        if type(ours).__name__ == "Whole":
            assert hash(ours) == object.__hash__(ours)
        else:
            assert _outcome(lambda ours=ours: hash(ours)) == _outcome(lambda theirs=theirs: hash(theirs))
        assert ours.__eq__(theirs) == theirs.__eq__(ours) or type(ours).__name__ == "Own"


def test_frozen_ones_refuse_and_others_take() -> None:
    for ours, theirs in _of_either():
        name = next(iter(type(theirs).__dataclass_fields__), "x")
        for change in (lambda one, n=name: setattr(one, n, 5), lambda one, n=name: delattr(one, n)):
            mine, its = _outcome(lambda c=change, o=ours: c(o)), _outcome(lambda c=change, t=theirs: c(t))
            # Of a name that is no field, the standard library's with slots says "obj must be an instance or subtype of type".
            assert mine == its or (name == "x" and its[0] is TypeError and mine[0] is dataclasses.FrozenInstanceError)
        assert hasattr(ours, "__dict__") == hasattr(theirs, "__dict__")


def test_a_frozen_one_raises_the_error_of_the_standard_library() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        OURS["Point"](1.0).x = 3.0


def test_the_standard_library_takes_them_for_its_own() -> None:
    for name, ours in OURS.items():
        theirs = THEIRS[name]
        assert dataclasses.is_dataclass(ours)
        for mine, its in zip(dataclasses.fields(ours), dataclasses.fields(theirs), strict=True):
            for key in ("name", "type", "default", "default_factory", "repr", "compare", "init"):
                assert getattr(mine, key) == getattr(its, key), (name, mine.name, key)
        assert records.names(ours) == tuple(one.name for one in dataclasses.fields(theirs))
        assert ours.__match_args__ == theirs.__match_args__  # type: ignore[attr-defined]
    point = OURS["Point"](1.0)
    assert dataclasses.asdict(point) == {"x": 1.0, "y": 2.0, "tags": {}}
    assert dataclasses.replace(point, y=3.0) == OURS["Point"](1.0, 3.0)


def test_a_dataclass_may_stand_on_a_record() -> None:
    @dataclasses.dataclass(frozen=True)
    class Further(Kept):
        """Made by the standard library."""

        further: int = 3

    assert dataclasses.astuple(Further(1.0)) == (1.0, "b", 3)


def test_replace_changes_what_is_named() -> None:
    for classes in (OURS, THEIRS):
        point = classes["Point"](1.0, tags={"a": 1})
        changed = records.replace(point, x=5.0)
        assert (changed.x, changed.y, changed.tags) == (5.0, 2.0, {"a": 1})
        with pytest.raises(TypeError, match="unexpected keyword argument 'z'"):
            records.replace(point, z=1)


def test_each_instance_has_its_own_default() -> None:
    first, second = OURS["Point"](1.0), OURS["Point"](1.0)
    first.tags["a"] = 1
    assert second.tags == {}


@records.dataclass(frozen=True, slots=True)
class Kept:
    """Comes out of a pickle."""

    x: float
    y: str = "b"


def test_they_come_out_of_pickles_and_copies() -> None:
    kept = Kept(1.0)
    assert pickle.loads(pickle.dumps(kept)) == kept
    assert copy.deepcopy(kept) == kept == copy.copy(kept)


@pytest.mark.parametrize("decorator", [records.dataclass, dataclasses.dataclass])
def test_classes_that_mean_nothing_are_refused(decorator: Any) -> None:
    with pytest.raises(TypeError, match="non-default argument 'b' follows default argument"):
        decorator(type("Late", (), {"__annotations__": {"a": int, "b": int}, "a": 1}))
    with pytest.raises(ValueError, match="mutable default"):
        decorator(type("Shared", (), {"__annotations__": {"a": list}, "a": []}))
    with pytest.raises(TypeError, match="__slots__"):
        decorator(slots=True)(type("Twice", (), {"__annotations__": {"a": int}, "__slots__": ("a",)}))


def test_fields_that_are_not_there_are_refused() -> None:
    with pytest.raises(TypeError, match="no record has fields of the class"):
        records.dataclass(type("Shared", (), {"__annotations__": {"a": typing.ClassVar[int]}}))


def _of_the_program() -> list[type]:
    found = {}
    for module in pkgutil.walk_packages(mlcheck.__path__, "mlcheck."):
        if module.name.endswith("__main__"):
            continue
        for one in vars(importlib.import_module(module.name)).values():
            if isinstance(one, type) and one.__module__ == module.name and records.RECORD in one.__dict__:
                found[f"{module.name}.{one.__qualname__}"] = one
    return list(found.values())


def test_every_record_of_the_program_is_what_a_dataclass_would_be() -> None:
    classes = _of_the_program()
    assert len(classes) > 200
    for one in classes:
        bound = {base.__qualname__: base for base in one.__mro__[1:]}
        record = one.__dict__[records.RECORD]
        contents = {name: value for name, value in one.__dict__.items() if name in ("__annotations__", "__doc__")}
        own = [name for name in record.fields if name in contents.get("__annotations__", {})]
        contents |= {name: dataclasses.field(**record.fields[name].options()) for name in own}
        theirs: Any = dataclasses.dataclass(frozen=record.frozen, eq=record.eq)(
            type(one.__name__, tuple(base for base in one.__bases__ if base in bound.values()), contents)
        )
        one.__init__ = records._compiled_init(one)  # type: ignore[misc]
        ours, standard = inspect.signature(one), inspect.signature(theirs)
        assert list(ours.parameters) == list(standard.parameters), one
        for name, parameter in standard.parameters.items():
            assert (parameter.default is inspect.Parameter.empty) == (
                ours.parameters[name].default is inspect.Parameter.empty
            ), (one, name)
        assert (one.__hash__ is None) == (theirs.__hash__ is None), one


def test_loading_the_records_of_the_report_brings_in_nothing_that_compiles_them() -> None:
    code = "import mlcheck.report, sys; print('dataclasses' in sys.modules, 'inspect' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
