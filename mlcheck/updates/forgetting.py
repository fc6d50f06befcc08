"""What one training run learned and forgot: the flips between its own checkpoints.

Source of forgetting events: Toneva et al., An Empirical Study of Example Forgetting during Deep Neural Network Learning, ICLR 2019.
"""

from typing import TYPE_CHECKING

from mlcheck.records import dataclass, replace
from mlcheck.updates.base import Measure
from mlcheck.updates.flip_measure import Population
from mlcheck.updates.flips import rates
from mlcheck.updates.intervals import mcnemar, paired_difference_interval, proportion_interval
from mlcheck.updates.join import Joined, join
from mlcheck.updates.outcomes import outcomes_of
from mlcheck.updates.prediction_settings import PredictionSettings
from mlcheck.updates.predictions import has_predictions
from mlcheck.updates.table import PredictionTable, steps_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LEAST_STEPS = 2
TOTAL_HEADLINE = ("steps", "best_step", "last_step", "regret_rate", "gained_rate", "never_learnt_rate")


def forgetting_applies(table: PredictionTable) -> bool:
    """Whether a dump has labels and predictions at two steps or more."""
    return table.has("step", "label") and has_predictions(table) and len(_steps(table)) >= LEAST_STEPS


def measure_forgetting(one: PredictionTable, settings: PredictionSettings | None = None) -> list[Measure]:
    """`forgetting` of each split of one run's dump of several steps, over the examples that all its steps hold.

    One row a step, from the second: error_rate, negative_flip_rate, positive_flip_rate and churn_rate against the step before. And
    `forgetting/total`:

    - examples, left_out (examples that some step lacks), steps, last_step, best_step (fewest errors; of equal ones the last)
    - forgetting_events (right at a step and wrong at the next), forgetting_events_per_example
    - never_learnt_rate: wrong at all steps; forgotten_rate: right at some step, wrong at the last
    - regret_rate = P(right at the best step, wrong at the last), with its interval; gained_rate = P(wrong at the best, right at the last)
    - accuracy_change from the best step to the last, with its interval
    - mcnemar_p_worse of the last step against the best one, and mcnemar_p_worse_adjusted: times the number of earlier steps (Bonferroni),
      since the best was picked among them

    Raises ComparisonError as `measure_predictions` does. Fewer than two steps: nothing is measured.
    """
    told = settings or PredictionSettings()
    steps = _steps(one)
    if len(steps) < LEAST_STEPS:
        return []
    last = _at(one, steps[-1])
    found: list[Measure] = []
    history = [(step, join(last, _at(one, step))) for step in steps[:-1]]
    splits = sorted(set(join(last, last).splits.tolist()))
    learned = _histories(last, history, told)
    if learned is None:
        why = "neither labels nor a tolerance tell what is right"
        return [Measure("forgetting", "forgetting/total", {"steps": float(len(steps))}, {"regret_rate": why})]
    for split in splits:
        rows = learned.splits == split
        labels = {"split": split}
        prefix = "forgetting" if len(splits) == 1 else f"forgetting/{split}"
        found += _of_split(learned, rows, steps, told, prefix, labels)
    return found


LAST = (1 << 63) - 1
"""Stands for the step of rows that state none: the final ones."""


def _steps(table: PredictionTable) -> list[int]:
    has_final = table.has("step") and table.table.column("step").null_count > 0
    return [*steps_of(table), *([LAST] if has_final else [])]


def _at(table: PredictionTable, step: int) -> PredictionTable:
    import pyarrow.compute as pc

    column = table.table.column("step")
    rows = pc.is_null(column) if step == LAST else pc.fill_null(pc.equal(column, step), False)
    return replace(table, table=table.table.filter(rows))


@dataclass(frozen=True, eq=False)
class _History:
    """Every step on the examples of the last one."""

    right: "NDArray[np.bool_]"
    """shape (steps, n)."""
    changed: "NDArray[np.bool_]"
    """shape (steps - 1, n): another prediction than at the step before."""
    known: "NDArray[np.bool_]"
    """shape (n,): examples that all steps hold."""
    splits: "NDArray[np.str_]"


def _histories(
    last: PredictionTable, history: list[tuple[int, Joined]], settings: PredictionSettings
) -> "_History | None":
    import numpy as np

    whole = join(last, last)
    n = len(whole)
    right = np.zeros((len(history) + 1, n), dtype=bool)
    changed = np.zeros((len(history), n), dtype=bool)
    known = np.ones(n, dtype=bool)
    previous: Joined | None = None
    for place, (_, paired) in enumerate([*history, (0, whole)]):
        outcomes = outcomes_of(paired.old, paired.new, settings)
        if outcomes.new_right is None or outcomes.judged is None:
            return None
        rows = _places(whole, paired)
        there = np.zeros(n, dtype=bool)
        there[rows] = outcomes.judged
        known &= there
        right[place, rows] = outcomes.new_right
        if previous is not None:
            _mark_changed(changed[place - 1], whole, previous, paired, settings)
        previous = paired
    return _History(right, changed, known, whole.splits)


def _places(whole: Joined, paired: Joined) -> "NDArray[np.int64]":
    """Where the examples of a join with the last step are among all of the last step's."""
    import numpy as np

    place = np.empty(len(whole), dtype=np.int64)
    place[whole.old_rows] = np.arange(len(whole))
    return np.asarray(place[paired.old_rows])


def _mark_changed(
    changed: "NDArray[np.bool_]", whole: Joined, before: Joined, after: Joined, settings: PredictionSettings
) -> None:
    import numpy as np

    shared, first, second = np.intersect1d(
        _places(whole, before), _places(whole, after), assume_unique=True, return_indices=True
    )
    differs = outcomes_of(before.new.taken(first), after.new.taken(second), settings).differs
    if differs is not None:
        changed[shared] = differs


def _of_split(
    learned: _History,
    rows: "NDArray[np.bool_]",
    steps: list[int],
    settings: PredictionSettings,
    prefix: str,
    labels: dict[str, str],
) -> list[Measure]:
    import numpy as np

    keep = rows & learned.known
    left_out = int(rows.sum()) - int(keep.sum())
    right = learned.right[:, keep]
    total = f"{prefix}/total"
    if not keep.any():
        why = "no example is in all steps"
        return [Measure("forgetting", total, {"left_out": float(left_out)}, {"regret_rate": why}, labels)]
    shown = [*steps[:-1], steps[-1] if steps[-1] != LAST else steps[-2] + 1]
    found = []
    for place in range(1, len(steps)):
        pair = Population(right[place - 1], right[place], learned.changed[place - 1, keep])
        values, _ = rates(pair.counts())
        columns = {
            "error_rate": values["error_rate_new"],
            "negative_flip_rate": values["negative_flip_rate"],
            "positive_flip_rate": values["positive_flip_rate"],
            "churn_rate": float(np.mean(learned.changed[place - 1, keep])),
        }
        found.append(Measure("forgetting", prefix, columns, labels=labels, step=shown[place]))
    columns = {"left_out": float(left_out), **_total(right, shown, settings)}
    return [*found, Measure("forgetting", total, columns, labels=labels, headline=TOTAL_HEADLINE)]


def _total(right: "NDArray[np.bool_]", steps: list[int], settings: PredictionSettings) -> dict[str, float]:
    import numpy as np

    n = right.shape[1]
    correct = right.sum(axis=1)
    best = int(np.flatnonzero(correct == correct.max())[-1])
    counts = Population(right[best], right[-1]).counts()
    cells = (int(counts.both_right), int(counts.negative_flips), int(counts.positive_flips), int(counts.both_wrong))
    events = int((right[:-1] & ~right[1:]).sum())
    low, high = proportion_interval(cells[1], n, settings.confidence, settings.interval)
    change_low, change_high = paired_difference_interval(*cells, settings.confidence, settings.paired_interval)
    p_worse = mcnemar(cells[1], cells[2], mid_p=settings.mid_p)[1]
    return {
        "examples": float(n),
        "steps": float(len(steps)),
        "best_step": float(steps[best]),
        "last_step": float(steps[-1]),
        "error_rate_best": 1 - float(correct[best]) / n,
        "error_rate_last": 1 - float(correct[-1]) / n,
        "forgetting_events": float(events),
        "forgetting_events_per_example": events / n,
        "never_learnt_rate": float(np.mean(~right.any(axis=0))),
        "forgotten_rate": float(np.mean(right.any(axis=0) & ~right[-1])),
        "negative_flips": float(cells[1]),
        "positive_flips": float(cells[2]),
        "regret_rate": cells[1] / n,
        "regret_rate_low": low,
        "regret_rate_high": high,
        "gained_rate": cells[2] / n,
        "accuracy_change": (cells[2] - cells[1]) / n,
        "accuracy_change_low": change_low,
        "accuracy_change_high": change_high,
        "mcnemar_p_worse": p_worse,
        "mcnemar_p_worse_adjusted": min(1.0, p_worse * (len(steps) - 1)),
    }
