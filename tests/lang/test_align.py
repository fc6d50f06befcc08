import numpy as np
import pytest

from mlcheck.lang.align import aligned, common_axis, put
from mlcheck.lang.values import Column, Inapplicable
from tests.lang.helpers import NAN, assert_same, column, evaluate, make_axis


def test_columns_of_one_axis_are_used_as_they_are() -> None:
    axis = make_axis([5, 5, 5])
    x, y = Column(np.array([1.0, 2.0, 3.0]), axis), Column(np.array([10.0, 20.0, 30.0]), axis)
    assert_same(evaluate("x + y", {"x": x, "y": y}), [11, 22, 33])


def test_the_denser_is_put_on_the_steps_of_the_sparser() -> None:
    dense = column([0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0], steps=[0, 1, 2, 3, 4, 5, 6])
    sparse = column([100.0, 200.0], steps=[2, 5])
    assert_same(evaluate("x + y", {"x": dense, "y": sparse}), [102, 205])
    assert_same(evaluate("y + x", {"x": dense, "y": sparse}), [102, 205])


def test_density_is_counted_in_the_common_range() -> None:
    # Three points against four, but in the common range 10..12 three against two.
    left = column([1.0, 2.0, 3.0], steps=[10, 11, 12])
    right = column([10.0, 20.0, 30.0, 40.0], steps=[0, 5, 10, 12])
    assert common_axis(left.axis, right.axis) is right.axis
    assert_same(evaluate("x + y", {"x": left, "y": right}), [NAN, NAN, 31, 43])


def test_a_tie_keeps_the_left() -> None:
    left, right = column([1.0, 2.0], steps=[0, 10]), column([10.0, 20.0], steps=[1, 9])
    # In the common range 1..9 the left has no point, the right two.
    assert common_axis(left.axis, right.axis) is left.axis
    left, right = column([1.0, 2.0], steps=[0, 10]), column([10.0, 20.0], steps=[0, 10])
    assert common_axis(left.axis, right.axis) is left.axis
    assert common_axis(right.axis, left.axis) is right.axis
    apart = column([1.0], steps=[50])
    assert common_axis(left.axis, apart.axis) is left.axis
    assert_same(evaluate("x + y", {"x": left, "y": apart}), [NAN, NAN])


def test_as_of_takes_the_last_row_of_a_repeated_step() -> None:
    source = column([1.0, 2.0, 3.0, 4.0], steps=[0, 10, 10, 20])
    assert_same(put(source, make_axis([0, 9, 10, 10, 11])), [1, 1, 3, 3, 3])


def test_as_of_ends_one_median_spacing_after_the_last_step() -> None:
    source = column([1.0, 2.0, 3.0], steps=[10, 20, 30])
    assert_same(put(source, make_axis([0, 9, 10, 30, 40, 41])), [NAN, NAN, 1, 3, 3, NAN])
    condition = column([True, True, True], steps=[10, 20, 30])
    assert_same(put(condition, make_axis([9, 10, 40, 41])), [False, True, True, False])
    single = column([7.0], steps=[10])
    assert_same(put(single, make_axis([9, 10, 11])), [NAN, 7, NAN])
    repeated = column([7.0, 8.0, 9.0], steps=[10, 10, 14])
    assert_same(put(repeated, make_axis([18, 19])), [9, NAN])


def test_a_nan_is_carried_like_any_value() -> None:
    assert_same(put(column([1.0, NAN], steps=[0, 5]), make_axis([4, 6])), [1, NAN])


def test_empty_columns_meet_anything() -> None:
    empty, full = column([], steps=[]), column([1.0, 2.0])
    assert_same(evaluate("x + y", {"x": full, "y": empty}), [NAN, NAN])
    assert_same(evaluate("y + x", {"x": full, "y": empty}), [])


def test_more_operands_are_folded_from_left_to_right() -> None:
    a = column([1.0] * 9, steps=range(9))
    b = column([2.0, 2.0, 2.0], steps=[0, 4, 8])
    c = column([3.0] * 5, steps=[0, 2, 4, 6, 8])
    axis, parts = aligned([a, b, c])
    assert axis is b.axis
    assert [len(part) for part in parts if isinstance(part, np.ndarray)] == [3, 3, 3]
    assert_same(evaluate("where(a > 0, c, b)", {"a": a, "b": b, "c": c}), [3, 3, 3])
    assert_same(evaluate("a > 0 and c > 0 and b > 2", {"a": a, "b": b, "c": c}), [False, False, False])


def test_kinds_without_wall_times_never_meet() -> None:
    train = Column(np.array([1.0, 2.0]), make_axis([0, 1]))
    validation = Column(np.array([1.0]), make_axis([0], kind="epoch", wall_times=[3.0]))
    with pytest.raises(Inapplicable, match=r"train is by step, median\(1\) - val by epoch") as caught:
        evaluate("train < median(1) - val", {"train": train, "val": validation})
    assert caught.value.kind == "axis"
    with pytest.raises(Inapplicable, match="by step"):
        evaluate("where(1, train, val)", {"train": train, "val": validation})


def test_kinds_with_wall_times_meet_as_of_wall_time() -> None:
    train = Column(np.array([1.0, 2.0, 3.0, 4.0]), make_axis([0, 1, 2, 3], wall_times=[0.0, 10.0, 20.0, 30.0]))
    validation = Column(np.array([100.0, 200.0]), make_axis([0, 1], kind="epoch", wall_times=[15.0, 31.0]))
    assert_same(evaluate("train + val", {"train": train, "val": validation}), [102, 204])


def test_wall_times_that_go_back_are_sorted() -> None:
    train = Column(np.array([1.0, 2.0, 3.0, 4.0]), make_axis([0, 1, 2, 3], wall_times=[20.0, 30.0, 0.0, 10.0]))
    validation = Column(np.array([100.0, 200.0]), make_axis([0, 1], kind="epoch", wall_times=[5.0, 25.0]))
    assert_same(evaluate("val + train", {"train": train, "val": validation}), [103, 201])
