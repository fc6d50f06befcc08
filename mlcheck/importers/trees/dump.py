"""A model dump of whatever library, taken apart."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from mlcheck.importers.trees.forest import Malformed, Tree
from mlcheck.records import dataclass, field

DAMAGE = (Malformed, KeyError, TypeError, ValueError, IndexError, OverflowError, AttributeError)
"""What taking a damaged dump apart raises."""


@dataclass(frozen=True)
class Dump:
    """The trees of a model by round, and what else the dump says."""

    rounds: Sequence[Sequence[Tree]]
    features: Sequence[str] = ()
    """All features where the dump lists them, else none."""
    groups: Mapping[str, str] = field(default_factory=dict)
    """Importances that the library knows, by name; see `forest.importance_series`."""
    facts: Mapping[str, str | float | bool] = field(default_factory=dict)
    writer: str = ""
    """XGBoost or LightGBM."""


def numbers(value: Any) -> list[float]:
    """A list of numbers. Raises Malformed."""
    if isinstance(value, list) and all(isinstance(one, int | float) and not isinstance(one, bool) for one in value):
        return [float(one) for one in value]
    raise Malformed("a list of numbers is something else")


def wholes(value: Any) -> list[int]:
    """A list of whole numbers. Raises Malformed."""
    found = numbers(value)
    if all(math.isfinite(one) and one.is_integer() for one in found):
        return [int(one) for one in found]
    raise Malformed("a list of whole numbers is something else")


def by_round(trees: Sequence[Tree], per_round: int) -> list[Sequence[Tree]]:
    """Trees of which each round grows the same number."""
    size = max(per_round, 1)
    return [trees[start : start + size] for start in range(0, len(trees), size)]
