"""Evaluation: names, lets, each node once, among. The language as a whole is in test_against_naive.py."""

import numpy as np
import pytest

from mlcheck.lang import functions
from mlcheck.lang.evaluate import EvaluationError, Evaluator
from mlcheck.lang.parse import make_lets, parse
from mlcheck.lang.values import Column, Inapplicable
from tests.lang.helpers import INF, NAN, FakeScope, assert_same, column, evaluate, make_axis


def test_lets_are_values_under_a_name() -> None:
    lets = {"level": "median(x)", "far": "abs(x - level)"}
    assert_same(evaluate("far > 1", {"x": column([1.0, 2.0, 5.0])}, lets), [False, False, True])


def test_a_missing_name_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        Evaluator(make_lets({}), FakeScope({})).evaluate(parse("x", {"x"}))


def test_each_let_input_and_node_is_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[object] = []
    median = functions.FUNCTIONS["median"]

    def counted(x: Column) -> object:
        calls.append(x)
        return median(x)

    monkeypatch.setattr("mlcheck.lang.evaluate.FUNCTIONS", {**functions.FUNCTIONS, "median": counted})
    names = {"x", "level"}
    scope = FakeScope({"x": column([1.0, 2.0, 3.0])})
    evaluator = Evaluator(make_lets({"level": parse("median(x)", names)}), scope)
    when = parse("x > level and x - level > -level", names)
    assert evaluator.evaluate(when) is evaluator.evaluate(when)
    evaluator.evaluate(parse("level + x", names))
    assert len(calls) == 1
    assert scope.asked == ["x"]


def members(*values: object) -> dict[str, list[FakeScope]]:
    return {"layer": [FakeScope({"x": value}) for value in values]}  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("aggregate", "expected"),
    [
        ("first", [1, 2, 3]),
        ("last", [10, 2, 30]),
        ("min", [1, 2, -1]),
        ("max", [10, 2, 30]),
        ("mean", [5.5, 2, 32 / 3]),
        ("median", [5.5, 2, 3]),
        ("sum", [11, 2, 32]),
        ("count", [2, 1, 3]),
        ("largest, 2", [11, 2, 33]),
        ("largest, 1", [10, 2, 30]),
    ],
)
def test_among_reduces_columns_at_each_step(aggregate: str, expected: list[float]) -> None:
    axis = make_axis([0, 1, 2])
    columns = [Column(np.array(v), axis) for v in ([1.0, 2.0, 3.0], [NAN, NAN, -1.0], [10.0, NAN, 30.0])]
    assert_same(evaluate(f"among(x, layer, {aggregate})", members=members(*columns)), expected)


def test_among_uses_the_steps_of_the_sparsest_member() -> None:
    dense, sparse = column([1.0, 2.0, 3.0, 4.0], steps=[0, 1, 2, 3]), column([10.0, 20.0], steps=[1, 3])
    assert_same(evaluate("among(x, layer, sum)", members=members(dense, sparse)), [12, 24])
    late = column([5.0, 7.0, 8.0], steps=[2, 3, 4])
    assert_same(evaluate("among(x, layer, count)", members=members(dense, late)), [2, 2, 2])
    assert_same(evaluate("among(x, layer, sum)", members=members(dense, sparse, late)), [12, 31])


def test_among_reduces_scalars_to_a_scalar() -> None:
    assert_same(evaluate("among(max(x), layer, max)", members=members(column([1.0, 5.0]), column([3.0]))), 5.0)
    assert_same(evaluate("among(x, layer, mean)", members=members(1.0, NAN, 4.0)), 2.5)
    assert_same(evaluate("among(x, layer, last)", members=members(1.0, 4.0, NAN)), 4.0)
    assert_same(evaluate("among(x, layer, largest, 2)", members=members(1.0, INF, NAN, 7.0)), INF)


def test_among_with_nothing_to_reduce() -> None:
    for aggregate in ("first", "last", "min", "max", "mean", "median", "sum", "count", "largest, 2"):
        assert_same(evaluate(f"among(3, layer, {aggregate})", members=members()), NAN)
        empty = evaluate(f"among(x, layer, {aggregate})", members=members(column([]), column([1.0])))
        assert_same(empty, [])
    assert_same(evaluate("among(x, layer, max)", members=members(NAN, NAN)), NAN)
    assert_same(evaluate("among(x, layer, count)", members=members(NAN, NAN)), 0.0)
    assert_same(evaluate("among(x, layer, largest, n)", {"n": NAN}, members=members(1.0)), NAN)


def test_among_counts_conditions_as_zero_and_one() -> None:
    result = evaluate("among(x > 2, layer, sum)", members=members(column([1.0, 5.0]), column([3.0, 4.0])))
    assert_same(result, [1, 2])
    # Where a condition has no point it is skipped, so only the second column counts at step 5.
    late = column([3.0, 3.0], steps=[5, 6])
    result = evaluate("among(x > 2, layer, min)", members=members(column([0.0, 0.0, 0.0]), late))
    assert_same(result, [1, 1])


def test_among_over_kinds_that_never_meet() -> None:
    epochs = Column(np.array([1.0]), make_axis([0], kind="epoch"))
    with pytest.raises(Inapplicable, match="x over layer is partly by"):
        evaluate("among(x, layer, max)", members=members(column([1.0, 2.0]), epochs))


def test_among_keeps_a_direction_that_all_share() -> None:
    up, down = column([1.0], better="higher"), column([1.0], better="lower")
    assert_same(evaluate("cost(among(x, layer, max))", members=members(up, up)), [-1])
    with pytest.raises(Inapplicable):
        evaluate("cost(among(x, layer, max))", members=members(up, down))


def test_members_compute_lets_once_for_all_amongs() -> None:
    scopes = [FakeScope({"x": column([1.0, 2.0])}), FakeScope({"x": column([3.0, 4.0])})]
    text = "among(level, layer, max) - among(level, layer, min)"
    assert_same(evaluate(text, {"level": 0.0}, {"level": "mean(x)"}, {"layer": scopes}), 2.0)
    assert [scope.asked for scope in scopes] == [["x"], ["x"]]


def test_among_within_among() -> None:
    inner = [[FakeScope({"x": 1.0}), FakeScope({"x": 2.0})], [FakeScope({"x": 5.0}), FakeScope({"x": 9.0})]]
    outer = [FakeScope({"x": 0.0}, {"group": scopes}) for scopes in inner]
    assert_same(evaluate("among(among(x, group, sum), layer, max)", members={"layer": outer}), 14.0)


def test_a_window_must_be_a_number() -> None:
    x = column([1.0, 2.0])
    with pytest.raises(EvaluationError, match="lag: n must be one number"):
        evaluate("lag(x, x)", {"x": x})
    with pytest.raises(EvaluationError, match="among: n must be one number"):
        evaluate("among(x, layer, largest, y)", {"y": x}, members=members(x))
