"""Values of the rule language: a column on an axis, or a scalar."""

from collections.abc import Hashable, MutableMapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mlcheck.lang.kept import Kept, remembered
from mlcheck.lang.whole import finite
from mlcheck.records import dataclass, field


@dataclass(frozen=True, eq=False)
class Axis:
    """The steps that a column stands on. Two columns with the same Axis object are used as they are; others are aligned."""

    steps: NDArray[np.int64]
    """int64, shape (n,), ascending (repeats allowed)."""
    wall_times: NDArray[np.float64]
    """float64 seconds, shape (n,); NaN where unknown."""
    kind: str = "step"
    """step, epoch, sample or time. Columns of different kinds never meet by number."""
    run_first: float = 0.0
    """First step of the run on this kind of axis: `progress` and percentages count from it."""
    run_last: float = 0.0
    """Last step of the run on this kind of axis."""
    steps_per_epoch: float | None = None
    """How many of these steps make an epoch, where that is known; for the unit `epochs`."""
    memo: dict[str, NDArray[np.float64]] = field(default_factory=dict, repr=False)
    """Places of its points as functions give them: many rules ask for the same."""
    kept: Kept | None = field(default=None, repr=False)
    """What of such places, and of what functions made of columns on it, is kept; None: all."""
    place: int | None = None
    """A number that axes of one run with the same kind and steps share, where they are few and ascending; None: not known."""

    def __len__(self) -> int:
        return len(self.steps)


@dataclass(frozen=True, eq=False)
class Column:
    """A column of values on an axis."""

    values: NDArray[np.float64] | NDArray[np.bool_]
    """float64 or bool, shape (n,)."""
    axis: Axis
    better: str | None = None
    """`lower`, `higher` or `none` where the input's role has a direction (for `cost`); kept by functions of one column."""
    memo: dict[tuple[str, float], Any] = field(default_factory=dict, repr=False)
    """What functions of this column and a number came to: many rules ask the same of the same series."""
    opposite: "Column | None" = field(default=None, repr=False)
    """The column whose negative this is, where it was made as that: what is known of one is known of the other."""

    @property
    def finite(self) -> NDArray[np.float64]:
        """Its finite values, float64, shape (k,); looked for once however many aggregates are asked for."""
        return remembered(
            self.memo,
            ("finite", 0.0),
            self.axis.kept,
            lambda: finite(np.asarray(self.values, dtype=np.float64)),
            lambda found: 0 if found is self.values else found.nbytes,
        )


Value = Column | float | bool


class Scope(Protocol):
    """Where names get their values while a rule is evaluated for one combination of series."""

    def lookup(self, name: str) -> Value:
        """The value of an input, a parameter or one of the names of severities and messages.

        A missing optional input is its `else`, or NaN. Raises KeyError for a name that is not there.
        """
        ...

    def over(self, names: frozenset[str], label: str) -> "Sequence[Scope]":
        """One scope per member for `among`: the series of the named inputs that agree on all join labels but `label`.

        In order of the label's order attribute where it is known. Empty when there is no member.
        """
        ...

    def group(self, names: frozenset[str], label: str) -> Hashable | None:
        """What decides which members `over` gives and what the named inputs are in them.

        Two scopes of one rule with equal groups reduce to the same value: a layer is compared with the median layer, and there is one
        median for all of them. None where nothing may be shared, an empty tuple where all scopes of the rule are one group.
        """
        ...

    def is_common(self, name: str) -> bool:
        """Whether a name has the same value in all scopes of the rule: a parameter, a fact of the run."""
        ...

    @property
    def shared(self) -> MutableMapping[Hashable, Value]:
        """What the scopes of one rule share: reductions by expression and group."""
        ...


class Inapplicable(Exception):
    """The combination cannot be judged, with the reason that the report gives: kind is `axis` or `direction`."""

    def __init__(self, kind: str, reason: str) -> None:
        self.kind = kind
        self.reason = reason
        super().__init__(reason)
