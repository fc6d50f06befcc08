"""What is seen early to hold nowhere holds nowhere, and no more of it is evaluated than that takes."""

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from mlcheck.lang.early import asks_for_direction, holds_nowhere
from mlcheck.lang.evaluate import EvaluationError, Evaluator, is_true
from mlcheck.lang.parse import LanguageError, make_lets, parse
from mlcheck.lang.values import Inapplicable, Value
from tests.lang.helpers import FakeScope, column
from tests.lang.test_against_naive import NAMES, World, expressions, worlds


def nowhere(text: str, lets: dict[str, str], values: dict[str, Value]) -> bool:
    known = [*values, *lets]
    of_rule = make_lets({name: parse(let, known) for name, let in lets.items()})
    return holds_nowhere(parse(text, known), of_rule, Evaluator(of_rule, FakeScope(values, {})))


@settings(deadline=None, max_examples=300)
@given(st.lists(expressions(depth=2), min_size=2, max_size=4), st.data(), worlds())
def test_agrees_with_the_whole_evaluation(parts: list[str], data: st.DataObject, world: World) -> None:
    text = parts[0]
    for part in parts[1:]:
        text = f"(({text}) {data.draw(st.sampled_from(['and', 'or']))} ({part}))"
    try:
        condition = parse(text, NAMES)
        scope = FakeScope(dict(world.fast.values), world.fast.members)
        whole = is_true(Evaluator(make_lets({}), scope).evaluate(condition))
    except (LanguageError, Inapplicable, EvaluationError):
        event("no value")
        return
    early = holds_nowhere(condition, make_lets({}), Evaluator(make_lets({}), scope))
    event(f"holds: {whole}, holds nowhere: {early}")
    assert not (whole and early)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("small and raises > 0", True),
        ("(small or x > 8) and raises > 0", True),
        ("small or (x > 8 and raises > 0)", True),
        ("small or x == 2", False),
        ("not small", False),
        ("x > 1 and x < 2", False),
        ("max(x) == 2 and x == 1", False),
    ],
)
def test_ends_at_what_is_false(text: str, expected: bool) -> None:
    lets = {"small": "x < 0 and x > -5", "raises": "rolling_median(x, x)"}
    assert nowhere(text, lets, {"x": column([1.0, 2.0])}) is expected


def test_raises_what_it_evaluates() -> None:
    with pytest.raises(EvaluationError, match="n must be one number"):
        nowhere("x > 0 and rolling_median(x, x) > 0", {}, {"x": column([1.0, 2.0])})


def test_knows_of_what_the_direction_is_asked() -> None:
    lets = make_lets({"price": parse("cost(x) + y", ["x", "y"]), "twice": parse("2 * price", ["price"])})
    known = ["x", "y", "z", "price", "twice"]
    assert asks_for_direction(parse("z > 0 and twice > 1", known), lets) == {"x"}
    assert asks_for_direction(parse("cost(z - y) > 0", known), lets) == {"y", "z"}
    assert not asks_for_direction(parse("x > y", known), lets)
