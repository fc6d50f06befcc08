"""Which function an activation comes out of, where neither its name nor its file says so: by the range of its values.

A guess: rules that ask for a function give at most a warning on it (engine/judge.py).
"""

from collections.abc import Sequence

import numpy as np

from mlcheck.records import replace
from mlcheck.store.series import Series

GUESSED = "values"
"""Value of the label `act_from` where the range told."""

_FEWEST_SAVES = 3
_ROUNDING = 1e-4
"""float16 rounds 0.99995 to 1, and sums of it a little beyond."""
_WIDE = 0.5
_VARIES = 1e-3
"""Shares that add up to 1 (softmax, gates) have the same mean at all saves; a sigmoid's moves."""


def with_functions(series: Sequence[Series]) -> list[Series]:
    """The series, activations of an unknown function with the labels `act` and `act_from` where their values tell it."""
    return [
        replace(one, labels={**one.labels, "act": found, "act_from": GUESSED})
        if one.role == "activation" and "act" not in one.labels and (found := _function(one))
        else one
        for one in series
    ]


def _function(one: Series) -> str | None:
    """relu, tanh or sigmoid; None where the values do not tell."""
    if one.kind != "tensor" or one.approximate or not {"min", "max"} <= one.columns.keys():
        return None
    low, high = one.columns["min"], one.columns["max"]
    low, high = low[np.isfinite(low)], high[np.isfinite(high)]
    if len(low) < _FEWEST_SAVES or len(high) < _FEWEST_SAVES or (_whole(one) and not _signs(one)):
        return None
    if (low == 0).all() and high.max() > 1 + _ROUNDING:
        return "relu"
    if low.min() < -1 - _ROUNDING or high.max() > 1 + _ROUNDING:
        return None
    if low.min() < -_WIDE and high.max() > _WIDE:
        return "tanh"
    means = one.columns.get("mean", np.array([]))
    means = means[np.isfinite(means)]
    varies = len(means) >= _FEWEST_SAVES and float(np.ptp(means)) > _VARIES
    return "sigmoid" if low.min() >= 0 and high.max() > _WIDE and varies else None


def _whole(one: Series) -> bool:
    """Whether all values are whole numbers: a mask, counts, one-hot."""
    whole = one.columns.get("whole")
    return whole is not None and bool(np.all(whole[np.isfinite(whole)] == 1)) and bool(np.isfinite(whole).any())


def _signs(one: Series) -> bool:
    """Whether there is nothing but -1 and 1: a tanh so saturated that float32 rounds all of it."""
    low, high, zeros = (one.columns.get(key, np.array([np.nan])) for key in ("min", "max", "zeros"))
    return bool((low == -1).all() and (high == 1).all() and (zeros == 0).all())
