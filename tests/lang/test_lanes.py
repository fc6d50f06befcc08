"""A condition over many scopes at once holds where it holds in each by itself; what is told of lets is what they are."""

import numpy as np
import pytest
from hypothesis import assume, event, given, settings
from hypothesis import strategies as st

from mlcheck.lang.evaluate import EvaluationError, Evaluator, is_true
from mlcheck.lang.expression import LanguageError
from mlcheck.lang.lanes import LaneEvaluator, Unsupported
from mlcheck.lang.parse import make_lets, parse
from mlcheck.lang.values import Axis, Column, Inapplicable

from .helpers import NAN, FakeScope
from .test_against_naive import expressions

NAMES = ("x", "y", "z", "missing", "param")
VALUES = st.sampled_from([0.0, 1.0, 2.0, 0.5, -1.0, 3.0, NAN, float("inf")])


@st.composite
def scopes(draw):
    """Scopes on the same steps, as the layers of a model give them."""
    length = draw(st.integers(1, 8))
    steps = np.cumsum(draw(st.lists(st.integers(1, 5), min_size=length, max_size=length)))
    found = []
    for _ in range(draw(st.integers(1, 4))):
        axis = Axis(steps, np.full(length, NAN), "step", 0.0, 50.0, place=0)
        columns = st.lists(VALUES, min_size=length, max_size=length).map(np.array)
        values = {name: Column(draw(columns), axis) for name in ("x", "y")}
        number = draw(st.sampled_from([0.0, 2.0, NAN]))
        values |= {"z": Column(draw(columns) > 0, axis), "missing": NAN, "param": number}
        found.append(FakeScope(values, {"layer": [FakeScope(values), FakeScope({**values, "x": values["y"]})]}))
    return found


def together(text, given_scopes, lets=None):
    known = make_lets({name: parse(one, NAMES) for name, one in (lets or {}).items()})
    lanes = LaneEvaluator(known, [Evaluator(known, scope) for scope in given_scopes])
    return lanes.may_hold(parse(text, {*NAMES, *(lets or {})})), lanes


@settings(deadline=None, max_examples=400)
@given(expressions(), scopes())
def test_as_each_by_itself(text, given_scopes):
    try:
        condition = parse(text, NAMES)
        alone = [is_true(Evaluator(make_lets({}), one).evaluate(condition)) for one in given_scopes]
    except (LanguageError, Inapplicable, EvaluationError):
        assume(False)
    try:
        held, _ = together(text, given_scopes)
    except Unsupported:
        event("one by one")
        return
    event("together")
    assert held.tolist() == alone


@settings(deadline=None, max_examples=200)
@given(expressions(), scopes())
def test_lets_are_told_as_they_are(text, given_scopes):
    try:
        known = make_lets({"told": parse(text, NAMES)})
        told = parse("told", {"told"})
        alone = [Evaluator(known, one).evaluate(told) for one in given_scopes]
        _, lanes = together("told > 0", given_scopes, {"told": text})
    except (LanguageError, Inapplicable, EvaluationError, Unsupported):
        assume(False)
    for lane, expected in enumerate(alone):
        found = lanes.tell(lane).evaluate(told)
        assert type(found) is type(expected)
        if not isinstance(expected, Column):
            np.testing.assert_equal(found, expected)


def test_columns_on_other_steps_are_left_to_each():
    one = Axis(np.array([1, 2]), np.full(2, NAN), place=0)
    other = Axis(np.array([1, 3]), np.full(2, NAN), place=1)
    given_scopes = [FakeScope({"x": Column(np.ones(2), axis)}) for axis in (one, other)]
    with pytest.raises(Unsupported):
        together("x > 0", given_scopes)
    both = FakeScope({"x": Column(np.ones(2), one), "y": Column(np.ones(2), other)})
    with pytest.raises(Unsupported):
        together("x > y", [both, both])


@settings(deadline=None, max_examples=200)
@given(expressions(), scopes())
def test_numbers_of_expressions_are_what_each_comes_to_by_itself(text, given_scopes):
    try:
        condition = parse(text, NAMES)
    except LanguageError:
        assume(False)
    lanes = LaneEvaluator(make_lets({}), [Evaluator(make_lets({}), one) for one in given_scopes])
    told = lanes.numbers_of([condition])
    event("told" if told else "not told")
    for number, scope in enumerate(given_scopes):
        known = lanes.tell(number, told).evaluate(condition) if told else NAN
        if told:
            alone = Evaluator(make_lets({}), scope).evaluate(condition)
            assert known == alone or (np.isnan(known) and np.isnan(alone))
            assert type(known) is type(alone)
