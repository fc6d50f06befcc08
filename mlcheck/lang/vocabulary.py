"""The closed vocabulary of the rule language: functions with their arguments, labels, aggregates."""

from collections.abc import Mapping
from types import MappingProxyType

CONSTANTS: Mapping[str, float] = MappingProxyType({"nan": float("nan"), "inf": float("inf")})
"""Names that are numbers."""

SIGNATURES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "abs": ("x",),
        "log10": ("x",),
        "sqrt": ("x",),
        "minimum": ("a", "b"),
        "maximum": ("a", "b"),
        "isfinite": ("x",),
        "where": ("c", "a", "b"),
        "only": ("x", "c"),
        "cost": ("x",),
        "step": ("x",),
        "wall_time": ("x",),
        "progress": ("x",),
        "prev": ("x", "k=1"),
        "diff": ("x",),
        "lag": ("x", "n"),
        "held": ("x", "c"),
        "points_since": ("c",),
        "rolling_mean": ("x", "n"),
        "rolling_median": ("x", "n"),
        "rolling_max": ("x", "n"),
        "rolling_quantile": ("x", "n", "q"),
        "lowest_so_far": ("x",),
        "cumulative_sum": ("x",),
        "first": ("x",),
        "last": ("x",),
        "min": ("x",),
        "max": ("x",),
        "mean": ("x",),
        "median": ("x",),
        "quantile": ("x", "q"),
        "std": ("x",),
        "sum": ("x",),
        "count": ("x",),
        "noise": ("x",),
        "among": ("x", "label", "aggregate", "n=…"),
    }
)
"""The 35 functions with the names of their arguments; one with `=` may be left out."""

JOIN_LABELS = frozenset({"run", "worker", "layer", "param", "metric", "group", "category", "feature", "repeat"})
"""The labels that `among` may reduce over: those that inputs are joined on (language.md, fixes 4 and 11)."""

AGGREGATES = frozenset({"first", "last", "min", "max", "mean", "median", "sum", "count", "largest"})
"""How `among` may reduce; `largest` alone takes the fourth argument."""

REPLACEMENTS: Mapping[str, str] = MappingProxyType(
    {
        "rolling_min": "-rolling_max(-x, n)",
        "rolling_std": "1.4826 * rolling_median(abs(x - level), n)",
        "rolling_mad": "rolling_median(abs(x - level), n)",
        "highest_so_far": "-lowest_so_far(-x)",
        "best_so_far": "lowest_so_far(cost(x))",
        "points_since_best": "points_since(x < prev(lowest_so_far(x)) - delta)",
        "fraction_true": "mean(c)",
        "ewm": "rolling_median(x, n)",
        "isnan": "x != x",
        "log": "2.302585 * log10(x)",
        "nanmean": "mean(x)",
    }
)
"""What to write instead of functions that people know from elsewhere."""


def argument_counts(function: str) -> tuple[int, int]:
    """The least and the greatest number of arguments of a function of the vocabulary."""
    arguments = SIGNATURES[function]
    return sum("=" not in argument for argument in arguments), len(arguments)
