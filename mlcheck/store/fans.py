"""The number of inputs of a unit, where a weight is logged as a histogram: its values over those of its bias.

A bias has one value for each unit, so that a weight of 4,096 values beside a bias of 64 has 64 inputs a unit, whatever its layout:
that holds for dense, convolutional and recurrent layers. A normalisation has as many weights as biases, and no inputs to count.
"""

from collections.abc import Sequence

import numpy as np

from mlcheck.records import replace
from mlcheck.store.series import Series

FAN_IN = "fan_in"
_WITHOUT = ("param", "order")


def with_fans(series: Sequence[Series]) -> list[Series]:
    """The series with a column `fan_in`, float64 of shape (n,), on each histogram of a weight that has a bias beside it."""
    biases = {_place(one, "bias"): size for one in series if _is(one, "bias") and (size := _size(one))}
    if not biases:
        return list(series)
    return [_with_fan(one, biases) if _is(one, "weight") and FAN_IN not in one.columns else one for one in series]


def _is(one: Series, param: str) -> bool:
    return one.approximate and one.role == "weight" and one.labels.get("param") == param


def _place(one: Series, param: str) -> tuple[str, ...]:
    """What a weight and its bias share. `weight_ih_l0` of a recurrent layer stands beside `bias_ih_l0`."""
    labels = sorted(f"{key}={value}" for key, value in one.labels.items() if key not in _WITHOUT)
    own = one.tag.lower().replace("kernel", "weight").rpartition(param)
    return (one.part, own[2], *labels)


def _size(one: Series) -> int:
    """How many values it has at all saves; 0 where that changes or is not known."""
    counts = one.columns.get("count", np.array([]))
    return int(counts[0]) if len(counts) and np.isfinite(counts).all() and (counts == counts[0]).all() else 0


def _with_fan(one: Series, biases: dict[tuple[str, ...], int]) -> Series:
    size, units = _size(one), biases.get(_place(one, "weight"), 0)
    if not units or size <= units or size % units:
        return one
    return replace(one, columns={**one.columns, FAN_IN: np.full(len(one.steps), float(size // units))})
