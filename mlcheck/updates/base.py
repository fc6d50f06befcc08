"""What a comparison measures: facts with labels, whose undefined values carry their reason instead of a number."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from mlcheck.errors import UsageError
from mlcheck.records import dataclass, field

if TYPE_CHECKING:
    from mlcheck.store.series import Series


class ComparisonError(UsageError):
    """Dumps that cannot be compared (exit 2): names the files, the counts and the first offenders, and says what to do."""


@dataclass(frozen=True)
class Measure:
    """One row of facts of a comparison: what a rule's inputs bind to by role, labels and statistic."""

    role: str
    """A role of store/data/roles.toml, such as `prediction_flips`."""
    name: str
    """Unique in the comparison, as reports show it: `flips`, `flips/slice_locale=de`."""
    columns: Mapping[str, float]
    """Statistic to value; finite, or infinite where that is the definition. What is undefined is left out."""
    undefined: Mapping[str, str] = field(default_factory=dict)
    """Statistic to the reason why it has no value: `the old model is never right`."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """`split`, `metric`, `group` (the slice column, or `label`), `category` (its value), `repeat`."""
    step: int = 0
    headline: tuple[str, ...] = ()
    """Statistics that tables show; the others are in the JSON report."""


def facts(measures: Sequence[Measure]) -> "tuple[Series, ...]":
    """Measures as series that rules bind to: rows of one name, over their steps in the order given.

    A statistic that some row lacks is NaN there.
    """
    import numpy as np

    from mlcheck.store.series import Hints, Series

    grouped: dict[str, list[Measure]] = {}
    for one in measures:
        grouped.setdefault(one.name, []).append(one)
    found = []
    for name, rows in grouped.items():
        keys = dict.fromkeys(key for row in rows for key in row.columns)
        undefined = {key: why for row in rows for key, why in row.undefined.items() if key not in keys}
        found.append(
            Series(
                name=name,
                tag=name,
                part="",
                kind="fact",
                role=rows[0].role,
                labels={**rows[0].labels, "certainty": "exact"},
                reason="measured by the comparison",
                steps=np.array([row.step for row in rows], dtype=np.int64),
                wall_times=np.full(len(rows), np.nan),
                columns={key: np.array([row.columns.get(key, np.nan) for row in rows]) for key in keys},
                segments=np.zeros(1, dtype=np.int64),
                hints=Hints(undefined=tuple(undefined.items())),
            )
        )
    return tuple(found)
