"""From what was judged and measured to a report."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from mlcheck.records import replace
from mlcheck.report import Measurement, Note, Report, SourceStatus

if TYPE_CHECKING:
    from mlcheck.engine.run import RunPart
    from mlcheck.engine.select import Selected
    from mlcheck.updates.base import Measure


COUNTS = ("old_only", "new_only")
"""Two counts, of which neither was the other before."""


def report_of(
    parts: "Sequence[RunPart]",
    selected: "Sequence[Selected]",
    sources: Sequence[SourceStatus],
    notes: Sequence[Note],
    measures: "Sequence[Measure]",
) -> Report:
    """The report of a comparison."""
    from mlcheck.engine.assemble import assemble

    return replace(assemble(parts, selected, sources, notes), measurements=tuple(measurements(measures)))


def measurements(measures: "Sequence[Measure]") -> Iterator[Measurement]:
    """Every statistic with its interval and its counterpart in the baseline, by the names of the columns.

    `best_low` and `best_high` are the interval of `best`; `base_best`, `best_old` and `old_best` what it was before.
    """
    for one in measures:
        columns: Mapping[str, float] = one.columns
        is_slice = "category" in one.labels
        for name, value in columns.items():
            if _belongs(name, columns):
                continue
            yield Measurement(
                subject=one.name,
                statistic=name,
                value=value,
                base=next((columns[key] for key in _before(name) if key in columns), None),
                low=columns.get(f"{name}_low"),
                high=columns.get(f"{name}_high"),
                headline=name in one.headline and not is_slice,
            )
        for name, why in one.undefined.items():
            if not _belongs(name, one.undefined) and not _belongs(name, columns):
                yield Measurement(one.name, name, None, note=why, headline=name in one.headline and not is_slice)


def _before(name: str) -> tuple[str, ...]:
    before = (f"base_{name}", f"{name}_old")
    return (*before, f"old_{name.removeprefix('new_')}") if name not in COUNTS else before


def _belongs(name: str, names: Mapping[str, object]) -> bool:
    """Whether a statistic is the bound, or the old value, of another one."""
    bare = name.removesuffix("_low").removesuffix("_high")
    if bare != name and bare in names:
        return True
    old = name.removeprefix("base_").removesuffix("_old")
    if old != name and old in names:
        return True
    return name not in COUNTS and name.startswith("old_") and f"new_{name.removeprefix('old_')}" in names
