"""Reductions instead of tensors: the statistics that they tell are those of the tensor."""

import numpy as np
import pytest

from tests.importers.smdebug.writer import TrialWriter, read, series

REDUCTIONS = {
    "min": np.min,
    "max": np.max,
    "mean": np.mean,
    "std": np.std,
    "variance": np.var,
    "sum": np.sum,
    "prod": np.prod,
    "l1": lambda values: np.abs(values).sum(),
    "l2": lambda values: np.sqrt((values**2).sum()),
}


def reduced(tensors, *names):
    """smdebug's reductions of tensors, by their tags."""
    found = {}
    for tag, values in tensors.items():
        for name in names:
            plain = name.removeprefix("abs_")
            given = np.abs(values) if name.startswith("abs_") else values
            with np.errstate(all="ignore"):
                found[f"smdebug/reductions/{name}/{tag}"] = np.array([REDUCTIONS[plain](given)], np.float64)
    return found


RANDOM = np.random.default_rng(3)
TENSORS = {"fc.weight": RANDOM.normal(size=(4, 3)), "gradient/fc.weight": RANDOM.normal(size=(4, 3)) * 1e-3}


def both(tmp_path, names, shapes=None, tensors=TENSORS):
    """What is read of the tensors themselves, and of their reductions."""
    for kind in ("raw", "reduced"):
        writer = TrialWriter(tmp_path / kind)
        writer.collections(weights="^(?!gradient).*weight", gradients="^gradient")
        for step in range(3):
            now = {tag: values * (step + 1) for tag, values in tensors.items()}
            writer.step(step, now if kind == "raw" else reduced(now, *names), shapes=shapes)
    return read(tmp_path / "raw")[0], read(tmp_path / "reduced")[0]


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (("min", "max", "mean", "std", "l2"), {"min", "max", "mean", "std", "l2", "abs_max"}),
        (("abs_max", "abs_mean", "variance"), {"abs_max", "abs_mean", "std"}),
        (("abs_l2",), {"l2"}),
        (("min", "max"), {"min", "max", "abs_max"}),
    ],
)
def test_reductions_tell_the_statistics_of_the_tensor(tmp_path, names, told):
    raw, ours = both(tmp_path, names)
    for tag in TENSORS:
        expected, found = series(raw, tag), series(ours, tag)
        assert found.kind == "tensor"
        assert found.hints.collection == expected.hints.collection
        assert found.hints.mode == "train"
        assert found.steps.tolist() == [0, 1, 2]
        assert found.wall_times.tolist() == expected.wall_times.tolist()
        assert found.columns.keys() == {*told, "nonfinite"}
        for name in told:
            assert found.columns[name].tolist() == pytest.approx(expected.columns[name].tolist(), rel=1e-12)
        assert found.columns["nonfinite"].tolist() == [0.0] * 3
    assert ours.status.reason is None


@pytest.mark.parametrize("names", [("l1", "sum"), ("abs_l1", "sum"), ("abs_sum", "sum")])
def test_sums_tell_means_where_the_shape_is_known(tmp_path, names):
    shapes = {tag: values.shape for tag, values in TENSORS.items()}
    raw, ours = both(tmp_path, names, shapes)
    for tag in TENSORS:
        expected, found = series(raw, tag), series(ours, tag)
        for name in ("mean", "abs_mean", "count"):
            assert found.columns[name].tolist() == pytest.approx(expected.columns[name].tolist(), rel=1e-12)
        assert found.hints.shape == (4, 3)


def test_sums_alone_tell_nothing_and_that_is_said(tmp_path):
    _, ours = both(tmp_path, ("l1", "sum", "prod", "abs_min", "abs_std"))
    assert not ours.series
    for name in ("l1", "sum", "prod", "abs_min", "abs_std"):
        assert name in (ours.status.reason or "")


@pytest.mark.parametrize(
    ("names", "odd", "nonfinite"),
    [
        (("mean",), np.nan, 1),
        (("min",), np.nan, 1),
        (("abs_max",), np.inf, 1),
        (("min", "max"), -np.inf, 1),
        (("l2",), np.nan, 1),
        # An infinite sum may be the sum of finite values.
        (("l2",), np.inf, np.nan),
        (("mean",), np.inf, np.nan),
        # Of one that is finite on one side only, nothing is known.
        (("max",), -np.inf, np.nan),
    ],
)
def test_what_reductions_tell_of_values_that_are_not_finite(tmp_path, names, odd, nonfinite):
    values = np.array([1.0, 2.0, odd])
    _, ours = both(tmp_path, names, tensors={"fc.weight": values})
    found = series(ours, "fc.weight").columns["nonfinite"]
    np.testing.assert_array_equal(found, [nonfinite] * 3)


def test_the_deviation_of_one_value_is_no_fault(tmp_path):
    # PyTorch divides by n - 1.
    writer = TrialWriter(tmp_path)
    writer.step(
        0, {"smdebug/reductions/std/fc.bias": np.array([np.nan]), "smdebug/reductions/mean/fc.bias": np.array([0.5])}
    )
    whole, _ = read(tmp_path)
    assert series(whole, "fc.bias").columns["nonfinite"].tolist() == [0.0]


def test_a_gradient_has_the_shape_of_its_weight(tmp_path):
    writer = TrialWriter(tmp_path)
    values = TENSORS["gradient/fc.weight"]
    writer.step(0, {"fc.weight": TENSORS["fc.weight"], **reduced({"gradient/fc.weight": values}, "l1")})
    whole, _ = read(tmp_path)
    one = series(whole, "gradient/fc.weight")
    assert one.columns["abs_mean"].tolist() == pytest.approx([np.abs(values).mean()])
    assert one.columns["count"].tolist() == [12.0]


def test_a_tensor_itself_says_more_than_its_reductions(tmp_path):
    writer = TrialWriter(tmp_path)
    values = {step: RANDOM.normal(size=(4, 3)) for step in range(4)}
    for step in range(4):
        raw = {"fc.weight": values[step]} if step % 2 else {}
        writer.step(step, {**raw, **reduced({"fc.weight": values[step]}, "mean", "l2")})
    whole, _ = read(tmp_path)
    one = series(whole, "fc.weight")
    assert one.steps.tolist() == [0, 1, 2, 3]
    assert one.columns["mean"].tolist() == pytest.approx([values[step].mean() for step in range(4)])
    np.testing.assert_array_equal(np.isnan(one.columns["abs_mean"]), [True, False, True, False])


def test_reductions_of_modes_and_workers_are_apart(tmp_path):
    writer = TrialWriter(tmp_path)
    for step in range(4):
        for worker in ("worker_0", "worker_1"):
            scale = step + 10.0 * int(worker[-1])
            mode = "EVAL" if step > 1 else "TRAIN"
            writer.step(step, {"smdebug/reductions/mean/relu_output_0": np.array([scale])}, mode, worker=worker)
    whole, _ = read(tmp_path)
    assert series(whole, "relu_output_0", mode="val", worker="1").columns["mean"].tolist() == [12.0, 13.0]
    assert series(whole, "relu_output_0", mode="train", worker="0").columns["mean"].tolist() == [0.0, 1.0]
