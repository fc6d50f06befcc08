"""What retraining alone does: relative negative flips between models of one recipe that differ in their seed."""

from collections.abc import Sequence
from itertools import combinations, permutations
from typing import TYPE_CHECKING

from mlcheck.records import dataclass, replace
from mlcheck.updates.base import ComparisonError
from mlcheck.updates.bootstrap import cells_of, intervals
from mlcheck.updates.flip_measure import Population, cells_flags
from mlcheck.updates.flips import rates_of_sums
from mlcheck.updates.join import Joined, join
from mlcheck.updates.outcomes import outcomes_of
from mlcheck.updates.prediction_settings import PredictionSettings
from mlcheck.updates.table import PredictionTable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LEAST_OVERLAP = 0.5
MOST_SEEDS = 20
RATIO = "relative_to_seed_floor"
STATISTICS = (
    *("seeds", "seed_pairs", "seed_examples", "seed_negative_flip_rate", "seed_relative_negative_flip_rate"),
    *("seed_relative_negative_flip_rate_lowest", "seed_relative_negative_flip_rate_highest"),
    *(RATIO, f"{RATIO}_low", f"{RATIO}_high"),
)


@dataclass(frozen=True, eq=False)
class Seeds:
    """Dumps of models of one recipe, on the joined examples."""

    right: "NDArray[np.bool_]"
    """shape (s, n)."""
    known: "NDArray[np.bool_]"
    """shape (n,): examples that all of them hold."""

    def where(self, rows: "NDArray[np.bool_]") -> "Seeds":
        """The same with these examples."""
        return Seeds(self.right[:, rows], self.known[rows])


def read_seeds(joined: Joined, tables: Sequence[PredictionTable], settings: PredictionSettings) -> Seeds | None:
    """What each seed's model does on the joined examples; None without labels.

    Raises ComparisonError for a dump that shares fewer than half of the examples, or whose labels differ.
    """
    import numpy as np

    if len(tables) > MOST_SEEDS:
        raise ComparisonError(f"{len(tables)} dumps of seeds; at most {MOST_SEEDS} are compared")
    n = len(joined)
    right, known = np.zeros((len(tables), n), dtype=bool), np.ones(n, dtype=bool)
    told, assumed = settings.thresholds[0], settings.assumed_thresholds[0]
    own = replace(settings, thresholds=(told, told), assumed_thresholds=(assumed, assumed))
    for place, table in enumerate(tables):
        paired = join(joined.old, table)
        if len(paired) < LEAST_OVERLAP * n:
            raise ComparisonError(
                f"{table.path}: holds {len(paired):,} of the {n:,} joined examples; a floor needs models on the same examples"
            )
        outcomes = outcomes_of(paired.old, paired.new, own)
        if outcomes.new_right is None or outcomes.judged is None:
            return None
        there = np.zeros(n, dtype=bool)
        there[paired.old_rows] = outcomes.judged
        right[place, paired.old_rows] = outcomes.new_right
        known &= there
    return Seeds(right, known)


@dataclass(frozen=True)
class _Pairs:
    """The sums that the flips of an update and of all ordered pairs of seeds come from."""

    count: int
    """Seeds."""

    @property
    def ordered(self) -> list[tuple[int, int]]:
        """First the old one, then the new one."""
        return list(permutations(range(self.count), 2))

    @property
    def halves(self) -> list[tuple[int, int]]:
        """Each pair once."""
        return list(combinations(range(self.count), 2))

    def columns_of(self, flags: "Sequence[NDArray[np.bool_]]") -> "list[NDArray[np.bool_]]":
        """The update's cells, where each seed is right, and where both of each pair are."""
        seeds = flags[2:]
        both = (seeds[one] & seeds[other] for one, other in self.halves)
        return [*cells_flags(flags[0], flags[1]), *seeds, *both]

    def tables_of(self, sums: "NDArray[np.float64]") -> "NDArray[np.float64]":
        """The four cells of the update and of each ordered pair, shape (draws, 1 + pairs, 4)."""
        import numpy as np

        n = sums[:, :4].sum(axis=1)
        both = {pair: sums[:, 4 + self.count + place] for place, pair in enumerate(self.halves)}
        found = [sums[:, :4]]
        for one, other in self.ordered:
            first, second = sums[:, 4 + one], sums[:, 4 + other]
            shared = both[min(one, other), max(one, other)]
            found.append(np.stack([shared, first - shared, second - shared, n - first - second + shared], axis=1))
        return np.stack(found, axis=1)

    def ratio(self, sums: "NDArray[np.float64]") -> "dict[str, NDArray[np.float64]]":
        """The update's relative negative flip rate over the mean of the pairs; NaN where undefined."""
        import numpy as np

        relative = rates_of_sums(self.tables_of(sums))["relative_negative_flip_rate"]
        floor = relative[:, 1:].mean(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            return {RATIO: np.where(floor > 0, relative[:, 0] / floor, np.nan)}


def seed_floor(
    population: Population, seeds: Seeds, settings: PredictionSettings
) -> tuple[dict[str, float], dict[str, str]]:
    """The floor, and how far the update lies above it, on the examples that all dumps hold.

    seed_relative_negative_flip_rate (the floor): mean of the relative NFR over ordered pairs of seeds; relative_to_seed_floor: the
    update's relative NFR over it, with a bootstrap interval in which examples (or clusters) are drawn for both at once.
    """
    import numpy as np

    count = len(seeds.right)
    if count < 2:
        return {"seeds": float(count)}, dict.fromkeys(
            STATISTICS[1:], f"a floor needs two seeds or more; {count} is given"
        )
    rows = np.flatnonzero(seeds.known)
    part = population.where(rows)
    if not len(rows) or (part.weights is not None and not part.weights.sum() > 0):
        why = "no example is in all dumps of seeds, or none that has a weight"
        return {"seeds": float(count)}, dict.fromkeys(STATISTICS[1:], why)
    pairs = _Pairs(count)
    flags = [part.old_right, part.new_right, *seeds.right[:, rows]]
    cells, members = cells_of(flags, pairs.columns_of, part.clusters, part.weights)
    whole = (members @ cells)[None, :]
    columns, undefined = _levels(pairs, whole, len(rows))
    ratio = float(pairs.ratio(whole)[RATIO][0])
    if undefined or np.isnan(ratio):
        why = next(iter(undefined.values()), "the models of the seeds never flip, or the update's rate is undefined")
        return columns, {**undefined, **dict.fromkeys((RATIO, f"{RATIO}_low", f"{RATIO}_high"), why)}
    bounds, without = intervals(cells, members, pairs.ratio, settings.bootstrap)
    columns[RATIO] = ratio
    if RATIO in bounds:
        columns |= {f"{RATIO}_low": bounds[RATIO][0], f"{RATIO}_high": bounds[RATIO][1]}
        return columns, {}
    return columns, dict.fromkeys((f"{RATIO}_low", f"{RATIO}_high"), without[RATIO])


def _levels(pairs: _Pairs, whole: "NDArray[np.float64]", examples: int) -> tuple[dict[str, float], dict[str, str]]:
    """What the seeds do among each other."""
    import numpy as np

    found = {name: values[0, 1:] for name, values in rates_of_sums(pairs.tables_of(whole)).items()}
    columns = {
        "seeds": float(pairs.count),
        "seed_pairs": float(len(pairs.ordered)),
        "seed_examples": float(examples),
        "seed_negative_flip_rate": float(found["negative_flip_rate"].mean()),
    }
    relative = found["relative_negative_flip_rate"]
    floor = "seed_relative_negative_flip_rate"
    if np.isnan(relative).any():
        why = "a seed's model is never right, or never wrong"
        return columns, dict.fromkeys((floor, f"{floor}_lowest", f"{floor}_highest"), why)
    columns |= {
        floor: float(relative.mean()),
        f"{floor}_lowest": float(relative.min()),
        f"{floor}_highest": float(relative.max()),
    }
    return columns, {}
