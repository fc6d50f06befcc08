"""A curve as a chart that GitHub and GitLab draw themselves: a fenced block of Mermaid's `xychart-beta`.

https://mermaid.js.org/syntax/xyChart.html. What shapes this module:

- The values of a `line` stand at equal distances over the x-axis, so the curve is put on a grid of steps.
- The axes are linear, so values that span orders of magnitude are written as their log10, and the title says so.
- A number has no exponent, so very large and very small ones are written in units of a power of ten, which the title names.
- There is no gap in a line: where nothing finite is, the line runs on straight from one neighbour to the next.
"""

import math
from collections.abc import Sequence
from itertools import pairwise

from mlcheck.records import dataclass
from mlcheck.report import Evidence
from mlcheck.reporters.statistics import in_words
from mlcheck.reporters.text import clean

MOST_POINTS = 40
LEAST_POINTS = 3
"""Finite values that a curve needs to be worth a chart."""
_LOG_RANGE = 1e3
"""As for sparklines: beyond three orders of magnitude a linear scale shows one flat line."""
_PLAIN = (1e-3, 1e6)
"""Magnitudes that are written without a power of ten."""
_EXACT = 2**53
"""Whole numbers below it are exact in floating point."""
_SMALLEST_EXPONENT = -300
_FLAT = 1e-9
_DIGITS = 3
_MOST_DECIMALS = 12
_COLOR = '%%{init: {"themeVariables": {"xyChart": {"plotColorPalette": "#3b82f6"}}}}%%'
"""Mermaid's own first colour can hardly be seen on white; this one can on white and on black."""
_HARMLESS = frozenset(" ._/()=,+-…")


@dataclass(frozen=True, slots=True)
class _Scale:
    """How values are drawn: their log10, or in units of ten to the `exponent`."""

    logarithmic: bool
    exponent: int

    def drawn(self, value: float) -> float:
        return math.log10(value) if self.logarithmic else value / 10.0**self.exponent

    @property
    def words(self) -> str:
        if self.logarithmic:
            return "log10"
        return f"in units of 1e{self.exponent}" if self.exponent else ""


def chart(evidence: Evidence) -> str:
    """A fenced block of at most 40 points, ending in a line end; empty for fewer than three finite values or a single step."""
    pairs = list(zip(evidence.steps, evidence.values, strict=False))
    finite = [(step, _as_saved(value)) for step, value in pairs if math.isfinite(value)]
    if len(finite) < LEAST_POINTS:
        return ""
    first, last = min(step for step, _ in finite), max(step for step, _ in finite)
    if not 0 < last - first < _EXACT:
        return ""
    # Nanoseconds since 1970, say, are more than a float tells apart.
    origin = 0 if max(abs(first), abs(last)) < _EXACT else first
    axis = _text(evidence.axis, 20) or "step"
    scale = _scale([value for _, value in finite])
    drawn = [(step - origin, scale.drawn(value)) for step, value in finite]
    logged = len({step for step, _ in pairs if first <= step <= last})
    values = _on_grid(drawn, first - origin, last - origin, logged)
    low, high, decimals = _range(values)
    what = evidence.series if evidence.statistic == "value" else f"{in_words(evidence.statistic)} of {evidence.series}"
    notes = [scale.words, "values that are not finite left out" if len(finite) < len(pairs) else ""]
    title = ", ".join([_text(what) or "series", *(note for note in notes if note)])
    return (
        "```mermaid\n"
        f"{_COLOR}\n"
        "xychart-beta\n"
        f'    title "{title}"\n'
        f'    x-axis "{f"{axis} after {origin}" if origin else axis}" {first - origin} --> {last - origin}\n'
        f'    y-axis "{scale.words or "value"}" {_number(low, decimals)} --> {_number(high, decimals)}\n'
        f"    line [{', '.join(_number(value, decimals) for value in values)}]\n"
        "```\n"
    )


def _as_saved(value: float) -> float:
    """A number as the JSON report has it, with seven digits: `mlcheck render` must draw the chart that the scan drew."""
    return float(f"{value:.6e}")


def _scale(values: Sequence[float]) -> _Scale:
    low, high = min(values), max(values)
    if low > 0 and math.log10(high) - math.log10(low) > math.log10(_LOG_RANGE):
        return _Scale(True, 0)
    largest = max(abs(low), abs(high))
    if largest == 0 or _PLAIN[0] <= largest < _PLAIN[1]:
        return _Scale(False, 0)
    return _Scale(False, max(math.floor(math.log10(largest)), _SMALLEST_EXPONENT))


def _on_grid(points: Sequence[tuple[int, float]], first: int, last: int, most: int) -> list[float]:
    """At most `most` values, at equal distances from the first step to the last.

    Each place shows, of the points nearest to it, the one farthest from the median of all, so that no spike is lost; a place
    without any lies on the line between its neighbours.
    """
    count = _places(min(MOST_POINTS, most), first, last)
    middle = sorted(value for _, value in points)[len(points) // 2]
    found: dict[int, float] = {}
    for step, value in points:
        # In whole numbers: halves are rounded the same way everywhere.
        place = (2 * (step - first) * (count - 1) + (last - first)) // (2 * (last - first))
        if place not in found or abs(value - middle) > abs(found[place] - middle):
            found[place] = value
    known = sorted(found)
    values = [found[known[0]]]
    for left, right in pairwise(known):
        rise = (found[right] - found[left]) / (right - left)
        values += [found[left] + rise * (place - left) for place in range(left + 1, right)] + [found[right]]
    return values


def _places(most: int, first: int, last: int) -> int:
    """The largest number of points, at most `most`, that every version of Mermaid draws.

    Version 11.4, for one, adds up the distance between points in floating point, and where the sum passes the end of the axis the
    last point is gone (xychartDb.ts, transformDataWithoutCategory; 11.17 multiplies).
    """
    for count in range(most, 2, -1):
        distance, place, reached = (last - first) / (count - 1), float(first), 0
        while place <= last and reached <= count:
            place += distance
            reached += 1
        if reached == count:
            return count
    return 2


def _range(values: Sequence[float]) -> tuple[float, float, int]:
    """The y-axis, which must not be empty, and the decimals that tell its values apart."""
    low, high = min(values), max(values)
    size = max(abs(low), abs(high))
    if high - low < _FLAT * max(size, 1.0):
        half = size / 2 if size > _FLAT else 0.5
        low, high = low - half, high + half
    decimals = _DIGITS - math.floor(math.log10(high - low))
    decimals = min(max(decimals, 0), _MOST_DECIMALS)
    return round(low, decimals), round(high, decimals), decimals


def _number(value: float, decimals: int) -> str:
    text = f"{value:.{decimals}f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _text(text: str, limit: int = 60) -> str:
    """What may stand between the quotes of a title: letters, digits and a few signs; the rest, which Mermaid might obey, as `_`."""
    return "".join(c if c.isalnum() or c in _HARMLESS else "_" for c in clean(text, limit)).strip()
