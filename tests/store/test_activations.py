"""The function of an activation, told by the range of its values where its name does not say it."""

import numpy as np
import pytest

from mlcheck.store.build import build_run
from mlcheck.store.series import Hints, RawSeries, Series
from tests.store.builders import imported

RANDOM = np.random.default_rng(7)
SAVES = [RANDOM.standard_normal((32, 16)) * (1 + 0.3 * n) + 0.2 * n for n in range(5)]
SOFTMAX = [np.exp(x) / np.exp(x).sum(axis=1, keepdims=True) for x in SAVES]


def series(tag: str, saves: list[np.ndarray]) -> Series:
    columns = {
        "min": np.array([one.min() for one in saves]),
        "max": np.array([one.max() for one in saves]),
        "mean": np.array([one.mean() for one in saves]),
        "zeros": np.array([np.mean(one == 0) for one in saves]),
        "whole": np.array([np.mean(one == np.rint(one)) for one in saves]),
    }
    steps = np.arange(len(saves))
    raw = RawSeries(tag, "tensor", steps, np.full(len(saves), np.nan), columns, Hints())
    return build_run("run", "run", [("", imported(raw))]).series[0]


@pytest.mark.parametrize(
    ("saves", "function"),
    [
        ([np.maximum(x, 0) for x in SAVES], "relu"),
        ([np.tanh(x) for x in SAVES], "tanh"),
        ([1 / (1 + np.exp(-x)) for x in SAVES], "sigmoid"),
        (SAVES, None),
        (SOFTMAX, None),
        ([(x > 0).astype(float) for x in SAVES], None),
        ([np.floor(np.maximum(3 * x, 0)) for x in SAVES], None),
        ([np.where(x > 0, x, 0.01 * x) for x in SAVES], None),
        ([0.1 * np.tanh(x) for x in SAVES], None),
        ([np.tanh(1e6 * x).astype(np.float32) for x in SAVES], "tanh"),
        ([np.sign(np.rint(x)) for x in SAVES], None),
    ],
    ids=["relu", "tanh", "sigmoid", "linear", "softmax", "mask", "counts", "leaky", "small", "saturated", "ternary"],
)
def test_by_the_range_of_values(saves: list[np.ndarray], function: str | None) -> None:
    one = series("activations/block1", saves)
    assert one.labels.get("act") == function
    assert one.labels.get("act_from") == ("values" if function else None)


def test_a_name_wins_over_the_range() -> None:
    one = series("activations/block1.gelu", [np.maximum(x, 0) for x in SAVES])
    assert one.labels["act"] == "gelu"
    assert "act_from" not in one.labels


def test_two_saves_tell_nothing() -> None:
    assert "act" not in series("activations/block1", [np.tanh(x) for x in SAVES[:2]]).labels


def test_other_tensors_have_no_function() -> None:
    assert "act" not in series("weights/fc1.weight", [np.tanh(x) for x in SAVES]).labels
