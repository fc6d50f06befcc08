"""Measures of detection and diagnosis, over verdicts; no files, no tools.

A run is positive when a fault was planted, and detected when the tool has a row at the level or above. Sources: Youden, Index for rating
diagnostic tests, 1950 (J = recall - false-alarm rate); Matthews, Comparison of the predicted and observed secondary structure of T4 phage
lysozyme, 1975; Field and Welsh, Bootstrapping clustered data, 2007 (whole clusters are drawn, here recipes, since the seeds of one recipe
are no independent witnesses).
"""

import dataclasses
import math
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from bench.accuracy.verdicts import Row, Verdict

DRAWS = 2000
INTERVAL = 0.95


@dataclass(frozen=True)
class Counts:
    """The four cells of a two-by-two table of runs."""

    hits: int
    """Faulty and detected."""
    misses: int
    """Faulty and not detected."""
    false_alarms: int
    """Healthy and alarmed."""
    quiet: int
    """Healthy and not alarmed."""

    @property
    def recall(self) -> float:
        """Share of faulty runs that were detected; NaN without faulty runs."""
        return _share(self.hits, self.hits + self.misses)

    @property
    def false_alarm_rate(self) -> float:
        """Share of healthy runs that were alarmed; NaN without healthy runs."""
        return _share(self.false_alarms, self.false_alarms + self.quiet)

    @property
    def youden(self) -> float:
        """Recall minus false-alarm rate: 0 for a tool that does not look, 1 for a perfect one."""
        return self.recall - self.false_alarm_rate

    @property
    def matthews(self) -> float:
        """Correlation of what was planted with what was said, -1 to 1; 0 where a row or a column of the table is empty."""
        product = (
            (self.hits + self.false_alarms)
            * (self.hits + self.misses)
            * (self.quiet + self.false_alarms)
            * (self.quiet + self.misses)
        )
        if product == 0:
            return 0.0
        return (self.hits * self.quiet - self.false_alarms * self.misses) / math.sqrt(product)


def counts(verdicts: Iterable[Verdict], level: str) -> Counts:
    """The table of what was planted and what was said at a level or above."""
    cells = [(one.label.faulty, one.alarms(level)) for one in verdicts]
    return Counts(
        hits=cells.count((True, True)),
        misses=cells.count((True, False)),
        false_alarms=cells.count((False, True)),
        quiet=cells.count((False, False)),
    )


def top(verdicts: Iterable[Verdict], first: int) -> float:
    """Share of detected faulty runs (a row at warning or above) with a rule that names the fault among the first rows; NaN without."""
    detected = [one for one in verdicts if one.label.faulty and one.alarms("warning")]
    return _share(sum(one.hit(first) for one in detected), len(detected))


def median_rows(verdicts: Iterable[Verdict]) -> float:
    """Median number of rows at warning or above of the detected faulty runs; NaN without."""
    sizes = [len(one.at("warning")) for one in verdicts if one.label.faulty and one.alarms("warning")]
    return float(statistics.median(sizes)) if sizes else math.nan


def always_alarm(verdicts: Iterable[Verdict]) -> list[Verdict]:
    """What a tool would say that calls every run faulty and names nothing: recall 1, false-alarm rate 1, J 0."""
    return [Verdict(one.label, (Row("always-alarm", "error"),)) for one in verdicts]


@dataclass(frozen=True)
class Estimate:
    """A measure with its bootstrap interval."""

    value: float
    low: float
    high: float


def with_interval(
    verdicts: Sequence[Verdict], level: str, measure: Callable[[Counts], float], draws: int = DRAWS, seed: int = 0
) -> Estimate:
    """A measure of detection at a level and its percentile interval over `draws` samples of recipes, drawn with replacement.

    Healthy and faulty recipes are drawn apart, so that each sample has as many of both; all seeds of a drawn recipe come along. NaN where
    the measure has no value.
    """
    import numpy as np

    generator = np.random.default_rng(seed)
    totals = np.zeros((draws, 4), dtype=np.int64)
    for faulty in (True, False):
        cells = [dataclasses.astuple(counts(one, level)) for one in clusters(verdicts, faulty)]
        if cells:
            drawn = generator.integers(0, len(cells), (draws, len(cells)))
            totals += np.array(cells)[drawn].sum(axis=1)
    values = np.array([measure(Counts(*map(int, one))) for one in totals])
    low, high = np.quantile(values, [(1 - INTERVAL) / 2, (1 + INTERVAL) / 2])
    return Estimate(measure(counts(verdicts, level)), float(low), float(high))


def clusters(verdicts: Iterable[Verdict], faulty: bool) -> list[list[Verdict]]:
    """The verdicts on faulty or on healthy runs by recipe, in order of first appearance."""
    found: dict[str, list[Verdict]] = {}
    for one in verdicts:
        if one.label.faulty is faulty:
            found.setdefault(one.label.recipe, []).append(one)
    return list(found.values())


def by_kind(verdicts: Iterable[Verdict]) -> dict[str, list[Verdict]]:
    """The verdicts on faulty runs by kind of fault, in alphabetical order."""
    found: dict[str, list[Verdict]] = {}
    for one in verdicts:
        if one.label.faulty:
            found.setdefault(one.label.kind, []).append(one)
    return dict(sorted(found.items()))


def missed(verdicts: Iterable[Verdict]) -> list[Verdict]:
    """Faulty runs without a row at error: at most a warning, or nothing."""
    return [one for one in verdicts if one.label.faulty and not one.alarms("error")]


def false_alarms(verdicts: Iterable[Verdict]) -> list[Verdict]:
    """Healthy runs with a row at warning or above."""
    return [one for one in verdicts if not one.label.faulty and one.alarms("warning")]


def wrongly_named(verdicts: Iterable[Verdict]) -> list[Verdict]:
    """Detected faulty runs whose first row at warning or above does not name the fault."""
    return [one for one in verdicts if one.label.faulty and one.alarms("warning") and not one.hit(1)]


def _share(part: int, whole: int) -> float:
    return part / whole if whole else math.nan
