"""Which loss of a run is the primary one: the total, the one that validation repeats, or the only one."""

import re
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from mlcheck.arrays import distinct
from mlcheck.records import replace
from mlcheck.store.series import Ints, Series
from mlcheck.store.unnamed import as_losses, with_log_losses, with_unnamed_objective

TOTALS = (
    "total_loss",
    "loss/total_loss",
    "loss/total",
    "total/loss",
    "loss_total",
    "overall_loss",
    "combined/loss",
    "total_cost",
    "loss",
    "lm_loss",
    "cost",
    "train_loss",
)
"""Names of totals, the surer first; as the label `metric` has them, without the split."""

ALIASES = frozenset({"perplexity", "ppl", "bpb", "bpc", "bpd", "bits_per_dim", "bits_per_byte", "bits_per_character"})
"""Other scales of a loss, not parts of it: neither primary beside the loss nor a component."""

OBJECTIVES = (
    "mse",
    "mean_squared_error",
    "l2",
    "huber",
    "smooth_l1",
    "log_cosh",
    "logcosh",
    "l1",
    "mae",
    "mean_absolute_error",
    "rmse",
    "root_mean_squared_error",
    "msle",
    "mean_squared_logarithmic_error",
    "rmsle",
    "mape",
    "mean_absolute_percentage_error",
    "smape",
    "error",
    "err",
)
"""Errors that a regression minimises, those first that are more often what is minimised and less often only looked at."""

_SQUARED_OR_ABSOLUTE = frozenset(OBJECTIVES) - {"error", "err"}

_OBJECTIVE_ROLES = frozenset(
    ["loss", "loss_component", "value_loss", "policy_loss", "elbo", "log_likelihood", "episode_reward"]
)

MIXED = 0.5
"""Share of steps with several different values from which a series is a mixture: two series under one tag, or no step at all."""

_NEVER_ALONE = frozenset({"kl", "kld", "penalty", "reg", "regularization", "regulariser"})
"""Parts that nothing is trained for by themselves: they rise while the task is learned."""
JUDGEABLE = 5
"""Points that a rule needs at the least to judge a curve."""


def steps_with_several_values(series: Series) -> Ints:
    """Steps at which a scalar has several values that differ, within one segment; int64, ascending, each once."""
    values = series.columns.get("value")
    if values is None:
        return series.steps[:0]
    same_step = np.diff(series.steps) == 0
    same_step[series.segments[1:] - 1] = False
    rows = np.flatnonzero(same_step)
    differ = (values[rows + 1] != values[rows]) & ~(np.isnan(values[rows + 1]) & np.isnan(values[rows]))
    return distinct(series.steps[rows[differ] + 1])


def is_mixture(series: Series) -> bool:
    """Whether at least `MIXED` of a scalar's steps hold several different values."""
    several = len(steps_with_several_values(series))
    return several > 0 and several >= MIXED * len(distinct(series.steps))


def with_primary(series: Sequence[Series]) -> list[Series]:
    """The series with `primary: true` on the primary loss in each split, and the parts of a total as `loss_component`.

    One loss of a run is primary, under the same name in every split: the only one; else the first of `TOTALS` that is there; else the
    only one of the training set that is called `loss` behind a path; else the one that both training and validation have. Smoothed
    copies, other scales (`ALIASES`) and mixtures of two series under one tag are none. A split without it whose only loss has another
    name (`train_loss` beside `val_cross_entropy`) has that as its primary. Where nothing tells a total, no loss is primary: shape rules
    then judge none, instead of all. Beside a policy's loss none is either: a total that holds it has no direction. Where there is no
    loss at all, an error that a regression minimises takes its
    place (`_with_objective`), so does the only part of a loss (`_with_lone_part`), and at last a curve of an unknown name
    (`with_unnamed_objective`).

    Of several series of that name in a split (`_step` and `_epoch`, two axes) the ones are kept that can be judged; see `_kept`.
    """
    series = _with_lone_part(_with_objective(with_log_losses(series)))
    if not _objectives(series):
        series = with_unnamed_objective(series)
    losses = [one for one in series if one.role == "loss" and one.kind == "scalar" and len(one)]
    mixed = {id(one) for one in losses if is_mixture(one)}
    usable = [
        one
        for one in losses
        if id(one) not in mixed and "smoothed" not in one.labels and one.labels.get("certainty") != "guess"
    ]
    if not usable:
        usable = [one for one in losses if id(one) not in mixed]
    name = None if any(one.role == "policy_loss" and len(one) for one in series) else _name(usable)
    chosen = _chosen(usable, name)
    result = []
    for one in series:
        labels, role, reason = dict(one.labels), one.role, one.reason
        if id(one) in mixed:
            labels["certainty"] = "guess"
            reason += "; several values at most steps: perhaps two series under one tag"
        elif id(one) in chosen:
            labels["primary"] = "true"
            reason += "; the primary loss"
        elif role == "loss" and one.kind == "scalar" and name is not None and _is_part(one, name):
            role, labels["better"] = "loss_component", "none"
            reason += f"; a part of {name}"
        changed = labels != one.labels or role != one.role
        result.append(replace(one, role=role, labels=labels, reason=reason) if changed else one)
    return result


def _objectives(series: Sequence[Series]) -> list[Series]:
    return [one for one in series if one.kind == "scalar" and len(one) and one.role in _OBJECTIVE_ROLES]


def _with_lone_part(series: Sequence[Series]) -> list[Series]:
    """The series with a loss that has the name of a part (`box_loss`) as the loss, where no other objective is logged."""
    logged = _objectives(series)
    trained = any(one.labels.get("split", "train") == "train" for one in logged)
    other = any(one.role == "error_metric" and _metric(one) in OBJECTIVES for one in series)
    if not trained or other or {(one.role, _metric(one)) for one in logged} != {("loss_component", _metric(logged[0]))}:
        return list(series)
    if not _NEVER_ALONE.isdisjoint(re.split("[_/]", _metric(logged[0]))):
        return list(series)
    return as_losses(series, {id(one): {"better": "lower"} for one in logged}, "the only loss logged")


def _with_objective(series: Sequence[Series]) -> list[Series]:
    """The series with an error metric as the loss, in every split, where a run logs nothing else that can be its objective.

    It must be one of `OBJECTIVES` and known of the training set. A plain `error` beside an accuracy is one minus that.
    """
    if _objectives(series):
        return list(series)
    logged = [one for one in series if one.kind == "scalar" and len(one)]
    errors = [one for one in logged if one.role == "error_metric" and one.labels.get("certainty") != "guess"]
    splits: dict[str, set[str]] = {}
    for one in errors:
        splits.setdefault(_metric(one), set()).add(one.labels.get("split", ""))
    rates = any(one.role == "metric" for one in logged)
    known = [
        name for name in OBJECTIVES if "train" in splits.get(name, ()) and not (rates and name in ("error", "err"))
    ] or _of_one_quantity(splits)
    if not known:
        return list(series)
    objective = next((name for name in known if splits[name] & {"val", "test"}), known[0])
    promoted = [one for one in errors if _metric(one) == objective and "split" in one.labels]
    return as_losses(series, {id(one): {} for one in promoted}, "promoted: the only objective logged")


def _of_one_quantity(splits: Mapping[str, set[str]]) -> list[str]:
    """The error of a single quantity that training and validation have (`torque_mse`), where none has a plain name."""
    compound = [
        name
        for name, found in splits.items()
        if "train" in found and found & {"val", "test"} and not _SQUARED_OR_ABSOLUTE.isdisjoint(re.split("[_/]", name))
    ]
    return compound if len(compound) == 1 else []


def _name(losses: Sequence[Series]) -> str | None:
    splits: dict[str, set[str]] = {}
    for one in losses:
        splits.setdefault(_metric(one), set()).add(one.labels.get("split", "train"))
    own = {name: found for name, found in splits.items() if name not in ALIASES} or splits
    if len(own) == 1:
        return next(iter(own))
    for total in TOTALS:
        if total in own:
            return total
    # `distill/loss` beside `distill/ce_loss`: under a name of its own, the one that is called just that.
    plain = [name for name, found in own.items() if name.rpartition("/")[2] == "loss" and "train" in found]
    if len(plain) == 1:
        return plain[0]
    repeated = [name for name, found in own.items() if "train" in found and found & {"val", "test"}]
    if len(repeated) == 1:
        return repeated[0]
    by_split = {split: [name for name, found in own.items() if split in found] for split in ("train", "val", "test")}
    if len(by_split["train"]) == 1:
        return by_split["train"][0]
    return None


def _chosen(losses: Sequence[Series], name: str | None) -> set[int]:
    chosen: set[int] = set()
    if name is None:
        return chosen
    groups: dict[tuple[str, str], list[Series]] = {}
    for one in losses:
        groups.setdefault((one.labels.get("split", "train"), one.labels.get("worker", "")), []).append(one)
    other_axes = {one.axis for one in losses if one.labels.get("split") != "train" and _metric(one) == name}
    for (split, _), members in groups.items():
        named = [one for one in members if _metric(one) == name]
        if not named and len({_metric(one) for one in members if _metric(one) not in ALIASES}) == 1:
            named = [one for one in members if _metric(one) not in ALIASES]
        chosen.update(
            id(one) for one in _kept(named, other_axes if split == "train" else _axes_of_training(losses, name))
        )
    return chosen


def _axes_of_training(losses: Iterable[Series], name: str) -> set[str]:
    return {one.axis for one in losses if one.labels.get("split", "train") == "train" and _metric(one) == name}


def _kept(named: Sequence[Series], axes: set[str]) -> list[Series]:
    """Of the series that are one loss in one split, the densest that shares an axis with the other splits.

    Where a mean per epoch stands beside values per step (`freq`), the means are kept as well once they can be judged, since they are
    the ones to compare with validation (formats.md §1.15); rules choose with `prefer: {freq: …}`.
    """
    if not named:
        return []

    def rank(one: Series) -> tuple[bool, bool, int]:
        return (len(one) >= JUDGEABLE, one.axis in axes, len(one))

    best = max(named, key=rank)
    means = [one for one in named if one.labels.get("freq") == "epoch" and len(one) >= JUDGEABLE]
    if best.labels.get("freq") == "epoch" or not means:
        return [best]
    return [best, max(means, key=rank)]


def _is_part(one: Series, name: str) -> bool:
    metric = _metric(one)
    return metric != name and metric not in ALIASES and "smoothed" not in one.labels and len(one) > 0


def _metric(one: Series) -> str:
    return one.labels.get("metric", one.tag)
