"""Inputs of a unit, counted by the values of a weight's bias where only histograms are logged."""

import numpy as np
import pytest

from mlcheck.store.build import build_run
from mlcheck.store.series import Hints, RawSeries
from tests.store.builders import imported

STEPS = np.arange(4)


def histogram(tag: str, count: float | list[float], *, approximate: bool = True) -> RawSeries:
    columns = {"count": np.broadcast_to(np.asarray(count, dtype=np.float64), STEPS.shape).copy()}
    return RawSeries(tag, "tensor", STEPS, np.full(len(STEPS), np.nan), columns, Hints(), approximate=approximate)


def fans(**counts: float | list[float]) -> dict[str, float]:
    """The fan-in of each series that has one."""
    made = imported(*(histogram(tag, count) for tag, count in counts.items()))
    run = build_run("run", "run", [("", made)])
    return {one.tag: float(one.columns["fan_in"][0]) for one in run.series if "fan_in" in one.columns}


@pytest.mark.parametrize(
    ("weight", "bias", "values", "units", "inputs"),
    [
        ("fc1.weight", "fc1.bias", 432, 48, 9),
        ("weights/dense_1/kernel", "weights/dense_1/bias", 3840, 64, 60),
        ("conv.weight", "conv.bias", 16 * 3 * 5 * 5, 16, 75),
        ("out.weight", "out.bias", 48, 1, 48),
        ("rnn.weight_hh_l0", "rnn.bias_hh_l0", 3 * 20 * 20, 60, 20),
    ],
)
def test_a_weight_beside_its_bias(weight: str, bias: str, values: int, units: int, inputs: int) -> None:
    assert fans(**{weight: values, bias: units}) == {weight: inputs}


@pytest.mark.parametrize(
    "counts",
    [
        {"fc1.weight": 432},
        {"fc1.weight": 432, "fc2.bias": 48},
        {"bn1.weight": 48, "bn1.bias": 48},
        {"fc1.weight": 433, "fc1.bias": 48},
        {"fc1.weight": 432, "fc1.bias": [48, 48, 24, 48]},
        {"fc1.weight": 432, "fc1.bias": [48, 48, float("nan"), 48]},
        {"fc1.weight.grad": 432, "fc1.bias.grad": 48},
    ],
    ids=[
        "no bias",
        "another's bias",
        "normalisation",
        "no whole number",
        "a bias that shrinks",
        "not known",
        "gradients",
    ],
)
def test_where_it_cannot_be_told(counts: dict[str, float | list[float]]) -> None:
    assert fans(**counts) == {}


def test_a_dump_knows_its_shape() -> None:
    made = imported(histogram("fc1.weight", 432, approximate=False), histogram("fc1.bias", 48, approximate=False))
    run = build_run("run", "run", [("", made)])
    assert not any("fan_in" in one.columns for one in run.series)
