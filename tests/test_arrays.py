"""What stands in for numpy's own functions gives what they give."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from mlcheck.arrays import distinct, median, quantile


@given(arrays.arrays(np.int64, st.integers(0, 30), elements=st.integers(-5, 5) | st.integers(-(2**63), 2**63 - 1)))
def test_distinct_is_numpys(values: np.ndarray) -> None:
    np.testing.assert_array_equal(distinct(values), np.unique(values))


@given(
    arrays.arrays(np.float64, st.integers(1, 30), elements=st.floats(width=64))
    | arrays.arrays(np.int64, st.integers(1, 30), elements=st.integers(-(2**40), 2**40))
)
def test_median_is_numpys(values: np.ndarray) -> None:
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(median(values), np.median(values))


def test_median_of_nothing_is_unknown() -> None:
    assert np.isnan(median(np.empty(0)))


@given(
    arrays.arrays(np.float64, st.integers(1, 30), elements=st.floats(width=64, allow_nan=False)),
    st.floats(0, 1) | st.sampled_from([0.0, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 1.0]),
)
def test_quantile_is_numpys(values: np.ndarray, share: float) -> None:
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(quantile(values, share), np.quantile(values, share))


@pytest.mark.parametrize("share", [-0.1, 1.1, np.nan])
def test_a_share_that_is_none_is_refused(share: float) -> None:
    for function in (quantile, np.quantile):
        with pytest.raises(ValueError, match="Quantiles must be in the range"):
            function(np.array([1.0, 2.0]), share)


def test_none_loads_masked_arrays() -> None:
    code = (
        "import sys, numpy as np; from mlcheck.arrays import distinct, median, quantile;"
        "distinct(np.array([2, 1])); median(np.array([1.0, 2.0])); quantile(np.array([1.0, 2.0]), 0.3);"
        "sys.exit('numpy.ma' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
