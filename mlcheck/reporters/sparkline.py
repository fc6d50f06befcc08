"""A curve in one line of text."""

import math
from collections.abc import Sequence

BLOCKS = "▁▂▃▄▅▆▇█"
NOT_FINITE = "×"
NONE = "·"

# Three orders of magnitude: on a linear scale of eight levels all but the top eighth would be one flat line.
_LOG_RANGE = 1e3


def sparkline(values: Sequence[float | None], width: int = 24) -> str:
    """At most `width` blocks from low to high; `×` where a value is NaN or infinite, `·` where there is none.

    Each block stands for a stretch of values and shows the one farthest from the median of all: no spike is lost.
    The scale is logarithmic when all finite values are positive and span more than three orders of magnitude.
    """
    if not values:
        return NONE
    finite = [v for v in values if v is not None and math.isfinite(v)]
    logarithmic = bool(finite) and min(finite) > 0 and max(finite) / min(finite) > _LOG_RANGE
    # Halves keep the difference of two floats of opposite sign finite.
    scaled = [
        None if v is None else v if not math.isfinite(v) else math.log10(v) if logarithmic else v / 2 for v in values
    ]
    heights = sorted(v for v in scaled if v is not None and math.isfinite(v))
    low, high, middle = (heights[0], heights[-1], heights[len(heights) // 2]) if heights else (0.0, 0.0, 0.0)
    count = min(width, len(values))
    return "".join(
        _block(scaled[i * len(scaled) // count : (i + 1) * len(scaled) // count], low, high, middle)
        for i in range(count)
    )


def _block(values: list[float | None], low: float, high: float, middle: float) -> str:
    there = [v for v in values if v is not None]
    if not there:
        return NONE
    if not all(math.isfinite(v) for v in there):
        return NOT_FINITE
    if high <= low:
        return BLOCKS[3]
    farthest = max(there, key=lambda v: abs(v - middle))
    return BLOCKS[min(len(BLOCKS) - 1, int((farthest - low) / (high - low) * len(BLOCKS)))]
