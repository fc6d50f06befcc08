"""What a rule says of one combination of series, before severity and order."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mlcheck.lang.episodes import Span
from mlcheck.lang.values import Axis
from mlcheck.records import dataclass, field
from mlcheck.report import Severity
from mlcheck.store.series import Series

EXCESS_CAP = 6.0
"""Orders of magnitude beyond the limit that still make a difference in rank (language.md fix 23)."""

BORDERLINE = 0.2
"""Within 20 % of its limit a finding is one severity lower."""


@dataclass(frozen=True, eq=False)
class Skip:
    """A combination, or a whole rule, that could not be judged."""

    kind: str
    """`regime`, `input`, `unlogged`, `ambiguous`, `short`, `axis`, `direction`."""
    reason: str
    missing: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Passed:
    """A combination on which the rule holds."""

    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Errored:
    """A combination on which the rule itself failed."""

    reason: str
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Failed:
    """A combination on which the rule fails: where, how bad, and in which words."""

    labels: Mapping[str, str]
    series: Sequence[Series]
    """The series that were judged, the one that the condition stands on first."""
    axis: Axis
    spans: Sequence[Span]
    """Episodes as rows of the axis; one that covers everything for a run rule."""
    run_rule: bool
    healed: bool
    severity: Severity
    confidence_reasons: tuple[str, ...]
    value: float | None
    limit: float | None
    worst_row: int
    worst_by_span: Sequence[tuple[int, float | None]]
    """Per span the row of the worst point, and its value."""
    excess: float
    margin: float | None
    """value / limit turned so that more than 1 is beyond; None where the rule cannot tell."""
    message: str
    advice: str
    headline: str
    measure: str
    """What the value is, where it is not the value of the series."""
    is_event: bool
    """It happened and was over (a restart, a stall): nothing that came after is its cost."""
    evidence: Sequence[tuple[Series, str, str]]
    """Series, statistic and rows (`live` or `all`) to show."""


Verdict = Skip | Passed | Errored | Failed


def excess(value: NDArray[np.float64], limit: NDArray[np.float64], noise: float = 0.0) -> NDArray[np.float64]:
    """How far values lie beyond their limits, 0 to 6; float64, shape (n,) (language.md fix 23).

    |log10(value / limit)| where both are positive, infinite for NaN, else |value - limit| / max(|limit|, noise).
    """
    with np.errstate(all="ignore"):
        ratio = np.abs(np.log10(value / limit))
        scale = np.maximum(np.abs(limit), noise)
        plain = np.where(scale > 0, np.abs(value - limit) / scale, EXCESS_CAP)
        both = (value > 0) & (limit > 0)
        result = np.where(both, ratio, plain)
    result = np.where(np.isnan(value) | np.isnan(limit), EXCESS_CAP, result)
    # A value that is held against nothing lies beyond nothing.
    result = np.where(np.isnan(limit) & np.isfinite(value), 0.0, result)
    capped: NDArray[np.float64] = np.minimum(np.where(np.isnan(result), EXCESS_CAP, result), EXCESS_CAP)
    return capped
