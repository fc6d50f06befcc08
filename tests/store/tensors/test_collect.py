"""What the collector gives for tensors as importers hand them over."""

import numpy as np
import pytest

from mlcheck.store.roles import RoleOverride
from mlcheck.store.series import Hints
from mlcheck.store.tensors import queue
from mlcheck.store.tensors.collect import TensorCollector
from mlcheck.store.tensors.keys import Range, Tolerance, wanted
from mlcheck.store.tensors.request import BASE, Request

L2 = Request(any_role=frozenset({"l2"}))


def test_rows_keep_the_order_in_which_they_came():
    collector = TensorCollector(L2)
    small, large = np.ones(4), np.ones(40_000)
    track = collector.track("activations/a")
    for step, (wall, array) in enumerate([(5.0, small), (6.0, large), (7.0, small), (np.nan, large)]):
        track.add(10 * step, wall, array)
    (found,) = collector.series()
    assert found.kind == "tensor"
    assert found.steps.tolist() == [0, 10, 20, 30]
    assert found.wall_times.tolist()[:3] == [5, 6, 7]
    assert np.isnan(found.wall_times[3])
    assert found.columns["l2"].tolist() == [2, 200, 2, 200]
    assert found.columns["count"].tolist() == [4, 40_000, 4, 40_000]


def test_one_tag_in_two_modes_and_of_two_workers_is_three_series():
    collector = TensorCollector(L2)
    for mode, worker in (("train", None), ("val", None), ("train", "1"), ("train", None)):
        collector.track("activations/a", Hints(mode=mode, worker=worker)).add(0, 0.0, np.ones(1))
    found = collector.series()
    assert [(one.hints.mode, one.hints.worker, len(one.steps)) for one in found] == [
        ("train", None, 2), ("val", None, 1), ("train", "1", 1),
    ]  # fmt: skip


def test_a_shape_that_changes_is_told_once():
    collector = TensorCollector(L2)
    track = collector.track("gradients/fc1")
    for step, shape in ((10, (3, 4)), (20, (4, 4)), (30, (5, 4))):
        track.add(step, 0.0, np.ones(shape))
    assert collector.problems() == ("gradients/fc1: shape (3, 4) at step 10 and (4, 4) at step 20",)
    assert len(collector.series()[0].steps) == 3


@pytest.mark.parametrize("tag", ["activations/a", "inputs/x", "labels", "predictions"])
def test_the_last_batch_may_be_smaller(tag):
    collector = TensorCollector(L2)
    track = collector.track(tag)
    track.add(0, 0.0, np.zeros((8, 3)))
    track.add(1, 0.0, np.zeros((5, 3)))
    assert collector.problems() == ()
    track.add(2, 0.0, np.zeros((5, 2)))
    assert collector.problems() == (f"{tag}: shape (8, 3) at step 0 and (5, 2) at step 2",)


def test_token_ids_may_have_any_length():
    collector = TensorCollector(L2)
    for step, length in enumerate((7, 9, 4)):
        collector.track("input_ids").add(step, 0.0, np.zeros((2, length), np.int64))
    assert collector.problems() == ()


def test_what_nothing_is_asked_of_need_not_be_read():
    request = Request({"weight": frozenset({"l2"}), "gradient": frozenset({"count", "fan_in"})})
    collector = TensorCollector(request)
    weight = collector.track("weights/fc1.weight")
    gradient = collector.track("gradients/fc1.weight")
    other = collector.track("activations/relu")
    assert (weight.needed, gradient.needed, other.needed) == (True, False, False)
    gradient.add_unread(3, 1.0, (4, 5), np.float32)
    gradient.add(4, 1.0, np.zeros((4, 5)))
    other.add_unread(3, 1.0, (2, 2), "bfloat16")
    found = {one.tag: one for one in collector.series()}
    assert set(found) == {"gradients/fc1.weight", "activations/relu"}
    assert found["gradients/fc1.weight"].columns["fan_in"].tolist() == [5, 5]
    assert found["gradients/fc1.weight"].columns["count"].tolist() == [20, 20]
    assert set(found["activations/relu"].columns) == {"count"}
    assert (found["activations/relu"].hints.shape, found["activations/relu"].hints.dtype) == ((2, 2), "bfloat16")


def test_roles_decide_and_the_user_decides_on_roles():
    request = Request({"weight": frozenset({"l2"})}, overrides=(RoleOverride("mine/*", "weight"),))
    collector = TensorCollector(request)
    assert collector.track("mine/thing").needed
    assert not collector.track("other/thing").needed
    assert collector.track("x/thing", Hints(collection="weights")).needed


@pytest.mark.parametrize("array", [np.array(["a"]), np.array([1j]), np.zeros(2, dtype=[("a", "f4")])])
def test_what_is_no_number_is_refused_in_words(array):
    collector = TensorCollector(L2)
    track = collector.track("weights/w")
    track.add(0, 0.0, np.ones(1))
    track.add(5, 0.0, array)
    track.add(6, 0.0, array)
    assert len(collector.problems()) == 1
    assert collector.problems()[0].startswith("weights/w: ")
    assert "step 5" in collector.problems()[0]
    (found,) = collector.series()
    assert np.isnan(found.columns["l2"]).tolist() == [False, True, True]


def test_series_can_be_asked_for_twice():
    collector = TensorCollector(Request(any_role=BASE))
    collector.track("weights/w").add(0, 0.0, np.ones(3))
    first = collector.series()
    collector.track("weights/w").add(1, 0.0, np.ones(3))
    second = collector.series()
    assert (len(first[0].steps), len(second[0].steps)) == (1, 2)


def test_queues_of_many_shapes_are_bounded(monkeypatch):
    monkeypatch.setattr(queue, "_MOST_WAITING", 2**20)
    collector = TensorCollector(Request(any_role=frozenset({"l2", "update_l2"})))
    for step in range(3):
        for number in range(1, 40):
            collector.track(f"weights/layer{number}.weight").add(step, 0.0, np.full(number * 10, step + 1.0))
            assert collector._queues._bytes <= 2**20 + 2 * 65_536 * 8
    for number, one in enumerate(collector.series(), 1):
        size = np.sqrt(number * 10)
        np.testing.assert_allclose(one.columns["l2"], [size, 2 * size, 3 * size])
        np.testing.assert_allclose(one.columns["update_l2"], [np.nan, size, size])


def test_keys_are_taken_apart():
    found = wanted(
        frozenset(
            {
                "l2", "quantile(0.95)", "share_equal(-1)", "update_ratio(1e-09)", "update_ratio", "changed(1e-05,1e-08)",
                "changed(0.1,0.2,True)", "changed(0.1,0.2,False)", "units_outside(0,inf,0.99)", "nonsense", "quantile(7)",
            }
        )
    )  # fmt: skip
    assert found.plain == {"l2", "count"}
    assert found.quantiles == (("quantile(0.95)", 0.95),)
    assert found.shares == (("share_equal(-1)", -1.0),)
    assert dict(found.ratios) == {"update_ratio(1e-09)": 1e-9, "update_ratio": 1e-9}
    assert dict(found.tolerances) == {
        "changed(1e-05,1e-08)": Tolerance(1e-5, 1e-8),
        "changed(0.1,0.2,True)": Tolerance(0.1, 0.2, True),
        "changed(0.1,0.2,False)": Tolerance(0.1, 0.2, False),
    }
    assert found.ranges == (("units_outside(0,inf,0.99)", Range(0, np.inf, 0.99)),)
    assert "nonsense" not in found.columns


def test_a_shape_that_nobody_could_hold_is_no_trouble():
    collector = TensorCollector(Request(any_role=frozenset({"fan_in", "l2"})))
    collector.track("weights/w.weight").add_unread(0, 0.0, (2**62,) * 32, "float32")
    (found,) = collector.series()
    assert found.columns["count"][0] == 2.0**63
