"""Statistics of tensors by their keys: a name, with its arguments put in (`quantile(0.95)`), taken apart."""

import re
from collections.abc import Sequence
from functools import cached_property, lru_cache
from typing import NamedTuple

from mlcheck.records import dataclass

PLAIN = frozenset(
    {
        *("count", "nan", "inf", "nonfinite", "zeros", "min", "max", "mean", "std", "abs_mean", "abs_max", "l2"),
        *("hash", "whole", "distinct", "equal_rows", "fan_in", "channels", "samples", "update_l2"),
        *("channel_zero", "channel_constant", "channel_mean_max"),
        *("channel_std_max", "channel_std_min", "channel_shift_max"),
    }
)
"""Statistics without arguments."""

SHAPE_ALONE = frozenset({"count", "fan_in", "channels", "samples"})
"""Statistics for which no value need be read."""

_BY_SHAPE = frozenset({"fan_in", "channels", "samples", "equal_rows"})
_SUMMED = frozenset(
    {"nan", "inf", "nonfinite", "zeros", "min", "max", "mean", "std", "abs_mean", "abs_max", "l2", "whole"}
)
_KEY = re.compile(r"^([a-z_0-9]+)\(([^()]*)\)$")
_TRUE = ("true", "1")
_EPSILON = "1e-9"
"""What is added to the norm of a weight where `update_ratio` has no argument (rule WGT002)."""
_TOLERANCES = ("1e-5", "1e-8")
"""rtol and atol of numpy.isclose, where `changed` has no arguments."""


class Tolerance(NamedTuple):
    """What counts as unchanged, as in numpy.isclose."""

    relative: float
    absolute: float
    equal_nan: bool = False


class Range(NamedTuple):
    """Values at or beyond its ends are outside; a unit is where at least `share` of its values are."""

    low: float
    high: float
    share: float


@dataclass(frozen=True)
class Wanted:
    """What is to be computed of one tensor."""

    plain: frozenset[str]
    quantiles: tuple[tuple[str, float], ...] = ()
    """Key and q, from 0 to 1."""
    shares: tuple[tuple[str, float], ...] = ()
    """Key and value of `share_equal`."""
    ratios: tuple[tuple[str, float], ...] = ()
    """Key and epsilon of `update_ratio`."""
    tolerances: tuple[tuple[str, Tolerance], ...] = ()
    """Key and tolerance of `changed`."""
    ranges: tuple[tuple[str, Range], ...] = ()
    """Key and range of `units_outside`."""

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """All keys, sorted."""
        parts: Sequence[Sequence[tuple[str, object]]] = (
            self.quantiles,
            self.shares,
            self.ratios,
            self.tolerances,
            self.ranges,
        )
        return tuple(sorted(self.plain.union(*([key for key, _ in part] for part in parts))))

    @cached_property
    def values(self) -> bool:
        """Whether the values must be read; else the shape says all."""
        return not SHAPE_ALONE.issuperset(self.columns)

    @cached_property
    def sums(self) -> bool:
        """Whether the finite values are to be told from the others and summed."""
        return bool(self.shares) or not _SUMMED.isdisjoint(self.plain)

    @cached_property
    def tallied(self) -> tuple[str, ...]:
        """Keys of shares of values."""
        return (*(["whole"] if "whole" in self.plain else []), *(key for key, _ in self.shares))

    @cached_property
    def compared(self) -> tuple[str, ...]:
        """Keys that need the tensor at the step before."""
        update = ["update_l2"] if "update_l2" in self.plain else []
        return (*update, *(key for key, _ in self.ratios), *(key for key, _ in self.tolerances))

    @cached_property
    def before(self) -> bool:
        """Whether the tensor at the step before is needed."""
        return bool(self.compared)

    @cached_property
    def by_shape(self) -> bool:
        """Whether anything depends on more than the number of values."""
        return bool(self.channels or self.ranges) or not _BY_SHAPE.isdisjoint(self.plain)

    @cached_property
    def channels(self) -> frozenset[str]:
        """Statistics over units, but for their number."""
        return frozenset(key for key in self.plain if key.startswith("channel_"))

    @cached_property
    def streams(self) -> bool:
        """Whether all of it can be added up over pieces, and rows compared by sums of theirs: no array need be held."""
        return not (self.quantiles or self.ranges or self.channels or self.plain & {"distinct", "hash"})

    @cached_property
    def total(self) -> bool:
        """Whether the sum of the values is needed."""
        return not self.plain.isdisjoint(("mean", "std"))

    @cached_property
    def spread(self) -> bool:
        """Whether the sum of squared deviations is needed."""
        return "std" in self.plain

    @cached_property
    def squares(self) -> bool:
        """Whether the sum of squares is."""
        return not self.plain.isdisjoint(("l2", "std"))


@lru_cache(maxsize=256)
def wanted(keys: frozenset[str]) -> Wanted:
    """What the keys ask for, and always `count`. A key that no tensor answers is left out, and so has no column."""
    quantiles, shares, ratios, tolerances, ranges = [], [], [], [], []
    for key in sorted(keys):
        found = _KEY.match(key)
        name, arguments = (found[1], found[2].split(",")) if found else (key, [])
        if name == "quantile" and (one := _numbers(arguments, 1)) and 0 <= one[0] <= 1:
            quantiles.append((key, one[0]))
        elif name == "share_equal" and (one := _numbers(arguments, 1)):
            shares.append((key, one[0]))
        elif name == "update_ratio" and (one := _numbers(arguments or [_EPSILON], 1)):
            ratios.append((key, one[0]))
        elif name == "units_outside" and (one := _numbers(arguments, 3)):
            ranges.append((key, Range(*one)))
        elif name == "changed" and (one := _numbers((arguments or _TOLERANCES)[:2], 2)) and len(arguments) <= 3:
            equal_nan = len(arguments) == 3 and arguments[2].strip().lower() in _TRUE
            tolerances.append((key, Tolerance(one[0], one[1], equal_nan)))
    plain = (keys & PLAIN) | {"count"}
    return Wanted(plain, tuple(quantiles), tuple(shares), tuple(ratios), tuple(tolerances), tuple(ranges))


def _numbers(arguments: Sequence[str], count: int) -> list[float]:
    """The arguments as numbers; none where there are more or fewer, or one is no number."""
    try:
        found = [float(one) for one in arguments]
    except ValueError:
        return []
    return found if len(found) == count and all(one == one for one in found) else []
