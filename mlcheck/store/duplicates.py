"""Series that a run holds twice: in an event file, and in a table or a log that its framework wrote beside it.

They are one series. The event file's is kept, since it knows wall times, unless the other has more of the history; which file holds
a copy is said in the reason of its status, so that nothing disappears without a word.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from mlcheck.records import replace
from mlcheck.report import SourceStatus
from mlcheck.store import labels as words
from mlcheck.store.series import Floats, Series

COPYING = frozenset({"csv", "tsv", "jsonl", "json", "trainer_state", "console", "parquet"})
"""Formats whose files may repeat what another file of the run holds."""

FEWER = 0.5
"""A series with fewer than this share of its copy's points gives way to it: its file holds only a part."""
SAME_VALUE = 1e-3
"""Relative difference under which two values are one: event files hold float32, logs are rounded."""
COMPARED = 64
"""Series of one role and split up to which values are compared, where names differ."""
FEWEST = 3
"""Points at common steps that make two series of different names the same."""
ABSOLUTE = 1e8
"""Seconds: wall times below are counted from the beginning of the run."""

Key = tuple[str, ...]


def without_copies(
    series: Sequence[Series], sources: Sequence[SourceStatus]
) -> tuple[list[Series], list[SourceStatus]]:
    """The series with each only once, and the sources with what their files repeat.

    Two series are the same when role, split, worker and quantity are, or when they have one role and the same values at all common
    steps. Wall times that count from the beginning of the run are left out beside such that are dates.
    """
    if all(one.hints.origin is None for one in series):
        return list(series), list(sources)
    dropped: dict[int, Series] = {}
    kept: dict[Key, list[Series]] = defaultdict(list)
    # Event files first; among tables the first to appear.
    for one in sorted(series, key=lambda one: one.hints.origin is not None):
        if one.hints.origin is None:
            kept[_group(one)].append(one)
            continue
        group = kept[_group(one)]
        at = next((at for at, other in enumerate(group) if _same(one, other, len(group))), None)
        if at is None:
            group.append(one)
        elif len(group[at]) < FEWER * len(one):
            dropped[id(group[at])], group[at] = one, one
        else:
            dropped[id(one)] = group[at]
    rest = _renamed(_with_dates([one for one in series if id(one) not in dropped]))
    return rest, _told(sources, series, dropped)


def _group(one: Series) -> Key:
    return (one.kind, one.role, one.labels.get("split", ""), one.labels.get("worker", ""))


def _same(one: Series, other: Series, many: int) -> bool:
    if one.hints.origin == other.hints.origin:
        return False
    if _quantity(one) == _quantity(other):
        frequencies = {one.labels.get("freq"), other.labels.get("freq")} - {None}
        return len(frequencies) <= 1
    return many <= COMPARED and one.role != "other" and _same_values(one, other)


def _quantity(one: Series) -> Key:
    metric = one.labels.get("metric")
    if metric is None:
        metric = words.take_split(words.normalise(one.tag)).core.removeprefix("epoch ")
    return (metric, *(one.labels.get(label, "") for label in ("group", "layer", "param", "smoothed")))


def _same_values(one: Series, other: Series) -> bool:
    mine, first = np.unique(one.steps, return_index=True)
    its, second = np.unique(other.steps, return_index=True)
    common, left, right = np.intersect1d(mine, its, assume_unique=True, return_indices=True)
    if len(common) < FEWEST:
        return False
    a, b = _values(one)[first][left], _values(other)[second][right]
    if len(np.unique(a[np.isfinite(a)])) < FEWEST:
        return False
    return bool(np.isclose(a, b, rtol=SAME_VALUE, atol=0, equal_nan=True).all())


def _values(one: Series) -> Floats:
    return one.columns.get("value", np.full(len(one), np.nan))


def _with_dates(series: Sequence[Series]) -> list[Series]:
    """Times that count from the beginning of a run cannot stand beside dates."""
    kinds = [_is_dated(one) for one in series]
    if not (True in kinds and False in kinds):
        return list(series)
    return [
        replace(one, wall_times=np.full(len(one), np.nan)) if dated is False else one
        for one, dated in zip(series, kinds, strict=True)
    ]


def _is_dated(one: Series) -> bool | None:
    known = one.wall_times[np.isfinite(one.wall_times)]
    return bool(known.max() >= ABSOLUTE) if len(known) else None


def _renamed(series: Sequence[Series]) -> list[Series]:
    """`train/loss#2` without the number where the series that had the name is gone."""
    taken = {one.name for one in series}
    result = []
    for one in series:
        plain, number, _ = one.name.rpartition("#")
        if number and one.hints.origin is not None and plain not in taken and plain.endswith(one.tag):
            taken.add(plain)
            one = replace(one, name=plain)
        result.append(one)
    return result


def _told(
    sources: Sequence[SourceStatus], series: Iterable[Series], dropped: Mapping[int, Series]
) -> list[SourceStatus]:
    """The sources, each with the series of its file that another one holds as well, or of which it holds more."""
    copies: dict[str, list[tuple[Series, Series]]] = defaultdict(list)
    longer: dict[str, list[Series]] = defaultdict(list)
    for one in series:
        if id(one) not in dropped:
            continue
        if one.hints.origin is None:
            longer[dropped[id(one)].hints.origin or ""].append(one)
        else:
            copies[one.hints.origin].append((one, dropped[id(one)]))
    result = []
    for source in sources:
        said = [source.reason] if source.reason else []
        if source.path in copies:
            said.append(_copy_text(copies[source.path]))
        if source.path in longer:
            said.append(f"read for {_names(longer[source.path])}, of which the event file holds less")
        result.append(replace(source, reason="; ".join(said)) if said else source)
    return result


def _copy_text(pairs: Sequence[tuple[Series, Series]]) -> str:
    """`3 series are those of the event file (train/loss, …)`."""
    where = sorted({other.hints.origin or "the event file" for _, other in pairs})
    many = "1 series is that" if len(pairs) == 1 else f"{len(pairs):,} series are those"
    return f"{many} of {' and '.join(where)}: {_names([one for one, _ in pairs])}"


def _names(series: Sequence[Series]) -> str:
    return ", ".join(one.tag for one in series[:3]) + (", …" if len(series) > 3 else "")
