"""Columns and scopes to evaluate expressions with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from mlcheck.lang.evaluate import Evaluator
from mlcheck.lang.parse import make_lets, parse
from mlcheck.lang.values import Axis, Column, Value

NAN = float("nan")
INF = float("inf")


def make_axis(
    steps: Sequence[int],
    wall_times: Sequence[float] | None = None,
    kind: str = "step",
    run: tuple[float, float] | None = None,
    steps_per_epoch: float | None = None,
) -> Axis:
    first, last = run or ((steps[0], steps[-1]) if len(steps) else (0, 0))
    return Axis(
        steps=np.array(steps, dtype=np.int64),
        wall_times=np.full(len(steps), np.nan) if wall_times is None else np.array(wall_times, dtype=np.float64),
        kind=kind,
        run_first=float(first),
        run_last=float(last),
        steps_per_epoch=steps_per_epoch,
    )


def column(values: Sequence[float | bool], steps: Sequence[int] | None = None, better: str | None = None) -> Column:
    dtype = np.bool_ if values and isinstance(values[0], bool) else np.float64
    return Column(np.array(values, dtype=dtype), make_axis(range(len(values)) if steps is None else steps), better)


@dataclass
class FakeScope:
    """A scope of given values; `members` are the scopes of `over`, by label."""

    values: Mapping[str, Value]
    members: Mapping[str, Sequence["FakeScope"]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def lookup(self, name: str) -> Value:
        self.asked.append(name)
        return self.values[name]

    def over(self, names: frozenset[str], label: str) -> Sequence["FakeScope"]:
        return self.members[label]

    def group(self, names: frozenset[str], label: str) -> None:
        return None

    def is_common(self, name: str) -> bool:
        return False

    @property
    def shared(self) -> dict[object, Value]:
        return {}


def evaluate(
    text: str,
    values: Mapping[str, Value] | None = None,
    lets: Mapping[str, str] | None = None,
    members: Mapping[str, Sequence[FakeScope]] | None = None,
) -> Value:
    values, lets, members = values or {}, lets or {}, members or {}
    known = {*values, *lets, *(name for scopes in members.values() for scope in scopes for name in scope.values)}
    expressions = {name: parse(let, known) for name, let in lets.items()}
    return Evaluator(make_lets(expressions), FakeScope(values, members)).evaluate(parse(text, known))


def listed(value: Value) -> list[float | bool]:
    assert isinstance(value, Column)
    assert len(value.values) == len(value.axis)
    return list(value.values.tolist())


def assert_same(value: Value, expected: Sequence[float | bool] | float | bool) -> None:
    """Equal up to rounding, NaN equal to NaN, and a column where a column is expected."""
    if isinstance(expected, list):
        assert isinstance(value, Column)
        assert value.values.shape == (len(expected),)
        if expected and isinstance(expected[0], bool):
            assert value.values.dtype == np.bool_
        np.testing.assert_allclose(value.values, expected, rtol=1e-9, atol=1e-12)
    else:
        assert not isinstance(value, Column)
        assert isinstance(value, bool) == isinstance(expected, bool)
        np.testing.assert_allclose(value, expected, rtol=1e-9, atol=1e-12)
