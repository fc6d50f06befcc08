"""The flips of one population of examples as a measure: rates, tests and intervals."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from mlcheck.records import dataclass
from mlcheck.updates.base import Measure
from mlcheck.updates.bootstrap import cells_of, intervals
from mlcheck.updates.flips import CELLS, REASONS, FlipCounts, rates, rates_of_sums
from mlcheck.updates.intervals import mcnemar, paired_difference_interval, proportion_interval
from mlcheck.updates.prediction_settings import PredictionSettings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

WEIGHTED = "examples have weights; exact tests count examples"
DRAWN = (
    *("relative_negative_flip_rate", "negative_flip_impact", "backward_trust_compatibility"),
    *("backward_error_compatibility", "old_error_retention", "avoidable_negative_flip_rate"),
)
"""Statistics whose interval only the bootstrap gives."""
CHURN = ("churn_rate", "wrong_churn_rate", "negative_flip_rate_multiclass")
BOUNDED = (*DRAWN, "negative_flip_rate", "positive_flip_rate", "accuracy_change", "churn_rate")
"""Statistics with an interval."""
STATISTICS = (
    *("clusters", "labelled", "weighted", "mcnemar_p", "mcnemar_p_worse", "error_rate_old", "error_rate_new"),
    *(*CELLS, *REASONS, *CHURN, *BOUNDED),
    *(f"{name}_{end}" for name in BOUNDED for end in ("low", "high")),
)
"""All that `flip_measure` may give, beside `examples`."""
HEADLINE = (
    "examples",
    "negative_flips",
    "positive_flips",
    "relative_negative_flip_rate",
    "accuracy_change",
    "churn_rate",
)


@dataclass(frozen=True, eq=False)
class Population:
    """Examples that are judged together. All arrays of shape (n,)."""

    old_right: "NDArray[np.bool_]"
    new_right: "NDArray[np.bool_]"
    differs: "NDArray[np.bool_] | None" = None
    clusters: "NDArray[np.int64] | None" = None
    weights: "NDArray[np.float64] | None" = None

    def __len__(self) -> int:
        return len(self.old_right)

    def where(self, rows: "NDArray[np.bool_] | NDArray[np.int64]") -> "Population":
        """The same with these examples."""
        return Population(
            self.old_right[rows],
            self.new_right[rows],
            None if self.differs is None else self.differs[rows],
            None if self.clusters is None else self.clusters[rows],
            None if self.weights is None else self.weights[rows],
        )

    def counts(self) -> FlipCounts:
        """Examples in each cell."""
        import numpy as np

        both = int(np.count_nonzero(self.old_right & self.new_right))
        old, new = int(np.count_nonzero(self.old_right)), int(np.count_nonzero(self.new_right))
        return FlipCounts(both, old - both, new - both, len(self) - old - new + both)

    def weighted(self) -> FlipCounts:
        """Sums of weights in each cell; examples where there are none."""
        if self.weights is None:
            return self.counts()
        return FlipCounts(*(float(self.weights[cell].sum()) for cell in cells_flags(self.old_right, self.new_right)))


def cells_flags(old: "NDArray[np.bool_]", new: "NDArray[np.bool_]") -> "list[NDArray[np.bool_]]":
    """Which examples are in each cell, in the order of CELLS."""
    return [old & new, old & ~new, ~old & new, ~old & ~new]


def flip_measure(
    population: Population, settings: PredictionSettings, role: str, name: str, labels: Mapping[str, str]
) -> Measure:
    """Rates, exact tests and intervals. See `flips.rates_of_sums`; beside these:

    - examples, clusters, the four cells as counts of examples
    - churn_rate: predictions that are not the same; wrong_churn_rate: both wrong and not the same;
      negative_flip_rate_multiclass = negative_flip_rate + wrong_churn_rate: the new one is wrong, and not as the old one was
    - mcnemar_p, mcnemar_p_worse: exact, two-sided and of the new model being worse
    - `<rate>_low`, `<rate>_high`: the interval at `settings.confidence`
    """
    counts = population.counts()
    if population.weights is not None and not population.weights.sum() > 0:
        undefined = dict.fromkeys(STATISTICS, "the examples have no weight")
        return Measure(role, name, {"examples": float(len(population))}, undefined, labels)
    clusters = len(population) if population.clusters is None else _distinct(population.clusters)
    columns: dict[str, float] = {"examples": len(population), "clusters": clusters, "labelled": 1.0}
    columns |= {cell: getattr(counts, cell) for cell in CELLS}
    columns["weighted"] = float(population.weights is not None)
    values, undefined = rates(population.weighted())
    columns |= values
    columns |= churn(population)
    bounds, why = _intervals(population, counts, settings)
    for statistic, (low, high) in bounds.items():
        columns |= {f"{statistic}_low": low, f"{statistic}_high": high}
    for statistic, reason in why.items():
        undefined |= {f"{statistic}_{end}": undefined.get(statistic, reason) for end in ("low", "high")}
    tests, untested = _tests(counts, population, settings)
    return Measure(role, name, columns | tests, undefined | untested, labels, headline=HEADLINE)


def _distinct(numbers: "NDArray[np.int64]") -> int:
    import numpy as np

    return len(np.unique(numbers))


def churn(population: Population) -> dict[str, float]:
    """Rates of predictions that changed, where predictions are known."""
    if population.differs is None:
        return {}
    wrong = ~population.old_right & ~population.new_right & population.differs
    negative = population.old_right & ~population.new_right
    return {
        "churn_rate": share(population.differs, population.weights),
        "wrong_churn_rate": share(wrong, population.weights),
        "negative_flip_rate_multiclass": share(wrong | negative, population.weights),
    }


def share(flags: "NDArray[np.bool_]", weights: "NDArray[np.float64] | None") -> float:
    """Share of the examples, or of their weight, that have the flag."""
    return float(flags.mean() if weights is None else weights[flags].sum() / weights.sum())


def _tests(
    counts: FlipCounts, population: Population, settings: PredictionSettings
) -> tuple[dict[str, float], dict[str, str]]:
    if population.weights is not None:
        return {}, dict.fromkeys(("mcnemar_p", "mcnemar_p_worse"), WEIGHTED)
    both, worse = mcnemar(int(counts.negative_flips), int(counts.positive_flips), mid_p=settings.mid_p)
    return {"mcnemar_p": both, "mcnemar_p_worse": worse}, {}


def _intervals(
    population: Population, counts: FlipCounts, settings: PredictionSettings
) -> tuple[dict[str, tuple[float, float]], dict[str, str]]:
    drawn, undefined = _drawn(population, settings)
    if population.weights is not None:
        return drawn, undefined
    found = {name: drawn[name] for name in DRAWN if name in drawn}
    undefined = {name: why for name, why in undefined.items() if name in DRAWN}
    exact = _exact(population, counts, settings)
    if population.clusters is None:
        return found | exact, undefined
    # Exact intervals take examples to be independent; those of a bootstrap over clusters collapse where nothing flips.
    wider = {
        name: (min(low, drawn.get(name, (low, high))[0]), max(high, drawn.get(name, (low, high))[1]))
        for name, (low, high) in exact.items()
    }
    return found | wider, undefined


def _exact(population: Population, counts: FlipCounts, settings: PredictionSettings) -> dict[str, tuple[float, float]]:
    cells = [int(getattr(counts, cell)) for cell in CELLS]
    n = len(population)
    levels = {"negative_flip_rate": cells[1], "positive_flip_rate": cells[2]}
    if population.differs is not None:
        levels["churn_rate"] = int(population.differs.sum())
    found = {
        name: proportion_interval(count, n, settings.confidence, settings.interval) for name, count in levels.items()
    }
    found["accuracy_change"] = paired_difference_interval(
        cells[0], cells[1], cells[2], cells[3], settings.confidence, settings.paired_interval
    )
    return found


def _drawn(
    population: Population, settings: PredictionSettings
) -> tuple[dict[str, tuple[float, float]], dict[str, str]]:
    flags = [population.old_right, population.new_right]
    if population.differs is not None:
        flags.append(population.differs)
    cells, members = cells_of(flags, _columns, population.clusters, population.weights)
    return intervals(cells, members, _statistics, settings.bootstrap)


def _columns(flags: "Sequence[NDArray[np.bool_]]") -> "list[NDArray[np.bool_]]":
    return [*cells_flags(flags[0], flags[1]), *flags[2:]]


def _statistics(sums: "NDArray[np.float64]") -> "dict[str, NDArray[np.float64]]":
    import numpy as np

    found = rates_of_sums(sums[:, :4])
    found = {name: column for name, column in found.items() if name in BOUNDED}
    if sums.shape[1] > 4:
        # A draw may hold nothing but examples without weight.
        with np.errstate(invalid="ignore"):
            found["churn_rate"] = sums[:, 4] / sums[:, :4].sum(axis=1)
    return found


def unlabelled_measure(
    differs: "NDArray[np.bool_]",
    clusters: "NDArray[np.int64] | None",
    weights: "NDArray[np.float64] | None",
    why: str,
    settings: PredictionSettings,
    name: str,
    labels: Mapping[str, str],
) -> Measure:
    """Churn alone, of dumps without labels; everything else is undefined for the reason given."""
    import numpy as np

    nothing = np.zeros(len(differs), dtype=bool)
    whole = flip_measure(
        Population(nothing, nothing, differs, clusters, weights), settings, "prediction_flips", name, labels
    )
    kept = ("examples", "clusters", "weighted", "churn_rate", "churn_rate_low", "churn_rate_high")
    columns = {key: whole.columns[key] for key in kept if key in whole.columns}
    undefined = {key: why for key in STATISTICS if key not in (*columns, "labelled")}
    return Measure(
        "prediction_flips", name, {**columns, "labelled": 0.0}, undefined, labels, headline=("examples", "churn_rate")
    )
