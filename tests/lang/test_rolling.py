import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mlcheck.lang import rolling

VALUES = st.lists(
    st.one_of(st.integers(-50, 50).map(lambda n: n / 4), st.sampled_from([np.nan, np.inf, -np.inf, 1e9])), max_size=60
)


def naive(function: str, values: list[float], window: int, share: float = 0.5) -> list[float]:
    result = []
    for i in range(len(values)):
        inside = [v for v in values[max(0, i - window + 1) : i + 1] if np.isfinite(v)]
        if 2 * len(inside) < window:
            result.append(np.nan)
        else:
            reduce = {"mean": np.mean, "median": np.median, "max": np.max, "quantile": lambda v: np.quantile(v, share)}
            result.append(float(reduce[function](inside)))
    return result


@given(VALUES, st.integers(1, 70))
@settings(deadline=None, max_examples=200)
@example([1e9] * 3 + [0.25] * 30, 4)
@example([np.nan] * 30 + [1.0], 60)
def test_rolling_functions_are_what_they_are_defined_as(values: list[float], window: int) -> None:
    array = np.array(values, dtype=np.float64)
    length = min(window, max(len(values), 1))
    for name in ("mean", "median", "max"):
        result = getattr(rolling, f"rolling_{name}")(array, float(window))
        np.testing.assert_allclose(result, naive(name, values, length), rtol=1e-12, atol=1e-12)


@given(VALUES, st.integers(1, 70), st.sampled_from([0.0, 0.05, 0.5, 0.9, 1.0]))
@settings(deadline=None, max_examples=200)
@example([float(i * i % 17) for i in range(60)], 45, 0.5)
def test_rolling_quantile_is_held_between_its_points(values: list[float], window: int, share: float) -> None:
    length = min(window, max(len(values), 1))
    stride = max(1, length // 20)
    exact = naive("quantile", values, length, share)
    expected = [exact[i - i % stride] for i in range(len(values))]
    result = rolling.rolling_quantile(np.array(values, dtype=np.float64), float(window), share)
    np.testing.assert_allclose(result, expected, rtol=1e-12, atol=1e-12)


def test_rolling_quantile_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).normal(size=500)
    whole = rolling.rolling_quantile(values, 45.0, 0.3)
    monkeypatch.setattr(rolling, "_CHUNK_VALUES", 100)
    np.testing.assert_array_equal(rolling.rolling_quantile(values, 45.0, 0.3), whole)


@pytest.mark.parametrize("outlier", [1e30, 1e308, np.inf, -np.inf, np.nan])
def test_an_outlier_touches_only_the_windows_that_hold_it(outlier: float) -> None:
    values = np.ones(100)
    values[30] = outlier
    for function in (rolling.rolling_mean, rolling.rolling_median, rolling.rolling_max):
        result = function(values, 8.0)
        assert (result[4:30] == 1).all()
        assert (result[38:] == 1).all()


def test_the_argument_is_left_as_it_was() -> None:
    values: NDArray[np.float64] = np.array([1.0, np.inf, np.nan, 4.0])
    before = values.copy()
    rolling.rolling_mean(values, 2.0)
    rolling.rolling_median(values, 2.0)
    rolling.rolling_max(values, 2.0)
    rolling.rolling_quantile(values, 2.0, 0.5)
    rolling.lowest_so_far(values)
    rolling.cumulative_sum(values)
    np.testing.assert_array_equal(values, before)
