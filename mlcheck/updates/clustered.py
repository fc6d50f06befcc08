"""Intervals for examples that come in clusters: dialogues, users, videos. Two turns of one dialogue are no two witnesses."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from mlcheck.records import dataclass, field
from mlcheck.updates.bootstrap import BootstrapSettings, cluster_sums, distinct, intervals
from mlcheck.updates.rewrite_settings import RewriteSettings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]


NO_OLD = "one dump alone has nothing to fall behind: give the old model's dump too"


@dataclass(frozen=True)
class Facts:
    """Statistics while they are gathered: what is not a number is left out, with the reason."""

    columns: dict[str, float] = field(default_factory=dict)
    undefined: dict[str, str] = field(default_factory=dict)

    def put(self, name: str, value: float, why: str = "") -> None:
        """Add a statistic; why: the reason if it is NaN."""
        if value == value:
            self.columns[name] = float(value)
        else:
            self.undefined[name] = why

    def put_interval(self, name: str, low: float, high: float, why: str = "") -> None:
        """Add the bounds of a statistic as `<name>_low` and `<name>_high`."""
        self.put(f"{name}_low", low, why)
        self.put(f"{name}_high", high, why)

    def put_undefined(self, names: Sequence[str], why: str) -> None:
        """Add statistics that have no value, nor bounds."""
        for name in names:
            for end in ("", "_low", "_high"):
                self.put(f"{name}{end}", float("nan"), why)

    def put_all(self, values: Mapping[str, float]) -> None:
        """Add statistics that always have a value."""
        for name, value in values.items():
            self.put(name, value, "not a number")


def share(part: float, whole: float) -> float:
    """part / whole, NaN where there is nothing to share: undefined is never 0."""
    return part / whole if whole else float("nan")


def share_interval(part: "Floats", whole: "Floats", clusters: "Ints", confidence: float) -> tuple[float, float]:
    """Bounds of sum(part) / sum(whole), with part one of 0..whole in each example: Clopper-Pearson for the effective number.

    The number is divided by the design effect, the variance between clusters over that of independent units, if it is above 1 (Korn and
    Graubard, Survey Methodology 24, 1998). With each example its own cluster and whole 1 it is Clopper-Pearson's interval itself. NaN twice
    without a unit.
    part, whole, clusters: shape (n,); clusters are codes from 0.
    """
    import numpy as np
    from scipy.stats import beta

    total = float(whole.sum())
    if not total:
        return float("nan"), float("nan")
    rate = float(part.sum()) / total
    parts, wholes = (np.bincount(clusters, weights=one) for one in (part, whole))
    count = int((wholes > 0).sum())
    effective = total
    if (wholes <= 1).all():
        # Each unit alone: Clopper-Pearson.
        pass
    elif 0 < rate < 1 and count > 1:
        between = count / (count - 1) * float(np.square(parts - rate * wholes).sum()) / total**2
        effective = total / max(1.0, between / (rate * (1 - rate) / total))
    else:
        # All alike: nothing tells how much alike the units of a cluster are, so that each cluster counts once.
        effective = float(count)
    hits, misses = rate * effective, (1 - rate) * effective
    tail = (1 - confidence) / 2
    low = float(beta.ppf(tail, hits, misses + 1)) if hits > 0 else 0.0
    high = float(beta.ppf(1 - tail, hits + 1, misses)) if misses > 0 else 1.0
    return low, high


def put_share(
    facts: Facts,
    name: str,
    part: "NDArray[np.bool_] | Floats",
    whole: "NDArray[np.bool_] | Floats",
    clusters: "Ints",
    confidence: float,
    why: str = "nothing to measure",
) -> None:
    """Add sum(part) / sum(whole) with the bounds of `share_interval`; why: the reason if there is nothing to share."""
    parts, wholes = part.astype(float), whole.astype(float)
    facts.put(name, share(float(parts.sum()), float(wholes.sum())), why)
    facts.put_interval(name, *share_interval(parts, wholes, clusters, confidence), why)


def put_estimates(
    facts: Facts,
    columns: "Sequence[Floats]",
    clusters: "Ints",
    statistics: "Callable[[Floats], Mapping[str, Floats]]",
    settings: RewriteSettings,
    reasons: Mapping[str, str],
) -> None:
    """Add statistics of summed columns, each with the bounds of its percentile bootstrap over clusters as `_low` and `_high`.

    columns: each of shape (n,), a count or sum of each example; clusters: shape (n,), codes from 0. statistics: from sums of shape
    (draws, k) to values of shape (draws,), NaN where undefined. reasons: why each can be undefined.
    """
    import numpy as np

    cells, members = distinct(cluster_sums(columns, clusters))
    bounds, unbounded = intervals(cells, members, statistics, BootstrapSettings(settings.draws, settings.confidence))
    totals = np.array([[float(np.sum(one, dtype=np.float64)) for one in columns]])
    for name, value in statistics(totals).items():
        why = reasons.get(name, "nothing to measure")
        facts.put(name, float(value[0]), why)
        low, high = bounds.get(name, (float("nan"), float("nan"))) if name in facts.columns else (float("nan"),) * 2
        facts.put_interval(name, low, high, unbounded.get(name, why) if name in facts.columns else why)


def ratio(part: "Floats", whole: "Floats") -> "Floats":
    """part / whole elementwise, NaN where there is nothing to share."""
    import numpy as np

    found: Floats = np.full(np.broadcast(part, whole).shape, np.nan)
    return np.divide(part, whole, out=found, where=whole != 0)


def codes(names: Sequence[str]) -> "Ints":
    """Number of each name in the order of the sorted names."""
    import numpy as np

    return np.unique(np.asarray(names, dtype=np.str_), return_inverse=True)[1].astype(np.int64).reshape(-1)
