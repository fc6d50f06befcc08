"""Which metrics measure the same thing under different names: label `family`, by the table in data/families.toml.

Rules ask for a family (`accuracy`) rather than for every name that people give its members (`acc`, `top1`, `token_accuracy`).
"""

from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from typing import NamedTuple

from mlcheck.records import replace
from mlcheck.store.series import Series
from mlcheck.store.tables import Pattern, table

_MEASURES = frozenset({"metric", "error_metric"})
PER_CLASS = "per_class"
"""The family of what measures one class alone."""


class Family(NamedTuple):
    """An entry of the table."""

    name: str
    metric: Pattern
    unless: Pattern | None
    note: str


@cache
def known_families() -> Mapping[str, Family]:
    """The families by name, in the order in which they are tried."""
    return {
        one["name"]: Family(
            one["name"], Pattern(one["metric"]), Pattern(one["unless"]) if "unless" in one else None, one["note"]
        )
        for one in table("families")["family"]
    }


@cache
def _never() -> Pattern:
    return Pattern(table("families")["never"])


@lru_cache(maxsize=4096)
def family_of(metric: str) -> str | None:
    """The family of a metric by its label (`top1_acc`): the first whose pattern matches; None where none does."""
    words = metric.replace("_", " ")
    if _never().search(words):
        return None
    for family in known_families().values():
        if family.metric.search(words) and not (family.unless and family.unless.search(words)):
            return family.name
    return None


def with_families(series: Sequence[Series]) -> list[Series]:
    """The series with the label `family` on each metric and error metric that is of one; what the user says of it stays."""
    return [_with_family(one) if one.role in _MEASURES and "family" not in one.labels else one for one in series]


def _with_family(one: Series) -> Series:
    family = family_of(one.labels.get("metric", ""))
    return replace(one, labels={**one.labels, "family": family}) if family else one
