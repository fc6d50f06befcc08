"""How predictions of two models are compared: everything but limits, which are parameters of rules."""

from collections.abc import Mapping

from mlcheck.records import dataclass, field
from mlcheck.updates.bootstrap import BootstrapSettings
from mlcheck.updates.intervals import Adjust, Level, Paired
from mlcheck.updates.outcome import OutcomeSettings


@dataclass(frozen=True)
class PredictionSettings(OutcomeSettings):
    """Settings of `measure_predictions` and `measure_forgetting`."""

    cluster: str | None = None
    """Column of what is drawn as one by the bootstrap (dialogue, user, video). None: `group_id` where it is there; empty: each example."""
    slices: tuple[str, ...] | None = None
    """Columns to slice by. None: all that are called `slice_...`."""
    by_label: bool = True
    """Every class is a slice too."""
    min_n: int = 30
    """Smaller slices are counted, not judged."""
    most_slices: int = 1000
    """Largest slices of one column that are measured; the others are counted."""
    adjust: Adjust = "holm"
    """How p-values of several slices are adjusted."""
    interval: Level = "clopper-pearson"
    """Of rates. Where examples are clustered, the wider of this and the bootstrap holds: it takes examples to be independent."""
    paired_interval: Paired = "newcombe"
    """Of the change of the accuracy."""
    mid_p: bool = False
    """McNemar's test by mid-p: less conservative than the exact one."""
    confidence: float = 0.95
    draws: int = 1000
    """Of the bootstrap."""
    confident_gap: float = 0.5
    """A flip is confident where the probability of the label changes by at least so much (type II, AWS)."""
    boundary_gap: float = 0.1
    """It is one at the boundary where it changes by at most so much (type I, AWS)."""
    graded: tuple[str, ...] | None = None
    """Columns with a score of each example. None: all that are called `<metric>/score` or `<metric>/<version>/score` (MLflow)."""
    lower_is_better: tuple[str, ...] = ()
    """Those of them where less is better."""
    ranges: Mapping[str, float] = field(default_factory=dict)
    """Range of a graded metric. Left out: 1 where all values are from 0 to 1, 100 where they are from 0 to 100, else what is seen."""
    dead_band: float = 0.02
    """A smaller change of a graded score, as a share of the metric's range, is none."""

    @property
    def bootstrap(self) -> BootstrapSettings:
        """The same, as the bootstrap has it."""
        return BootstrapSettings(self.draws, self.confidence)
