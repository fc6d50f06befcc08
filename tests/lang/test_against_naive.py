"""Random expressions over all functions, on random series, against the point-by-point interpreter of naive.py."""

import math
from dataclasses import dataclass

import numpy as np
from hypothesis import assume, event, given, settings
from hypothesis import strategies as st

from mlcheck.lang.evaluate import Evaluator
from mlcheck.lang.parse import LanguageError, make_lets, parse
from mlcheck.lang.values import Axis, Column, Value
from mlcheck.lang.vocabulary import SIGNATURES
from tests.lang import naive
from tests.lang.helpers import FakeScope

NAMES = {"x", "y", "z", "missing", "param"}
VALUE = st.one_of(
    st.integers(-12, 12).map(lambda n: n / 4), st.sampled_from([0.0, 1.0, math.nan, math.nan, math.inf, -math.inf])
)


@dataclass
class World:
    """The same values twice: for the evaluator and for the naive interpreter."""

    fast: FakeScope
    slow: naive.Interpreter


@st.composite
def places(draw: st.DrawFn) -> tuple[Axis, naive.Place]:
    gaps = draw(st.lists(st.sampled_from([0, 1, 1, 2, 2, 5]), max_size=14))
    start = draw(st.integers(0, 6))
    steps = [start + sum(gaps[:i]) for i in range(len(gaps))]
    walls = [100.0 + 2 * step for step in steps]
    axis = Axis(np.array(steps, dtype=np.int64), np.array(walls, dtype=np.float64), run_first=0.0, run_last=64.0)
    return axis, naive.Place(steps, walls, 0, 64)


@st.composite
def values_by_name(draw: st.DrawFn) -> tuple[dict[str, Value], dict[str, object]]:
    first, second = draw(places()), draw(places())
    fast: dict[str, Value] = {"missing": math.nan, "param": draw(st.sampled_from([-1.0, 0.5, 2.0, 3.0]))}
    slow: dict[str, object] = dict(fast)
    for name, (axis, place) in {"x": first, "y": first, "z": second}.items():
        values = draw(st.lists(VALUE, min_size=len(axis), max_size=len(axis)))
        better = draw(st.sampled_from(["lower", "higher"]))
        fast[name] = Column(np.array(values, dtype=np.float64), axis, better)
        slow[name] = naive.Row(values, place, better)
    return fast, slow


@st.composite
def worlds(draw: st.DrawFn) -> World:
    parts = [draw(values_by_name()) for _ in range(draw(st.integers(0, 3)))]
    fast, slow = draw(values_by_name())
    members = [FakeScope(part[0], {"layer": []}) for part in parts]
    return World(
        FakeScope(fast, {"layer": members}),
        naive.Interpreter(slow, [naive.Interpreter(part[1], []) for part in parts]),
    )


NUMBERS = st.sampled_from(["0", "1", "2", "3", "0.5", "0.25", "1.5", "4", "nan", "param"])


@st.composite
def expressions(draw: st.DrawFn, depth: int = 3) -> str:
    """An expression of which any part may be a column or a scalar."""
    if depth == 0:
        return draw(st.one_of(st.sampled_from(["x", "y", "z", "x", "z", "missing"]), NUMBERS))
    part = expressions(depth - 1)
    kind = draw(st.integers(0, 9))
    if kind == 0:
        return draw(expressions(0))
    if kind == 1:
        return f"({draw(part)} {draw(st.sampled_from(['+', '-', '*', '/']))} {draw(part)})"
    if kind == 2:
        operators = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])
        third = draw(st.one_of(st.just(""), st.tuples(operators, part).map(" ".join)))
        return f"({draw(part)} {draw(operators)} {draw(part)} {third})"
    if kind == 3:
        joint = draw(st.sampled_from([" and ", " or "]))
        return f"({joint.join(draw(st.lists(part, min_size=2, max_size=3)))})"
    if kind == 4:
        return f"({draw(st.sampled_from(['not ', '-', '+']))}{draw(part)})"
    return draw(calls(depth))


@st.composite
def calls(draw: st.DrawFn, depth: int, name: str | None = None) -> str:
    part = expressions(depth - 1)
    number = draw(st.sampled_from(["1", "2", "3", "4", "2.4", "count(x)/2", "30"]))
    name = name or draw(st.sampled_from(sorted(SIGNATURES)))
    if name == "among":
        how = ["first", "last", "min", "max", "mean", "median", "sum", "count", f"largest, {number}"]
        # Members have no members: an among within an among has a plain test.
        inner = draw(part.filter(lambda text: "among" not in text))
        return f"among({inner}, layer, {draw(st.sampled_from(how))})"
    if name == "cost":
        return f"cost({draw(st.sampled_from(['x', 'y', 'z', 'missing']))})"
    share = draw(st.sampled_from(["0", "0.25", "0.5", "0.9", "1"]))
    arguments = {"k=1": number, "n": number, "q": share}
    given_arguments = [arguments.get(argument) or draw(part) for argument in SIGNATURES[name]]
    return f"{name}({', '.join(given_arguments)})"


def compare(text: str, world: World) -> None:
    try:
        expression = parse(text, NAMES)
    except LanguageError as error:
        # Random expressions may be too large, never wrong in another way.
        if "nodes" not in error.message and "nested" not in error.message:
            raise
        assume(False)
    try:
        expected = world.slow.run(expression.root)
    except (naive.TooClose, OverflowError):
        event("depends on rounding")
        assume(False)
    result = Evaluator(make_lets({}), world.fast).evaluate(expression)
    if not isinstance(expected, naive.Row):
        assert not isinstance(result, Column)
        assert isinstance(result, bool) == isinstance(expected, bool)
        np.testing.assert_allclose(result, expected, rtol=1e-6, atol=1e-6)
        return
    assert isinstance(result, Column)
    assert list(result.axis.steps) == expected.place.steps
    np.testing.assert_allclose(
        np.asarray(result.values, dtype=np.float64), np.array(expected.values, dtype=np.float64), rtol=1e-6, atol=1e-6
    )
    assert (result.values.dtype == np.bool_) == expected.boolean


@given(expressions(), worlds())
@settings(deadline=None, max_examples=150)
def test_expressions_are_what_the_definition_says(text: str, world: World) -> None:
    compare(text, world)


@given(st.sampled_from(sorted(SIGNATURES)).flatmap(lambda name: calls(1, name)), worlds())
@settings(deadline=None, max_examples=400)
def test_each_function_is_what_the_definition_says(text: str, world: World) -> None:
    compare(text, world)
