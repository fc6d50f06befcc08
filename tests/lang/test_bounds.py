"""What is proved never to hold never holds, and its evaluation raises nothing."""

import math

import numpy as np
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from mlcheck.lang.bounds import Leaf, Unknown, never_holds, range_of, scalar_range
from mlcheck.lang.evaluate import Evaluator, is_true
from mlcheck.lang.parse import LanguageError, make_lets, parse
from mlcheck.lang.values import Column, Value
from tests.lang.helpers import FakeScope, column
from tests.lang.test_against_naive import NAMES, World, expressions, worlds

INF, NAN = math.inf, math.nan


def leaf_of(values: dict[str, Value], name: str) -> Leaf:
    value = values[name]
    if isinstance(value, Column):
        return Leaf(range_of(value.values), value.axis)
    return Leaf(scalar_range(float(value)))


def proved(text: str, **values: Value) -> bool:
    return never_holds(parse(text, values), make_lets({}), lambda name: leaf_of(values, name))


LEAVES = st.sampled_from(["x", "y", "x", "param", "missing", "0", "1", "2.5", "nan", "inf", "100"])


@st.composite
def simple(draw: st.DrawFn, depth: int = 3) -> str:
    """Expressions of what the bounds know."""
    if depth == 0:
        return draw(LEAVES)
    part = simple(depth - 1)
    forms = ["({} + {})", "({} - {})", "({} * {})", "({} / {})", "({} < {})", "({} <= {})", "({} > {})", "({} >= {})"]
    forms += [
        "({} == {})",
        "({} != {})",
        "({} and {})",
        "({} or {})",
        "minimum({}, {})",
        "maximum({}, {})",
        "only({}, {})",
    ]
    forms += ["held({}, {})", "(not {})", "(-{})", "abs({})", "isfinite({})", "prev({})", "lowest_so_far({})", "{}"]
    forms += ["where({}, {}, {})", "first({})", "last({})", "min({})", "max({})"]
    form = draw(st.sampled_from(forms))
    return form.format(*(draw(part) for _ in range(form.count("{}"))))


def check(text: str, world: World) -> None:
    try:
        condition = parse(text, NAMES)
    except LanguageError:
        return
    values = dict(world.fast.values)
    if not never_holds(condition, make_lets({}), lambda name: leaf_of(values, name)):
        event("perhaps")
        return
    event("never")
    assert not is_true(Evaluator(make_lets({}), FakeScope(values, world.fast.members)).evaluate(condition))


@settings(deadline=None, max_examples=300)
@given(simple(), worlds())
def test_what_never_holds_is_false_at_every_point(text: str, world: World) -> None:
    check(text, world)


@settings(deadline=None, max_examples=100)
@given(expressions(), worlds())
def test_over_all_functions(text: str, world: World) -> None:
    check(text, world)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("x > 3", [1, 2, 3]),
        ("x > 3", [1, NAN, 3]),
        ("isfinite(x) and x > 10", [1, 2]),
        ("not isfinite(x)", [1, 2]),
        ("where(x > 5, 1, 0) > 0", [1, 2]),
        ("abs(x - 2) > 2.5", [0, 4]),
        ("x > 0 and x < -1", [1, 2]),
        ("held(x, isfinite(x)) > 9", [1, 2]),
        ("max(x) > 9", [1, 2]),
        ("x > 0", []),
        ("10 / x > 20", [1, 2]),
    ],
)
def test_proves(text: str, values: list[float]) -> None:
    assert proved(text, x=column([float(one) for one in values]))


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("x > 2", [1, 3]),
        ("x != x", [1, NAN]),
        ("not (x > 0)", [NAN, 1]),
        ("x / x > 5", [0, 1]),
        ("x - x > 0", [INF, 1]),
    ],
)
def test_says_perhaps(text: str, values: list[float]) -> None:
    assert not proved(text, x=column(values))


def test_says_perhaps_of_what_might_raise_or_is_on_another_axis() -> None:
    one, other = column([1.0, 2.0]), column([1.0, 2.0])
    assert not proved("cost(x) > 9 and x > 9", x=one)
    assert not proved("x > 9 and y > 9", x=one, y=other)
    assert not proved("prev(x, y) > 9", x=one, y=Column(other.values, one.axis))

    def unknown(name: str) -> Leaf:
        raise Unknown

    assert not never_holds(parse("x > 1", ["x"]), make_lets({}), unknown)


def test_goes_through_lets() -> None:
    lets = make_lets({"bad": parse("where(flag > 0, 0, x)", ["flag", "x"])})
    values: dict[str, Value] = {"x": column([0.0, 0.0]), "flag": 0.0}
    assert never_holds(parse("bad > 0", ["bad"]), lets, lambda name: leaf_of(values, name))


def test_range_of_a_column() -> None:
    assert range_of(np.array([1.0, NAN, -2.0]))[:3] == (-2.0, 1.0, True)
    assert range_of(np.array([NAN])).low > range_of(np.array([NAN])).high
    assert range_of(np.array([True, False]))[:3] == (0.0, 1.0, False)
