import math

import numpy as np

from mlcheck.engine.verdict import EXCESS_CAP, excess


def test_excess_by_its_definition() -> None:
    values = np.array([1e-9, 1e-3, -3.0, math.nan, math.inf, 5.0, 0.0, 1e30])
    limits = np.array([1e-7, 1e-3, -1.0, 1.0, math.nan, math.nan, 2.0, 1.0])
    found = excess(values, limits)
    assert np.allclose(found, [2.0, 0.0, 2.0, EXCESS_CAP, EXCESS_CAP, 0.0, 1.0, EXCESS_CAP])


def test_noise_is_the_scale_where_the_limit_is_zero() -> None:
    assert excess(np.array([-0.2]), np.array([0.0]), noise=0.1)[0] == 2.0
    assert excess(np.array([-0.2]), np.array([0.0]))[0] == EXCESS_CAP
