"""Tensors of every dtype for hypothesis, and comparison of statistics."""

import math
from collections.abc import Mapping

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mlcheck.store.series import Hints, RawSeries
from mlcheck.store.tensors.collect import TensorCollector
from mlcheck.store.tensors.request import Request

DTYPES = ("bool", "int8", "uint8", "int16", "int32", "uint32", "int64", "uint64", "float16", "float32", "float64")

shapes = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=6)


def tensors(shape=shapes, dtypes=DTYPES) -> st.SearchStrategy[np.ndarray]:
    """Any values, with NaN, infinities, denormals and extremes; half of the time few distinct ones."""

    def of(dtype: str) -> st.SearchStrategy[np.ndarray]:
        anything = hnp.from_dtype(np.dtype(dtype))
        few = st.sampled_from([0, 1]) if dtype == "bool" else st.sampled_from([0, 1, 2, 3])
        return hnp.arrays(dtype, shape, elements=anything) | hnp.arrays(dtype, shape, elements=few)

    return st.sampled_from(dtypes).flatmap(of)


def series_of(keys, arrays, tag="weights/fc1.weight", hints=None) -> RawSeries:
    """The series of one tensor over steps 0, 1, 2, …"""
    collector = TensorCollector(Request(any_role=frozenset(keys)))
    track = collector.track(tag, hints or Hints())
    for step, array in enumerate(arrays):
        track.add(step, 100.0 + step, array)
    (found,) = collector.series()
    return found


def row(keys, array, tag="weights/fc1.weight", hints=None) -> dict[str, float]:
    found = series_of(keys, [array], tag, hints)
    return {key: float(column[0]) for key, column in found.columns.items()}


def same(found: float, expected: float, scale: float = 0.0, relative: float = 1e-6) -> bool:
    """Equal to 1e-6; `scale` is the size of what cancelled."""
    if math.isnan(expected) or math.isinf(expected):
        return found == expected or (math.isnan(found) and math.isnan(expected))
    return abs(found - expected) <= relative * (abs(expected) + scale)


def assert_same(found: Mapping[str, float], expected: Mapping[str, float], **scales: float) -> None:
    for key, value in expected.items():
        assert same(found[key], value, scales.get(key, 0.0)), (key, found[key], value)
