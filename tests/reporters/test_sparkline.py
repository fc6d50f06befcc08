import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcheck.reporters.sparkline import BLOCKS, sparkline

FINITE = st.floats(allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize(
    ("values", "drawn"),
    [
        ([], "·"),
        ([None, None], "··"),
        ([0.0, 1.0], "▁█"),
        ([5.0, 5.0, 5.0], "▄▄▄"),
        ([1.0, math.nan, 2.0, math.inf, -math.inf], "▁×█××"),
        ([math.nan], "×"),
        # Eight decades, eight blocks: only a logarithmic scale is even.
        ([10.0**-i for i in range(8)], "█▇▆▅▄▃▂▁"),
        # Not logarithmic: one value is not positive.
        ([0.0, 1.0, 1e6], "▁▁█"),
        ([-1.7e308, 1.7e308], "▁█"),
    ],
)
def test_drawn(values: list[float | None], drawn: str) -> None:
    assert sparkline(values) == drawn


@settings(deadline=None, max_examples=100)
@given(st.lists(FINITE, min_size=1, max_size=200), st.integers(1, 40))
def test_one_block_per_stretch_and_the_extremes_are_shown(values: list[float], width: int) -> None:
    drawn = sparkline(values, width)
    assert len(drawn) == min(width, len(values))
    assert set(drawn) <= set(BLOCKS)
    if len(values) <= width and max(values) / 2 > min(values) / 2:
        assert drawn[values.index(max(values))] == BLOCKS[-1]
        assert drawn[values.index(min(values))] == BLOCKS[0]


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 199))
def test_a_single_spike_or_nan_is_never_lost(at: int) -> None:
    flat = [1.0] * 200
    spike, hole = flat.copy(), flat.copy()
    spike[at], hole[at] = 9.0, math.nan
    assert sparkline(spike).count("█") == 1
    assert sparkline(hole).count("×") == 1


@settings(deadline=None, max_examples=50)
@given(st.lists(FINITE, min_size=2, max_size=100))
def test_rising_values_never_fall(values: list[float]) -> None:
    drawn = sparkline(sorted(values), 24)
    assert list(drawn) == sorted(drawn, key=BLOCKS.index)
