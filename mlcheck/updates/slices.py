"""The same flips class by class and slice by slice, with p-values adjusted for there being many."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from mlcheck.records import dataclass, replace
from mlcheck.updates.base import Measure
from mlcheck.updates.columns import slice_columns, slice_values
from mlcheck.updates.flip_measure import WEIGHTED, Population, flip_measure
from mlcheck.updates.intervals import adjusted
from mlcheck.updates.join import Joined
from mlcheck.updates.outcome import Outcomes
from mlcheck.updates.prediction_settings import PredictionSettings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LABEL = "label"


@dataclass(frozen=True, eq=False)
class Grouping:
    """One way to slice joined examples."""

    name: str
    """The column, or `label`."""
    numbers: "NDArray[np.int64]"
    """shape (n,): the number of each example's slice; -1: none."""
    values: tuple[str, ...]
    """The slices by number."""


def groupings(joined: Joined, outcomes: Outcomes, settings: PredictionSettings) -> list[Grouping]:
    """By label, where there are classes, and by each column to slice by."""
    found = []
    if settings.by_label and outcomes.labels is not None:
        found.append(Grouping(LABEL, outcomes.labels, outcomes.classes))
    for name in slice_columns(joined, settings):
        numbers, values = slice_values(joined, name)
        found.append(Grouping(name, numbers, tuple(values)))
    return found


@dataclass(frozen=True)
class Sliced:
    """What slicing one population gave."""

    measures: tuple[Measure, ...]
    """`slice_flips`, labels `group` (the column, or `label`) and `category` (its value)."""
    too_small: int
    """Slices with fewer than min_n examples: measured, not tested."""
    left_out: int
    """Slices beyond the most_slices largest ones of a column: not measured."""


def slice_measures(
    population: Population,
    rows: "NDArray[np.bool_]",
    outcomes: Outcomes,
    grouped: list[Grouping],
    settings: PredictionSettings,
    prefix: str,
    labels: Mapping[str, str],
) -> Sliced:
    """Measure every slice of a population. rows: bool, shape (n,): those of the population among all joined examples.

    `mcnemar_p_worse_adjusted` is over all slices of all columns that are tested together. A slice below min_n has rates and no tests or
    intervals: they are undefined, with its size as the reason.
    """
    found: list[Measure] = []
    too_small = left_out = 0
    for one, grouping, value in _parts(population, rows, outcomes, grouped, settings.most_slices):
        if one is None:
            left_out += 1
            continue
        name = f"{prefix}/{grouping}={value}"
        measure = flip_measure(one, settings, "slice_flips", name, {**labels, "group": grouping, "category": value})
        if len(one) < settings.min_n:
            too_small += 1
            measure = _untested(measure, settings.min_n)
        found.append(measure)
    return Sliced(tuple(_adjusted(found, settings)), too_small, left_out)


def _parts(
    population: Population, rows: "NDArray[np.bool_]", outcomes: Outcomes, grouped: list[Grouping], most: int
) -> "Iterator[tuple[Population | None, str, str]]":
    """Each slice with its column and value; None for the population where there are too many slices."""
    import numpy as np

    for name, (old, new) in sorted(outcomes.by_label.items()):
        yield replace(population, old_right=old[rows], new_right=new[rows], differs=old[rows] != new[rows]), LABEL, name
    for grouping in grouped:
        numbers = grouping.numbers[rows]
        order = np.argsort(numbers, kind="stable")
        found, starts, counts = np.unique(numbers[order], return_index=True, return_counts=True)
        largest = set(np.argsort(-counts, kind="stable")[:most].tolist())
        for place, (number, start, count) in enumerate(zip(found, starts, counts, strict=True)):
            if number < 0:
                continue
            value = grouping.values[number]
            part = population.where(order[start : start + count]) if place in largest else None
            yield part, grouping.name, value


TESTED_ENDINGS = ("_low", "_high")
TESTS = ("mcnemar_p", "mcnemar_p_worse")


def _untested(measure: Measure, least: int) -> Measure:
    why = f"{measure.columns['examples']:,.0f} of at least {least:,} examples"
    dropped = [key for key in measure.columns if key.endswith(TESTED_ENDINGS) or key in TESTS]
    return replace(
        measure,
        columns={key: value for key, value in measure.columns.items() if key not in dropped},
        undefined={**measure.undefined, **dict.fromkeys(dropped, why)},
    )


def _adjusted(measures: list[Measure], settings: PredictionSettings) -> Iterator[Measure]:
    key = "mcnemar_p_worse"
    raw = [one.columns[key] for one in measures if key in one.columns]
    values = iter(adjusted(raw, settings.adjust))
    for one in measures:
        if key in one.columns:
            yield replace(one, columns={**one.columns, f"{key}_adjusted": float(next(values)), "slices": len(raw)})
        else:
            yield replace(one, undefined={**one.undefined, f"{key}_adjusted": one.undefined.get(key, WEIGHTED)})
